/** Test vectors of a model: inputs, and the outputs that every engine gives for them, as they travel beside it. */
import { MoteError } from "../../errors.js";
import { openReference } from "../../engines/reference.js";
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

/** Runs one after another from the first one on: what states hold goes on. */
export interface Vectors {
  readonly count: number;
  readonly inputs: readonly VectorTensor[];
  readonly outputs: readonly VectorTensor[];
}

/**
 * Runs the reference.
 * @param count of the runs to take
 * @throws MoteError ARGUMENT when there are not as many
 */
export function makeVectors(container: Uint8Array, runs: Runs, count: number): Vectors {
  if (count > runs.count) throw new MoteError("ARGUMENT", `${count} vectors: ${runs.source} has ${runs.count} samples`);
  const engine = openReference(container);
  try {
    const tensors = (ends: typeof engine.inputs): VectorTensor[] =>
      ends.map(({ shape }) => ({ shape, elements: new Int8Array(count * valuesOf(shape)) }));
    const [inputs, outputs] = [tensors(engine.inputs), tensors(engine.outputs)];
    for (let index = 0; index < count; index++) {
      const given = inputs.map(({ elements }) => elementsOf(elements, index, count));
      runs.fill(index, given);
      engine.run(given);
      outputs.forEach(({ elements }, output) => elementsOf(elements, index, count).set(engine.result(output)));
    }
    return { count, inputs, outputs };
  } finally {
    engine.close();
  }
}

/** Those of run `index`. */
export function elementsOf(elements: Int8Array, index: number, count: number): Int8Array {
  const size = elements.length / count;
  return elements.subarray(index * size, (index + 1) * size);
}

/** An .npz archive with the arrays input0, output0 and so on, int8 [count, channels, height, width]. */
export function vectorsArchive({ count, inputs, outputs }: Vectors): Uint8Array {
  const arrays = (tensors: readonly VectorTensor[], name: (index: number) => string) =>
    tensors.map(({ shape, elements }, index) => [name(index), { shape: [count, ...shape], values: elements }] as const);
  return writeNpz(new Map([...arrays(inputs, inputArray), ...arrays(outputs, outputArray)]));
}
