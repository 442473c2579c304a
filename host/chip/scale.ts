/**
 * Requantization in 32 bits. An element of the output is a staircase of the sum with at most 255 steps, so that a smaller multiplier than the
 * model's climbs it as well: one is looked for that takes every step at the same sum, which is proven step by step.
 */

/** output = (min(most, max(0, sum - first)) × multiplier + offset) >> shift, in unsigned 32 bits. */
export interface Scale {
  /** The sum from which on the output rises. */
  readonly first: number;
  readonly most: number;
  readonly multiplier: number;
  readonly offset: number;
  readonly shift: number;
}

/** Bits behind the point: eight bits of output stand before it. */
const MOST_SHIFT = 24;

/**
 * @param output of a sum, 0 … 255, never falling
 * @param low, high the least and the largest sum that there are, int32
 * @param rate by how much an output rises with a sum
 * @returns the scale with the shortest shift, or undefined where 32 bits do not hold one
 */
export function findScale(output: (sum: number) => number, low: number, high: number, rate: number): Scale | undefined {
  const [least, largest] = [output(low), output(high)];
  /** The least sum whose output is at least `level`. */
  const reaches = (level: number): number => {
    let [below, from] = [low, high];
    while (from - below > 1) {
      const middle = Math.floor((below + from) / 2);
      if (output(middle) >= level) from = middle;
      else below = middle;
    }
    return from;
  };
  const steps = Array.from({ length: largest - least }, (_, step) => reaches(least + 1 + step));
  if (steps.length === 0) return { first: low, most: 0, multiplier: 0, offset: least, shift: 0 };
  const first = steps[0] - 1;
  const most = steps[steps.length - 1] - first;
  for (let shift = 0; shift <= MOST_SHIFT; shift++) {
    const unit = 2 ** shift;
    const about = Math.round(rate * unit);
    for (let multiplier = Math.max(1, about - 3); multiplier <= about + 3; multiplier++) {
      // The offset with which each step is taken where it is to be taken, and not a sum before.
      // Nor may the last one go beyond the largest output, where a step is of several.
      let [from, below] = [0, Math.min(unit, (steps.length + 1) * unit - most * multiplier)];
      steps.forEach((sum, step) => {
        const wanted = (step + 1) * unit;
        from = Math.max(from, wanted - (sum - first) * multiplier);
        below = Math.min(below, wanted - (sum - 1 - first) * multiplier);
      });
      const offset = from + least * unit;
      if (from < below && most * multiplier + offset < 2 ** 32) return { first, most, multiplier, offset, shift };
    }
  }
  return undefined;
}
