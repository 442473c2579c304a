/** conv2d, with the max-pool behind it: records of a whole filter, then the filter's outputs, four places at a time. */
import { RECORD_BYTES, STATUS_SHAPE, TENSOR_CHANNELS, TENSOR_PLANE, TENSOR_PTR, TENSOR_ZERO_POINT } from "../../abi";
import { MAX_BORDER, OP_CONV2D } from "../../format";
import { dot4 } from "../accumulate";
import { live } from "../columns";
import { recordsPtr } from "../container";
import { dimension, extent, varintIn } from "../fields";
import { input, inputPitch, op, outputHeight, outputWidth, rows } from "../layer";
import { advanceOutput, leaveOutput, outputPtr, taken, takenRecords, x, y } from "../output-cursor";
import { requantize } from "../requantize";
import { readWeights } from "../section";
import { expect, failure } from "../status";
import { borderOf } from "../tensor";
import { bias, decodeRecords, isRowComplete, nextRow, recordsEnd, room, row, weightSum } from "../weights";
import { addWork, MOST_PRODUCTS, PLACES_WORK } from "../work";
import { fits, kernelHeight, kernelWidth, readStride, setKernel, stride } from "./window";

let pad: u32 = 0;
/** Input channels, and rows, of a group. */
let groupChannels: u32 = 0;
let groupRows: u32 = 0;
let poolSize: u32 = 0;
let poolStride: u32 = 0;

/** Four addresses, then the accumulators of those places: see dot4. */
const LANES = memory.data(32, 8);

/** The largest accumulator of the places of the window that have been taken. */
let best: i32 = 0;

export function isAtHand(): bool {
  return op == OP_CONV2D;
}

export function read(): void {
  let height = extent();
  setKernel(height, extent());
  readStride();
  pad = varintIn(0, MAX_BORDER);
  let groups = dimension();
  poolSize = extent();
  poolStride = extent();
  if (failure) return;
  let border = borderOf(input);
  let channels = load<u32>(input, TENSOR_CHANNELS);
  let isWhole = channels % groups == 0 && rows % groups == 0;
  expect(isWhole & (pad <= border) & fits(pad + border, poolStride * stride, (poolSize - 1) * stride), STATUS_SHAPE);
  groupChannels = channels / groups;
  groupRows = rows / groups;
  // At most 65,535 × 255 × 255, which is below 2^32.
  readWeights(groupChannels * kernelHeight * kernelWidth);
}

/**
 * Decodes a batch of records, or takes some at four places of a window, or at four neighbouring outputs where there is no pool.
 * @returns the work done, or 0 when there was nothing left to do
 */
export function step(): u32 {
  if (row == rows) return 0;
  if (!isRowComplete()) return decodeRecords();
  let isPooled = hasPool();
  let across = poolStride * stride;
  let width = isPooled ? poolSize : min(4, outputWidth - x);
  let places = isPooled ? width * width : width;
  let lane: usize = LANES;
  if (!takenRecords) {
    let ptr = load<usize>(input, TENSOR_PTR) + groupOffset() + (y * across - pad) * inputPitch + x * across - pad;
    // The border holds the zero point, so padding contributes nothing and every place has the same sum to subtract.
    let start = bias - load<i32>(input, TENSOR_ZERO_POINT) * weightSum;
    if (isPooled) across = stride;
    let down = stride * inputPitch;
    // With fewer than four places left, the lanes left over look at the last one again.
    let last = places - 1;
    let place = taken;
    do {
      store<usize>(lane, ptr + (place / width) * down + (place % width) * across);
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
function hasPool(): bool {
  return poolSize > 1;
}

/** Bytes from the input's first channel to the first that the row's group looks at. */
function groupOffset(): u32 {
  return (row / groupRows) * groupChannels * load<u32>(input, TENSOR_PLANE);
}

export function addStepWork(turns: u32): void {
  // No overflow: a row's weights at all places of a pool are within the input, 2^38 at most.
  let products = RECORD_BYTES * min(turns, min(live, room()) * rows) + rows * PLACES_WORK;
  let fours = hasPool() ? outputWidth * ((poolSize * poolSize + 3) >>> 2) : (outputWidth + 3) >>> 2;
  addWork(<u64>outputHeight * fours * products);
}
