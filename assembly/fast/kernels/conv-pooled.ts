/**
 * Convolutions with a max-pool of 2 × 2 behind them whose filters are light: 8 × 8 places at a time, summed up as in block.ts and never
 * written down. Sums of a filter lie less than 2^15 apart, so that a pool finds its largest by differences that stay in their lanes.
 */
import { RECORD_BYTES } from "../../abi";
import { EVEN_BYTES } from "./block";
import {
  CHUNK_HEAD_BYTES,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_OUTPUT,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_PLANE,
  LAYER_OUTPUT_WIDTH,
  PROGRESS_ROW,
  TILE_SIZE,
  TILE_WORK,
} from "../layout";
import { beginRow, clamp, constant, count, endRow, isBegun, layer, moveTo, multiplier, shift, x, y } from "../row";
import { ahead, next, passTo } from "../stream";

/** In outputs. */
const TILE_OUTPUTS: u32 = TILE_SIZE / 2;

const HIGH_BITS: u64 = ((<u64>0x80008000) << 32) | 0x80008000;

/**
 * Computes tiles of the row's outputs, as many as `budget` multiplications allow, or one.
 * @param layer its entry
 * @param progress its address
 * @returns the work it was, or within a row the budget: the tile that comes next may be longer than what is left of it
 */
export function stepConvPooled(layer: usize, progress: usize, budget: i32): i32 {
  if (!isBegun) {
    beginRow();
    ahead(count);
  }
  let width = load<u32>(layer, LAYER_OUTPUT_WIDTH);
  let height = load<u32>(layer, LAYER_OUTPUT_HEIGHT);
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let elements = load<usize>(layer, LAYER_INPUT);
  let outputPitch = load<u32>(layer, LAYER_OUTPUT_PITCH);
  let outputs =
    load<usize>(layer, LAYER_OUTPUT) + load<u32>(progress, PROGRESS_ROW) * load<u32>(layer, LAYER_OUTPUT_PLANE);
  let last = next + count;
  let tileWork = TILE_WORK + count * ((TILE_SIZE * TILE_SIZE) / RECORD_BYTES);
  let work: i32 = 0;
  let column = x;
  let line = y;
  do {
    // Where a tile would pass the edge it moves back, over outputs that are computed again.
    let left = min(column, width - TILE_OUTPUTS);
    let top = min(line, height - TILE_OUTPUTS);
    let target = outputs + top * outputPitch + left;
    sumTile(next + CHUNK_HEAD_BYTES, last, elements + 2 * (top * pitch + left), pitch, target);
    work += tileWork;
    column += TILE_OUTPUTS;
    if (column < width) continue;
    column = 0;
    line += TILE_OUTPUTS;
    if (line < height) continue;
    passTo(last);
    endRow();
    return work;
  } while (<i32>(work + tileWork) <= budget);
  moveTo(column, line);
  return budget;
}

/**
 * Computes the outputs from `target` on. Records, elements and pitch are as for sumBlock; there too is why these lanes add up.
 */
function sumTile(record: usize, last: usize, elements: usize, pitch: usize, target: usize): void {
  let bias: u64 = load<u16>(record - CHUNK_HEAD_BYTES, 2);
  let all0: u64 = 0;
  let all1: u64 = 0;
  let all2: u64 = 0;
  let all3: u64 = 0;
  let all4: u64 = 0;
  let all5: u64 = 0;
  let all6: u64 = 0;
  let all7: u64 = 0;
  let odd0: u64 = 0;
  let odd1: u64 = 0;
  let odd2: u64 = 0;
  let odd3: u64 = 0;
  let odd4: u64 = 0;
  let odd5: u64 = 0;
  let odd6: u64 = 0;
  let odd7: u64 = 0;
  do {
    let ptr = elements + (load<u32>(record) >>> 8);
    let weight: u64 = load<i8>(record);
    all0 += load<u64>(ptr) * weight;
    odd0 += (load<u64>(ptr, 1) & EVEN_BYTES) * weight;
    let ptr1 = ptr + pitch;
    all1 += load<u64>(ptr1) * weight;
    odd1 += (load<u64>(ptr1, 1) & EVEN_BYTES) * weight;
    let ptr2 = ptr + 2 * pitch;
    all2 += load<u64>(ptr2) * weight;
    odd2 += (load<u64>(ptr2, 1) & EVEN_BYTES) * weight;
    let ptr3 = ptr + 3 * pitch;
    all3 += load<u64>(ptr3) * weight;
    odd3 += (load<u64>(ptr3, 1) & EVEN_BYTES) * weight;
    let ptr4 = ptr + 4 * pitch;
    all4 += load<u64>(ptr4) * weight;
    odd4 += (load<u64>(ptr4, 1) & EVEN_BYTES) * weight;
    let ptr5 = ptr + 5 * pitch;
    all5 += load<u64>(ptr5) * weight;
    odd5 += (load<u64>(ptr5, 1) & EVEN_BYTES) * weight;
    let ptr6 = ptr + 6 * pitch;
    all6 += load<u64>(ptr6) * weight;
    odd6 += (load<u64>(ptr6, 1) & EVEN_BYTES) * weight;
    let ptr7 = ptr + 7 * pitch;
    all7 += load<u64>(ptr7) * weight;
    odd7 += (load<u64>(ptr7, 1) & EVEN_BYTES) * weight;
    record += RECORD_BYTES;
  } while (record < last);
  bias *= 0x0001000100010001;
  let outputPitch = load<u32>(layer, LAYER_OUTPUT_PITCH);
  finishLine(target, bias, all0, odd0, all1, odd1);
  target += outputPitch;
  finishLine(target, bias, all2, odd2, all3, odd3);
  target += outputPitch;
  finishLine(target, bias, all4, odd4, all5, odd5);
  target += outputPitch;
  finishLine(target, bias, all6, odd6, all7, odd7);
}

/** Takes the sums of two rows of places to four outputs. */
function finishLine(target: usize, bias: u64, all0: u64, odd0: u64, all1: u64, odd1: u64): void {
  // The even lanes are all − (odd << 8); a pool's four sums are in the same lane of even and odd of both rows.
  let upper = larger(odd0, all0 - odd0 * 0x101);
  let lower = larger(odd1, all1 - odd1 * 0x101);
  let sums = larger(lower, upper - lower) + bias;
  // In locals, which cost an interpreter nothing.
  let factor = multiplier;
  let addend = constant;
  let places = shift;
  store<u8>(target, clamp(<i32>((<i64>(sums & 0xffff) * factor + addend) >> places)));
  store<u8>(target, clamp(<i32>((<i64>((sums >>> 16) & 0xffff) * factor + addend) >> places)), 1);
  store<u8>(target, clamp(<i32>((<i64>((sums >>> 32) & 0xffff) * factor + addend) >> places)), 2);
  store<u8>(target, clamp(<i32>((<i64>(sums >>> 48) * factor + addend) >> places)), 3);
}

/** In each lane b, or b + difference where that is larger. A difference is less than 2^15 either way. */
@inline
function larger(b: u64, difference: u64): u64 {
  let raised = difference + HIGH_BITS;
  return b + (raised & (((raised & HIGH_BITS) >>> 15) * 0x7fff));
}
