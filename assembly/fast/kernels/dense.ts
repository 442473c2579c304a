/** Dense layers: one output a row, summed up straight from the stream. */
import {
  LAYER_INPUT,
  LAYER_OUTPUT,
  LAYER_OUTPUT_PLANE,
  PAIR_BYTES,
  PAIR_WORK,
  PAIRS_AT_ONCE,
  PIECE_PAIR_BYTES,
  ROW_WORK,
} from "../layout";
import { ahead, next, passTo, windowBytes } from "../stream";
import { beginRow, count, endRow, isBegun, isLayerComplete, layer, requantize, row } from "../row";

const TURN_BYTES: u32 = PAIRS_AT_ONCE * PAIR_BYTES;

/** Of a row that a slice has left incomplete: the element of the latest weight, the sum up to it, and the bytes of pairs to come. */
let at: usize = 0;
let sum: i32 = 0;
let left: u32 = 0;

/** Takes pairs, of row after row, for as long as `budget` multiplications take. @returns as how many it counts */
export function stepDense(budget: i32): i32 {
  let work: i32 = 0;
  let ptr = at;
  let acc = sum;
  let rest = left;
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
    store<u8>(load<usize>(layer, LAYER_OUTPUT) + row * load<u32>(layer, LAYER_OUTPUT_PLANE), requantize(acc));
    endRow();
    if (isLayerComplete()) break;
  } while (work < budget);
  at = ptr;
  sum = acc;
  left = rest;
  return work;
}
