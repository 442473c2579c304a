/** crop and append: a part of a tensor, or of two that lie one behind the other, some elements of a row at a time. */
import {
  STATUS_SHAPE,
  TENSOR_CHANNELS,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_PLANE,
  TENSOR_PTR,
  TENSOR_WIDTH,
} from "../../abi";
import { MAX_DIMENSION, OP_CROP } from "../../format";
import { ELEMENT_BYTES, ELEMENT_SHIFT } from "../element";
import { pair, pairY, varintIn } from "../fields";
import { input, op, outputHeight, outputWidth, readInput, rows } from "../layer";
import { advanceOutput, channel, outputPtr, x, y } from "../output-cursor";
import { expect } from "../status";
import { addWork, MOST_ELEMENTS, POOL_WORK } from "../work";

/** What lies behind the input, below it or on its right. */
let behind: usize = 0;
/** Channels, rows and columns in front of the part. */
let first: u32 = 0;
let top: u32 = 0;
let left: u32 = 0;

export function read(): void {
  let height = load<u32>(input, TENSOR_HEIGHT);
  let width = load<u32>(input, TENSOR_WIDTH);
  let channels = load<u32>(input, TENSOR_CHANNELS) - rows;
  if (op == OP_CROP) {
    first = varintIn(0, MAX_DIMENSION);
    left = pair(0, MAX_DIMENSION);
    top = pairY;
  } else {
    behind = readInput();
    let otherHeight = load<u32>(behind, TENSOR_HEIGHT);
    let otherWidth = load<u32>(behind, TENSOR_WIDTH);
    let isBelow = (width == outputWidth) & (otherWidth == outputWidth);
    let isBeside = (height == outputHeight) & (otherHeight == outputHeight);
    expect((isBelow | isBeside) & !(channels | (load<u32>(behind, TENSOR_CHANNELS) - rows)), STATUS_SHAPE);
    if (isBelow) height += otherHeight;
    else width += otherWidth;
    first = 0;
    top = height - outputHeight;
    left = width - outputWidth;
  }
  // None of what lies in front of the part and behind it is below 0.
  height -= outputHeight + top;
  width -= outputWidth + left;
  expect(<i32>((channels - first) | top | left | height | width) >= 0, STATUS_SHAPE);
}

/** Copies to the next elements of a row. @returns the work done */
export function step(): u32 {
  let source = input;
  let row = y + top;
  let column = x + left;
  let count = min(outputWidth - x, MOST_ELEMENTS);
  let height = load<u32>(input, TENSOR_HEIGHT);
  let width = load<u32>(input, TENSOR_WIDTH);
  if (row < height && column < width) count = min(count, width - column);
  else {
    source = behind;
    if (row < height) column -= width;
    else row -= height;
  }
  let ptr =
    load<usize>(source, TENSOR_PTR) +
    (first + channel) * load<u32>(source, TENSOR_PLANE) +
    row * load<u32>(source, TENSOR_PITCH) +
    (column << ELEMENT_SHIFT);
  let target = outputPtr();
  let end = target + (count << ELEMENT_SHIFT);
  do {
    let from = ptr;
    ptr += ELEMENT_BYTES;
    store<Cell>(target, load<Cell>(from));
  } while ((target += ELEMENT_BYTES) < end);
  advanceOutput(count);
  return count + POOL_WORK;
}

export function addStepWork(): void {
  addWork(<u64>(rows * outputHeight) * (2 * (outputWidth + POOL_WORK)));
}
