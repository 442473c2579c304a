/** Banks of distorted copies, made once so that a teacher can label them. */
import { sharedBytes, type Samples } from "../data/samples.js";
import type { Shape } from "../model/model.js";
import { mixWords } from "../rng.js";
import { compileKernels, instantiateKernels, SharedHeap } from "./heap.js";

/** Keeps a bank's distortions apart from those that a training run of the same seed makes. */
const BANK_STREAM = 0x62616e6b;
/** What the kernel wants as scratch memory. */
const FIELD_BYTES = 256;

/** One channel as wide as high. @throws RangeError where that does not fit */
function squareShape(pixels: number): Shape {
  const side = Math.sqrt(pixels);
  if (!Number.isInteger(side)) throw new RangeError(`samples: ${pixels} pixels are no square image; give their shape`);
  return [1, side, side];
}

/**
 * `copies` distorted copies of every image, copy by copy: sample copy × count + i shows image i. Logits are left behind.
 * @param strength 0 = plain copies, 1 = strong
 * @param shape of an image; one square channel where it is not given
 * @returns samples in memory that threads can share
 */
export function augmentBank(samples: Samples, copies: number, strength: number, seed: number, shape?: Shape): Samples {
  const { count } = samples;
  const images = sharedBytes(samples.images.length * copies);
  const labels = sharedBytes(count * copies);
  if (count === 0) return { count: 0, images, labels };
  const pixels = samples.images.length / count;
  const [planes, height, width] = shape ?? squareShape(pixels);
  if (planes * height * width !== pixels) {
    throw new RangeError(`samples: expected images of [${shape}], got ${pixels} pixels each`);
  }
  const heap = new SharedHeap();
  const from = heap.allocate(pixels);
  const to = heap.allocate(pixels);
  const field = heap.allocate(FIELD_BYTES);
  const kernels = instantiateKernels(compileKernels(), heap.memory);
  const source = heap.u8(from, pixels);
  const distorted = heap.u8(to, pixels);
  for (let copy = 0; copy < copies; copy++) {
    labels.set(samples.labels, copy * count);
    for (let i = 0; i < count; i++) {
      source.set(samples.images.subarray(i * pixels, (i + 1) * pixels));
      const low = mixWords(seed, copy, i, BANK_STREAM, 1);
      const high = mixWords(seed, copy, i, BANK_STREAM, 2);
      kernels.augment(to, from, planes, height, width, low, high, strength, field);
      images.set(distorted, (copy * count + i) * pixels);
    }
  }
  return { count: count * copies, images, labels };
}
