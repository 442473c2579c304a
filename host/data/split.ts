/** Parts of a data set that has none of its own: four fifths to train, a tenth to choose by, a tenth to test. */
import { permuteIndex } from "../rng.js";

export const PARTS = ["train", "validation", "test"] as const;
export type Part = (typeof PARTS)[number];

/** Where each part begins and ends, of the whole. */
const BOUNDS: Readonly<Record<Part, readonly [from: number, to: number]>> = {
  train: [0, 0.8],
  validation: [0.8, 0.9],
  test: [0.9, 1],
};

/**
 * Indices of a part's samples. All three parts of one seed together are all samples, each once.
 * @param seed 0 .. 2^32 − 1; another one shuffles otherwise
 */
export function splitIndices(count: number, part: Part, seed: number): number[] {
  const [from, to] = BOUNDS[part].map((bound) => Math.round(bound * count));
  return Array.from({ length: to - from }, (_, i) => permuteIndex(from + i, count, seed));
}
