/**
 * Dense layers whose rows share few values: elements of equal weights are added up, and their sum is multiplied once (CER in Wiedemann et al. 2019). The
 * stream has a byte for such a weight, where pairs take two.
 */
import {
  GROUP_BYTE_WORK,
  GROUP_HEAD_BYTES,
  LAYER_GROUP_BITS,
  LAYER_INPUT,
  LAYER_OUTPUT,
  LAYER_OUTPUT_PLANE,
  LAYER_ROWS,
  PIECE_GROUP_BYTES,
  PROGRESS_ROW,
  ROW_WORK,
} from "../layout";
import { ahead, next, passTo, windowBytes } from "../stream";
import { beginRow, count, isBegun, leaveRow, moveTo, requantize, y } from "../row";

/** Of a row that a slice has left incomplete: the sum so far. `y` is the bytes of groups to come. */
let sum: i32 = 0;

/**
 * Takes groups, of row after row, for as long as `budget` multiplications take.
 * @param layer its entry
 * @param progress its address
 * @returns as how many it counts
 */
export function stepDenseValues(layer: usize, progress: usize, budget: i32): i32 {
  let work: i32 = 0;
  let acc = sum;
  let rest = y;
  // In locals, which cost an interpreter nothing.
  let input = load<usize>(layer, LAYER_INPUT);
  let bits = load<u32>(layer, LAYER_GROUP_BITS);
  let mask: u32 = (1 << bits) - 1;
  let row = load<u32>(progress, PROGRESS_ROW);
  let rows = load<u32>(layer, LAYER_ROWS);
  let plane = load<u32>(layer, LAYER_OUTPUT_PLANE);
  let target = load<usize>(layer, LAYER_OUTPUT) + row * plane;
  do {
    if (!isBegun) {
      beginRow();
      acc = 0;
      rest = count;
    }
    if (!ahead(GROUP_HEAD_BYTES)) break; // a read has failed
    // At least the first group.
    let bytes = min(rest, ahead(GROUP_HEAD_BYTES + (load<u16>(next, 1) & mask)));
    // Most windows are no larger.
    if (windowBytes() > <u32>PIECE_GROUP_BYTES) bytes = min(bytes, PIECE_GROUP_BYTES);
    if (!bytes) break;
    let group = next;
    let end = group + bytes;
    do {
      // Where the window has a part of a head, more than is there whatever follows.
      let head: u32 = load<u16>(group, 1);
      let gap = group + GROUP_HEAD_BYTES;
      let last = gap + (head & mask);
      if (last > end) break;
      let element = input + (head >> bits);
      let elements: i32 = load<u8>(element);
      while (gap + 4 <= last) {
        elements += load<u8>((element += load<u8>(gap)));
        elements += load<u8>((element += load<u8>(gap, 1)));
        elements += load<u8>((element += load<u8>(gap, 2)));
        elements += load<u8>((element += load<u8>(gap, 3)));
        gap += 4;
      }
      while (gap < last) elements += load<u8>((element += load<u8>(gap++)));
      acc += elements * load<i8>(group);
      group = last;
    } while (group < end);
    bytes = <u32>(group - next);
    passTo(group);
    work += bytes * GROUP_BYTE_WORK;
    rest -= bytes;
    if (rest) continue;
    work += ROW_WORK;
    store<u8>(target, requantize(acc));
    target += plane;
    leaveRow();
    if (++row == rows) break;
  } while (work < budget);
  store<u32>(progress, row, PROGRESS_ROW);
  moveTo(0, rest);
  sum = acc;
  return work;
}
