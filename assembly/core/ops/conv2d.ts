/** conv2d, with the max-pool behind it: records of a whole filter, then the filter's outputs, four places at a time. */
import { RECORD_BYTES, STATUS_SHAPE, TENSOR_CHANNELS, TENSOR_PLANE, TENSOR_ZERO_POINT } from "../../abi";
import { MAX_DIMENSION, MAX_KERNEL, OP_CONV2D } from "../../format";
import { dot4 } from "../accumulate";
import { ELEMENT_BYTES, ELEMENT_SHIFT } from "../element";
import { pair, pairY, varintIn } from "../fields";
import { input, inputPitch, op, outputHeight, outputWidth, rows } from "../layer";
import { advanceOutput, channel, leaveOutput, outputPtr, taken, takenRecords, x } from "../output-cursor";
import { requantize } from "../requantize";
import { recordsPtr } from "../scratch";
import { readWeights } from "../section";
import { expect, failure } from "../status";
import { bias, decodeRecords, isRowComplete, nextRow, recordsEnd, weightSum } from "../weights";
import { addWork, MOST_PRODUCTS, PLACES_WORK } from "../work";
import { fits, kernelHeight, kernelWidth, readWindow, setStep, stepX, strideX, strideY, windowPtr } from "./window";

/** Input channels, and rows, of a group. */
export let groupChannels: u32 = 0;
export let groupRows: u32 = 0;
/** Places of a pool's window, and of one of its rows. */
export let poolPlaces: u32 = 0;
export let poolWidth: u32 = 0;

/** Four addresses, then the accumulators of those places: see dot4. */
const LANES = memory.data(32, 8);

/** The largest accumulator of the places of the window that have been taken. */
let best: i32 = 0;

export function isAtHand(): bool {
  return op == OP_CONV2D;
}

export function read(): void {
  readWindow(MAX_KERNEL);
  let groups = varintIn(1, MAX_DIMENSION);
  poolWidth = pair(1, mostPool());
  let poolHeight = pairY;
  let poolStrideX = pair(1, MAX_KERNEL);
  setStep(pairY * strideY, poolStrideX * strideX);
  if (failure) return;
  poolPlaces = poolHeight * poolWidth;
  let channels = load<u32>(input, TENSOR_CHANNELS);
  let isWhole = !((channels % groups) | (rows % groups)) & (hasGroups() | (groups == 1));
  expect(isWhole & fits((poolHeight - 1) * strideY, (poolWidth - 1) * strideX), STATUS_SHAPE);
  groupChannels = channels / groups;
  groupRows = rows / groups;
  // At most 65,535 × 255 × 255, which is below 2^32.
  readWeights(groupChannels * kernelHeight * kernelWidth);
}

/**
 * Decodes a batch of records, or takes some at four places of a window, or at four neighbouring outputs where there is no pool.
 * @returns the work done
 */
export function step(): u32 {
  if (!isRowComplete()) return decodeRecords();
  let isPooled = hasPool();
  let width = isPooled ? poolWidth : min(4, outputWidth - x);
  let places = isPooled ? poolPlaces : width;
  let lane: usize = LANES;
  if (!takenRecords) {
    let ptr = windowPtr() + groupOffset();
    // The border holds the zero point, so padding contributes nothing and every place has the same sum to subtract.
    let start = bias - load<i32>(input, TENSOR_ZERO_POINT) * weightSum;
    let down = strideY * inputPitch;
    let across = (isPooled ? strideX : stepX) << ELEMENT_SHIFT;
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
    store<Element>(target, requantize(largest));
    width = 1;
  } else {
    let end = target + (width << ELEMENT_SHIFT);
    do {
      store<Element>(target, requantize(load<i32>(lane, 16)));
      lane += 4;
    } while ((target += ELEMENT_BYTES) < end);
  }
  if (advanceOutput(width)) nextRow();
  return work;
}

/** Pools of 1 are none; taken for pools they give the same. */
function hasPool(): bool {
  return poolPlaces > 1;
}

/** The most that a pool may have along an axis. A core made for a model without pools takes none. */
function mostPool(): u32 {
  return MAX_KERNEL;
}

/** Whether a layer may have groups: not in a core made for a model without. */
function hasGroups(): bool {
  return true;
}

/** Bytes from the input's first channel to the first that the row's group looks at. */
function groupOffset(): u32 {
  if (!hasGroups()) return 0;
  return (channel / groupRows) * groupChannels * load<u32>(input, TENSOR_PLANE);
}

export function addStepWork(turns: u32): void {
  // No overflow: turns are at most 2^28.
  let products = RECORD_BYTES * turns + rows * PLACES_WORK;
  let fours = hasPool() ? outputWidth * ((poolPlaces + 3) >>> 2) : (outputWidth + 3) >>> 2;
  addWork(<u64>outputHeight * fours * products);
}
