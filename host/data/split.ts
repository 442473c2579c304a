/** Parts of a data set that has none of its own: some to train, some to choose by, some to test. */
import { mixWords, permuteIndex } from "../rng.js";

export const PARTS = ["train", "validation", "test"] as const;
export type Part = (typeof PARTS)[number];

export interface Split {
  /** 0 .. 2^32 − 1; another one shuffles otherwise. */
  readonly seed: number;
  /** Share of the whole, or from 1 on a count; what neither part has is for training. */
  readonly validation: number;
  readonly test: number;
}

/** Four fifths to train, a tenth to choose by, a tenth to test. */
export const DEFAULT_SPLIT: Split = { seed: 1, validation: 0.1, test: 0.1 };

/**
 * Indices of a part's samples. All three parts of one split together are all samples, each once. Of a count that is more than there are, validation has
 * what there is, and none is left for training.
 * @param labels of the samples, for a stratified split: each class has its share in each part, to within a sample or two
 */
export function splitIndices(
  count: number,
  part: Part,
  { seed, validation, test }: Split = DEFAULT_SPLIT,
  labels?: ArrayLike<number>,
): number[] {
  const testAt = Math.round((1 - test) * count);
  const validationAt = validation < 1 ? Math.round((1 - test - validation) * count) : testAt - validation;
  const bounds = [0, Math.max(0, validationAt), testAt, count];
  const at = PARTS.indexOf(part);
  const [from, to] = [bounds[at], bounds[at + 1]];
  if (labels !== undefined) return stratifiedOrder(labels, seed).slice(from, to);
  return Array.from({ length: to - from }, (_, i) => permuteIndex(from + i, count, seed));
}

/** An order in which each class is spread evenly, so that any piece of it has all classes in their proportions. */
function stratifiedOrder(labels: ArrayLike<number>, seed: number): number[] {
  const members = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const same = members.get(labels[i]);
    if (same === undefined) members.set(labels[i], [i]);
    else same.push(i);
  }
  const places = new Float64Array(labels.length);
  for (const [label, indices] of members) {
    const key = mixWords(seed, label);
    // Where its first one stands is by chance: otherwise small classes would all miss the same part.
    const phase = key / 0x100000000;
    indices.forEach((_, rank) => {
      places[indices[permuteIndex(rank, indices.length, key)]] = (rank + phase) / indices.length;
    });
  }
  return Array.from(places, (_, i) => i).sort((a, b) => places[a] - places[b] || a - b);
}
