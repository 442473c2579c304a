/** conv2d, with the max-pool behind it: records of a whole filter, then the filter's outputs, four places at a time. */
import { RECORD_BYTES, TENSOR_PLANE, TENSOR_PTR, TENSOR_ZERO_POINT } from "../../format";
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
import { advanceOutput, outputPtr, x, y } from "../output-cursor";
import { requantize } from "../requantize";
import { BATCH } from "../section";
import { bias, decodeRecords, isRowComplete, nextRow, recordsEnd, row, weightSum } from "../weights";

/** Four addresses, then the accumulators of those places: see dot4. */
const LANES = memory.data(32, 8);

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
  let isPooled = hasPool();
  let step = poolStride * stride;
  let ptr = load<usize>(input, TENSOR_PTR) + groupOffset() + (y * step - pad) * inputPitch + x * step - pad;
  let target = outputPtr();
  // The border holds the zero point, so padding contributes nothing and every place has the same sum to subtract.
  let start = bias - load<i32>(input, TENSOR_ZERO_POINT) * weightSum;
  let best = i32.MIN_VALUE;
  let width = isPooled ? poolSize : min(4, outputWidth - x);
  let places = isPooled ? width * width : width;
  if (isPooled) step = stride;
  // With fewer than four places to look at, the lanes left over look at one of them again.
  let lane: usize = LANES;
  do {
    store<usize>(lane, ptr);
    lane += 4;
  } while (lane < LANES + 16);
  let place: u32 = 0;
  let across: u32 = 0;
  do {
    store<usize>(LANES + ((place & 3) << 2), ptr);
    ptr += step;
    if (++across == width) {
      across = 0;
      ptr += stride * inputPitch - width * step;
    }
    if (++place & 3 && place < places) continue;
    dot4(recordsPtr, recordsEnd, LANES, start);
    lane = LANES + 16;
    do {
      best = max(best, load<i32>(lane));
      lane += 4;
    } while (lane < LANES + 32);
  } while (place < places);
  if (isPooled) {
    store<i8>(target, requantize(best));
    width = 1;
  } else {
    lane = LANES + 16;
    let end = target + width;
    do {
      store<i8>(target, requantize(load<i32>(lane)));
      lane += 4;
    } while (++target < end);
  }
  let work = places * (<u32>(recordsEnd - recordsPtr) / RECORD_BYTES + 1);
  if (advanceOutput(width)) nextRow();
  return work;
}

function hasPool(): bool {
  return poolSize > 1;
}

/** Bytes from the input's first channel to the first that the row's group looks at. */
function groupOffset(): u32 {
  return (row / groupRows) * groupChannels * load<u32>(input, TENSOR_PLANE);
}
