/** The error that counts: of the integer model. */
import type { Samples } from "../data/samples.js";
import { checkLabels } from "../data/samples.js";
import type { Engine, TensorInfo } from "../engines/engine.js";
import { quantize } from "../engines/values.js";
import { elementsFor } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import { CLASSES, type Task } from "../train/losses.js";
import { evaluateOutputs, type Evaluation } from "../train/metrics.js";

/**
 * How good a model's outputs are, taken as real numbers.
 * @throws MoteError MISMATCH for samples without the labels or targets that the task needs, or with a label that is no class of the model
 */
export function integerEvaluation(engine: Engine, samples: Samples, task: Task = CLASSES): Evaluation {
  const { count, images, labels } = samples;
  const ends = task.loss === "softmax" ? [engine.output] : engine.outputs;
  const values = ends.reduce((sum, { shape }) => sum + valuesOf(shape), 0);
  if (task.loss === "softmax" && labels !== undefined) checkLabels(labels, values, "samples");
  const size = valuesOf(engine.input.shape);
  const sample = images.length / Math.max(1, count);
  const outputs = new Float32Array(count * values);
  const input = elementsFor(engine.input, size);
  const toInteger = integerOf(samples, engine.input);
  for (let n = 0; n < count; n++) {
    engine.reset();
    // Of a net with states a sample is several steps, the last of which gives its result.
    for (let from = n * sample; from < (n + 1) * sample; from += size) {
      for (let i = 0; i < size; i++) input[i] = toInteger(images[from + i], i);
      engine.run(input);
    }
    let at = n * values;
    ends.forEach(({ scale, zeroPoint }, index) => {
      for (const q of engine.result(index)) outputs[at++] = scale * (q - zeroPoint);
    });
  }
  return evaluateOutputs(task, outputs, values, samples);
}

/** What the input's element is for a value, as the net that was trained saw it. */
function integerOf({ reading }: Samples, input: TensorInfo): (value: number, index: number) => number {
  const { shape, scale } = input;
  if (reading === undefined) return (value) => quantize(value / 255 / scale, input);
  const plane = valuesOf(shape) / reading.scale.length;
  return (value, index) => {
    const channel = Math.floor(index / plane);
    return quantize((value * reading.scale[channel] + reading.offset[channel]) / scale, input);
  };
}
