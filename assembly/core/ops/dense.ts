/** dense: one output a row. The row's records need not fit all at once, since there is one accumulator to carry over. */
import {
  RECORD_BYTES,
  STATUS_SHAPE,
  TENSOR_CHANNELS,
  TENSOR_HEIGHT,
  TENSOR_PTR,
  TENSOR_WIDTH,
  TENSOR_ZERO_POINT,
} from "../../abi";
import { OP_DENSE } from "../../format";
import { dot1 } from "../accumulate";
import { input, op, outputHeight, outputWidth, rows } from "../layer";
import { advanceOutput, outputPtr } from "../output-cursor";
import { requantize } from "../requantize";
import { recordsPtr } from "../scratch";
import { readWeights } from "../section";
import { expect } from "../status";
import { bias, carryOver, decodeRecords, isRowComplete, nextRow, recordsEnd, room, weightSum } from "../weights";
import { addWork, DENSE_WORK, MOST_RECORDS } from "../work";
import { setKernel } from "./window";

export function isAtHand(): bool {
  return op == OP_DENSE;
}

export function read(): void {
  let height = load<u32>(input, TENSOR_HEIGHT);
  let width = load<u32>(input, TENSOR_WIDTH);
  setKernel(height, width);
  expect(outputHeight * outputWidth == 1, STATUS_SHAPE);
  readWeights(load<u32>(input, TENSOR_CHANNELS) * height * width); // below 2^24
}

/** Decodes a batch, or takes the records into account. @returns the work done */
export function step(): u32 {
  let count = <u32>(recordsEnd - recordsPtr) / RECORD_BYTES;
  if (!isRowComplete() & (room() != 0) & (count < MOST_RECORDS)) return decodeRecords();
  let acc = dot1(recordsPtr, recordsEnd, load<usize>(input, TENSOR_PTR), bias);
  if (isRowComplete()) {
    store<Element>(outputPtr(), requantize(acc - load<i32>(input, TENSOR_ZERO_POINT) * weightSum));
    advanceOutput(1);
    nextRow();
  } else carryOver(acc);
  return count + DENSE_WORK;
}

export function addStepWork(turns: u32): void {
  addWork(turns + (rows + turns / min(room(), MOST_RECORDS)) * DENSE_WORK); // turns are at most 2^28
}
