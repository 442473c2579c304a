/** maxpool and avgpool as layers of their own: one output at a time, of large windows some rows. */
import { STATUS_SHAPE, TENSOR_CHANNELS, TENSOR_PLANE, TENSOR_PTR, TENSOR_ZERO_POINT } from "../../abi";
import { OP_AVGPOOL, OP_MAXPOOL } from "../../format";
import { bits } from "../bit-reader";
import { byte, extent } from "../fields";
import { input, inputPitch, op, output, outputHeight, outputWidth, readRange, readScale, rows } from "../layer";
import { advanceOutput, channel, leaveOutput, outputPtr, taken, x, y } from "../output-cursor";
import { requantize, setScale } from "../requantize";
import { expect } from "../status";
import { addWork, MOST_ELEMENTS, POOL_WORK } from "../work";
import { fits, kernelWidth, readStride, setKernel, stride } from "./window";

/** Of the rows of the window that have been taken. */
let sum: i32 = 0;
let best: i32 = 0;

export function isAtHand(): bool {
  return op == OP_MAXPOOL || op == OP_AVGPOOL;
}

export function read(): void {
  let size = extent();
  setKernel(size, size);
  readStride();
  expect((load<u32>(input, TENSOR_CHANNELS) == rows) & fits(0, stride, 0), STATUS_SHAPE);
  readRange();
  if (op == OP_AVGPOOL) readScale(bits(32), byte());
  else setScale(1 << 30, 30); // a maximum keeps its scale
}

/** Computes the next output, or goes on with it. @returns the work done, or 0 when there was nothing left to do */
export function step(): u32 {
  if (channel == rows) return 0;
  let row = taken;
  if (!row) {
    sum = -load<i32>(input, TENSOR_ZERO_POINT) * <i32>(kernelWidth * kernelWidth);
    best = i8.MIN_VALUE;
  }
  let ptr =
    load<usize>(input, TENSOR_PTR) +
    channel * load<u32>(input, TENSOR_PLANE) +
    (y * inputPitch + x) * stride +
    row * inputPitch;
  let elements: u32 = 0;
  do {
    let end = ptr + kernelWidth;
    do {
      let q: i32 = load<i8>(ptr);
      sum += q;
      best = max(best, q);
    } while (++ptr < end);
    ptr += inputPitch - kernelWidth;
    elements += kernelWidth;
  } while (++row < kernelWidth && elements < MOST_ELEMENTS);
  if (row < kernelWidth) {
    leaveOutput(row, 0);
    return elements;
  }
  // Requantizing adds the output's zero point again, and clamps.
  store<i8>(outputPtr(), requantize(op == OP_AVGPOOL ? sum : best - load<i32>(output, TENSOR_ZERO_POINT)));
  advanceOutput(1);
  return elements + POOL_WORK;
}

export function addStepWork(): void {
  addWork(<u64>(rows * outputHeight * outputWidth) * (kernelWidth * kernelWidth + POOL_WORK));
}
