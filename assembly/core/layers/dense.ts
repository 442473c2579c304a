/** dense: one output a row, summed up while its weights are decoded. */
import { CODEC_BYTES, PAIR_BYTES, TENSOR_PTR } from "../../format";
import { cursor, passTo } from "../bit-reader";
import { codec, input, rows } from "../layer";
import { advanceOutput, outputPtr } from "../output-cursor";
import { requantize } from "../requantize";
import { live } from "../section";
import { failure } from "../status";
import {
  bias,
  column,
  DECODE_WORK,
  decodeWeights,
  endRow,
  isRowComplete,
  nextRow,
  pairsAhead,
  row,
  suspendRow,
} from "../weights";

/** Takes a batch of weights into account. @returns the work done, or 0 when there was nothing left to do */
export function stepDense(): u32 {
  if (row == rows) return 0;
  if (codec() == CODEC_BYTES) sumPairs();
  else {
    decodeWeights(false);
    if (isRowComplete) putOutput(bias);
  }
  return DECODE_WORK;
}

/** The row's output; on to the next row. */
function putOutput(acc: i32): void {
  store<u8>(outputPtr(), requantize(acc));
  advanceOutput(1, 1);
  nextRow();
}

/** Codec 2: the gaps lead through the input as it stands, so that decoding and multiplying are one loop, over a batch of pairs. */
function sumPairs(): void {
  let bytes = pairsAhead();
  let pair = cursor();
  let stop = pair + bytes;
  let lastTurn = <i32>stop - 4 * PAIR_BYTES;
  let elements = load<usize>(input, TENSOR_PTR);
  // Four pairs a turn, with the step from each weight to the next place in the constants.
  let end = elements + live;
  let end1 = end - 1;
  let end2 = end - 2;
  let end3 = end - 3;
  let end4 = end - 4;
  let at = elements + column;
  let acc = bias;
  for (;;) {
    if (<i32>pair > lastTurn) {
      if (pair >= stop) break;
      at += <usize>load<u8>(pair) + 1;
      pair += PAIR_BYTES;
      if (at < end) {
        acc += load<i8>(pair - 1) * load<u8>(at);
        continue;
      }
    } else {
      at += load<u8>(pair);
      if (at < end1) {
        acc += load<i8>(pair, 1) * load<u8>(at, 1);
        at += load<u8>(pair, 2);
        if (at < end2) {
          acc += load<i8>(pair, 3) * load<u8>(at, 2);
          at += load<u8>(pair, 4);
          if (at < end3) {
            acc += load<i8>(pair, 5) * load<u8>(at, 3);
            at += load<u8>(pair, 6);
            if (at < end4) {
              acc += load<i8>(pair, 7) * load<u8>(at, 4);
              at += 4;
              pair += 4 * PAIR_BYTES;
              continue;
            }
            pair += PAIR_BYTES;
          }
          pair += PAIR_BYTES;
        }
        pair += PAIR_BYTES;
      }
      pair += PAIR_BYTES;
    }
    endRow(pair);
    passTo(pair);
    putOutput(acc);
    if (row == rows || failure) return;
    at = elements - 1;
    acc = bias;
  }
  suspendRow(acc, <i32>(at - elements));
  passTo(pair);
}
