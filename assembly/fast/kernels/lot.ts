/** Lots of places, in fours, whose elements are laid out once for all of a convolution's filters. */
import {
  LANE_BITS,
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

/** The fours that are laid out, and inputs of the next. */
export let fours: u32 = 0;
let input: u32 = 0;
/** Whether the lot is laid out, and whether it has the last of the places. */
export let isLaidOut: bool = false;
export let isLast: bool = false;

/** Of a filter: its inputs, the same with those that fill it up, and what is laid out of four places. */
let inputs: u32 = 0;
export let filled: u32 = 0;
export let fourBytes: u32 = 0;

/** Begins a layer. */
export function beginLots(): void {
  inputs =
    <u32>load<u16>(layer, LAYER_QUAD_COUNT_0) *
    load<u16>(layer, LAYER_QUAD_COUNT_1) *
    load<u16>(layer, LAYER_QUAD_COUNT_2);
  filled = (inputs + QUAD_TURN - 1) & ~(QUAD_TURN - 1);
  fourBytes = QUAD_HEAD_BYTES + QUAD_INPUT_BYTES * filled;
  beginLot();
}

export function beginLot(): void {
  fours = input = 0;
  isLaidOut = isLast = false;
}

/** Where a four of places is laid out. */
export function fourPtr(index: u32): usize {
  return scratchPtr() + index * fourBytes;
}

/** Lays out inputs of the next four of places. @returns the work it was */
export function layOut(): u32 {
  let target = fourPtr(fours);
  let column = x;
  let line = y;
  let a = takePlace(target);
  let b = takePlace(target + 4);
  let c = takePlace(target + 8);
  let d = takePlace(target + 12);
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
    spread(begin, target, step0, a + offset, b + offset, c + offset, d + offset);
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
  isLaidOut = ++fours == load<u8>(layer, LAYER_QUAD_LOT) || isLast;
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

/** Lays out elements that are `step` apart, of four places at once, from `target` to before `end`. */
function spread(target: usize, end: usize, step: usize, a: usize, b: usize, c: usize, d: usize): void {
  do {
    store<u32>(target, (<u32>load<u8>(a)) | ((<u32>load<u8>(b)) << LANE_BITS));
    store<u32>(target, (<u32>load<u8>(c)) | ((<u32>load<u8>(d)) << LANE_BITS), 4);
    a += step;
    b += step;
    c += step;
    d += step;
    target += QUAD_INPUT_BYTES;
  } while (target < end);
}
