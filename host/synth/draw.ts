/**
 * Weights as Deep Compression leaves them (Han et al. 2016): drawn from a symmetric distribution, those of least magnitude cut off, the rest by
 * the values of k-means from evenly spaced ones; at independent positions.
 */
import { assign, kMeans, roundCodebook } from "../compress/share.js";
import type { Random } from "../rng.js";

/** Density over x ≥ 0, up to a factor. */
const DISTRIBUTIONS = {
  laplace: (x: number): number => Math.exp(-x),
  gauss: (x: number): number => Math.exp((-x * x) / 2),
} as const;

export type Distribution = keyof typeof DISTRIBUTIONS;
export const DISTRIBUTION_NAMES = Object.keys(DISTRIBUTIONS) as Distribution[];

/** Of magnitudes: steps a unit, and units; beyond them lie fewer than 2^-40. */
const STEPS = 512;
const UNITS = 28;

/** Magnitudes that stand for all of a layer when its values are looked for. */
const SAMPLES = 1 << 14;
/** Bits of a random number that look up where to search among the values. */
const GUIDE_BITS = 10;

/** How often a layer's weights have each value. */
export interface Levels {
  /** Ascending, none of them 0. */
  readonly values: Int8Array;
  /** Of each value or a smaller one, × 2^32. */
  readonly cumulative: Float64Array;
}

/**
 * @param count of the layer's weights before pruning, of which the largest is 127
 * @param density share that is left, above 0 and at most 1
 */
export function levelsOf(distribution: Distribution, count: number, density: number, bits: number): Levels {
  const shares = magnitudeShares(distribution);
  const [least, most] = [tailFrom(shares, density), tailFrom(shares, 1 / count)];
  const { centroids } = kMeans(samplesOf(shares, least, most), 2 ** bits - (density < 1 ? 1 : 0), "linear", 0);
  // Of a layer that is not pruned a value may round to 0, which would prune it.
  const codes = roundCodebook(centroids).codes.map((code) => (code === 0 ? 1 : code));
  const sums = new Float64Array(256);
  const steps = shares.length - least;
  const nearest = new Int32Array(steps);
  for (const sign of [-1, 1]) {
    assign(
      Float32Array.from({ length: steps }, (_, step) => sign * magnitudeAt(Math.min(least + step, most))),
      centroids,
      nearest,
    );
    nearest.forEach((centroid, step) => (sums[128 + codes[centroid]] += shares[least + step]));
  }
  const values = Int8Array.from([...sums.keys()].filter((at) => sums[at] > 0).map((at) => at - 128));
  const all = sums.reduce((sum, share) => sum + share, 0);
  let sum = 0;
  const cumulative = Float64Array.from(values, (value) => ((sum += sums[value + 128]) / all) * 2 ** 32);
  cumulative[cumulative.length - 1] = 2 ** 32;
  return { values, cumulative };
}

const magnitudeAt = (step: number): number => (step + 0.5) / STEPS;

/** Evenly spaced in the distribution of what is left, of both signs; the largest last. */
function samplesOf(shares: Float64Array, least: number, most: number): Float32Array {
  const left = shares.subarray(least).reduce((sum, share) => sum + share, 0);
  const samples = new Float32Array(2 * SAMPLES);
  let below = 0;
  for (let at = least, sample = 0; sample < SAMPLES - 1 && at < shares.length; at++) {
    below += shares[at];
    for (; sample < SAMPLES - 1 && (sample + 0.5) * left < below * SAMPLES; sample++) {
      samples[sample] = magnitudeAt(at);
      samples[SAMPLES + sample] = -magnitudeAt(at);
    }
  }
  samples[SAMPLES - 1] = magnitudeAt(most);
  samples[2 * SAMPLES - 1] = -magnitudeAt(most);
  return samples;
}

/** Share of the magnitudes within each step. */
function magnitudeShares(distribution: Distribution): Float64Array {
  const density = DISTRIBUTIONS[distribution];
  const shares = Float64Array.from({ length: STEPS * UNITS }, (_, at) => density(magnitudeAt(at)));
  const all = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share / all);
}

/** The first step from which on no more than so much lies, 0 for all. */
function tailFrom(shares: Float64Array, most: number): number {
  let tail = 0;
  for (let at = shares.length - 1; at >= 0; at--) {
    tail += shares[at];
    if (tail > most) return at + 1 < shares.length ? at + 1 : at;
  }
  return 0;
}

/**
 * Row-major [rows, columns], 0 = pruned.
 * @returns with the sum of each row, and the mean of the rows' sums of squares
 */
export function drawWeights(
  rows: number,
  columns: number,
  density: number,
  { values, cumulative }: Levels,
  random: Random,
): { readonly weights: Int8Array; readonly sums: Float64Array; readonly squares: number } {
  const weights = new Int8Array(rows * columns);
  const sums = new Float64Array(rows);
  const guide = Uint8Array.from({ length: 1 << GUIDE_BITS }, (_, at) =>
    cumulative.findIndex((end) => end > at * 2 ** (32 - GUIDE_BITS)),
  );
  // Zeros before the next weight: geometric, by the inverse of its distribution.
  const perGap = density < 1 ? 1 / Math.log1p(-density) : 0;
  const gap = (): number => (perGap === 0 ? 0 : Math.floor(Math.log(1 - random.uniform()) * perGap));
  let squares = 0;
  for (let row = 0, end = columns, at = gap(); at < weights.length; at += 1 + gap()) {
    while (at >= end) {
      row++;
      end += columns;
    }
    const number = random.nextU32();
    let index = guide[number >>> (32 - GUIDE_BITS)];
    while (number >= cumulative[index]) index++;
    const value = values[index];
    weights[at] = value;
    sums[row] += value;
    squares += value * value;
  }
  return { weights, sums, squares: squares / rows };
}
