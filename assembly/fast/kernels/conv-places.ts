/** Convolutions with any stride, and any max-pool behind them, an output at a time, or some of its places, or of their records. */
import { RECORD_BYTES } from "../../abi";
import {
  CHUNK_HEAD_BYTES,
  LAYER_ACROSS,
  LAYER_DOWN,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_PLACE_STEP,
  LAYER_PLACES,
  LAYER_POOL_WIDTH,
  PIECE_RECORDS,
  PIECE_WORK,
  PLACE_WORK,
  PLACES_OUTPUT_WORK,
  RECORD_WORK,
} from "../layout";
import { advance, beginRow, count, endRow, isBegun, layer, outputPtr, requantize, x, y } from "../row";
import { ahead, next, passTo } from "../stream";

/** Of the output at hand: the place, which record comes next at it and the sum so far, and the largest of the places before it. */
let place: u32 = 0;
let record: usize = 0;
let sum: i32 = 0;
let best: i32 = 0;

/** Computes an output, the largest sum of its pool, or goes on with one. @returns the work it was */
export function stepConvPlaces(): u32 {
  if (!isBegun) {
    beginRow();
    ahead(count);
    beginPlaces();
  }
  let elements =
    load<usize>(layer, LAYER_INPUT) + y * load<u32>(layer, LAYER_DOWN) + x * load<u32>(layer, LAYER_ACROSS);
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let pool = load<u32>(layer, LAYER_POOL_WIDTH);
  let last = next + count;
  let work: u32 = 0;
  do {
    let ptr = elements;
    if (place) ptr += (place / pool) * pitch + (place % pool) * load<u32>(layer, LAYER_PLACE_STEP);
    let end = min(record + PIECE_RECORDS * RECORD_BYTES, last);
    work += (<u32>(end - record) / RECORD_BYTES) * RECORD_WORK;
    sum = sumPlace(record, end, ptr, sum);
    if (end < last) {
      record = end;
      return work;
    }
    best = max(best, sum);
    if (++place == load<u32>(layer, LAYER_PLACES)) {
      store<u8>(outputPtr(), requantize(best));
      beginPlaces();
      if (advance(1, 1)) {
        passTo(last);
        endRow();
      }
      return work + PLACES_OUTPUT_WORK;
    }
    sum = 0;
    record = next + CHUNK_HEAD_BYTES;
    work += PLACE_WORK;
  } while (work < <u32>PIECE_WORK);
  return work;
}

/** Begins an output. */
function beginPlaces(): void {
  place = sum = 0;
  best = i32.MIN_VALUE;
  record = next + CHUNK_HEAD_BYTES;
}

/** `sum` + Σ weight × element over the records from `record` to before `last`. */
function sumPlace(record: usize, last: usize, elements: usize, sum: i32): i32 {
  do {
    sum += load<i8>(record) * load<u8>(elements + (load<u32>(record) >>> 8));
    record += RECORD_BYTES;
  } while (record < last);
  return sum;
}
