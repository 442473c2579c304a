/**
 * Weight sharing: k-means over the surviving weights of one layer, on a line. Sorted once, a cluster is a range, its sum the
 * difference of two prefix sums, and a Lloyd round costs k binary searches: 400,000 weights take a sort and some milliseconds.
 * @see Han, Mao, Dally 2016, "Deep Compression", section 3
 */
import { Random } from "../rng.js";

export type CentroidInit = "forgy" | "density" | "linear";
export const CENTROID_INITS: readonly CentroidInit[] = ["forgy", "density", "linear"];

export interface Sharing {
  /** Ascending; no two equal, none without members. */
  readonly centroids: Float32Array;
  /** One per weight: index into centroids, -1 for a pruned weight (exactly 0). */
  readonly assignment: Int32Array;
  /** Sum of squared distances of the survivors to their centroids. */
  readonly squaredError: number;
  readonly rounds: number;
}

/**
 * Starting centroids from the sorted survivors. Forgy: k of them drawn at random. Density: evenly spaced in their cumulative
 * distribution. Linear: evenly spaced between the least and the greatest, so that the few large weights get their own.
 */
export function initialCentroids(sorted: Float32Array, k: number, init: CentroidInit, seed: number): Float64Array {
  const n = sorted.length;
  const centroids = new Float64Array(k);
  switch (init) {
    case "forgy": {
      const rng = new Random(seed);
      const drawn = new Set<number>();
      // Drawing is without replacement; k is far below n in any real layer, and never above it here.
      while (drawn.size < k) drawn.add(rng.integer(n));
      centroids.set([...drawn].map((i) => sorted[i]));
      break;
    }
    case "density":
      for (let j = 0; j < k; j++) centroids[j] = sorted[Math.floor(((j + 0.5) * n) / k)];
      break;
    case "linear": {
      const low = sorted[0];
      const high = sorted[n - 1];
      for (let j = 0; j < k; j++) centroids[j] = k === 1 ? (low + high) / 2 : low + ((high - low) * j) / (k - 1);
      break;
    }
  }
  return centroids.sort();
}

/** First index whose value is > bound, in an ascending array. */
function upperBound(sorted: Float32Array, bound: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] > bound) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Ends of the ranges that are nearest to each centroid; a weight half-way between two goes to the lower. */
function rangeEnds(sorted: Float32Array, centroids: Float64Array): Uint32Array {
  const ends = new Uint32Array(centroids.length);
  for (let j = 0; j + 1 < centroids.length; j++) ends[j] = upperBound(sorted, (centroids[j] + centroids[j + 1]) / 2);
  ends[centroids.length - 1] = sorted.length;
  return ends;
}

/**
 * Lloyd's algorithm from the chosen start, until no range moves (at most `maxRounds`).
 * @param weights one layer's weights; those exactly 0 are pruned and not shared
 * @param k clusters asked for; fewer come back when there are fewer survivors or a cluster ends without members
 */
export function kMeans(weights: Float32Array, k: number, init: CentroidInit, seed: number, maxRounds = 300): Sharing {
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`kMeans: k must be a positive integer, got ${k}`);
  const sorted = weights.filter((w) => w !== 0).sort();
  const n = sorted.length;
  const assignment = new Int32Array(weights.length).fill(-1);
  if (n === 0) return { centroids: new Float32Array(0), assignment, squaredError: 0, rounds: 0 };
  const prefix = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) prefix[i + 1] = prefix[i] + sorted[i];

  const centroids = initialCentroids(sorted, Math.min(k, n), init, seed);
  let ends = rangeEnds(sorted, centroids);
  let rounds = 0;
  for (; rounds < maxRounds; rounds++) {
    for (let j = 0, start = 0; j < centroids.length; start = ends[j++]) {
      // An empty cluster stays where it is: its neighbours may yet leave it some weights.
      if (ends[j] > start) centroids[j] = (prefix[ends[j]] - prefix[start]) / (ends[j] - start);
    }
    const next = rangeEnds(sorted, centroids);
    if (next.every((end, j) => end === ends[j])) break;
    ends = next;
  }

  const kept = Float32Array.from(centroids.filter((_, j) => ends[j] > (j === 0 ? 0 : ends[j - 1])));
  const distinct = kept.filter((c, j) => j === 0 || c !== kept[j - 1]);
  return { centroids: distinct, assignment, squaredError: assign(weights, distinct, assignment), rounds };
}

/** Writes each survivor's nearest centroid (ascending, the lower of two equally near) and returns the squared error. */
export function assign(weights: Float32Array, centroids: Float32Array, assignment: Int32Array): number {
  let squaredError = 0;
  for (let i = 0; i < weights.length; i++) {
    const w = weights[i];
    if (w === 0) {
      assignment[i] = -1;
      continue;
    }
    let low = 0;
    let high = centroids.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (w > (centroids[middle] + centroids[middle + 1]) / 2) low = middle + 1;
      else high = middle;
    }
    assignment[i] = low;
    squaredError += (w - centroids[low]) ** 2;
  }
  return squaredError;
}

/**
 * Rounds a codebook to int8: scale = max|c| / 127, every centroid the nearest multiple. Two may become equal, and one
 * may become 0, which prunes its members.
 * @returns the scale, and each centroid's integer, -127 .. 127
 */
export function roundCodebook(centroids: Float32Array): { scale: number; codes: Int8Array } {
  let largest = 0;
  for (const c of centroids) largest = Math.max(largest, Math.abs(c));
  if (largest === 0) return { scale: 1, codes: new Int8Array(centroids.length) };
  const scale = Math.fround(largest / 127);
  return { scale, codes: Int8Array.from(centroids, (c) => Math.max(-127, Math.min(127, Math.round(c / scale)))) };
}

/** All three initialisations of one layer at one width, for a table. */
export function compareInits(weights: Float32Array, bits: number, seed: number): Record<CentroidInit, Sharing> {
  const k = 2 ** bits;
  return {
    forgy: kMeans(weights, k, "forgy", seed),
    density: kMeans(weights, k, "density", seed),
    linear: kMeans(weights, k, "linear", seed),
  };
}
