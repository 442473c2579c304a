/** lut: an output for each of the 256 elements that there are. The table is read into the scratch region, a piece at a time. */
import {
  STATUS_PLAN,
  STATUS_SHAPE,
  STATUS_TRUNCATED,
  TENSOR_CHANNELS,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_PLANE,
  TENSOR_PTR,
} from "../../abi";
import { LUT_ENTRIES, OP_LUT } from "../../format";
import { fileBytes, position, seek } from "../bit-reader";
import { arenaPtr, scratchPtr } from "../container";
import { IS_WIDE } from "../element";
import { byte } from "../fields";
import { input, op, output, outputHeight, outputWidth, rows } from "../layer";
import { advanceOutput, channel, outputPtr, x, y } from "../output-cursor";
import { expect, failure } from "../status";
import { addWork, MOST_ELEMENTS, PIECE_WORK, POOL_WORK } from "../work";

/** Entries that one piece of work reads. */
const READ_ENTRIES: u32 = 32;

/** How many have been read. */
let known: u32 = 0;

export function isAtHand(): bool {
  return !IS_WIDE && op == OP_LUT;
}

/** Passes over the table, whose first byte the reader goes back to. */
export function read(): void {
  known = 0;
  let isLike = load<u64>(input, TENSOR_HEIGHT) == load<u64>(output, TENSOR_HEIGHT);
  expect(isLike & (load<u32>(input, TENSOR_CHANNELS) == rows), STATUS_SHAPE);
  expect(<u32>(arenaPtr - scratchPtr) >= <u32>LUT_ENTRIES, STATUS_PLAN);
  expect(fileBytes - position >= <u32>LUT_ENTRIES, STATUS_TRUNCATED);
  if (!failure) seek(position + LUT_ENTRIES);
}

/** Reads entries, or takes the next elements of a row. @returns the work done */
export function step(): u32 {
  if (known < <u32>LUT_ENTRIES) {
    if (!known) seek(position - LUT_ENTRIES);
    let end = known + READ_ENTRIES;
    do {
      store<u8>(scratchPtr + known, byte());
    } while (++known < end);
    return PIECE_WORK;
  }
  let count = min(outputWidth - x, MOST_ELEMENTS);
  let target = outputPtr();
  let end = target + count;
  let ptr =
    load<usize>(input, TENSOR_PTR) + channel * load<u32>(input, TENSOR_PLANE) + y * load<u32>(input, TENSOR_PITCH) + x;
  do {
    store<u8>(target, load<u8>(scratchPtr + 128 + load<i8>(ptr++)));
  } while (++target < end);
  advanceOutput(count);
  return count + POOL_WORK;
}

export function addStepWork(): void {
  addWork(<u64>(rows * outputHeight) * (2 * outputWidth + POOL_WORK) + (LUT_ENTRIES / READ_ENTRIES) * PIECE_WORK);
}
