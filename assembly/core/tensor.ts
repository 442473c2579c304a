/** The tensor table in linear memory, and the borders of tensors. Layout: SPEC.md, "The core's interface". */
import {
  PLAN_BASE,
  TENSOR_CHANNELS,
  TENSOR_ENTRY_BYTES,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_PLANE,
  TENSOR_PTR,
  TENSOR_STATE,
  TENSOR_WIDTH,
  TENSOR_ZERO_POINT,
} from "../abi";
import { MAX_BORDER, MAX_DIMENSION, MAX_TENSOR_BYTES } from "../format";
import { bits } from "./bit-reader";
import { byte, dimension, planBytes, signedByte, varintIn } from "./fields";
import { expectRange, failure } from "./status";

/** The state word's bytes: the border, and whether the tensor holds values in this run. */
const STATE_BORDER = TENSOR_STATE;
const STATE_WRITTEN = TENSOR_STATE + 1;

/** Cells of a border that one piece of work fills. */
export const BORDER_CELLS: u32 = 64;

/** Address of a tensor's entry. */
export function tensorAt(index: u32): usize {
  return PLAN_BASE + index * TENSOR_ENTRY_BYTES;
}

/** Reads a tensor of the file into its entry. The tensor lies within the arena, `arenaBytes` at `arenaPtr`, or reading fails. */
export function readTensor(entry: usize, arenaPtr: usize, arenaBytes: u32): void {
  let channels = dimension();
  let height = dimension();
  let width = dimension();
  varintIn(channels, MAX_DIMENSION);
  let border = byte();
  // The scale: a positive finite float's bits are those of an integer between those of 0 and infinity.
  let scale = bits(32);
  let zeroPoint = signedByte();
  let offset = planBytes();
  let pitch = width + 2 * border;
  let plane = <u64>pitch * (height + 2 * border);
  let bytes = plane * channels;
  expectRange(border <= <u32>MAX_BORDER && scale - 1 < 0x7f7fffff);
  expectRange(bytes <= <u64>MAX_TENSOR_BYTES && offset + bytes <= arenaBytes);
  if (failure) return;
  store<u32>(entry, arenaPtr + offset + border * (pitch + 1), TENSOR_PTR);
  store<u32>(entry, channels, TENSOR_CHANNELS);
  store<u32>(entry, height, TENSOR_HEIGHT);
  store<u32>(entry, width, TENSOR_WIDTH);
  store<u32>(entry, pitch, TENSOR_PITCH);
  store<u32>(entry, <u32>plane, TENSOR_PLANE);
  store<i32>(entry, zeroPoint, TENSOR_ZERO_POINT);
  store<u32>(entry, border, TENSOR_STATE);
}

export function borderOf(entry: usize): u32 {
  return load<u8>(entry, STATE_BORDER);
}

export function isWritten(entry: usize): bool {
  return load<bool>(entry, STATE_WRITTEN);
}

export function setWritten(entry: usize, written: bool): void {
  store<bool>(entry, written, STATE_WRITTEN);
}

/** Bytes of the tensor, borders included. */
export function tensorBytes(entry: usize): u32 {
  return load<u32>(entry, TENSOR_CHANNELS) * load<u32>(entry, TENSOR_PLANE);
}

/** Address of the border's first byte. */
export function tensorBegin(entry: usize): usize {
  return load<u32>(entry, TENSOR_PTR) - borderOf(entry) * (load<u32>(entry, TENSOR_PITCH) + 1);
}

/**
 * Fills a piece of a tensor's border with its zero point.
 * @param at offset from the border's first byte of the cell to begin with: 0, then what the last piece returned
 * @returns where to go on, or 0 when the border is complete
 */
export function fillBorder(entry: usize, at: u32): u32 {
  let border = borderOf(entry);
  if (!border) return 0;
  let width = load<u32>(entry, TENSOR_WIDTH);
  let height = load<u32>(entry, TENSOR_HEIGHT);
  let pitch = load<u32>(entry, TENSOR_PITCH);
  let bytes = tensorBytes(entry);
  let begin = tensorBegin(entry);
  let zeroPoint = load<i32>(entry, TENSOR_ZERO_POINT);
  let cells = BORDER_CELLS;
  do {
    if (at % pitch == border && ((at / pitch) % (height + 2 * border)) - border < height) at += width;
    store<i8>(begin + at, zeroPoint);
  } while (++at < bytes && --cells);
  return at < bytes ? at : 0;
}
