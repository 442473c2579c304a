/** Test vectors of a model: inputs, and the outputs that every engine gives for them, as they travel beside it. */
import { beginsStream } from "../../data/sequences.js";
import { MoteError } from "../../errors.js";
import { openReference } from "../../engines/reference.js";
import { bitsOf, refuseWide } from "../../model/elements.js";
import { valuesOf } from "../../model/geometry.js";
import type { Shape } from "../../model/model.js";
import { inputArray, outputArray } from "./arrays.js";
import { writeNpz } from "../../data/npz.js";
import type { Runs } from "./runs.js";

/** An input or an output of the model. */
export interface VectorTensor {
  readonly shape: Shape;
  /** [count, channels, height, width], as engines take and give them. */
  readonly elements: Int8Array;
}

/** Runs one after another, each stream of them from a reset on. */
export interface Vectors {
  /** Of runs. */
  readonly count: number;
  /** Runs of each stream, of which there is a whole number; undefined for a model without states. */
  readonly perStream: number | undefined;
  readonly inputs: readonly VectorTensor[];
  readonly outputs: readonly VectorTensor[];
}

/**
 * Runs the reference.
 * @param samples how many of the runs' to take, the first ones
 * @throws MoteError ARGUMENT when there are not as many, or the last stream of them is not whole
 */
export function makeVectors(container: Uint8Array, runs: Runs, samples: number): Vectors {
  const [count, given] = [samples * runs.perSample, runs.count / runs.perSample];
  if (samples > given) throw new MoteError("ARGUMENT", `${samples} vectors: ${runs.source} has ${given} samples`);
  const engine = openReference(container);
  refuseWide(bitsOf(engine.input), "test vectors: ");
  try {
    const perStream = engine.hasStates ? Math.min(runs.perStream, count) : undefined;
    if (perStream !== undefined && count % perStream !== 0) {
      throw new MoteError("ARGUMENT", `${samples} vectors: expected a multiple of ${perStream}, the steps of a stream`);
    }
    const tensors = (ends: typeof engine.inputs): VectorTensor[] =>
      ends.map(({ shape }) => ({ shape, elements: new Int8Array(count * valuesOf(shape)) }));
    const [inputs, outputs] = [tensors(engine.inputs), tensors(engine.outputs)];
    for (let index = 0; index < count; index++) {
      const elements = inputs.map((input) => elementsOf(input.elements, index, count));
      runs.fill(index, elements);
      if (beginsStream(index, runs)) engine.reset();
      engine.run(elements);
      outputs.forEach((of, output) => elementsOf(of.elements, index, count).set(engine.result(output)));
    }
    return { count, perStream, inputs, outputs };
  } finally {
    engine.close();
  }
}

/** Those of run `index`. */
export function elementsOf(elements: Int8Array, index: number, count: number): Int8Array {
  const size = elements.length / count;
  return elements.subarray(index * size, (index + 1) * size);
}

/**
 * An .npz archive with the arrays input0, output0 and so on, int8 [count, channels, height, width], or of streams of several steps
 * [streams, steps, channels, height, width]: samples as `loadRuns` takes them.
 */
export function vectorsArchive({ count, perStream = 1, inputs, outputs }: Vectors): Uint8Array {
  const sizes = perStream === 1 ? [count] : [count / perStream, perStream];
  const arrays = (tensors: readonly VectorTensor[], name: (index: number) => string) =>
    tensors.map(
      ({ shape, elements }, index) => [name(index), { shape: [...sizes, ...shape], values: elements }] as const,
    );
  return writeNpz(new Map([...arrays(inputs, inputArray), ...arrays(outputs, outputArray)]));
}
