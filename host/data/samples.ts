/** Samples as every stage of training passes them on: values as the data has them, floats only inside the training engine. */
import { MoteError } from "../errors.js";
import type { Labels, Values } from "./data-set.js";

export interface Samples {
  readonly count: number;
  /** [count, C, H, W], as the data has them. Backed by a SharedArrayBuffer, so that threads read it in place. */
  readonly images: Values;
  /** How the net sees them; absent: as value / 255, the way of bytes. */
  readonly reading?: ChannelReading;
  /** [count], the class of each; absent where there are targets alone. */
  readonly labels?: Labels;
  /** [count, values of all outputs], for the losses "sigmoid" and "mse". */
  readonly targets?: Float32Array;
  /** [count, values of the first output], a teacher's, for distillation. */
  readonly logits?: Float32Array;
  /** [count, values of the tensor that `distill.features` names], a teacher's. */
  readonly features?: Float32Array;
}

/** The net sees value × scale[c] + offset[c] in channel c. */
export interface ChannelReading {
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

/** Pictures as bytes, each with its class: MNIST and what has its form. */
export interface LabelledPictures extends Samples {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/**
 * @param what the samples are, for the message: "training", "validation"
 * @throws MoteError MISMATCH where there are none
 */
export function requireLabels({ labels, count }: Samples, what: string): Labels {
  if (labels === undefined) throw new MoteError("MISMATCH", `${what}: no labels, expected a class for each sample`);
  if (labels.length === count) return labels;
  throw new MoteError("MISMATCH", `${what}: ${labels.length} labels for ${count} samples`);
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

/** A page that is not isolated from others has no memory that threads can share, nor threads that would share it. */
const sharedBuffer = (bytes: number): ArrayBufferLike =>
  typeof SharedArrayBuffer === "undefined" ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes);

/** A zeroed byte array that threads can share. */
export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(sharedBuffer(length));
}

/** A zeroed float array that threads can share. */
export function sharedFloats(length: number): Float32Array {
  return new Float32Array(sharedBuffer(length * Float32Array.BYTES_PER_ELEMENT));
}

/** Of a typed array of any of these kinds. */
type Elements = Values | Labels;

/** The fields of samples that have as many elements for each sample. */
const ARRAYS = ["images", "labels", "targets", "logits", "features"] as const;

/** The same samples with each of their arrays replaced. */
function mapArrays<T extends Samples>(
  samples: T,
  count: number,
  replace: (array: Elements, key: (typeof ARRAYS)[number]) => Elements,
): T {
  const arrays = ARRAYS.flatMap((key) => {
    const array = samples[key];
    return array === undefined ? [] : [[key, replace(array, key)] as const];
  });
  return { ...samples, ...(Object.fromEntries(arrays) as Partial<Samples>), count };
}

/**
 * Samples `from` .. `to` - 1 without copying: the slices are views.
 * @throws RangeError when the range does not lie within the samples
 */
export function sliceSamples<T extends Samples>(samples: T, from: number, to: number): T {
  if (!(from >= 0 && from <= to && to <= samples.count)) {
    throw new RangeError(`samples: range ${from} .. ${to} is not within 0 .. ${samples.count}`);
  }
  return mapArrays(samples, to - from, (array) => {
    const each = samples.count === 0 ? 0 : array.length / samples.count;
    return array.subarray(from * each, to * each);
  });
}

/** Both, one behind the other, with what both have; in memory that threads can share. @param b with the same kinds of arrays */
export function joinSamples<T extends Samples>(a: T, b: Samples): T {
  return mapArrays(a, a.count + b.count, (array, key) => {
    const other = b[key]!;
    const Kind = array.constructor as new (buffer: ArrayBufferLike) => Elements;
    const joined = new Kind(sharedBuffer(array.byteLength + other.byteLength));
    joined.set(array);
    joined.set(other, array.length);
    return joined;
  });
}

/** The same samples in memory that threads can share; a copy is made where they are not. */
export function shareSamples<T extends Samples>(samples: T): T {
  return mapArrays(samples, samples.count, (array) => {
    if (typeof SharedArrayBuffer === "undefined" || array.buffer instanceof SharedArrayBuffer) return array;
    const Kind = array.constructor as new (buffer: ArrayBufferLike) => Elements;
    const copy = new Kind(sharedBuffer(array.byteLength));
    copy.set(array);
    return copy;
  });
}
