/** Numbers of the file's tables: each with its range, and STATUS_RANGE outside it. */
import { MAX_BYTES, MAX_DIMENSION, MAX_KERNEL, PLAN_UNIT } from "../format";
import { bits } from "./bit-reader";
import { expectRange } from "./status";

/** An unsigned LEB128 number below 2^31, in the fewest bytes that hold it. */
export function varint(): u32 {
  let value: u32 = 0;
  let shift: u32 = 0;
  let group: u32;
  do {
    group = byte();
    value |= (group & 127) << shift;
    shift += 7;
  } while (group > 127 && shift < 35);
  // The last byte may be 0 only as the first; a fifth byte that goes on or is above 7 makes more than 31 bits.
  expectRange((group != 0 || shift == 7) && group < <u32>(shift < 35 ? 128 : 8));
  return value;
}

/** A varint from `low` to `high`. */
export function varintIn(low: u32, high: u32): u32 {
  let value = varint();
  expectRange(value >= low && value <= high);
  return value;
}

/** Channels, a height or a width: a varint from 1 to MAX_DIMENSION. */
export function dimension(): u32 {
  return varintIn(1, MAX_DIMENSION);
}

/** A size or a place in the memory plan, in bytes. */
export function planBytes(): u32 {
  return varintIn(0, MAX_BYTES / PLAN_UNIT) * PLAN_UNIT;
}

/** A kernel or a stride: a varint from 1 to MAX_KERNEL. */
export function extent(): u32 {
  return varintIn(1, MAX_KERNEL);
}

export function byte(): u32 {
  return bits(8);
}

/** A byte, as i8. */
export function signedByte(): i32 {
  return <i32>(<i8>byte());
}
