/** Banks of changed copies, made once so that a teacher can label them. */
import { sharedBytes, type Samples } from "../data/samples.js";
import type { Labels, Values } from "../data/data-set.js";
import { valuesOf } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import { mixWords } from "../rng.js";
import type { Augmentation } from "./augment.js";
import { augmenter, augmentScratchBytes } from "./augmenter.js";
import { instantiateKernels, SharedHeap } from "./heap.js";

/** Keeps a bank's distortions apart from those that a training run of the same seed makes. */
const BANK_STREAM = 0x62616e6b;

/** A bank whose copies are made one after the other. */
export interface Bank<T extends Samples> {
  /** In memory that threads can share; images of copies that are not made yet are as given. */
  readonly samples: Omit<T, "logits" | "features">;
  /** Changes the images of a copy. */
  make(copy: number): void;
}

/** All copies of `bankOf` at once. */
export function augmentBank<T extends Samples>(...given: Parameters<typeof bankOf<T>>): Bank<T>["samples"] {
  const { samples, make } = bankOf(...given);
  const [, , , copies] = given;
  for (let copy = 0; copy < copies; copy++) make(copy);
  return samples;
}

/**
 * `copies` changed copies of every sample, copy by copy: sample copy × count + i comes from sample i, with its label and targets. What a
 * teacher said is left behind.
 * @param module train.wasm
 * @param shape of a sample
 */
export function bankOf<T extends Samples>(
  module: WebAssembly.Module,
  samples: T,
  shape: Shape,
  copies: number,
  augmentation: Augmentation,
  seed: number,
): Bank<T> {
  const { logits: _, features: __, ...kept } = samples;
  const { count, images, labels, targets } = samples;
  const pixels = valuesOf(shape);
  if (images.length !== count * pixels) {
    throw new RangeError(`samples: expected ${count} of [${shape}], got ${images.length} values`);
  }
  const heap = new SharedHeap();
  const from = heap.allocate(pixels * images.BYTES_PER_ELEMENT);
  const to = heap.allocate(pixels * images.BYTES_PER_ELEMENT);
  const scratch = heap.allocate(augmentScratchBytes(shape));
  const kernels = instantiateKernels(module, heap.memory);
  const augment = augmenter(kernels, new Float32Array(heap.memory.buffer), scratch, shape, augmentation, images);
  const bytesOf = (array: Values): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const changed = repeated(images, copies);
  const source = bytesOf(images);
  const result = bytesOf(changed);
  const bytes = pixels * images.BYTES_PER_ELEMENT;
  const input = heap.u8(from, bytes);
  const output = heap.u8(to, bytes);
  const make = (copy: number): void => {
    for (let i = 0; i < count; i++) {
      input.set(source.subarray(i * bytes, (i + 1) * bytes));
      const low = mixWords(seed, copy, i, BANK_STREAM, 1);
      const high = mixWords(seed, copy, i, BANK_STREAM, 2);
      augment(to, from, low, high);
      result.set(output, (copy * count + i) * bytes);
    }
  };
  const repeatedLabels = labels && { labels: repeated(labels, copies) };
  const repeatedTargets = targets && { targets: repeated(targets, copies) };
  return {
    samples: { ...kept, count: count * copies, images: changed, ...repeatedLabels, ...repeatedTargets },
    make,
  };
}

/** An array that threads can share, the given one so many times. */
function repeated<T extends Values | Labels>(array: T, copies: number): T {
  const Kind = array.constructor as new (buffer: ArrayBufferLike) => T;
  const result = new Kind(sharedBytes(array.byteLength * copies).buffer);
  for (let copy = 0; copy < copies; copy++) result.set(array, copy * array.length);
  return result;
}
