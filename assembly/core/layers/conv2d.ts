/** conv2d, with the max-pool behind it: records of a whole filter, then the filter's outputs, four places at a time. */
import { TENSOR_PLANE, TENSOR_PTR, TENSOR_ZERO_POINT } from "../../abi";
import { dot4 } from "../accumulate";
import { recordsPtr } from "../container";
import {
  groupChannels,
  groupRows,
  input,
  inputPitch,
  outputWidth,
  pad,
  poolSize,
  poolStride,
  rows,
  stride,
} from "../layer";
import { advanceOutput, leaveOutput, outputPtr, taken, takenRecords, x, y } from "../output-cursor";
import { requantize } from "../requantize";
import { bias, decodeRecords, isRowComplete, nextRow, recordsEnd, row, weightSum } from "../weights";
import { MOST_PRODUCTS, PLACES_WORK } from "../work";

/** Four addresses, then the accumulators of those places: see dot4. */
const LANES = memory.data(32, 8);

/** The largest accumulator of the places of the window that have been taken. */
let best: i32 = 0;

/**
 * Decodes a batch of records, or takes some at four places of a window, or at four neighbouring outputs where there is no pool.
 * @returns the work done, or 0 when there was nothing left to do
 */
export function stepConv2d(): u32 {
  if (row == rows) return 0;
  if (!isRowComplete()) return decodeRecords();
  let isPooled = hasPool();
  let step = poolStride * stride;
  let width = isPooled ? poolSize : min(4, outputWidth - x);
  let places = isPooled ? width * width : width;
  let lane: usize = LANES;
  if (!takenRecords) {
    let ptr = load<usize>(input, TENSOR_PTR) + groupOffset() + (y * step - pad) * inputPitch + x * step - pad;
    // The border holds the zero point, so padding contributes nothing and every place has the same sum to subtract.
    let start = bias - load<i32>(input, TENSOR_ZERO_POINT) * weightSum;
    if (isPooled) step = stride;
    let down = stride * inputPitch;
    // With fewer than four places left, the lanes left over look at the last one again.
    let last = places - 1;
    let place = taken;
    do {
      store<usize>(lane, ptr + (place / width) * down + (place % width) * step);
      store<i32>(lane, start, 16);
      place += u32(place < last);
      lane += 4;
    } while (lane < LANES + 16);
  }
  let record = recordsPtr + takenRecords;
  let end = min(record + MOST_PRODUCTS, recordsEnd);
  dot4(record, end, LANES);
  // A record has as many bytes as it makes products.
  let work = <u32>(end - record);
  if (end < recordsEnd) {
    leaveOutput(taken, takenRecords + MOST_PRODUCTS);
    return work;
  }
  work += PLACES_WORK;
  lane = LANES;
  let target = outputPtr();
  if (isPooled) {
    let largest = taken ? best : i32.MIN_VALUE;
    do {
      largest = max(largest, load<i32>(lane, 16));
      lane += 4;
    } while (lane < LANES + 16);
    if (taken + 4 < places) {
      best = largest;
      leaveOutput(taken + 4, 0);
      return work;
    }
    store<i8>(target, requantize(largest));
    width = 1;
  } else {
    let end = target + width;
    do {
      store<i8>(target, requantize(load<i32>(lane, 16)));
      lane += 4;
    } while (++target < end);
  }
  if (advanceOutput(width)) nextRow();
  return work;
}

/** Pools of 1 are none. */
export function hasPool(): bool {
  return poolSize > 1;
}

/** Bytes from the input's first channel to the first that the row's group looks at. */
function groupOffset(): u32 {
  return (row / groupRows) * groupChannels * load<u32>(input, TENSOR_PLANE);
}
