/**
 * conv2d, with the max-pool behind it: records of a whole filter, then the filter's outputs. Where kernel and pool have the
 * usual strides, a block of places at a time, else place by place.
 */
import { CODEC_BYTES, RECORD_BYTES, TENSOR_PITCH, TENSOR_PLANE, TENSOR_PTR } from "../../format";
import {
  BLOCK,
  BLOCK_HEIGHT,
  BLOCK_WIDTH,
  dot1,
  dotLarge,
  dotSmall,
  LARGE_ROW,
  SMALL_ROW,
  SMALL_SUM,
} from "../accumulate";
import { recordsPtr } from "../container";
import {
  codec,
  groupChannels,
  groupRows,
  input,
  inputPitch,
  inputZeroPoint,
  output,
  outputHeight,
  outputWidth,
  pad,
  poolSize,
  poolStride,
  rows,
  stride,
} from "../layer";
import { advanceOutput, moveOutput, outputPtr, x, y } from "../output-cursor";
import { clampMin, clampMax, GENTLE_SHIFT, half, multiplier, requantize, shift, zeroPoint } from "../requantize";
import {
  bias,
  decodeWeights,
  DECODE_WORK,
  isRowComplete,
  magnitudeSum,
  nextRow,
  recordsEnd,
  row,
  weightSum,
} from "../weights";

/** Most records whose sums surely fit an int32: 255 × 128 × 65,535 is below 2^31. */
const MAX_RECORDS: u32 = 65535;

/**
 * Decodes a batch of records, or computes a block of outputs, or one.
 * @returns the work done, or 0 when there was nothing left to do
 */
export function stepConv2d(): u32 {
  if (row == rows) return 0;
  if (!isRowComplete) {
    decodeWeights(true);
    return DECODE_WORK;
  }
  // The border holds the zero point, so padding contributes nothing and every place has the same sum to subtract. With codec 2
  // it is in the bias.
  let start = codec() == CODEC_BYTES ? bias : bias - inputZeroPoint() * weightSum;
  let records = <u32>(recordsEnd - recordsPtr) / RECORD_BYTES;
  if (records - 1 < MAX_RECORDS && isBlockwise()) {
    computeBlock(start);
    return (records + 8) * (BLOCK_WIDTH * BLOCK_HEIGHT);
  }
  computePlace(start);
  return poolSize * poolSize * (4 * records + 8);
}

/** Whether the outputs come from blocks of neighbouring places. */
function isBlockwise(): bool {
  return (
    stride == 1 &&
    poolSize == poolStride &&
    poolSize <= 2 &&
    outputWidth * poolSize >= BLOCK_WIDTH &&
    outputHeight * poolSize >= BLOCK_HEIGHT
  );
}

/** Whether the filter's sums need the wide lanes. */
function isLarge(): bool {
  return magnitudeSum > SMALL_SUM;
}

/** Address of the first element that the place of output (0, 0) looks at, plus the way to the next output's. */
function placePtr(step: u32): usize {
  return load<usize>(input, TENSOR_PTR) + groupOffset() + (y * step - pad) * inputPitch + x * step - pad;
}

/** Computes the outputs of a block. Where one would pass the edge it moves back, over outputs that are computed again. */
function computeBlock(start: i32): void {
  let pool = poolSize;
  let across = BLOCK_WIDTH / pool;
  let down = BLOCK_HEIGHT / pool;
  moveOutput(min(x, outputWidth - across), min(y, outputHeight - down));
  let elements = placePtr(pool);
  let large = isLarge();
  if (large) {
    dotLarge(recordsPtr, recordsEnd, elements, inputPitch, BLOCK);
    dotLarge(recordsPtr, recordsEnd, elements + 2 * inputPitch, inputPitch, BLOCK + 2 * LARGE_ROW);
  } else {
    // 255 times the negative weights' sum: no place's sum is lower.
    let least = 255 * ((<i32>magnitudeSum - weightSum) >> 1);
    dotSmall(recordsPtr, recordsEnd, elements, inputPitch, least);
    start -= least;
  }
  finishBlock(start, large);
  if (advanceOutput(across, down)) nextRow();
}

/** Takes a block's sums, in lanes as `accumulate.ts` leaves them, to outputs; `start` is added to each. */
function finishBlock(start: i32, large: bool): void {
  let isPooled = hasPool();
  let pool = poolSize;
  let target = outputPtr();
  let pitch = load<u32>(output, TENSOR_PITCH) - BLOCK_WIDTH / pool;
  let sums = BLOCK;
  let rowBytes = large ? LARGE_ROW : SMALL_ROW;
  // In locals, which cost an interpreter nothing.
  let factor = multiplier;
  let places = shift;
  let round = half;
  let zero = zeroPoint;
  let least = clampMin;
  let most = clampMax;
  let isSteep = hasSteepScale();
  do {
    let place: u32 = 0;
    do {
      let sum: i32;
      if (large) {
        let ptr = sums + ((place & 3) << 3) + ((place >>> 2) << 2);
        sum = load<i32>(ptr);
        if (isPooled) {
          sum = max(sum, load<i32>(ptr, 8));
          sum = max(sum, load<i32>(ptr, LARGE_ROW));
          sum = max(sum, load<i32>(ptr, LARGE_ROW + 8));
        }
      } else {
        let ptr = sums + (isPooled ? place : ((place & 1) << 3) + (place & 6));
        sum = load<u16>(ptr);
        if (isPooled) {
          sum = max(<i32>load<u16>(ptr, 8), sum);
          sum = max(<i32>load<u16>(ptr, SMALL_ROW), sum);
          sum = max(<i32>load<u16>(ptr, SMALL_ROW + 8), sum);
        }
      }
      sum += start;
      // As `requantize` does, in int32 from the shift on.
      if (isSteep) sum = requantize(sum);
      else {
        sum = <i32>((<i64>sum * factor + round) >> places) + zero;
        sum = max(sum, least);
        sum = min(sum, most);
      }
      store<u8>(target, sum);
      target++;
      place += pool;
    } while (place < BLOCK_WIDTH);
    target += pitch;
    sums += <usize>pool * rowBytes;
  } while (sums < BLOCK + <usize>BLOCK_HEIGHT * rowBytes);
}

/** Computes one output: the largest sum of its pool. */
function computePlace(start: i32): void {
  let ptr = placePtr(poolStride * stride);
  let best = i32.MIN_VALUE;
  let down = poolSize;
  do {
    let across = poolSize;
    do {
      best = max(best, dot1(recordsPtr, recordsEnd, ptr, start));
      ptr += stride;
    } while (--across);
    ptr += (inputPitch - poolSize) * stride;
  } while (--down);
  store<u8>(outputPtr(), requantize(best));
  if (advanceOutput(1, 1)) nextRow();
}

/** Whether scaled accumulators may pass int32. */
function hasSteepScale(): bool {
  return shift < GENTLE_SHIFT;
}

function hasPool(): bool {
  return poolSize > 1;
}

/** Bytes from the input's first channel to the first that the row's group looks at. */
function groupOffset(): u32 {
  return (row / groupRows) * groupChannels * load<u32>(input, TENSOR_PLANE);
}
