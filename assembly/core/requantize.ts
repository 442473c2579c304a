/** int32 accumulators to int8 elements: SPEC.md, "Arithmetic". */

let multiplier: i64 = 0;
let shift: i64 = 0;
/** What is added before the shift, to round half up. */
let half: i64 = 0;
let zeroPoint: i64 = 0;
let clampMin: i64 = 0;
/** From the clamp's least value to its most. */
let clampSpan: i64 = 0;

/** The zero point and the range, both in offset binary, of the elements that `requantize` gives. */
export function setRange(zero: i32, low: i32, high: i32): void {
  zeroPoint = zero;
  clampMin = low;
  clampSpan = high - low;
}

/** @param factor 2^30 … 2^31 - 1; @param places 1 … 62 */
export function setScale(factor: u32, places: u32): void {
  multiplier = factor;
  shift = places;
  half = (<i64>1) << (places - 1);
}

/**
 * `zeroPoint + acc × multiplier / 2^shift`, rounded half up in 64 bits and clamped. No overflow: the product is below 2^62
 * and the rounding term at most 2^61.
 */
export function requantize(acc: i32): i32 {
  return inRange(zeroPoint + ((<i64>acc * multiplier + half) >> shift));
}

/** Clamped; most values are in the range, and one comparison tells. */
function inRange(value: i64): i32 {
  let above = value - clampMin;
  if (<u64>above > <u64>clampSpan) value = above < 0 ? clampMin : clampMin + clampSpan;
  return <i32>value;
}

/** A maximum needs no scale, only the clamp. */
export function clamp(q: i32): i32 {
  return inRange(q);
}
