/** Accumulators to elements, vectors at a time: SPEC.md, "Arithmetic", to the bit. */
import { requantize, requantizeAway, setRange, setScale } from "../core/requantize";

/** Shifts from here on leave nothing of a product's lower word. */
const LEAST_SHIFT: u32 = 32;

/**
 * Turns `count` sums, i32 each, at `sums` into elements at `target`. Up to 15 bytes more are written, made of what follows the sums.
 * @param multiplier 2^30 … 2^31 - 1; @param shift 1 … 62
 */
export function requantizeSums(
  sums: usize,
  count: u32,
  target: usize,
  multiplier: u32,
  shift: u32,
  zeroPoint: i32,
  low: i32,
  high: i32,
): void {
  let end = target + count;
  if (shift < LEAST_SHIFT) {
    setRange(zeroPoint, low, high);
    setScale(multiplier, shift);
    while (target < end) {
      store<i8>(target++, requantize(load<i32>(sums)));
      sums += 4;
    }
    return;
  }
  let factors = i32x4.splat(multiplier);
  let half = i64x2.splat((<i64>1) << (shift - 1));
  let places = <i32>(shift - LEAST_SHIFT);
  let zeros = i16x8.splat(<i16>zeroPoint);
  let lows = i16x8.splat(<i16>low);
  let highs = i16x8.splat(<i16>high);
  do {
    let a = scaled(v128.load(sums), factors, half, places);
    let b = scaled(v128.load(sums, 16), factors, half, places);
    let c = scaled(v128.load(sums, 32), factors, half, places);
    let d = scaled(v128.load(sums, 48), factors, half, places);
    let ab = i16x8.add_sat_s(i16x8.narrow_i32x4_s(a, b), zeros);
    let cd = i16x8.add_sat_s(i16x8.narrow_i32x4_s(c, d), zeros);
    ab = i16x8.min_s(i16x8.max_s(ab, lows), highs);
    cd = i16x8.min_s(i16x8.max_s(cd, lows), highs);
    v128.store(target, i8x16.narrow_i16x8_s(ab, cd));
    sums += 64;
    target += 16;
  } while (target < end);
}

/** `(sum × factor + half) >> (32 + places)` of four sums. */

@inline
function scaled(sums: v128, factors: v128, half: v128, places: i32): v128 {
  let ab = i64x2.add(i64x2.extmul_low_i32x4_s(sums, factors), half);
  let cd = i64x2.add(i64x2.extmul_high_i32x4_s(sums, factors), half);
  return i32x4.shr_s(v128.shuffle<i32>(ab, cd, 1, 3, 5, 7), places);
}
