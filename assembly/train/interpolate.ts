/**
 * Functions of one element as cubics in |x|, a table for each sign. An octave of |x| has 64 of them, so that they are as wide in proportion
 * to x wherever it lies; below 2^-6 there is one. The gradient is the slope of the cubic itself: what is trained is what is computed. From
 * 2^16 on a function goes on along its tangent.
 */
import { storeSum } from "./gather";

/** log2 of the cubics of an octave, and the bits of a float's mantissa below them. */
const OCTAVE_BITS: u32 = 6;
const PLACE_BITS: u32 = 23 - OCTAVE_BITS;
/** 2^-6 and 2^16 as bits of a float. */
const LEAST: u32 = (127 - 6) << 23;
const MOST: u32 = (127 + 16) << 23;
const CUBICS: u32 = 1 + ((MOST - LEAST) >> PLACE_BITS);
/** Four floats, lowest power first. */
const CUBIC_BYTES: usize = 16;
const EXPONENT: u32 = 0x7f800000;
/** A float's exponent of 2^n is 127 + n: twice that of 1, to take another from. */
const TWICE_BIAS: u32 = 254 << 23;

/** What `find` finds: the cubic's address, where between its ends |x| lies, and cubics a unit. */
let cubic: usize = 0;
let place: f32 = 0;
let perUnit: f32 = 0;

/** @param magnitude bits of |x|, below MOST */
// @ts-ignore: decorator
@inline
function find(table: usize, isNegative: u32, magnitude: u32): void {
  let index: u32 = 0;
  if (magnitude < LEAST) {
    perUnit = 64;
    place = reinterpret<f32>(magnitude) * 64;
  } else {
    index = 1 + ((magnitude - LEAST) >> PLACE_BITS);
    perUnit = reinterpret<f32>(TWICE_BIAS - (magnitude & EXPONENT)) * <f32>(1 << OCTAVE_BITS);
    place = <f32>(magnitude & ((1 << PLACE_BITS) - 1)) * (<f32>1 / <f32>(1 << PLACE_BITS));
  }
  cubic = table + <usize>(index + (isNegative ? CUBICS : 0)) * CUBIC_BYTES;
}

/** The last cubic, at its end. */
// @ts-ignore: decorator
@inline
function findEnd(table: usize, isNegative: u32): void {
  find(table, isNegative, MOST - 1);
  place = 1;
}

/** Slope in |x|. */
// @ts-ignore: decorator
@inline
function slope(): f32 {
  const t = place;
  return (load<f32>(cubic, 4) + t * (2 * load<f32>(cubic, 8) + t * (3 * load<f32>(cubic, 12)))) * perUnit;
}

// @ts-ignore: decorator
@inline
function value(): f32 {
  const t = place;
  return load<f32>(cubic) + t * (load<f32>(cubic, 4) + t * (load<f32>(cubic, 8) + t * load<f32>(cubic, 12)));
}

/** y = f(x). @param table of f @param bytes a multiple of 4 */
export function interpolate(table: usize, y: usize, x: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 4) {
    const bits = load<u32>(x + i);
    const magnitude = bits & 0x7fffffff;
    const isNegative = bits >> 31;
    if (magnitude < MOST) {
      find(table, isNegative, magnitude);
      store<f32>(y + i, value());
    } else {
      findEnd(table, isNegative);
      store<f32>(y + i, value() + (reinterpret<f32>(magnitude) - reinterpret<f32>(MOST)) * slope());
    }
  }
}

/** dx = dy × the slope of f at x, or dx + that. */
export function interpolateGradient(table: usize, dx: usize, dy: usize, x: usize, bytes: usize, adds: bool): void {
  for (let i: usize = 0; i < bytes; i += 4) {
    const bits = load<u32>(x + i);
    const magnitude = bits & 0x7fffffff;
    const isNegative = bits >> 31;
    if (magnitude < MOST) find(table, isNegative, magnitude);
    else findEnd(table, isNegative);
    const own = isNegative ? -slope() : slope();
    storeSum(dx + i, load<f32>(dy + i) * own, adds);
  }
}
