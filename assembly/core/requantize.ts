/** int32 accumulators to elements in offset binary: SPEC.md, "Arithmetic". */

/** The scale: multiplier / 2^shift. For loops that keep it in locals, as the rest. */
export let multiplier: i64 = 0;
export let shift: i64 = 0;
/** What is added before the shift, to round half up. */
export let half: i64 = 0;
export let zeroPoint: i32 = 0;
export let clampMin: i32 = 0;
export let clampMax: i32 = 0;

/** The zero point and the range, all in offset binary, of the elements that `requantize` gives. */
export function setRange(zero: i32, low: i32, high: i32): void {
  zeroPoint = zero;
  clampMin = low;
  clampMax = high;
}

/** @param factor 2^30 … 2^31 - 1; @param places 1 … 62 */
export function setScale(factor: u32, places: u32): void {
  multiplier = factor;
  shift = places;
  half = (<i64>1) << (places - 1);
}

/** With shifts from this on, scaled accumulators fit an int32. With smaller ones all but a few are out of range anyway. */
export const GENTLE_SHIFT: i64 = 32;

/**
 * The element for an accumulator: `zeroPoint + acc × multiplier / 2^shift`, rounded half up in 64 bits and clamped. No overflow:
 * the product is below 2^62 and the rounding term at most 2^61.
 */
export function requantize(acc: i32): i32 {
  let value = zeroPoint + ((<i64>acc * multiplier + half) >> shift);
  return <i32>min(max(value, <i64>clampMin), <i64>clampMax);
}
