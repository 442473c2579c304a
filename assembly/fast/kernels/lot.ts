/** Lots of places, in groups of three, whose elements are laid out once for all of a convolution's filters. */
import {
  LAYER_DOWN,
  LAYER_INPUT,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_WIDTH,
  LAYER_QUAD_ACROSS,
  LAYER_QUAD_COUNT_0,
  LAYER_QUAD_COUNT_1,
  LAYER_QUAD_COUNT_2,
  LAYER_QUAD_LOT,
  LAYER_QUAD_STEP_0,
  LAYER_QUAD_STEP_1,
  LAYER_QUAD_STEP_2,
  LOT_LANE_BITS,
  PIECE_INPUTS,
  QUAD_HEAD_BYTES,
  QUAD_INPUT_BYTES,
  QUAD_LAYOUT_WORK,
  QUAD_PLACES_WORK,
  QUAD_RUN_WORK,
  QUAD_TURN,
} from "../layout";
import { layer, moveTo, x, y } from "../row";
import { scratchPtr } from "../stream";

/** The groups that are laid out, and inputs of the next. */
export let groups: u32 = 0;
let input: u32 = 0;
/** Whether the lot is laid out, and whether it has the last of the places. */
export let isLaidOut: bool = false;
export let isLast: bool = false;

/** Of a filter: its inputs, the same with those that fill it up, and what is laid out of a group. */
let inputs: u32 = 0;
export let filled: u32 = 0;
export let groupBytes: u32 = 0;

/** Begins a layer. */
export function beginLots(): void {
  inputs =
    <u32>load<u16>(layer, LAYER_QUAD_COUNT_0) *
    load<u16>(layer, LAYER_QUAD_COUNT_1) *
    load<u16>(layer, LAYER_QUAD_COUNT_2);
  filled = (inputs + QUAD_TURN - 1) & ~(QUAD_TURN - 1);
  groupBytes = QUAD_HEAD_BYTES + QUAD_INPUT_BYTES * filled;
  beginLot();
}

export function beginLot(): void {
  groups = input = 0;
  isLaidOut = isLast = false;
}

/** Where a group is laid out. */
export function groupPtr(index: u32): usize {
  return scratchPtr() + index * groupBytes;
}

/** Lays out inputs of the next group. @returns the work it was */
export function layOut(): u32 {
  let target = groupPtr(groups);
  let column = x;
  let line = y;
  let a = takePlace(target);
  let b = takePlace(target + 4);
  let c = takePlace(target + 8);
  let count0: u32 = load<u16>(layer, LAYER_QUAD_COUNT_0);
  let count1: u32 = load<u16>(layer, LAYER_QUAD_COUNT_1);
  let step0 = load<u32>(layer, LAYER_QUAD_STEP_0);
  let step1 = load<u32>(layer, LAYER_QUAD_STEP_1);
  let step2 = load<u32>(layer, LAYER_QUAD_STEP_2);
  let all = inputs;
  let end = min(all, input + PIECE_INPUTS);
  let at0 = input % count0;
  let at1 = (input / count0) % count1;
  let at2 = input / (count0 * count1);
  let work: u32 = QUAD_PLACES_WORK + QUAD_LAYOUT_WORK * (end - input);
  target += QUAD_HEAD_BYTES + QUAD_INPUT_BYTES * input;
  do {
    let taken = min(count0 - at0, end - input);
    let offset = at0 * step0 + at1 * step1 + at2 * step2;
    let begin = target;
    target += QUAD_INPUT_BYTES * taken;
    spread(begin, target, step0, a + offset, b + offset, c + offset);
    work += QUAD_RUN_WORK;
    input += taken;
    at0 = 0;
    if (++at1 < count1) continue;
    at1 = 0;
    at2++;
  } while (input < end);
  if (input < all) {
    moveTo(column, line);
    isLast = false;
    return work;
  }
  for (let filler = all; filler < filled; filler++) {
    store<u64>(target, 0);
    target += QUAD_INPUT_BYTES;
  }
  input = 0;
  isLaidOut = ++groups == load<u8>(layer, LAYER_QUAD_LOT) || isLast;
  return work;
}

/** Address that the filters' inputs count from at the next place; leaves at `target` where its output is. Behind the last it stays there. */
function takePlace(target: usize): usize {
  store<u32>(target, y * load<u32>(layer, LAYER_OUTPUT_PITCH) + x);
  let place =
    load<usize>(layer, LAYER_INPUT) + y * load<u32>(layer, LAYER_DOWN) + x * load<u8>(layer, LAYER_QUAD_ACROSS);
  if (x + 1 < load<u32>(layer, LAYER_OUTPUT_WIDTH)) moveTo(x + 1, y);
  else if (y + 1 < load<u32>(layer, LAYER_OUTPUT_HEIGHT)) moveTo(0, y + 1);
  else isLast = true;
  return place;
}

/** Lays out elements that are `step` apart, of three places at once, from `target` to before `end`. */
function spread(target: usize, end: usize, step: usize, a: usize, b: usize, c: usize): void {
  b -= a;
  c -= a;
  do {
    let upper = ((<u64>load<u8>(a + c)) << LOT_LANE_BITS) | load<u8>(a + b);
    store<u64>(target, (upper << LOT_LANE_BITS) | load<u8>(a));
    a += step;
    target += QUAD_INPUT_BYTES;
  } while (target < end);
}
