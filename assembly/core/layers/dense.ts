/** dense: one output a row. The row's records need not fit all at once, since there is one accumulator to carry over. */
import { dot1 } from "../accumulate";
import { recordsPtr } from "../container";
import { inputPtr, inputZeroPoint, outputPlane, outputPtr, rows } from "../layer";
import { requantize } from "../requantize";
import {
  BATCH,
  bias,
  clearRecords,
  decodeRecords,
  isRowComplete,
  nextRow,
  recordsEnd,
  room,
  row,
  weightSum,
} from "../weights";

/** Sum over the row's records that have been used up; 0 between rows. */
let sum: i32 = 0;

/** Decodes a batch, or takes the records into account. @returns the work done, or 0 when there was nothing left to do */
export function stepDense(): u32 {
  if (row == rows) return 0;
  if (!isRowComplete() && room()) {
    decodeRecords();
    return BATCH;
  }
  sum = dot1(recordsPtr, recordsEnd, inputPtr, sum);
  let cost = (<u32>(recordsEnd - recordsPtr)) >>> 2;
  clearRecords();
  if (isRowComplete()) {
    store<i8>(outputPtr + row * outputPlane, requantize(bias - inputZeroPoint * weightSum + sum));
    sum = 0;
    nextRow();
  }
  return cost + 1;
}
