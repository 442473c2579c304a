/** int32 accumulators to int8 elements: SPEC.md, "Arithmetic". */

export let multiplier: i64 = 0;
export let shift: i64 = 0;
export let zeroPoint: i64 = 0;
export let clampMin: i64 = 0;
export let clampMax: i64 = 0;

/** The zero point and the range, both int8, of the elements that `requantize` gives. */
export function setRange(zero: i32, low: i32, high: i32): void {
  zeroPoint = zero;
  clampMin = low;
  clampMax = high;
}

/** @param factor 2^30 … 2^31 - 1; @param places 1 … 62 */
export function setScale(factor: u32, places: u32): void {
  multiplier = factor;
  shift = places;
}

/**
 * `zeroPoint + acc × multiplier / 2^shift`, rounded half up in 64 bits and clamped. No overflow: the product is below 2^62
 * and the rounding term at most 2^61.
 */
export function requantize(acc: i32): i32 {
  return round(<i64>acc * multiplier);
}

/** The same with halves rounded away from zero. */
export function requantizeAway(acc: i32): i32 {
  let product = <i64>acc * multiplier;
  return round(product - i64(zeroPoint + (product >> shift) < 0));
}

function round(product: i64): i32 {
  let value = zeroPoint + ((product + ((<i64>1) << (shift - 1))) >> shift);
  return <i32>min(max(value, clampMin), clampMax);
}
