/** The tensor table in linear memory, and the borders of tensors. Layout: SPEC.md, "The core's interface". */
import {
  MAX_BORDER,
  MAX_DIMENSION,
  MAX_TENSOR_BYTES,
  PLAN_BASE,
  PLAN_UNIT,
  TENSOR_CHANNELS,
  TENSOR_ENTRY_BYTES,
  TENSOR_HEIGHT,
  TENSOR_PITCH,
  TENSOR_PLANE,
  TENSOR_PTR,
  TENSOR_STATE,
  TENSOR_WIDTH,
  TENSOR_ZERO_POINT,
} from "../format";
import { bits } from "./bit-reader";
import { check, signedByte, varint, varintIn } from "./fields";
import { failure } from "./status";

/** Bit 8 of a state word: the tensor holds values in this run. The border is below it. */
const WRITTEN: u32 = 0x100;

/** Address of a tensor's entry. */
export function tensorAt(index: u32): usize {
  return PLAN_BASE + index * TENSOR_ENTRY_BYTES;
}

/** Reads a tensor of the file into its entry. The tensor lies within the arena, `arenaBytes` at `arenaPtr`, or reading fails. */
export function readTensor(entry: usize, arenaPtr: usize, arenaBytes: u32): void {
  let channels = varintIn(1, MAX_DIMENSION);
  let height = varintIn(1, MAX_DIMENSION);
  let width = varintIn(1, MAX_DIMENSION);
  varintIn(channels, MAX_DIMENSION);
  let border = bits(8);
  check(border, border <= <u32>MAX_BORDER);
  // The scale: a positive finite float's bits are those of an integer between those of 0 and infinity.
  let scale = bits(32);
  check(scale, scale - 1 < 0x7f7fffff);
  let zeroPoint = signedByte();
  let offset = <u64>varint() * PLAN_UNIT;
  let pitch = width + 2 * border;
  let plane = <u64>pitch * (height + 2 * border);
  let bytes = plane * channels;
  check(0, bytes <= <u64>MAX_TENSOR_BYTES && offset + bytes <= arenaBytes);
  if (failure) return;
  store<u32>(entry, arenaPtr + <u32>offset + border * (pitch + 1), TENSOR_PTR);
  store<u32>(entry, channels, TENSOR_CHANNELS);
  store<u32>(entry, height, TENSOR_HEIGHT);
  store<u32>(entry, width, TENSOR_WIDTH);
  store<u32>(entry, pitch, TENSOR_PITCH);
  store<u32>(entry, <u32>plane, TENSOR_PLANE);
  store<i32>(entry, zeroPoint, TENSOR_ZERO_POINT);
  store<u32>(entry, border, TENSOR_STATE);
}

export function borderOf(entry: usize): u32 {
  return load<u8>(entry, TENSOR_STATE);
}

export function isWritten(entry: usize): bool {
  return load<u32>(entry, TENSOR_STATE) >= WRITTEN;
}

export function setWritten(entry: usize, written: bool): void {
  store<u8>(entry, written, TENSOR_STATE + 1);
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
 * Fills the border cells of one row of a tensor with its zero point.
 * @param row counted through all channels, the borders' rows included
 * @returns whether there is such a row
 */
export function fillBorderRow(entry: usize, row: u32): bool {
  let border = borderOf(entry);
  if (!border) return false;
  let width = load<u32>(entry, TENSOR_WIDTH);
  let pitch = load<u32>(entry, TENSOR_PITCH);
  let ptr = tensorBegin(entry) + row * pitch;
  if (row * pitch >= tensorBytes(entry)) return false;
  let y = (row % (load<u32>(entry, TENSOR_HEIGHT) + 2 * border)) - border;
  let zeroPoint = load<i32>(entry, TENSOR_ZERO_POINT);
  let inside = y < load<u32>(entry, TENSOR_HEIGHT);
  for (let x: u32 = 0; x < pitch; x++) {
    if (!inside || x - border >= width) store<i8>(ptr + x, zeroPoint);
  }
  return true;
}
