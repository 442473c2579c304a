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

/** The next output of the row. */
let x: u32 = 0;
let y: u32 = 0;

/** Decodes a batch, or computes an output (four where there is no pool). @returns the work done, or 0 when there was nothing left to do */
export function stepConv2d(): u32 {
  if (row == rows) return 0;
  if (!isRowComplete) {
    decodeRecords();
    x = y = 0;
    return BATCH;
  }
  let step = poolStride * stride;
  let corner =
    inputPtr + (row / groupRows) * groupChannels * inputPlane + (y * step - pad) * inputPitch + (x * step - pad);
  let target = outputPtr + row * outputPlane + y * outputPitch + x;
  // The border holds the zero point, so padding contributes nothing and every place has the same sum to subtract.
  let start = bias - inputZeroPoint * weightSum;
  let places: u32 = 4;
  if (poolSize == 1) {
    places = min(4, outputWidth - x);
    for (let i: u32 = 0; i < 4; i++) store<usize>(LANES + (i << 2), corner + min(i, places - 1) * step);
    dot4(recordsPtr, recordsEnd, LANES, start);
    for (let i: u32 = 0; i < places; i++) store<i8>(target + i, requantize(load<i32>(LANES + (i << 2), 16)));
    x += places;
  } else {
    store<i8>(target, requantize(convolveWindow(corner, start)));
    places = poolSize * poolSize;
    x++;
  }
  let cost = places * (((<u32>(recordsEnd - recordsPtr)) >>> 2) + 1);
  if (x >= outputWidth) {
    x = 0;
    if (++y >= outputHeight) {
      x = y = 0;
      nextRow();
    }
  }
  return cost;
}

/** The largest accumulator of the pool's window, which has at least four places. */
function convolveWindow(corner: usize, start: i32): i32 {
  let best = i32.MIN_VALUE;
  let places = poolSize * poolSize;
  let place: u32 = 0;
  let ptr = corner;
  let px: u32 = 0;
  while (place < places) {
    store<usize>(LANES + ((place & 3) << 2), ptr);
    ptr += stride;
    if (++px == poolSize) {
      px = 0;
      corner += stride * inputPitch;
      ptr = corner;
    }
    // The last four may be fewer: the lanes left over then look at places of this window again.
    if (!(++place & 3) || place == places) {
      dot4(recordsPtr, recordsEnd, LANES, start);
      for (let i: u32 = 16; i < 32; i += 4) best = max(best, load<i32>(LANES + i));
    }
  }
  return best;
}
