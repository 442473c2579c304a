/** Convolutions with the max-pool behind them, a block of places at a time. */
import { BLOCK_LANES, LANES, ROW_LANES, sumBlock, widen } from "./block";
import {
  BLOCK_HEIGHT,
  BLOCK_WIDTH,
  CHUNK_HEAD_BYTES,
  LAYER_CLAMP_MAX,
  LAYER_CLAMP_MIN,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_IS_WIDE,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_WIDTH,
  LAYER_POOL,
  RECORD_BYTES,
} from "./layout";
import {
  beginRow,
  constant,
  count,
  endRow,
  isBegun,
  layer,
  moveTo,
  multiplier,
  outputPtr,
  requantize,
  shift,
  x,
  y,
} from "./row";
import { ahead, next, passTo } from "./stream";

const HIGH_BITS: u64 = ((<u64>0x80008000) << 32) | 0x80008000;

/** The next chunk of the row. */
let chunk: usize = 0;

/** Computes blocks of the row's outputs, chunk by chunk, until `budget` multiplications are done. @returns how many were */
export function stepConvBlocks(budget: i32): i32 {
  if (!isBegun) {
    beginRow();
    ahead(count);
    chunk = next;
  }
  let pool = load<u32>(layer, LAYER_POOL);
  let width = load<u32>(layer, LAYER_OUTPUT_WIDTH);
  let height = load<u32>(layer, LAYER_OUTPUT_HEIGHT);
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let elements = load<usize>(layer, LAYER_INPUT);
  let across = BLOCK_WIDTH / pool;
  let down = BLOCK_HEIGHT / pool;
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
    work += records * (BLOCK_WIDTH * BLOCK_HEIGHT);
    if (isWide()) {
      widen(chunk == first);
      chunk = last;
      if (chunk < end) continue;
      chunk = first;
    }
    moveTo(left, top);
    finishBlock();
    column += across;
    if (column < width) continue;
    column = 0;
    line += down;
    if (line < height) continue;
    passTo(end);
    endRow();
    return work;
  } while (work < budget);
  moveTo(column, line);
  return work;
}

/** Takes the sums of a block to the outputs from (x, y) on. */
function finishBlock(): void {
  if (hasPool() && !isWide()) return finishLanes();
  let isPooled = hasPool();
  let across = isPooled ? BLOCK_WIDTH / 2 : BLOCK_WIDTH;
  let target = outputPtr();
  let pitch = load<u32>(layer, LAYER_OUTPUT_PITCH) - across;
  let line = LANES;
  do {
    let lane = line;
    let end = target + across;
    do {
      let wide = lane << 1; // in SUMS
      let sum = isWide() ? load<i32>(wide) : load<u16>(lane);
      if (isPooled) {
        sum = max(sum, load<i32>(wide, 16));
        sum = max(sum, load<i32>(wide, 2 * ROW_LANES));
        sum = max(sum, load<i32>(wide, 2 * ROW_LANES + 16));
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

/** The same under a pool of 2 × 2 with sums in lanes: an output is the largest of four, which are in the same lane of four words. */
function finishLanes(): void {
  let target = outputPtr();
  let pitch = load<u32>(layer, LAYER_OUTPUT_PITCH);
  // In locals, which cost an interpreter nothing.
  let factor = multiplier;
  let addend = constant;
  let places = shift;
  let line = LANES;
  do {
    let sums = maxLanes(load<u64>(line), load<u64>(line, 8));
    sums = maxLanes(sums, load<u64>(line, 16));
    sums = maxLanes(sums, load<u64>(line, 24));
    store<u8>(target, clamp(<i32>((<i64>(sums & 0xffff) * factor + addend) >> places)));
    store<u8>(target, clamp(<i32>((<i64>((sums >>> 16) & 0xffff) * factor + addend) >> places)), 1);
    store<u8>(target, clamp(<i32>((<i64>((sums >>> 32) & 0xffff) * factor + addend) >> places)), 2);
    store<u8>(target, clamp(<i32>((<i64>(sums >>> 48) * factor + addend) >> places)), 3);
    target += pitch;
    line += 2 * ROW_LANES;
  } while (line < LANES + BLOCK_LANES);
}

/** The nearest byte that the layer's outputs may have. */
@inline
function clamp(value: i32): i32 {
  if (<u32>(value - clampMin()) <= <u32>(clampMax() - clampMin())) return value;
  return value < clampMin() ? clampMin() : clampMax();
}

/** The larger of two u16 in each lane. */
@inline
function maxLanes(a: u64, b: u64): u64 {
  let differing = a ^ b;
  // The highest bit of each lane: whether the rest of a is not less than the rest of b; then, whether a is not less than b.
  let notLess = (a | HIGH_BITS) - (b & ~HIGH_BITS);
  notLess = (notLess ^ (differing & (notLess ^ a))) & HIGH_BITS;
  return b ^ (differing & ((notLess - (notLess >>> 15)) | notLess));
}

// What the packer may know of all of a model's layers: it puts constants in their place.

/** Whether rows have several chunks. */
function isWide(): bool {
  return load<bool>(layer, LAYER_IS_WIDE);
}

function clampMin(): i32 {
  return load<i32>(layer, LAYER_CLAMP_MIN);
}

function clampMax(): i32 {
  return load<i32>(layer, LAYER_CLAMP_MAX);
}

/** Whether there is a pool of 2 × 2. */
function hasPool(): bool {
  return load<u32>(layer, LAYER_POOL) > 1;
}
