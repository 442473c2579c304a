/**
 * Training in fixed point: numbers of `integerBits` bits with the sign before the point and `fractionBits` behind it, to which weights, activations and
 * gradients are rounded wherever they are made. Rounded to the nearest, steps of less than half a unit are lost; rounded stochastically,
 * up with the probability of what is cut off, they count on the average.
 * @see Gupta et al. 2015, "Deep learning with limited numerical precision", section 3
 */
import { mixWords } from "../rng.js";

export type FixedRounding = "nearest" | "stochastic";

export interface FixedPoint {
  /** With the sign, at least 1: IL. */
  readonly integerBits: number;
  /** FL. */
  readonly fractionBits: number;
  readonly rounding: FixedRounding;
}

/**
 * Rounds values in place. What is beyond the range goes to its end.
 * @param seed words that decide the draws of stochastic rounding
 */
export function roundToFixedPoint(values: Float32Array, format: FixedPoint, ...seed: readonly number[]): void {
  const { integerBits, fractionBits, rounding } = format;
  const units = 2 ** fractionBits;
  const high = 2 ** (integerBits - 1 + fractionBits) - 1;
  const low = -high - 1;
  // A xorshift generator, since every value takes a draw (Marsaglia 2003).
  let state = mixWords(...seed) | 1;
  for (let i = 0; i < values.length; i++) {
    let add = 0.5;
    if (rounding === "stochastic") {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      add = (state >>> 0) / 0x100000000;
    }
    const rounded = Math.floor(values[i] * units + add);
    // NaN stays what it is: training ends by it.
    values[i] = (rounded > high ? high : rounded < low ? low : rounded) / units;
  }
}
