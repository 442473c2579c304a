/** Mean and variance of activations, by which a net of drawn weights gets scales that neither lose nor cut them off. */

export interface Moments {
  readonly mean: number;
  readonly variance: number;
}

/** Standard deviations on either side, and steps of one. */
const REACH = 6;
const STEPS = 64;

/**
 * Of the largest of `count` independent normal elements, of which relu then cuts off what is below 0.
 * @param count at least 1; elements of a window are alike, so that fewer than it has stand for it
 */
export function momentsOf({ mean, variance }: Moments, relu: boolean, count: number): Moments {
  const deviation = Math.sqrt(variance);
  let [below, all, first, second] = [0, 0, 0, 0];
  for (let at = -REACH * STEPS; at <= REACH * STEPS; at++) {
    const z = at / STEPS;
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI) / STEPS;
    const weight = density * count * (below + density / 2) ** (count - 1);
    below += density;
    const x = mean + z * deviation;
    const value = relu ? Math.max(0, x) : x;
    all += weight;
    first += weight * value;
    second += weight * value * value;
  }
  return { mean: first / all, variance: second / all - (first / all) ** 2 };
}

/** Of the elements of several tensors together. @param shares of them, in all 1 */
export function mixed(parts: readonly Moments[], shares: readonly number[]): Moments {
  const sum = (of: (part: Moments) => number): number =>
    parts.reduce((total, part, index) => total + shares[index] * of(part), 0);
  const mean = sum((part) => part.mean);
  return { mean, variance: sum((part) => part.variance + part.mean ** 2) - mean ** 2 };
}
