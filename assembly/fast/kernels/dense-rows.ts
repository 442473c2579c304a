/** Dense layers with most weights left: four outputs at a time, which share the elements. */
import {
  DENSE_FINISH_WORK,
  DENSE_ROWS,
  DENSE_TURN,
  DENSE_TURN_WORK,
  LAYER_DENSE_INPUTS,
  LAYER_INPUT,
  LAYER_OUTPUT,
  LAYER_OUTPUT_PLANE,
  LAYER_ROWS,
  PIECE_PAIR_BYTES,
  ROW_BYTES,
} from "../layout";
import { QUAD_SUMS, scale } from "./quads";
import { begin, goToRow, isBegun, isLayerComplete, layer, rowsDone } from "../row";
import { ahead, next, passTo, windowBytes } from "../stream";

const TURN_BYTES: u32 = DENSE_ROWS * DENSE_TURN;

/** Inputs that are summed up of the rows at hand. */
let input: u32 = 0;

/** Takes rows, in fours, for as long as `budget` multiplications take. @returns as how many it counts */
export function stepDenseRows(budget: i32): i32 {
  let inputs = load<u32>(layer, LAYER_DENSE_INPUTS);
  let at = isBegun ? input : 0;
  begin();
  let work: i32 = 0;
  do {
    if (at < inputs) {
      let bytes = min(DENSE_ROWS * (inputs - at), ahead(TURN_BYTES) & ~(TURN_BYTES - 1));
      // Most windows are no larger.
      if (windowBytes() > <u32>PIECE_PAIR_BYTES) bytes = min(bytes, PIECE_PAIR_BYTES);
      if (!bytes) break; // a read has failed
      sumFour(load<usize>(layer, LAYER_INPUT) + at, next, bytes, !at);
      passTo(next + bytes);
      at += bytes / DENSE_ROWS;
      work += (bytes / TURN_BYTES) * DENSE_TURN_WORK;
      continue;
    }
    if (!ahead(DENSE_ROWS * ROW_BYTES)) break;
    finishRows();
    at = 0;
    work += DENSE_FINISH_WORK;
    if (isLayerComplete()) break;
  } while (work < budget);
  input = at;
  return work;
}

/** Adds up what `bytes` of weights, one for each of the rows in turn, make of elements. The `first` begin with 0. */
function sumFour(elements: usize, weights: usize, bytes: u32, first: bool): void {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  if (!first) {
    sum0 = load<i32>(QUAD_SUMS);
    sum1 = load<i32>(QUAD_SUMS, 4);
    sum2 = load<i32>(QUAD_SUMS, 8);
    sum3 = load<i32>(QUAD_SUMS, 12);
  }
  do {
    let element: i32 = load<u8>(elements);
    sum0 += element * load<i8>(weights);
    sum1 += element * load<i8>(weights, 1);
    sum2 += element * load<i8>(weights, 2);
    sum3 += element * load<i8>(weights, 3);
    element = load<u8>(elements, 1);
    sum0 += element * load<i8>(weights, 4);
    sum1 += element * load<i8>(weights, 5);
    sum2 += element * load<i8>(weights, 6);
    sum3 += element * load<i8>(weights, 7);
    element = load<u8>(elements, 2);
    sum0 += element * load<i8>(weights, 8);
    sum1 += element * load<i8>(weights, 9);
    sum2 += element * load<i8>(weights, 10);
    sum3 += element * load<i8>(weights, 11);
    element = load<u8>(elements, 3);
    sum0 += element * load<i8>(weights, 12);
    sum1 += element * load<i8>(weights, 13);
    sum2 += element * load<i8>(weights, 14);
    sum3 += element * load<i8>(weights, 15);
    element = load<u8>(elements, 4);
    sum0 += element * load<i8>(weights, 16);
    sum1 += element * load<i8>(weights, 17);
    sum2 += element * load<i8>(weights, 18);
    sum3 += element * load<i8>(weights, 19);
    element = load<u8>(elements, 5);
    sum0 += element * load<i8>(weights, 20);
    sum1 += element * load<i8>(weights, 21);
    sum2 += element * load<i8>(weights, 22);
    sum3 += element * load<i8>(weights, 23);
    element = load<u8>(elements, 6);
    sum0 += element * load<i8>(weights, 24);
    sum1 += element * load<i8>(weights, 25);
    sum2 += element * load<i8>(weights, 26);
    sum3 += element * load<i8>(weights, 27);
    element = load<u8>(elements, 7);
    sum0 += element * load<i8>(weights, 28);
    sum1 += element * load<i8>(weights, 29);
    sum2 += element * load<i8>(weights, 30);
    sum3 += element * load<i8>(weights, 31);
    elements += DENSE_TURN;
    weights += TURN_BYTES;
    bytes -= TURN_BYTES;
  } while (bytes);
  store<i32>(QUAD_SUMS, sum0);
  store<i32>(QUAD_SUMS, sum1, 4);
  store<i32>(QUAD_SUMS, sum2, 8);
  store<i32>(QUAD_SUMS, sum3, 12);
}

/** Takes the sums to outputs, with the heads that follow the weights. */
function finishRows(): void {
  let plane = load<u32>(layer, LAYER_OUTPUT_PLANE);
  let row = rowsDone();
  let left = min(DENSE_ROWS, load<u32>(layer, LAYER_ROWS) - row);
  let target = load<usize>(layer, LAYER_OUTPUT) + row * plane;
  let head = next;
  let sums = QUAD_SUMS;
  passTo(head + DENSE_ROWS * ROW_BYTES);
  goToRow(row + left);
  do {
    store<u8>(target, scale(load<i32>(sums), load<i32>(head, 8), load<i64>(head), load<u8>(head, 12)));
    target += plane;
    sums += 4;
    head += ROW_BYTES;
  } while (--left);
}
