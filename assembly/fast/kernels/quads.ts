/**
 * What dense convolutions are made of: the elements that four places look at, laid out once for all filters, and the sums of two filters
 * over them. Two places share a word: one multiplication by a weight is that of both, each in its lane of an i64.
 */
import {
  LANE_BITS,
  PAIR_BYTES,
  PAIRS_AT_ONCE,
  QUAD_HEAD_BYTES,
  QUAD_INPUT_BYTES,
  QUAD_TURN,
  ROW_BYTES,
} from "../layout";
import { fourBytes } from "./lot";
import { saturate } from "../row";

/** The latest sums, in the static data: an i32 for each of the four places, first of one filter, then of the other. */
export const QUAD_SUMS: usize = 64;
const OTHER_SUMS: usize = 16;

/** What lanes begin with, so that no sum of a stretch is negative. */
const LANE_BIAS: i64 = 1 << (LANE_BITS - 1);
export const BIASES: i64 = LANE_BIAS | (LANE_BIAS << LANE_BITS);
export const LANE_MASK: i64 = (1 << LANE_BITS) - 1;

/**
 * Two filters at the fours of places from `four` to before `end`: sums up so many `inputs` from one on, a stretch. `head` is the filters' rows,
 * behind which each has a weight in turn; their outputs are at `target` and `other`. Where the stretch is not the filters' first, sums go on
 * from QUAD_SUMS, where it is not the `last` they are left there; then there is one four.
 * Counting down leaves every sum a register of a Cortex-M.
 */
export function sumQuads(
  four: usize,
  end: usize,
  head: usize,
  from: u32,
  inputs: u32,
  target: usize,
  other: usize,
  last: bool,
): void {
  let first = !from;
  let bytes = fourBytes;
  let weights = head + 2 * ROW_BYTES + 2 * from;
  let offset = QUAD_HEAD_BYTES + QUAD_INPUT_BYTES * from;
  do {
    let upper0 = BIASES;
    let lower0 = BIASES;
    let upper1 = BIASES;
    let lower1 = BIASES;
    let elements = four + offset;
    let ptr = weights;
    let left = inputs;
    do {
      let upper: i64 = load<i32>(elements);
      let lower: i64 = load<i32>(elements, 4);
      let weight: i64 = load<i8>(ptr);
      upper0 += upper * weight;
      lower0 += lower * weight;
      weight = load<i8>(ptr, 1);
      upper1 += upper * weight;
      lower1 += lower * weight;
      upper = load<i32>(elements, 8);
      lower = load<i32>(elements, 12);
      weight = load<i8>(ptr, 2);
      upper0 += upper * weight;
      lower0 += lower * weight;
      weight = load<i8>(ptr, 3);
      upper1 += upper * weight;
      lower1 += lower * weight;
      upper = load<i32>(elements, 16);
      lower = load<i32>(elements, 20);
      weight = load<i8>(ptr, 4);
      upper0 += upper * weight;
      lower0 += lower * weight;
      weight = load<i8>(ptr, 5);
      upper1 += upper * weight;
      lower1 += lower * weight;
      upper = load<i32>(elements, 24);
      lower = load<i32>(elements, 28);
      weight = load<i8>(ptr, 6);
      upper0 += upper * weight;
      lower0 += lower * weight;
      weight = load<i8>(ptr, 7);
      upper1 += upper * weight;
      lower1 += lower * weight;
      upper = load<i32>(elements, 32);
      lower = load<i32>(elements, 36);
      weight = load<i8>(ptr, 8);
      upper0 += upper * weight;
      lower0 += lower * weight;
      weight = load<i8>(ptr, 9);
      upper1 += upper * weight;
      lower1 += lower * weight;
      upper = load<i32>(elements, 40);
      lower = load<i32>(elements, 44);
      weight = load<i8>(ptr, 10);
      upper0 += upper * weight;
      lower0 += lower * weight;
      weight = load<i8>(ptr, 11);
      upper1 += upper * weight;
      lower1 += lower * weight;
      upper = load<i32>(elements, 48);
      lower = load<i32>(elements, 52);
      weight = load<i8>(ptr, 12);
      upper0 += upper * weight;
      lower0 += lower * weight;
      weight = load<i8>(ptr, 13);
      upper1 += upper * weight;
      lower1 += lower * weight;
      upper = load<i32>(elements, 56);
      lower = load<i32>(elements, 60);
      weight = load<i8>(ptr, 14);
      upper0 += upper * weight;
      lower0 += lower * weight;
      weight = load<i8>(ptr, 15);
      upper1 += upper * weight;
      lower1 += lower * weight;
      elements += QUAD_TURN * QUAD_INPUT_BYTES;
      ptr += 2 * QUAD_TURN;
      left -= QUAD_TURN;
    } while (left);
    // The last of an odd number of filters has none beside it, and is written last.
    endFour(four, head + ROW_BYTES, other, QUAD_SUMS + OTHER_SUMS, upper1, lower1, first, last);
    endFour(four, head, target, QUAD_SUMS, upper0, lower0, first, last);
    four += bytes;
  } while (four < end);
}

/**
 * The same of one filter's weights that are left, `count` pairs from one on, each behind a gap that leads to its elements from those of the last
 * one, or from `offset` of a four. @returns the offset of the last one's
 */
export function sumGaps(
  four: usize,
  end: usize,
  head: usize,
  from: u32,
  count: u32,
  offset: usize,
  target: usize,
  last: bool,
): usize {
  let first = !from;
  let bytes = fourBytes;
  let pairs = head + ROW_BYTES + PAIR_BYTES * from;
  let elements: usize = 0;
  do {
    let upper = BIASES;
    let lower = BIASES;
    elements = four + offset;
    let ptr = pairs;
    let left = count;
    do {
      elements += <usize>load<u8>(ptr) * QUAD_INPUT_BYTES;
      let weight: i64 = load<i8>(ptr, 1);
      upper += <i64>load<i32>(elements) * weight;
      lower += <i64>load<i32>(elements, 4) * weight;
      elements += <usize>load<u8>(ptr, 2) * QUAD_INPUT_BYTES;
      weight = load<i8>(ptr, 3);
      upper += <i64>load<i32>(elements) * weight;
      lower += <i64>load<i32>(elements, 4) * weight;
      elements += <usize>load<u8>(ptr, 4) * QUAD_INPUT_BYTES;
      weight = load<i8>(ptr, 5);
      upper += <i64>load<i32>(elements) * weight;
      lower += <i64>load<i32>(elements, 4) * weight;
      elements += <usize>load<u8>(ptr, 6) * QUAD_INPUT_BYTES;
      weight = load<i8>(ptr, 7);
      upper += <i64>load<i32>(elements) * weight;
      lower += <i64>load<i32>(elements, 4) * weight;
      ptr += PAIR_BYTES * PAIRS_AT_ONCE;
      left -= PAIRS_AT_ONCE;
    } while (left);
    endFour(four, head, target, QUAD_SUMS, upper, lower, first, last);
    elements -= four;
    four += bytes;
  } while (four < end);
  return elements;
}

/** Takes lanes apart, and a filter's sums to its outputs at the four: at `target` and what the four has for each place. */
@inline
function endFour(
  four: usize,
  head: usize,
  target: usize,
  sums: usize,
  upper: i64,
  lower: i64,
  first: bool,
  last: bool,
): void {
  let a = (<i32>upper) & (<i32>LANE_MASK);
  let b = <i32>(upper >> LANE_BITS);
  let c = (<i32>lower) & (<i32>LANE_MASK);
  let d = <i32>(lower >> LANE_BITS);
  if (!first) {
    a += load<i32>(sums);
    b += load<i32>(sums, 4);
    c += load<i32>(sums, 8);
    d += load<i32>(sums, 12);
  }
  if (last) {
    let constant = load<i64>(head);
    let multiplier: i64 = load<i32>(head, 8);
    let shift: i32 = load<u8>(head, 12);
    store<u8>(target + load<u32>(four), scale(a, multiplier, constant, shift));
    store<u8>(target + load<u32>(four, 4), scale(b, multiplier, constant, shift));
    store<u8>(target + load<u32>(four, 8), scale(c, multiplier, constant, shift));
    store<u8>(target + load<u32>(four, 12), scale(d, multiplier, constant, shift));
  } else {
    store<i32>(sums, a);
    store<i32>(sums, b, 4);
    store<i32>(sums, c, 8);
    store<i32>(sums, d, 12);
  }
}

/** The output byte for a sum. The shift is what remains of it behind the lower half. */
@inline
export function scale(sum: i64, multiplier: i64, constant: i64, shift: i32): i32 {
  return saturate((<i32>((sum * multiplier + constant) >> 32)) >> shift);
}
