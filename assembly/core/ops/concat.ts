/** concat: its inputs lie within its output, so that there is nothing to do but to see that they do. */
import {
  STATUS_SHAPE,
  TENSOR_CHANNELS,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_PLANE,
  TENSOR_PTR,
  TENSOR_ZERO_POINT,
} from "../../abi";
import { OP_CONCAT } from "../../format";
import { input, op, output, readInput, rows } from "../layer";
import { endOutput } from "../output-cursor";
import { expect } from "../status";
import { addWork, POOL_WORK } from "../work";

export function isAtHand(): bool {
  return op == OP_CONCAT;
}

export function read(): void {
  let channels = load<u32>(input, TENSOR_CHANNELS);
  let other = readInput();
  expect(
    isPart(input, 0) & isPart(other, channels) & (channels + load<u32>(other, TENSOR_CHANNELS) == rows),
    STATUS_SHAPE,
  );
}

/** Whether a tensor is the output's channels from `first` on: same height, width, border and zero point, same place. */
function isPart(entry: usize, first: u32): bool {
  return (
    (load<u64>(entry, TENSOR_HEIGHT) == load<u64>(output, TENSOR_HEIGHT)) &
    (load<u64>(entry, TENSOR_PITCH) == load<u64>(output, TENSOR_PITCH)) &
    (load<u32>(entry, TENSOR_ZERO_POINT) == load<u32>(output, TENSOR_ZERO_POINT)) &
    (load<u32>(entry, TENSOR_PTR) == load<u32>(output, TENSOR_PTR) + first * load<u32>(output, TENSOR_PLANE))
  );
}

export function step(): u32 {
  endOutput();
  return POOL_WORK;
}

export function addStepWork(): void {
  addWork(POOL_WORK);
}
