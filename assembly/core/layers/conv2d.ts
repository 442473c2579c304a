/** conv2d, with the max-pool behind it: records of a whole filter, then the filter's outputs, four places at a time. */
import { dot4 } from "../accumulate";
import { recordsPtr } from "../container";
import {
  groupChannels,
  groupRows,
  inputPitch,
  inputPlane,
  inputPtr,
  inputZeroPoint,
  outputHeight,
  outputPitch,
  outputPlane,
  outputPtr,
  outputWidth,
  pad,
  poolSize,
  poolStride,
  rows,
  stride,
} from "../layer";
import { requantize } from "../requantize";
import { BATCH, bias, decodeRecords, isRowComplete, nextRow, recordsEnd, row, weightSum } from "../weights";

/** Four addresses, then the accumulators of those places: see dot4. */
const LANES = memory.data(32, 8);

/** The next output of the row. They are 0 between rows. */
let x: u32 = 0;
let y: u32 = 0;

/**
 * Decodes a batch of records, or computes one pooled output, or four neighbouring ones where there is no pool.
 * @returns the work done, or 0 when there was nothing left to do
 */
export function stepConv2d(): u32 {
  if (row == rows) return 0;
  if (!isRowComplete()) {
    decodeRecords();
    return BATCH;
  }
  let isPooled = poolSize > 1;
  let step = poolStride * stride;
  let ptr = inputPtr + (row / groupRows) * groupChannels * inputPlane + (y * step - pad) * inputPitch + x * step - pad;
  let target = outputPtr + row * outputPlane + y * outputPitch + x;
  // The border holds the zero point, so padding contributes nothing and every place has the same sum to subtract.
  let start = bias - inputZeroPoint * weightSum;
  let best = i32.MIN_VALUE;
  let width = isPooled ? poolSize : min(4, outputWidth - x);
  let places = isPooled ? width * width : width;
  if (isPooled) step = stride;
  // With fewer than four places to look at, the lanes left over look at one of them again.
  for (let lane: u32 = 0; lane < 16; lane += 4) store<usize>(LANES + lane, ptr);
  for (let place: u32 = 0, across: u32 = 0; place < places;) {
    store<usize>(LANES + ((place & 3) << 2), ptr);
    ptr += step;
    if (++across == width) {
      across = 0;
      ptr += stride * inputPitch - width * step;
    }
    if (++place & 3 && place < places) continue;
    dot4(recordsPtr, recordsEnd, LANES, start);
    for (let lane: u32 = 16; lane < 32; lane += 4) best = max(best, load<i32>(LANES + lane));
  }
  if (isPooled) {
    store<i8>(target, requantize(best));
    x++;
  } else {
    for (let i: u32 = 0; i < width; i++) store<i8>(target + i, requantize(load<i32>(LANES + (i << 2), 16)));
    x += width;
  }
  let work = places * (((<u32>(recordsEnd - recordsPtr)) >>> 2) + 1);
  if (x == outputWidth) {
    x = 0;
    if (++y == outputHeight) {
      y = 0;
      nextRow();
    }
  }
  return work;
}
