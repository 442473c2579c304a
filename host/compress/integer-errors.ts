/** The error that counts: of the integer model, on the reference engine. */
import { checkLabels, requireBytes, requireLabels, type Samples } from "../data/samples.js";
import { openReference } from "../engines/reference.js";
import { valuesOf } from "../model/geometry.js";

/**
 * Samples whose class, the first greatest output, is wrong.
 * @param container a whole `.mote` file
 * @throws MoteError MISMATCH for a label that is no class of the model
 */
export function integerErrors(container: Uint8Array, samples: Samples): number {
  const engine = openReference(container);
  try {
    requireBytes(samples);
    const labels = requireLabels(samples, "samples");
    checkLabels(labels, valuesOf(engine.output.shape), "samples");
    const size = samples.images.length / samples.count;
    const input = new Int8Array(size);
    let errors = 0;
    for (let i = 0; i < samples.count; i++) {
      for (let j = 0; j < size; j++) input[j] = samples.images[i * size + j] - 128;
      const output = engine.run(input);
      let best = 0;
      for (let c = 1; c < output.length; c++) if (output[c] > output[best]) best = c;
      if (best !== labels[i]) errors++;
    }
    return errors;
  } finally {
    engine.close();
  }
}
