/** Dense layers: one output a row, summed up straight from the stream. */
import { LAYER_INPUT, PAIR_BYTES } from "./layout";
import { ahead, next, passTo } from "./stream";
import { beginRow, count, endRow, isBegun, layer, outputPtr, requantize } from "./row";

/** Bytes of pairs that are worth moving the window for. */
const BATCH_BYTES: u32 = 128;

/** The element of the latest weight, the sum up to it, and how many weights are left. */
let at: usize = 0;
let sum: i32 = 0;
let left: u32 = 0;

/** Takes what weights of the row the window holds. @returns how many */
export function stepDense(): u32 {
  if (!isBegun) {
    beginRow();
    at = load<usize>(layer, LAYER_INPUT);
    sum = 0;
    left = count;
  }
  let bytes = left * PAIR_BYTES;
  let taken = min(bytes, ahead(min(bytes, BATCH_BYTES)) & ~(PAIR_BYTES - 1));
  sumPairs(taken);
  if (!(left -= taken / PAIR_BYTES)) {
    store<u8>(outputPtr(), requantize(sum));
    endRow();
  }
  return taken / PAIR_BYTES;
}

/** Adds up weight × element for the next pairs. */
function sumPairs(bytes: u32): void {
  let pair = next;
  let last = pair + bytes;
  let ptr = at;
  let acc = sum;
  let last4 = last - 4 * PAIR_BYTES;
  while (pair <= last4) {
    ptr += load<u8>(pair);
    acc += load<i8>(pair, 1) * load<u8>(ptr);
    ptr += load<u8>(pair, 2);
    acc += load<i8>(pair, 3) * load<u8>(ptr);
    ptr += load<u8>(pair, 4);
    acc += load<i8>(pair, 5) * load<u8>(ptr);
    ptr += load<u8>(pair, 6);
    acc += load<i8>(pair, 7) * load<u8>(ptr);
    pair += 4 * PAIR_BYTES;
  }
  while (pair < last) {
    ptr += load<u8>(pair);
    acc += load<i8>(pair, 1) * load<u8>(ptr);
    pair += PAIR_BYTES;
  }
  at = ptr;
  sum = acc;
  passTo(pair);
}
