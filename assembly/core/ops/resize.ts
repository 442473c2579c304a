/** resize: each element becomes a block of equal ones, some elements of a row at a time. */
import { STATUS_SHAPE, TENSOR_CHANNELS, TENSOR_HEIGHT, TENSOR_PLANE, TENSOR_PTR, TENSOR_WIDTH } from "../../abi";
import { MAX_KERNEL, OP_RESIZE } from "../../format";
import { ELEMENT_BYTES, ELEMENT_SHIFT } from "../element";
import { pair, pairY } from "../fields";
import { input, inputPitch, op, outputHeight, outputWidth, rows } from "../layer";
import { advanceOutput, channel, outputPtr, x, y } from "../output-cursor";
import { expect } from "../status";
import { addWork, MOST_ELEMENTS, POOL_WORK } from "../work";

export let factorX: u32 = 0;
export let factorY: u32 = 0;

export function isAtHand(): bool {
  return op == OP_RESIZE;
}

export function read(): void {
  factorX = pair(1, MAX_KERNEL);
  factorY = pairY;
  // At most 65,535 × 255, which is below 2^32.
  expect(
    (load<u32>(input, TENSOR_CHANNELS) == rows) &
      (load<u32>(input, TENSOR_HEIGHT) * factorY == outputHeight) &
      (load<u32>(input, TENSOR_WIDTH) * factorX == outputWidth),
    STATUS_SHAPE,
  );
}

/** Copies to the next elements of a row. @returns the work done */
export function step(): u32 {
  let count = min(outputWidth - x, MOST_ELEMENTS);
  let target = outputPtr();
  let ptr = load<usize>(input, TENSOR_PTR) + channel * load<u32>(input, TENSOR_PLANE) + (y / factorY) * inputPitch;
  let at = x;
  let end = at + count;
  do {
    let to = target;
    target += ELEMENT_BYTES;
    store<Cell>(to, load<Cell>(ptr + ((at / factorX) << ELEMENT_SHIFT)));
  } while (++at < end);
  advanceOutput(count);
  return count + POOL_WORK;
}

export function addStepWork(): void {
  addWork(<u64>(rows * outputHeight) * (2 * outputWidth + POOL_WORK));
}
