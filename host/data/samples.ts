/** Labelled images as every stage passes them on: bytes in, floats only inside the training engine. */
import { MoteError } from "../errors.js";
import type { Labels } from "./data-set.js";

export interface Samples {
  readonly count: number;
  /** [count, C, H, W], 0 .. 255; the net sees pixel / 255. Backed by a SharedArrayBuffer, so that threads read it in place. */
  readonly images: Uint8Array;
  /** [count], the class of each image. */
  readonly labels: Uint8Array;
  /** [count, classes], a teacher's logits for distillation; backed by a SharedArrayBuffer too. */
  readonly logits?: Float32Array;
}

/**
 * @param labels one a sample
 * @param classes of the net that they are for
 * @param what the samples are, for the message: "training", "validation"
 * @throws MoteError MISMATCH naming the label, its index and the number of classes
 */
export function checkLabels(labels: Labels, classes: number, what: string): void {
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong < 0) return;
  const range = classes === 1 ? "0, the only class" : `0 .. ${classes - 1}, one of ${classes} classes`;
  throw new MoteError("MISMATCH", `${what}: the label of sample ${wrong} is ${labels[wrong]}, expected ${range}`);
}

/** A zeroed byte array that threads can share. A page that is not isolated from others has no such arrays, nor threads that would share them. */
export function sharedBytes(length: number): Uint8Array {
  return typeof SharedArrayBuffer === "undefined"
    ? new Uint8Array(length)
    : new Uint8Array(new SharedArrayBuffer(length));
}

/** A zeroed float array that threads can share. */
export function sharedFloats(length: number): Float32Array {
  return new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
}

/**
 * Samples `from` .. `to` - 1 without copying: the slices are views.
 * @throws RangeError when the range does not lie within the samples
 */
export function sliceSamples(samples: Samples, from: number, to: number): Samples {
  if (!(from >= 0 && from <= to && to <= samples.count)) {
    throw new RangeError(`samples: range ${from} .. ${to} is not within 0 .. ${samples.count}`);
  }
  const imageBytes = samples.count === 0 ? 0 : samples.images.length / samples.count;
  const slice = {
    count: to - from,
    images: samples.images.subarray(from * imageBytes, to * imageBytes),
    labels: samples.labels.subarray(from, to),
  };
  if (samples.logits === undefined) return slice;
  const classes = samples.count === 0 ? 0 : samples.logits.length / samples.count;
  return { ...slice, logits: samples.logits.subarray(from * classes, to * classes) };
}

function shareArray<T extends Uint8Array | Float32Array>(array: T, allocate: (length: number) => T): T {
  if (array.buffer instanceof SharedArrayBuffer) return array;
  const copy = allocate(array.length);
  copy.set(array);
  return copy;
}

/** The same samples in memory that threads can share; a copy is made where they are not. */
export function shareSamples(samples: Samples): Samples {
  const images = shareArray(samples.images, sharedBytes);
  const labels = shareArray(samples.labels, sharedBytes);
  if (samples.logits === undefined) return { count: samples.count, images, labels };
  return { count: samples.count, images, labels, logits: shareArray(samples.logits, sharedFloats) };
}
