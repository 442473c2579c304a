/**
 * Dropout of what layers read: in training each value is 0 with the layer's rate, and what stays is divided by the share that stays, so that
 * nothing changes for a net in use. As connections are pruned, a layer fits less and less by chance, and its rate falls with the root of their share.
 * @see Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting"; Han et al. 2015, "Learning both weights and connections
 *   for efficient neural networks", section 3.2
 */
import { mixWords } from "../rng.js";

/** Rates 0 … below 1 by names of dense layers, whose inputs are dropped. */
export type Dropout = Readonly<Record<string, number>>;

/**
 * Drops values in place; the same words drop the same ones, of gradients too.
 * @param rate that each is dropped with, 0 … below 1
 * @param seed words that decide which
 */
export function dropValues(values: Float32Array, rate: number, ...seed: readonly number[]): void {
  const factor = 1 / (1 - rate);
  const least = rate * 0x100000000;
  // A xorshift generator, since every value takes a draw (Marsaglia 2003).
  let state = mixWords(...seed) | 1;
  for (let i = 0; i < values.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = state >>> 0 < least ? 0 : values[i] * factor;
  }
}

/** Rate of a layer of which `left` of `all` connections are left. */
export const rateOf = (rate: number, left: number, all: number): number => rate * Math.sqrt(left / all);
