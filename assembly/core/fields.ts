/** Numbers of the file's tables: each with its range, and STATUS_RANGE outside it. */
import { STATUS_RANGE } from "../abi";
import { MAX_KERNEL } from "../format";
import { bits } from "./bit-reader";
import { expect } from "./status";

/** An unsigned LEB128 number below 2^31, in the fewest bytes that hold it. */
export function varint(): u32 {
  let value: u32 = 0;
  let shift: u32 = 0;
  let byte: u32;
  do {
    byte = bits(8);
    value |= (byte & 127) << shift;
    shift += 7;
  } while (byte > 127 && shift < 35);
  // The last byte may be 0 only as the first; a fifth byte that goes on or is above 7 makes more than 31 bits.
  expect((byte != 0 || shift == 7) && byte < <u32>(shift < 35 ? 128 : 8), STATUS_RANGE);
  return value;
}

/** A varint from `low` to `high`. */
export function varintIn(low: u32, high: u32): u32 {
  let value = varint();
  expect(value >= low && value <= high, STATUS_RANGE);
  return value;
}

/** A kernel or a stride: a varint from 1 to MAX_KERNEL. */
export function extent(): u32 {
  return varintIn(1, MAX_KERNEL);
}

/** A byte, as i8. */
export function signedByte(): i32 {
  return <i32>(<i8>bits(8));
}
