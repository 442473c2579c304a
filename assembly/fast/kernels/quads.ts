/**
 * What convolutions by lots are made of: the sums of two filters, or of one by its weights that are left, over elements that are laid out once for all
 * of them. Three places share a word: one multiplication by a weight is that of all, each in its lane of an i64.
 */
import {
  LANE_BITS,
  LOT_LANE_BITS,
  LOT_SUMS,
  PAIR_BYTES,
  PAIRS_AT_ONCE,
  QUAD_INPUT_BYTES,
  QUAD_STRETCH,
  ROW_BYTES,
} from "../layout";
import { groupBytes } from "./lot";
import { clamp } from "../row";

/** What lanes begin with, so that no sum of a stretch is negative. */
const LANE_BIAS: i64 = 1 << (LOT_LANE_BITS - 1);
const BIASES: i64 = LANE_BIAS | (LANE_BIAS << LOT_LANE_BITS) | (LANE_BIAS << (2 * LOT_LANE_BITS));
const LANE_MASK: i64 = (1 << LOT_LANE_BITS) - 1;

/** In the static data the latest sums: of each group and filter a word of lanes, then an i32 for each place. Both groups' of one filter, then of the other. */
const SUMS: usize = LOT_SUMS;
const SUMS_BYTES: usize = 24;
const OTHER_SUMS: usize = 2 * SUMS_BYTES;

/** Two filters at two groups of places, so many `inputs` from where `elements`, `others` and `weights` are. */
export function sumGroups(elements: usize, others: usize, weights: usize, inputs: u32): void {
  let end = weights + 2 * inputs;
  let sum0 = BIASES;
  let sum1 = BIASES;
  let sum2 = BIASES;
  let sum3 = BIASES;
  do {
    let word: i64 = load<i64>(elements);
    let other: i64 = load<i64>(others);
    let weight: i64 = load<i8>(weights);
    sum0 += word * weight;
    sum1 += other * weight;
    weight = load<i8>(weights, 1);
    sum2 += word * weight;
    sum3 += other * weight;
    word = load<i64>(elements, 8);
    other = load<i64>(others, 8);
    weight = load<i8>(weights, 2);
    sum0 += word * weight;
    sum1 += other * weight;
    weight = load<i8>(weights, 3);
    sum2 += word * weight;
    sum3 += other * weight;
    word = load<i64>(elements, 16);
    other = load<i64>(others, 16);
    weight = load<i8>(weights, 4);
    sum0 += word * weight;
    sum1 += other * weight;
    weight = load<i8>(weights, 5);
    sum2 += word * weight;
    sum3 += other * weight;
    word = load<i64>(elements, 24);
    other = load<i64>(others, 24);
    weight = load<i8>(weights, 6);
    sum0 += word * weight;
    sum1 += other * weight;
    weight = load<i8>(weights, 7);
    sum2 += word * weight;
    sum3 += other * weight;
    word = load<i64>(elements, 32);
    other = load<i64>(others, 32);
    weight = load<i8>(weights, 8);
    sum0 += word * weight;
    sum1 += other * weight;
    weight = load<i8>(weights, 9);
    sum2 += word * weight;
    sum3 += other * weight;
    word = load<i64>(elements, 40);
    other = load<i64>(others, 40);
    weight = load<i8>(weights, 10);
    sum0 += word * weight;
    sum1 += other * weight;
    weight = load<i8>(weights, 11);
    sum2 += word * weight;
    sum3 += other * weight;
    word = load<i64>(elements, 48);
    other = load<i64>(others, 48);
    weight = load<i8>(weights, 12);
    sum0 += word * weight;
    sum1 += other * weight;
    weight = load<i8>(weights, 13);
    sum2 += word * weight;
    sum3 += other * weight;
    word = load<i64>(elements, 56);
    other = load<i64>(others, 56);
    weight = load<i8>(weights, 14);
    sum0 += word * weight;
    sum1 += other * weight;
    weight = load<i8>(weights, 15);
    sum2 += word * weight;
    sum3 += other * weight;
    elements += 8 * QUAD_INPUT_BYTES;
    others += 8 * QUAD_INPUT_BYTES;
    weights += 16;
  } while (weights < end);
  store<i64>(SUMS, sum0);
  store<i64>(SUMS + SUMS_BYTES, sum1);
  store<i64>(SUMS + OTHER_SUMS, sum2);
  store<i64>(SUMS + OTHER_SUMS + SUMS_BYTES, sum3);
}

/** The same at one group. */
export function sumGroup(elements: usize, weights: usize, inputs: u32): void {
  let end = weights + 2 * inputs;
  let sum0 = BIASES;
  let sum1 = BIASES;
  do {
    let word: i64 = load<i64>(elements);
    sum0 += word * load<i8>(weights);
    sum1 += word * load<i8>(weights, 1);
    word = load<i64>(elements, 8);
    sum0 += word * load<i8>(weights, 2);
    sum1 += word * load<i8>(weights, 3);
    word = load<i64>(elements, 16);
    sum0 += word * load<i8>(weights, 4);
    sum1 += word * load<i8>(weights, 5);
    word = load<i64>(elements, 24);
    sum0 += word * load<i8>(weights, 6);
    sum1 += word * load<i8>(weights, 7);
    elements += 4 * QUAD_INPUT_BYTES;
    weights += 8;
  } while (weights < end);
  store<i64>(SUMS, sum0);
  store<i64>(SUMS + OTHER_SUMS, sum1);
}

/**
 * One filter at a group, by pairs from `pair` to before `end`, each a gap that leads to its elements from those of the last one, and a weight.
 * @returns where the last one's are
 */
export function sumGaps(elements: usize, pair: usize, end: usize): usize {
  let sum = BIASES;
  do {
    elements += <usize>load<u8>(pair) * QUAD_INPUT_BYTES;
    sum += load<i64>(elements) * load<i8>(pair, 1);
    elements += <usize>load<u8>(pair, 2) * QUAD_INPUT_BYTES;
    sum += load<i64>(elements) * load<i8>(pair, 3);
    elements += <usize>load<u8>(pair, 4) * QUAD_INPUT_BYTES;
    sum += load<i64>(elements) * load<i8>(pair, 5);
    elements += <usize>load<u8>(pair, 6) * QUAD_INPUT_BYTES;
    sum += load<i64>(elements) * load<i8>(pair, 7);
    pair += PAIR_BYTES * PAIRS_AT_ONCE;
  } while (pair < end);
  store<i64>(SUMS, sum);
  return elements;
}

/**
 * Takes lanes apart, of a filter and, unless `plane` is 0, of the other one, at groups from `group` to before `end`: sums of a stretch, which go on from
 * those before where it is not the `first`, and are left or, the `last` ones, taken to outputs with `start` added to each. Heads are at `head`, the
 * first output of the first filter at `target`, that of the other `plane` behind it.
 */
export function endGroups(
  start: i32,
  group: usize,
  end: usize,
  head: usize,
  target: usize,
  plane: usize,
  first: bool,
  last: bool,
): void {
  let bytes = groupBytes;
  let filter = SUMS;
  do {
    let multiplier: i64 = load<i32>(head, 8);
    let constant = load<i64>(head) + start * multiplier;
    let shift: i64 = load<u8>(head, 12) + 32;
    let sums = filter;
    let ptr = group;
    do {
      let word = load<i64>(sums);
      let a = word & LANE_MASK;
      let b = (word >> LOT_LANE_BITS) & LANE_MASK;
      let c: i64 = (<u64>word) >> (2 * LOT_LANE_BITS);
      if (!first) {
        a += load<i32>(sums, 8);
        b += load<i32>(sums, 12);
        c += load<i32>(sums, 16);
      }
      if (last) {
        store<u8>(target + load<u32>(ptr), scale(a, multiplier, constant, shift));
        store<u8>(target + load<u32>(ptr, 4), scale(b, multiplier, constant, shift));
        store<u8>(target + load<u32>(ptr, 8), scale(c, multiplier, constant, shift));
      } else {
        store<i32>(sums, <i32>a, 8);
        store<i32>(sums, <i32>b, 12);
        store<i32>(sums, <i32>c, 16);
      }
      sums += SUMS_BYTES;
      ptr += bytes;
    } while (ptr < end);
    if (!plane) break;
    target += plane;
    plane = 0;
    head += ROW_BYTES;
    filter += OTHER_SUMS;
  } while (true);
}

/** What the constant takes all sums of a filter to begin with, above what its lanes do, which are taken apart behind each stretch. */
export function startOf(inputs: u32, stretch: u32): i32 {
  let lanes = (<i32>((inputs + stretch - 1) / stretch)) << (LOT_LANE_BITS - 1);
  return ((<i32>((inputs + QUAD_STRETCH - 1) / QUAD_STRETCH)) << (LANE_BITS - 1)) - lanes;
}

/** The output byte for a sum. */
@inline
export function scale(sum: i64, multiplier: i64, constant: i64, shift: i64): i32 {
  return clamp(<i32>((sum * multiplier + constant) >> shift));
}
