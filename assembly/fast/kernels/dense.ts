/** Dense layers: one output a row, summed up straight from the stream. */
import {
  LAYER_INPUT,
  LAYER_OUTPUT,
  LAYER_OUTPUT_PLANE,
  LAYER_ROWS,
  PAIR_BYTES,
  PAIR_WORK,
  PAIRS_AT_ONCE,
  PIECE_PAIR_BYTES,
  PROGRESS_ROW,
  ROW_WORK,
} from "../layout";
import { ahead, next, passTo, windowBytes } from "../stream";
import { beginRow, count, endRow, isBegun, leaveRow, moveTo, requantize, x, y } from "../row";

const TURN_BYTES: u32 = PAIRS_AT_ONCE * PAIR_BYTES;

/** Of a row that a slice has left incomplete: the sum so far. `x` is the element of the latest weight, `y` the bytes of pairs to come. */
let sum: i32 = 0;

/**
 * Takes pairs, of row after row, for as long as `budget` multiplications take.
 * @param layer its entry
 * @param progress its address
 * @returns as how many it counts
 */
export function stepDense(layer: usize, progress: usize, budget: i32): i32 {
  let work: i32 = 0;
  let ptr: usize = x;
  let acc = sum;
  let rest = y;
  // In locals, which cost an interpreter nothing.
  let row = load<u32>(progress, PROGRESS_ROW);
  let rows = load<u32>(layer, LAYER_ROWS);
  let plane = load<u32>(layer, LAYER_OUTPUT_PLANE);
  let target = load<usize>(layer, LAYER_OUTPUT) + row * plane;
  do {
    if (!isBegun) {
      beginRow();
      ptr = load<usize>(layer, LAYER_INPUT);
      acc = 0;
      rest = count * PAIR_BYTES;
    }
    let bytes = min(rest, ahead(TURN_BYTES) & ~(TURN_BYTES - 1));
    // Most windows are no larger.
    if (windowBytes() > <u32>PIECE_PAIR_BYTES) bytes = min(bytes, PIECE_PAIR_BYTES);
    if (!bytes) break; // a read has failed
    let pair = next;
    let last = pair + bytes;
    do {
      acc += load<u8>((ptr += load<u8>(pair))) * load<i8>(pair, 1);
      acc += load<u8>((ptr += load<u8>(pair, 2))) * load<i8>(pair, 3);
      acc += load<u8>((ptr += load<u8>(pair, 4))) * load<i8>(pair, 5);
      acc += load<u8>((ptr += load<u8>(pair, 6))) * load<i8>(pair, 7);
      pair += TURN_BYTES;
    } while (pair < last);
    passTo(pair);
    work += bytes * (PAIR_WORK / PAIR_BYTES);
    rest -= bytes;
    if (rest) continue;
    work += ROW_WORK;
    store<u8>(target, requantize(acc));
    target += plane;
    leaveRow();
    if (++row == rows) break;
  } while (work < budget);
  store<u32>(progress, row, PROGRESS_ROW);
  moveTo(<u32>ptr, rest);
  sum = acc;
  return work;
}
