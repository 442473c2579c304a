/** Convolutions with the max-pool behind them, a block of places at a time. */
import { BLOCK_LANES, LANES, ROW_LANES, sumBlock, SUMS, widen } from "./block";
import {
  BLOCK_HEIGHT,
  BLOCK_WIDTH,
  CHUNK_HEAD_BYTES,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_IS_WIDE,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_WIDTH,
  LAYER_POOL,
  RECORD_BYTES,
} from "./layout";
import { advance, beginRow, count, endRow, isBegun, layer, moveTo, outputPtr, requantize, x, y } from "./row";
import { ahead, next, passTo } from "./stream";

/** The next chunk of the row. */
let chunk: usize = 0;

/** Sums up a chunk for a block, and behind the last one computes its outputs. @returns the multiplications */
export function stepConvBlocks(): u32 {
  if (!isBegun) {
    beginRow();
    ahead(count);
    chunk = next;
  }
  let pool = load<u32>(layer, LAYER_POOL);
  let across = BLOCK_WIDTH / pool;
  let down = BLOCK_HEIGHT / pool;
  // Where a block would pass the edge it moves back, over outputs that are computed again.
  moveTo(min(x, load<u32>(layer, LAYER_OUTPUT_WIDTH) - across), min(y, load<u32>(layer, LAYER_OUTPUT_HEIGHT) - down));
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let record = chunk + CHUNK_HEAD_BYTES;
  let work = load<u16>(chunk) * (BLOCK_WIDTH * BLOCK_HEIGHT);
  let last = record + load<u16>(chunk) * RECORD_BYTES;
  sumBlock(record, last, load<usize>(layer, LAYER_INPUT) + (y * pitch + x) * pool, pitch, load<u16>(chunk, 2));
  if (isWide()) {
    widen(chunk == next);
    chunk = last;
    if (chunk < next + count) return work;
  }
  if (hasPool()) finishPooled();
  else finishPlain();
  chunk = next;
  if (advance(across, down)) {
    passTo(next + count);
    endRow();
  }
  return work;
}

/** The outputs of a block under a pool of 2 × 2: each the largest of four sums. */
function finishPooled(): void {
  let target = outputPtr();
  let pitch = load<u32>(layer, LAYER_OUTPUT_PITCH) - BLOCK_WIDTH / 2;
  let lane: usize = 0;
  do {
    let end = lane + 8;
    do {
      let sum = max(max(sumAt(lane), sumAt(lane + 8)), max(sumAt(lane + ROW_LANES), sumAt(lane + ROW_LANES + 8)));
      store<u8>(target++, requantize(sum));
      lane += 2;
    } while (lane < end);
    target += pitch;
    lane += 2 * ROW_LANES - 8;
  } while (lane < BLOCK_LANES);
}

/** The outputs of a block without a pool. */
function finishPlain(): void {
  let target = outputPtr();
  let pitch = load<u32>(layer, LAYER_OUTPUT_PITCH) - BLOCK_WIDTH;
  let lane: usize = 0;
  do {
    let end = lane + 8;
    do {
      store<u8>(target, requantize(sumAt(lane)));
      store<u8>(target, requantize(sumAt(lane + 8)), 1);
      target += 2;
      lane += 2;
    } while (lane < end);
    target += pitch;
    lane += ROW_LANES - 8;
  } while (lane < BLOCK_LANES);
}

/** The sum in a lane, counted in bytes of LANES. */
function sumAt(lane: usize): i32 {
  return isWide() ? load<i32>(SUMS + 2 * lane) : <i32>load<u16>(LANES + lane);
}

// What the packer may know of all of a model's layers: it puts constants in their place.

/** Whether rows have several chunks. */
function isWide(): bool {
  return load<bool>(layer, LAYER_IS_WIDE);
}

/** Whether there is a pool of 2 × 2. */
function hasPool(): bool {
  return load<u32>(layer, LAYER_POOL) > 1;
}
