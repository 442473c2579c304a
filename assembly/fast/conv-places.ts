/** Convolutions with any stride, and any max-pool behind them, an output at a time. */
import { RECORD_BYTES } from "../format";
import {
  CHUNK_HEAD_BYTES,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_POOL,
  LAYER_POOL_STRIDE,
  LAYER_STRIDE,
} from "./layout";
import { advance, beginRow, count, endRow, isBegun, layer, outputPtr, requantize, x, y } from "./row";
import { ahead, next, passTo } from "./stream";

/** In multiplications of a block: what an output takes, and a weight at a place. */
const OUTPUT_WORK: u32 = 50;
const RECORD_WORK: u32 = 9;

/** Computes an output: the largest sum of its pool. @returns the work it was */
export function stepConvPlaces(): u32 {
  if (!isBegun) {
    beginRow();
    ahead(count);
  }
  let stride = load<u32>(layer, LAYER_STRIDE);
  let step = stride * load<u32>(layer, LAYER_POOL_STRIDE);
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let elements = load<usize>(layer, LAYER_INPUT) + (y * pitch + x) * step;
  let pool = load<u32>(layer, LAYER_POOL);
  let first = next + CHUNK_HEAD_BYTES;
  let last = next + count;
  let best = i32.MIN_VALUE;
  let down = pool;
  do {
    let across = pool;
    do {
      best = max(best, sumPlace(first, last, elements));
      elements += stride;
    } while (--across);
    elements += (pitch - pool) * stride;
  } while (--down);
  store<u8>(outputPtr(), requantize(best));
  if (advance(1, 1)) {
    passTo(last);
    endRow();
  }
  return OUTPUT_WORK + (<u32>(last - first) / RECORD_BYTES) * RECORD_WORK * pool * pool;
}

/** Σ weight × element over the records from `record` to before `last`. */
function sumPlace(record: usize, last: usize, elements: usize): i32 {
  let sum: i32 = 0;
  do {
    sum += load<i8>(record) * load<u8>(elements + (load<u32>(record) >>> 8));
    record += RECORD_BYTES;
  } while (record < last);
  return sum;
}
