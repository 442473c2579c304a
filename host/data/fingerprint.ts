/** Which samples are the same picture, series or vector, whatever file they came from, and how many of some a net has been trained on. */
import type { Values } from "./data-set.js";
import type { Samples } from "./samples.js";

/** Pictures and series of so many values are the same where they differ in brightness and contrast only; of fewer values each counts. */
const MANY_VALUES = 64;
/** Steps between the least and the greatest value of a sample: coarser than what float32 rounds, finer than bytes. */
const STEPS = 1024;
/** Hexadecimal digits of a fingerprint, which has 48 bits. */
const DIGITS = 12;
/** A sketch of more samples has the least of their fingerprints, which is as good as some drawn by chance. */
const MOST_KEPT = 2048;

/**
 * A number of 48 bits for each sample. Values are taken as the net sees them. The same bytes as they are, divided by 255 or normalized by one mean and
 * standard deviation give the same number.
 * @param channels of the samples
 */
export function fingerprints(samples: Samples, channels: number): Float64Array {
  const { count, images, reading } = samples;
  const size = count === 0 ? 0 : images.length / count;
  const words = new Int32Array(size);
  const write = images instanceof Uint8Array && reading === undefined ? byteWords : realWords(samples, channels);
  const result = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    write(images.subarray(n * size, (n + 1) * size), words);
    result[n] = hash48(words);
  }
  return result;
}

/** Writes what counts of a sample's values. */
type Write = (values: Values, words: Int32Array) => void;

const byteWords: Write = (values, words) => {
  if (values.length < MANY_VALUES)
    return writeReals(
      Float32Array.from(values, (byte) => byte / 255),
      words,
    );
  let [least, greatest] = [255, 0];
  // Plain loops: this is done to every byte of a data set.
  for (let i = 0; i < values.length; i++) {
    least = Math.min(least, values[i]);
    greatest = Math.max(greatest, values[i]);
  }
  const factor = greatest > least ? STEPS / (greatest - least) : 0;
  for (let i = 0; i < values.length; i++) words[i] = Math.round((values[i] - least) * factor);
};

const realWords = ({ reading }: Samples, channels: number): Write => {
  const reals = (values: Values): Float32Array => {
    if (reading === undefined) return Float32Array.from(values);
    const places = values.length / channels;
    const of = (i: number): number => Math.floor(i / places);
    return Float32Array.from(values, (value, i) => value * reading.scale[of(i)] + reading.offset[of(i)]);
  };
  return (values, words) => writeReals(reals(values), words);
};

function writeReals(reals: Float32Array, words: Int32Array): void {
  if (reals.length < MANY_VALUES) return words.set(new Int32Array(reals.buffer));
  const least = reals.reduce((a, b) => Math.min(a, b));
  const greatest = reals.reduce((a, b) => Math.max(a, b));
  const factor = greatest > least ? STEPS / (greatest - least) : 0;
  for (let i = 0; i < reals.length; i++) words[i] = Math.round((reals[i] - least) * factor);
}

function hash48(words: Int32Array): number {
  let [a, b] = [0x9e3779b9 | 0, 0x85ebca6b | 0];
  for (let i = 0; i < words.length; i++) {
    a = Math.imul(a ^ words[i], 0xcc9e2d51);
    a ^= a >>> 15;
    b = Math.imul((b << 13) ^ (b >>> 19) ^ a, 0x1b873593);
  }
  a = Math.imul(a ^ (b >>> 16), 0xc2b2ae35);
  return (b >>> 0) * 0x10000 + ((a ^ (a >>> 16)) & 0xffff);
}

/** Samples of `of` that are among `among` as well. */
export function countShared(of: Float64Array, among: Float64Array): number {
  const known = new Set(among);
  return of.reduce((sum, print) => sum + (known.has(print) ? 1 : 0), 0);
}

/** The fingerprints of some training samples, or of all, as text: 12 hexadecimal digits for each, ascending. */
export function sketchOf(prints: Float64Array): string {
  const kept = Float64Array.from(new Set(prints)).sort().subarray(0, MOST_KEPT);
  return Array.from(kept, (print) => print.toString(16).padStart(DIGITS, "0")).join("");
}

export const isSketch = (text: string): boolean =>
  /^[\da-f]*$/.test(text) && text.length % DIGITS === 0 && text.length <= MOST_KEPT * DIGITS;

export interface Seen {
  /** Samples of which the sketch tells whether they are in it. */
  readonly checked: number;
  /** Of these, those that are. */
  readonly seen: number;
}

/** How many of some samples are of those that a sketch was made of. */
export function seenIn(sketch: string, of: Float64Array): Seen {
  const prints = Float64Array.from({ length: sketch.length / DIGITS }, (_, i) =>
    Number.parseInt(sketch.slice(i * DIGITS, (i + 1) * DIGITS), 16),
  );
  // Beyond the greatest that was kept, nobody knows.
  const end = prints.length < MOST_KEPT ? Infinity : prints[MOST_KEPT - 1];
  const checked = of.filter((print) => print <= end);
  return { checked: checked.length, seen: countShared(checked, prints) };
}
