/**
 * Sparse sums of products: each pair of a row's weights is applied at 32 places at a time, whose sums stay in registers from the first pair to
 * the last. A pair is two offsets, u32, and two weights, i16: see program.ts. Neighbouring places are neighbouring bytes.
 */
import { PAIR_BYTES } from "./program";

/** Places of a tile. */
export const TILE: u32 = 32;
export const HALF_TILE: u32 = 16;

/**
 * Writes `start + Σ weight × element` of `count` neighbouring places to `sums`, i32 each: of whole tiles, the last perhaps half of one.
 * @param elements the first place's address, to which offsets are added
 * @param isMore adds to what stands in `sums` in place of `start`
 */
export function sumPlaces(
  pairs: usize,
  end: usize,
  elements: usize,
  count: u32,
  start: i32,
  sums: usize,
  isMore: bool,
): void {
  let left = <i32>count;
  do {
    if (left > <i32>HALF_TILE) sumTile(pairs, end, elements, start, sums, isMore);
    else sumHalfTile(pairs, end, elements, start, sums, isMore);
    elements += TILE;
    sums += TILE * 4;
    left -= TILE;
  } while (left > 0);
}

/** The elements of two channels, place by place: of the first 8 of 16 places, and of the last. */

@inline
export function lower(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}


@inline
export function upper(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

function sumTile(pair: usize, end: usize, elements: usize, start: i32, sums: usize, isMore: bool): void {
  let s0 = i32x4.splat(start);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let s4 = s0;
  let s5 = s0;
  let s6 = s0;
  let s7 = s0;
  if (isMore) {
    s0 = v128.load(sums);
    s1 = v128.load(sums, 16);
    s2 = v128.load(sums, 32);
    s3 = v128.load(sums, 48);
    s4 = v128.load(sums, 64);
    s5 = v128.load(sums, 80);
    s6 = v128.load(sums, 96);
    s7 = v128.load(sums, 112);
  }
  while (pair < end) {
    let first = elements + load<u32>(pair);
    let second = elements + load<u32>(pair, 4);
    let weights = v128.load_splat<u32>(pair, 8);
    let a = v128.load(first);
    let b = v128.load(second);
    let low = lower(a, b);
    let high = upper(a, b);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(low), weights));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(low), weights));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(high), weights));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(high), weights));
    a = v128.load(first, 16);
    b = v128.load(second, 16);
    low = lower(a, b);
    high = upper(a, b);
    s4 = i32x4.add(s4, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(low), weights));
    s5 = i32x4.add(s5, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(low), weights));
    s6 = i32x4.add(s6, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(high), weights));
    s7 = i32x4.add(s7, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(high), weights));
    pair += PAIR_BYTES;
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  v128.store(sums, s2, 32);
  v128.store(sums, s3, 48);
  v128.store(sums, s4, 64);
  v128.store(sums, s5, 80);
  v128.store(sums, s6, 96);
  v128.store(sums, s7, 112);
}

function sumHalfTile(pair: usize, end: usize, elements: usize, start: i32, sums: usize, isMore: bool): void {
  let s0 = i32x4.splat(start);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  if (isMore) {
    s0 = v128.load(sums);
    s1 = v128.load(sums, 16);
    s2 = v128.load(sums, 32);
    s3 = v128.load(sums, 48);
  }
  while (pair < end) {
    let weights = v128.load_splat<u32>(pair, 8);
    let a = v128.load(elements + load<u32>(pair));
    let b = v128.load(elements + load<u32>(pair, 4));
    let low = lower(a, b);
    let high = upper(a, b);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(low), weights));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(low), weights));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(high), weights));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(high), weights));
    pair += PAIR_BYTES;
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  v128.store(sums, s2, 32);
  v128.store(sums, s3, 48);
}
