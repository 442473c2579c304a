/** add and mul: two tensors at equal places, some elements of a row at a time. */
import {
  STATUS_SHAPE,
  TENSOR_CHANNELS,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_PLANE,
  TENSOR_PTR,
  TENSOR_ZERO_POINT,
} from "../../abi";
import { FORM_CLAMP, FORM_RELU, MAX_SUM_FACTOR, MAX_SUM_FACTOR_WIDE, OP_ADD, OP_MUL } from "../../format";
import { bits } from "../bit-reader";
import { ELEMENT_BYTES, ELEMENT_SHIFT, IS_WIDE } from "../element";
import { byte } from "../fields";
import { input, op, output, outputHeight, outputWidth, readForm, readInput, readScale, rows } from "../layer";
import { advanceOutput, channel, outputPtr, x, y } from "../output-cursor";
import { requantize, setScale } from "../requantize";
import { expect, expectRange } from "../status";
import { addWork, ELEMENT_WORK, MOST_ELEMENTS, POOL_WORK } from "../work";

/** With which a sum stays in int32. */
const MOST_FACTOR: i32 = IS_WIDE ? MAX_SUM_FACTOR_WIDE : MAX_SUM_FACTOR;

export let other: usize = 0;
/** From an element of the second input to that of the next place: 0 where one element is for the whole channel. */
export let otherStep: u32 = 0;
/** Of a sum, the inputs' multipliers. */
export let factor: i32 = 0;
export let otherFactor: i32 = 0;

export function isAtHand(): bool {
  return op == OP_ADD || op == OP_MUL;
}

export function read(): void {
  other = readInput();
  otherStep = u32(isLike(other));
  let isGate =
    (op == OP_MUL) & (load<u32>(other, TENSOR_CHANNELS) == rows) & (load<u64>(other, TENSOR_HEIGHT) == 0x100000001);
  expect(isLike(input) & (otherStep != 0 || isGate), STATUS_SHAPE);
  expectRange(!(readForm() & ~(FORM_RELU | FORM_CLAMP)));
  if (op == OP_MUL) return readScale(bits(32), byte());
  factor = readFactor();
  otherFactor = readFactor();
  let shift = byte();
  expectRange(shift - 1 < 30);
  setScale(1, shift);
}

function readFactor(): i32 {
  let value = <i32>bits(32);
  expectRange((value >= -MOST_FACTOR) & (value <= MOST_FACTOR));
  return value;
}

/** Whether a tensor has the output's shape. */
function isLike(entry: usize): bool {
  // Height and width at once.
  return (
    (load<u32>(entry, TENSOR_CHANNELS) == rows) & (load<u64>(entry, TENSOR_HEIGHT) == load<u64>(output, TENSOR_HEIGHT))
  );
}

/** Address of the element of an input for the next output. */
function elementPtr(entry: usize, step: u32): usize {
  return (
    load<usize>(entry, TENSOR_PTR) +
    channel * load<u32>(entry, TENSOR_PLANE) +
    (y * load<u32>(entry, TENSOR_PITCH) + (x << ELEMENT_SHIFT)) * step
  );
}

/** Computes the next elements of a row. @returns the work done */
export function step(): u32 {
  let count = min(outputWidth - x, MOST_ELEMENTS);
  let target = outputPtr();
  let end = target + (count << ELEMENT_SHIFT);
  let a = elementPtr(input, 1);
  let b = elementPtr(other, otherStep);
  let isSum = op == OP_ADD;
  do {
    let second = load<Element>(b) - load<i32>(other, TENSOR_ZERO_POINT);
    b += otherStep << ELEMENT_SHIFT;
    let from = a;
    a += ELEMENT_BYTES;
    let first = load<Element>(from) - load<i32>(input, TENSOR_ZERO_POINT);
    store<Element>(target, requantize(isSum ? first * factor + second * otherFactor : first * second));
  } while ((target += ELEMENT_BYTES) < end);
  advanceOutput(count);
  return count * ELEMENT_WORK + POOL_WORK;
}

export function addStepWork(): void {
  addWork(<u64>(rows * outputHeight) * (outputWidth * (ELEMENT_WORK + 1) + POOL_WORK));
}
