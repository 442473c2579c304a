/**
 * Weights of few values that learn: real ones behind them take the gradients that the few are given (a straight-through estimator), and the few
 * are made anew of the real ones before each step. BinaryConnect (Courbariaux et al. 2015) has two values, ternary nets three (Li et al. 2016,
 * Ma et al. 2024), BitNetMCU's four or sixteen.
 */
import { Random } from "../rng.js";
import { eachRow, gridStep, stepOf } from "./grid.js";

/** Weights of one layer in training. */
export interface Latent {
  /** What learns, [rows, columns]; pruned weights are exactly 0 and stay so. Changed in place. */
  readonly values: Float32Array;
  /** Writes the weights that step `step` is trained with. */
  readonly show: (into: Float32Array, step: number) => void;
  /** Puts values that a step has moved too far back into their range. */
  readonly limit?: () => void;
}

/** How a real weight becomes one of two. */
export type BinaryRounding = "deterministic" | "stochastic";

/**
 * Two values ± scale. Deterministic: by the sign. Stochastic: + with probability (1 + w / scale) / 2, cut to 0 … 1, drawn anew for each step from
 * the seed. Real weights are cut to ± scale: beyond, they would change nothing.
 * @see Courbariaux, Bengio, David 2015, "BinaryConnect", sections 2.2 to 2.4
 */
export function binaryLatent(
  values: Float32Array,
  scale: number,
  rounding: BinaryRounding,
  ...seed: readonly number[]
): Latent {
  return {
    values,
    show(into, step) {
      const random = rounding === "stochastic" ? new Random(...seed, step) : null;
      for (let i = 0; i < values.length; i++) {
        const w = values[i];
        if (w === 0) into[i] = 0;
        else if (random === null) into[i] = w > 0 ? scale : -scale;
        else into[i] = random.uniform() < (1 + w / scale) / 2 ? scale : -scale;
      }
    },
    limit() {
      for (let i = 0; i < values.length; i++) values[i] = Math.max(-scale, Math.min(scale, values[i]));
    },
  };
}

/** How many values a weight may have: two ± 1, three with 0, an even number ± 1, ± 3, ± 5 … */
export const LEVELS = [2, 3, 4, 8, 16] as const;
export type Levels = (typeof LEVELS)[number];

/** Unit ÷ mean magnitude that has the least squared error on weights of a normal distribution. @see Max 1960, "Quantizing for minimum distortion", table II */
const UNIT_OF_MEAN: Readonly<Record<Levels, number>> = { 2: 1, 3: 1.534, 4: 0.624, 8: 0.367, 16: 0.21 };

/** How the unit follows the weights: `fit` is the least squared error's, as Li et al. have for three values, `mean` the mean magnitude as BitNet has. */
export type LevelScale = "fit" | "mean";

/** The nearest of so many integers to w in units; 0 for pruned weights alone where the number is even. */
export function toLevel(w: number, unit: number, levels: Levels): number {
  if (w === 0) return 0;
  const magnitude = Math.abs(w) / unit;
  const q = levels === 3 ? Number(magnitude >= 0.5) : Math.min(levels - 1, 2 * Math.floor(magnitude / 2) + 1);
  return w < 0 && q > 0 ? -q : q;
}

/** The unit of weights: one round of least squares, begun from the mean magnitude's; above 0 without weights too. */
export function levelUnit(weights: Float32Array, levels: Levels, scale: LevelScale): number {
  const mean = gridStep(weights, 1);
  if (scale === "mean") return mean;
  const unit = mean * UNIT_OF_MEAN[levels];
  let [product, square] = [0, 0];
  for (const w of weights) {
    const q = toLevel(w, unit, levels);
    product += w * q;
    square += q * q;
  }
  return Math.fround(square === 0 ? unit : product / square);
}

/**
 * Each weight the nearest of so many values, whose unit follows the weights.
 * @param rows 1 where the layer has one unit, else one for each
 */
export function levelLatent(
  values: Float32Array,
  levels: Levels,
  scale: LevelScale,
  rows: number,
): Latent & { units(): Float32Array } {
  const units = (): Float32Array => eachRow(values, rows, (weights) => levelUnit(weights, levels, scale));
  return {
    values,
    units,
    show(into) {
      const steps = units();
      for (let i = 0; i < values.length; i++) {
        const unit = stepOf({ weights: values, steps }, i);
        into[i] = toLevel(values[i], unit, levels) * unit;
      }
    },
  };
}
