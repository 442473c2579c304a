/**
 * Incremental network quantization: weights become 0 or ± powers of two, the largest half of each layer first, while the others are trained to
 * make up for it.
 * @see Zhou et al. 2017, "Incremental network quantization: Towards lossless CNNs with low-precision weights"
 */

/** Share of a layer's weights that are fixed after each step: the paper's. Between them the others are trained. */
export const INQ_SHARES = [0.5, 0.75, 0.875, 1] as const;

/** Of an int8: 1, 2, 4 … 64. */
const MOST_POWERS = 7;

/** How many magnitudes `bits` bits have beside 0, with a sign: 1, 2, 4, and with 5 bits 7 in the place of 8. */
export const powersOf = (bits: number): number => Math.min(MOST_POWERS, 2 ** (bits - 2));

/** The least power of two that a layer uses: the largest, 2^floor(log2(4/3 max |w|)), and `powers` - 1 halvings. 1 without weights. */
export function leastPower(weights: Float32Array, powers: number): number {
  const largest = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
  return largest === 0 ? 1 : 2 ** (Math.floor(Math.log2((4 / 3) * largest)) - (powers - 1));
}

/** The nearest of 0 and ± 1, 2, … 2^(powers - 1) steps; of two as near the larger. */
export function toPower(w: number, step: number, powers: number): number {
  const distance = Math.abs(w) / step;
  if (distance < 0.5) return 0;
  let q = 1;
  while (q < 2 ** (powers - 1) && distance >= 1.5 * q) q *= 2;
  return w < 0 ? -q : q;
}

/** Indices of the `count` largest of the weights that are neither pruned nor frozen. */
export function largestFree(weights: Float32Array, frozen: Uint8Array, count: number): number[] {
  const free: number[] = [];
  weights.forEach((w, i) => {
    if (w !== 0 && frozen[i] === 0) free.push(i);
  });
  return free.sort((a, b) => Math.abs(weights[b]) - Math.abs(weights[a]) || a - b).slice(0, Math.max(0, count));
}
