/** dense: one output a row. The row's records need not fit all at once, since there is one accumulator to carry over. */
import { RECORD_BYTES, TENSOR_PTR, TENSOR_ZERO_POINT } from "../../format";
import { dot1 } from "../accumulate";
import { recordsPtr } from "../container";
import { input, rows } from "../layer";
import { advanceOutput, outputPtr } from "../output-cursor";
import { requantize } from "../requantize";
import { BATCH } from "../section";
import { bias, carryOver, decodeRecords, isRowComplete, nextRow, recordsEnd, room, row, weightSum } from "../weights";

/** Decodes a batch, or takes the records into account. @returns the work done, or 0 when there was nothing left to do */
export function stepDense(): u32 {
  if (row == rows) return 0;
  if (!isRowComplete() && room()) {
    decodeRecords();
    return BATCH;
  }
  let work = <u32>(recordsEnd - recordsPtr);
  let acc = dot1(recordsPtr, recordsEnd, load<usize>(input, TENSOR_PTR), bias);
  if (isRowComplete()) {
    store<i8>(outputPtr(), requantize(acc - load<i32>(input, TENSOR_ZERO_POINT) * weightSum));
    advanceOutput(1);
    nextRow();
  } else carryOver(acc);
  return work / RECORD_BYTES + 1;
}
