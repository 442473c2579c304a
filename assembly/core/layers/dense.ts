/** dense: one output a row. The row's records need not fit all at once, since there is one accumulator to carry over. */
import { RECORD_BYTES, TENSOR_PTR, TENSOR_ZERO_POINT } from "../../abi";
import { dot1 } from "../accumulate";
import { recordsPtr } from "../container";
import { input, rows } from "../layer";
import { advanceOutput, outputPtr } from "../output-cursor";
import { requantize } from "../requantize";
import { bias, carryOver, decodeRecords, isRowComplete, nextRow, recordsEnd, room, row, weightSum } from "../weights";
import { DENSE_WORK, MOST_RECORDS } from "../work";

/** Decodes a batch, or takes the records into account. @returns the work done, or 0 when there was nothing left to do */
export function stepDense(): u32 {
  if (row == rows) return 0;
  let count = <u32>(recordsEnd - recordsPtr) / RECORD_BYTES;
  if (!isRowComplete() && room() && count < MOST_RECORDS) return decodeRecords();
  let acc = dot1(recordsPtr, recordsEnd, load<usize>(input, TENSOR_PTR), bias);
  if (isRowComplete()) {
    store<i8>(outputPtr(), requantize(acc - load<i32>(input, TENSOR_ZERO_POINT) * weightSum));
    advanceOutput(1);
    nextRow();
  } else carryOver(acc);
  return count + DENSE_WORK;
}
