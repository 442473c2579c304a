/** What a net is run on, whatever file it came from: values as the file has them, and how the net is to see them. */
import { MoteError } from "../errors.js";

/** Bytes are pixels, 0 .. 255; int8 is what the net's input itself holds; floats are real numbers. */
export type Values = Uint8Array | Int8Array | Float32Array;
export type Labels = Uint8Array | Uint16Array;

/** The net sees (value × scale − mean) / std. */
export interface Reading {
  /** How the values of a sample with several channels lie: channel by channel, or all channels of a pixel together. By default what fits. */
  readonly layout?: "nchw" | "nhwc";
  /** By default 1/255 for pixels, 1 for real numbers. */
  readonly scale?: number;
  /** One, or one for each channel; 0 by default. */
  readonly mean?: readonly number[];
  /** One, or one for each channel; 1 by default. */
  readonly std?: readonly number[];
}

export interface DataSet {
  readonly count: number;
  /** Of one sample, as its file has it. */
  readonly shape: readonly number[];
  /** [count, ...shape] */
  readonly images: Values;
  /** [count], the class of each sample. */
  readonly labels?: Labels;
  /** [count, …], numbers that a net is to give for each sample. */
  readonly targets?: Float32Array;
  readonly reading?: Reading;
  /** Of pictures: what their three channels are. */
  readonly colours?: "rgb";
}

/** A data set with what people call it and its samples. */
export interface SampleSet extends DataSet {
  /** One a sample where samples are files. */
  readonly names?: readonly string[];
  /** One list a sample where samples are pictures: why what is read from it may be wrong. */
  readonly doubts?: readonly (readonly string[])[];
  /** Names of the classes, where the data has them. */
  readonly classes?: readonly string[];
  /** What they are, for people and logs: "mnist:test", "3 PNG files". */
  readonly source: string;
}

/** Labels, and names of the classes that they number, where these have any. */
export type ClassLabels = Required<Pick<SampleSet, "labels">> & Pick<SampleSet, "classes">;

/**
 * Whether a net's names number the classes of samples: it has all of their names. With none of them, samples keep numbers of their own.
 * @param what the classes are from, for the message
 * @throws MoteError MISMATCH naming a class that the net does not have where it has others
 */
export function areNamed(classes: readonly string[], wanted: readonly string[], what: string): boolean {
  const known = new Set(wanted);
  const unknown = classes.filter((name) => !known.has(name));
  if (unknown.length === 0 || unknown.length === classes.length) return unknown.length === 0;
  const names = `${wanted.slice(0, 20).join(", ")}${wanted.length > 20 ? ", …" : ""}`;
  throw new MoteError("MISMATCH", `${what}: class ${unknown[0]} is none of the model's: ${names}`);
}

/** The largest class that a label can be. */
export const MAX_LABEL = 0xffff;

/**
 * The same samples in another order, or some of them.
 * @param indices of samples, 0 .. count − 1
 */
export function pickSamples<T extends DataSet>(set: T, indices: readonly number[]): T {
  const { labels, targets } = set;
  return {
    ...set,
    count: indices.length,
    images: pick(set.images, set.count, indices),
    ...(labels === undefined ? {} : { labels: pick(labels, set.count, indices) }),
    ...(targets === undefined ? {} : { targets: pick(targets, set.count, indices) }),
  };
}

/** Of an array with as many elements for each of `count` samples, those of some samples. */
function pick<T extends Values | Labels>(array: T, count: number, indices: readonly number[]): T {
  const size = array.length / count;
  const picked = array.slice(0, indices.length * size) as T;
  indices.forEach((from, to) => picked.set(array.subarray(from * size, (from + 1) * size), to * size));
  return picked;
}

/** @throws MoteError FORMAT naming the first that is no class */
export function toLabels(values: ArrayLike<number>, file: string): Labels {
  const labels = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!(Number.isInteger(value) && value >= 0 && value <= MAX_LABEL)) {
      throw new MoteError("FORMAT", `${file}: label ${i} is ${value}, expected a class, 0 .. ${MAX_LABEL}`);
    }
    labels[i] = value;
  }
  return labels;
}
