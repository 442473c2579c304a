/** Banks of distorted copies, made once so that a teacher can label them. */
import { requireBytes, requireLabels, sharedBytes, type LabelledPictures, type Samples } from "../data/samples.js";
import type { Shape } from "../model/model.js";
import { mixWords } from "../rng.js";
import { instantiateKernels, SharedHeap } from "./heap.js";

/** Keeps a bank's distortions apart from those that a training run of the same seed makes. */
const BANK_STREAM = 0x62616e6b;
/** What the kernel wants as scratch memory. */
const FIELD_BYTES = 256;

/**
 * `copies` distorted copies of every image, copy by copy: sample copy × count + i shows image i. Logits are left behind.
 * @param module train.wasm
 * @param shape of an image
 * @param strength 0 = plain copies, 1 = strong
 * @returns samples in memory that threads can share
 * @throws MoteError UNSUPPORTED, MISMATCH for samples that are no bytes with a class each
 */
export function augmentBank(
  module: WebAssembly.Module,
  samples: Samples,
  shape: Shape,
  copies: number,
  strength: number,
  seed: number,
): LabelledPictures {
  const { count } = samples;
  requireBytes(samples);
  const given = requireLabels(samples, "samples");
  const images = sharedBytes(samples.images.length * copies);
  const labels = sharedBytes(count * copies);
  if (count === 0) return { count: 0, images, labels };
  const pixels = samples.images.length / count;
  const [planes, height, width] = shape;
  if (planes * height * width !== pixels) {
    throw new RangeError(`samples: expected images of [${shape}], got ${pixels} pixels each`);
  }
  const heap = new SharedHeap();
  const from = heap.allocate(pixels);
  const to = heap.allocate(pixels);
  const field = heap.allocate(FIELD_BYTES);
  const kernels = instantiateKernels(module, heap.memory);
  const source = heap.u8(from, pixels);
  const distorted = heap.u8(to, pixels);
  for (let copy = 0; copy < copies; copy++) {
    labels.set(given, copy * count);
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
