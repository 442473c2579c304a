/** From sums to a layer's output: in 32 bits where findScale finds how, else in 64. */
import { requantize, requantizeAway } from "../quantize/requantize.js";
import type { Arguments, Names } from "./c-code.js";
import { findScale } from "./scale.js";

export interface Scaling {
  /** For the key of the layer. */
  readonly kind: "narrow" | "wide" | "rows" | "away";
  /** The function that it calls. */
  readonly uses: keyof typeof SCALING_TEXTS;
  /** To be taken off every sum before. */
  readonly first: number;
  readonly arguments: Arguments;
  /** C of the element for a sum. */
  readonly text: (names: Names, sum: string) => string;
}

export interface Requantization {
  /** One, or one a row. */
  readonly multiplier: ArrayLike<number>;
  readonly shift: ArrayLike<number>;
  readonly clamp: readonly [number, number];
}

/**
 * @param zero of the output, as a byte
 * @param sums the least and the largest that there are
 * @param rows names of tables of multipliers and shifts, where each row has its own
 */
export function scalingOf(
  { multiplier, shift, clamp }: Requantization,
  zero: number,
  [low, high]: readonly [number, number],
  rows: readonly [string, string] = ["", ""],
  away = false,
): Scaling {
  const bounds = { zero, least: clamp[0] + 128, largest: clamp[1] + 128 };
  if (multiplier.length > 1) {
    return {
      kind: "rows",
      uses: "wide",
      first: 0,
      arguments: {
        ...bounds,
        multipliers: { table: rows[0], type: "uint32_t" },
        shifts: { table: rows[1], type: "uint8_t" },
      },
      text: (n, sum) =>
        `scaled_wide(${sum}, ${n.multipliers}[row], ${n.shifts}[row], ${n.zero}, ${n.least}, ${n.largest})`,
    };
  }
  const [m, s] = [multiplier[0], shift[0]];
  const output = (sum: number): number =>
    128 + (away ? requantizeAway(sum, m, s, zero - 128, clamp) : requantize(sum, m, s, zero - 128, clamp[0], clamp[1]));
  const scale = findScale(output, low, high, m / 2 ** s);
  if (scale !== undefined) {
    const { first, ...more } = scale;
    return {
      kind: "narrow",
      uses: "narrow",
      first,
      arguments: more,
      text: (n, sum) => `scaled(${sum}, ${n.most}, ${n.multiplier}, ${n.offset}, ${n.shift})`,
    };
  }
  return {
    kind: away ? "away" : "wide",
    uses: away ? "away" : "wide",
    first: 0,
    arguments: { ...bounds, multiplier: m, shift: s },
    text: (n, sum) =>
      `scaled_${away ? "away" : "wide"}(${sum}, ${n.multiplier}, ${n.shift}, ${n.zero}, ${n.least}, ${n.largest})`,
  };
}

/** The functions that kinds of scaling call. */
export const SCALING_TEXTS = {
  narrow: `/* Constants by which 32 bits give what the model's 64 give for every sum that there is: proven when packing. */
static inline uint8_t scaled(int32_t sum, uint32_t most, uint32_t multiplier, uint32_t offset, unsigned shift) {
  uint32_t x = sum < 0 ? 0u : (uint32_t)sum;
  if (x > most) x = most;
  CHECK((uint64_t)x * multiplier + offset <= UINT32_MAX);
  return (uint8_t)((x * multiplier + offset) >> shift);
}
`,
  wide: `static uint8_t scaled_wide(int32_t sum, uint32_t multiplier, unsigned shift, int zero, int least, int largest) {
  const int64_t product = (int64_t)sum * (int32_t)multiplier;
  const int64_t value = zero + ((product + ((int64_t)1 << (shift - 1))) >> shift);
  return (uint8_t)(value < least ? least : value > largest ? largest : value);
}
`,
  away: `/* Halves away from the least output, as averages are rounded. */
static uint8_t scaled_away(int32_t sum, uint32_t multiplier, unsigned shift, int zero, int least, int largest) {
  const int64_t product = (int64_t)sum * (int32_t)multiplier;
  const int64_t half = ((int64_t)1 << (shift - 1)) - (zero - 128 + (product >> shift) < 0);
  const int64_t value = zero + ((product + half) >> shift);
  return (uint8_t)(value < least ? least : value > largest ? largest : value);
}
`,
} as const;
