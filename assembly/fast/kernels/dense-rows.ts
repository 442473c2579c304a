/**
 * Dense layers with most weights left: six outputs at a time, which share the elements. Weights are raised so that none is negative; three bytes apart
 * two of them share a word, and one multiplication is that of both.
 */
import {
  DENSE_ELEMENT_WORK,
  DENSE_ELEMENTS_SUM,
  DENSE_FINISH_WORK,
  DENSE_PIECE_BYTES,
  DENSE_ROWS,
  DENSE_SUMS,
  DENSE_TURN,
  DENSE_TURN_WORK,
  LAYER_DENSE_INPUTS,
  LAYER_INPUT,
  LAYER_OUTPUT,
  LAYER_OUTPUT_PLANE,
  LAYER_ROWS,
  PROGRESS_ROW,
  ROW_BYTES,
  WEIGHT_BIAS,
} from "../layout";
import { scale } from "./quads";
import { begin, goToRow, isBegun } from "../row";
import { ahead, next, passTo, windowBytes } from "../stream";

const TURN_BYTES: u32 = DENSE_ROWS * DENSE_TURN;

/** A byte and the third behind it, of each three of six. */
const PAIR: i64 = 0xff0000ff;
const PAIR_1: i64 = PAIR << 8;
const PAIR_2: i64 = PAIR << 16;
const LANE_MASK: i32 = 0xffffff;

/** Inputs that are summed up of the rows at hand. */
let input: u32 = 0;

/**
 * Takes rows, in sixes, for as long as `budget` multiplications take.
 * @param layer its entry
 * @param progress its address
 * @returns as how many it counts
 */
export function stepDenseRows(layer: usize, progress: usize, budget: i32): i32 {
  let inputs = load<u32>(layer, LAYER_DENSE_INPUTS);
  let at = isBegun ? input : 0;
  begin();
  let work: i32 = 0;
  do {
    if (at < inputs) {
      let bytes = min(DENSE_ROWS * (inputs - at + DENSE_TURN - 1), ahead(TURN_BYTES));
      // Most windows are no larger.
      if (windowBytes() > <u32>DENSE_PIECE_BYTES) bytes = min(bytes, DENSE_PIECE_BYTES);
      bytes -= bytes % TURN_BYTES;
      if (!bytes) break; // a read has failed
      let elements = load<usize>(layer, LAYER_INPUT) + at;
      if (!at) clearSums();
      sumSix(elements, next, next + bytes);
      let taken = bytes / DENSE_ROWS;
      work += (bytes / TURN_BYTES) * DENSE_TURN_WORK;
      if (!load<u32>(progress, PROGRESS_ROW)) {
        let count = min(taken, inputs - at);
        sumElements(elements, count, !at);
        work += count * DENSE_ELEMENT_WORK;
      }
      passTo(next + bytes);
      at += taken;
      continue;
    }
    if (!ahead(DENSE_ROWS * ROW_BYTES)) break;
    at = 0;
    work += DENSE_FINISH_WORK;
    if (finishRows(layer, progress)) break;
  } while (work < budget);
  input = at;
  return work;
}

function clearSums(): void {
  store<u64>(DENSE_SUMS, 0);
  store<u64>(DENSE_SUMS, 0, 8);
  store<u64>(DENSE_SUMS, 0, 16);
}

/** Adds to the sums of six rows what weights, one of each row in turn, make of elements: of so few that no sum leaves its 24 bits. */
function sumSix(elements: usize, weights: usize, end: usize): void {
  let sums0: i64 = 0;
  let sums1: i64 = 0;
  let sums2: i64 = 0;
  do {
    let element: i64;
    let word: i64;
    element = load<u8>(elements);
    word = load<i64>(weights);
    sums0 += (word & PAIR) * element;
    sums1 += (word & PAIR_1) * element;
    sums2 += (word & PAIR_2) * element;
    element = load<u8>(elements, 1);
    word = load<i64>(weights, 6);
    sums0 += (word & PAIR) * element;
    sums1 += (word & PAIR_1) * element;
    sums2 += (word & PAIR_2) * element;
    element = load<u8>(elements, 2);
    word = load<i64>(weights, 12);
    sums0 += (word & PAIR) * element;
    sums1 += (word & PAIR_1) * element;
    sums2 += (word & PAIR_2) * element;
    element = load<u8>(elements, 3);
    word = load<i64>(weights, 18);
    sums0 += (word & PAIR) * element;
    sums1 += (word & PAIR_1) * element;
    sums2 += (word & PAIR_2) * element;
    elements += DENSE_TURN;
    weights += TURN_BYTES;
  } while (weights < end);
  addTo(DENSE_SUMS, (<i32>sums0) & LANE_MASK);
  addTo(DENSE_SUMS + 4, (<u32>sums1) >> 8);
  addTo(DENSE_SUMS + 8, (<i32>(sums2 >> 16)) & LANE_MASK);
  addTo(DENSE_SUMS + 12, <i32>(sums0 >> 24));
  addTo(DENSE_SUMS + 16, <i32>(sums1 >> 32));
  addTo(DENSE_SUMS + 20, <i32>((<u64>sums2) >> 40));
}


@inline
function addTo(at: usize, sum: i32): void {
  store<i32>(at, load<i32>(at) + sum);
}

/** Adds up elements, for what weights are raised by. */
function sumElements(elements: usize, count: u32, first: bool): void {
  let sum = first ? 0 : load<i32>(DENSE_ELEMENTS_SUM);
  do {
    sum += load<u8>(elements++);
  } while (--count);
  store<i32>(DENSE_ELEMENTS_SUM, sum);
}

/** Takes the sums to outputs, with the heads that follow the weights. @returns whether they were the layer's last */
function finishRows(layer: usize, progress: usize): bool {
  let plane = load<u32>(layer, LAYER_OUTPUT_PLANE);
  let rows = load<u32>(layer, LAYER_ROWS);
  let row = load<u32>(progress, PROGRESS_ROW);
  let end = min<u32>(row + DENSE_ROWS, rows);
  let target = load<usize>(layer, LAYER_OUTPUT) + row * plane;
  let head = next;
  let sums: usize = DENSE_SUMS;
  let raised = WEIGHT_BIAS * load<i32>(DENSE_ELEMENTS_SUM);
  passTo(head + DENSE_ROWS * ROW_BYTES);
  do {
    store<u8>(target, scale(load<i32>(sums) - raised, load<i32>(head, 8), load<i64>(head), load<u8>(head, 12) + 32));
    target += plane;
    sums += 4;
    head += ROW_BYTES;
  } while (++row < end);
  goToRow(end);
  return end == rows;
}
