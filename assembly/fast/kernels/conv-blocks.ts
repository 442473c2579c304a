/** Convolutions with the max-pool behind them, a block of places at a time. */
import { RECORD_BYTES } from "../../abi";
import { BLOCK_LANES, LANES, ROW_LANES, sumBlock, widen } from "./block";
import {
  BLOCK_HEIGHT,
  BLOCK_OUTPUT_WORK,
  BLOCK_WIDTH,
  CHUNK_HEAD_BYTES,
  CHUNK_WORK,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_IS_WIDE,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_WIDTH,
  LAYER_POOL_WIDTH,
} from "../layout";
import { beginRow, count, endRow, isBegun, layer, moveTo, outputPtr, requantize, x, y } from "../row";
import { ahead, next, passTo } from "../stream";

/** The next chunk of the row. */
let chunk: usize = 0;

/**
 * Computes blocks of the row's outputs, as many chunks of them as `budget` multiplications allow, or one.
 * @param layer its entry
 * @param progress its address
 * @returns the work it was, or within a row the budget: the chunk that comes next may be longer than what is left of it
 */
export function stepConvBlocks(layer: usize, progress: usize, budget: i32): i32 {
  if (!isBegun) {
    beginRow();
    ahead(count);
    chunk = next;
  }
  let pool = poolSize();
  let width = load<u32>(layer, LAYER_OUTPUT_WIDTH);
  let height = load<u32>(layer, LAYER_OUTPUT_HEIGHT);
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let elements = load<usize>(layer, LAYER_INPUT);
  let across = BLOCK_WIDTH / pool;
  let down = BLOCK_HEIGHT / pool;
  let outputWork = across * down * BLOCK_OUTPUT_WORK;
  let first = next;
  let end = first + count;
  let work: i32 = 0;
  let column = x;
  let line = y;
  do {
    let records: u32 = load<u16>(chunk);
    let last = chunk + CHUNK_HEAD_BYTES + records * RECORD_BYTES;
    // Where a block would pass the edge it moves back, over outputs that are computed again.
    let left = min(column, width - across);
    let top = min(line, height - down);
    sumBlock(chunk + CHUNK_HEAD_BYTES, last, elements + (top * pitch + left) * pool, pitch, load<u16>(chunk, 2));
    work += CHUNK_WORK + records * (BLOCK_WIDTH * BLOCK_HEIGHT);
    if (isWide()) {
      widen(chunk == first);
      chunk = last;
      if (chunk < end) continue;
      chunk = first;
    }
    moveTo(left, top);
    finishBlock();
    work += outputWork;
    column += across;
    if (column < width) continue;
    column = 0;
    line += down;
    if (line < height) continue;
    passTo(end);
    endRow();
    return work;
  } while (<i32>(work + CHUNK_WORK + outputWork + load<u16>(chunk) * (BLOCK_WIDTH * BLOCK_HEIGHT)) <= budget);
  moveTo(column, line);
  return budget;
}

/** Takes the sums of a block to the outputs from (x, y) on. */
function finishBlock(): void {
  let isPooled = poolSize() > 1;
  let across = isPooled ? BLOCK_WIDTH / 2 : BLOCK_WIDTH;
  let target = outputPtr();
  let pitch = load<u32>(layer, LAYER_OUTPUT_PITCH) - across;
  let line = LANES;
  do {
    let lane = line;
    let end = target + across;
    do {
      let sum = sumAt(lane);
      if (isPooled) {
        sum = max(sum, sumAt(lane + 8));
        sum = max(sum, sumAt(lane + ROW_LANES));
        sum = max(sum, sumAt(lane + ROW_LANES + 8));
        lane += 2;
      } else {
        // Places 0, 2, 4, 6 are in the first word, the others in the second.
        lane ^= 8;
        if (!(lane & 8)) lane += 2;
      }
      store<u8>(target, requantize(sum));
    } while (++target < end);
    target += pitch;
    line += isPooled ? 2 * ROW_LANES : ROW_LANES;
  } while (line < LANES + BLOCK_LANES);
}

/** Of the place whose lane is at this address. */
@inline
function sumAt(lane: usize): i32 {
  return isWide() ? load<i32>(lane << 1) : load<u16>(lane);
}

// What the packer may know of all of a model's layers: it puts constants in their place.

/** Whether rows have several chunks. */
function isWide(): bool {
  return load<bool>(layer, LAYER_IS_WIDE);
}

/** 1 or 2. */
function poolSize(): u32 {
  return load<u32>(layer, LAYER_POOL_WIDTH);
}
