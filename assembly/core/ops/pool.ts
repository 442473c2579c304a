/** maxpool and avgpool as layers of their own: one output at a time, of large windows a piece. */
import { STATUS_SHAPE, TENSOR_CHANNELS, TENSOR_PLANE, TENSOR_ZERO_POINT } from "../../abi";
import { FORM_CLAMP, FORM_RELU, MAX_DIMENSION, OP_AVGPOOL, OP_MAXPOOL } from "../../format";
import { bits } from "../bit-reader";
import { ELEMENT_BYTES, ELEMENT_SHIFT } from "../element";
import { byte } from "../fields";
import { input, inputPitch, op, output, outputHeight, outputWidth, readForm, readScale, rows } from "../layer";
import { advanceOutput, channel, leaveOutput, outputPtr, taken } from "../output-cursor";
import { requantize, requantizeAway, setScale } from "../requantize";
import { expect, expectRange } from "../status";
import { addWork, MOST_ELEMENTS, POOL_WORK } from "../work";
import { fits, kernelHeight, kernelWidth, readWindow, setStep, strideX, strideY, windowPtr } from "./window";

/** Of the elements of the window that have been taken. */
let sum: i32 = 0;
let best: i32 = 0;

export function isAtHand(): bool {
  return op == OP_MAXPOOL || op == OP_AVGPOOL;
}

export function read(): void {
  readWindow(MAX_DIMENSION);
  setStep(strideY, strideX);
  expect((load<u32>(input, TENSOR_CHANNELS) == rows) & fits(0, 0), STATUS_SHAPE);
  expectRange(!(readForm() & ~(FORM_RELU | FORM_CLAMP)));
  if (op == OP_AVGPOOL) readScale(bits(32), byte());
  else setScale(1 << 30, 30); // a maximum keeps its scale
}

/** Computes the next output, or goes on with it. @returns the work done */
export function step(): u32 {
  let size = kernelHeight * kernelWidth;
  let at = taken;
  if (!at) {
    sum = -load<i32>(input, TENSOR_ZERO_POINT) * <i32>size;
    best = Element.MIN_VALUE;
  }
  let column = at % kernelWidth;
  let ptr =
    windowPtr() +
    channel * load<u32>(input, TENSOR_PLANE) +
    (at / kernelWidth) * inputPitch +
    (column << ELEMENT_SHIFT);
  let rowEnd = ptr + (kernelWidth << ELEMENT_SHIFT) - (column << ELEMENT_SHIFT);
  let count = min(size - at, MOST_ELEMENTS);
  let end = at + count;
  do {
    let q: i32 = load<Element>(ptr);
    sum += q;
    best = max(best, q);
    if ((ptr += ELEMENT_BYTES) == rowEnd) {
      rowEnd += inputPitch;
      ptr = rowEnd - (kernelWidth << ELEMENT_SHIFT);
    }
  } while (++at < end);
  if (at < size) {
    leaveOutput(at, 0);
    return count;
  }
  // Requantizing adds the output's zero point again, and clamps.
  store<Element>(
    outputPtr(),
    op == OP_AVGPOOL ? requantizeAway(sum) : requantize(best - load<i32>(output, TENSOR_ZERO_POINT)),
  );
  advanceOutput(1);
  return count + POOL_WORK;
}

export function addStepWork(): void {
  addWork(<u64>(rows * outputHeight * outputWidth) * (kernelHeight * kernelWidth + POOL_WORK));
}
