/** dense: one output a row, summed up while its weights are decoded. */
import { rows } from "../layer";
import { advanceOutput, outputPtr } from "../output-cursor";
import { requantize } from "../requantize";
import { bias, decodeWeights, DECODE_WORK, isRowComplete, nextRow, row } from "../weights";

/** Takes a batch of weights into account. @returns the work done, or 0 when there was nothing left to do */
export function stepDense(): u32 {
  if (row == rows) return 0;
  decodeWeights(false);
  if (isRowComplete) {
    store<u8>(outputPtr(), requantize(bias));
    advanceOutput(1, 1);
    nextRow();
  }
  return DECODE_WORK;
}
