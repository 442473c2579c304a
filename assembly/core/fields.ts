/** Numbers of the file's tables: each with its range, and STATUS_RANGE outside it. */
import { MAX_BYTES, MAX_DIMENSION, MAX_NUMBER_LENGTH, PLAN_UNIT } from "../format";
import { bits } from "./bit-reader";
import { isSmall } from "./range-decoder";
import { expectRange, failure } from "./status";

/** An unsigned number below 2^31: LEB128, in the fewest bytes that hold it, or in a small container as `smallNumber` reads it. */
export function varint(): u32 {
  if (isSmall()) return smallNumber();
  let value: u32 = 0;
  let shift: u32 = 0;
  let group: u32;
  do {
    group = bits(8);
    value |= (group & 127) << shift;
    shift += 7;
  } while ((group > 127) & (shift < 35) & !failure); // behind an error a byte each, so that it ends soon
  // The last byte may be 0 only as the first; a fifth byte that goes on or is above 7 makes more than 31 bits.
  expectRange(((group != 0) | (shift == 7)) & (group < <u32>(shift < 35 ? 128 : 8)));
  return value;
}

/** So many ones as the number plus one has bits behind its first one, a zero where there could be more, and those bits. */
function smallNumber(): u32 {
  let length: u32 = 0;
  // Behind an error a bit each, so that it ends soon.
  while ((length < <u32>MAX_NUMBER_LENGTH) & !failure && bits(1)) length++;
  return (1 << length) - 1 + bits(length);
}

/** A varint from `low` to `high`. */
export function varintIn(low: u32, high: u32): u32 {
  return within(varint(), low, high);
}

function within(value: u32, low: u32, high: u32): u32 {
  expectRange((value >= low) & (value <= high));
  return value;
}

/** Channels, 1 to MAX_DIMENSION: a varint, or in a small container `last` where it is not stated. */
export function channelsBehind(last: u32): u32 {
  return within(isStated() ? varint() : last, 1, MAX_DIMENSION);
}

/** A height or a width, 1 to MAX_DIMENSION: a varint, in a small container of how much it is above `near`, or below, which is odd. */
export function dimension(near: u32): u32 {
  let value = varint();
  return within(isSmall() ? near + ((value >>> 1) ^ -(value & 1)) : value, 1, MAX_DIMENSION);
}

/** Of the pair read last, the value along y. */
export let pairY: u32 = 0;

/** A value from `low` to `high` for each axis, y in `pairY`. @returns x */
export function pair(low: u32, high: u32): u32 {
  // In a small container above twice the least.
  let value = varint() + (isSmall() ? 2 * low : 0);
  pairY = within(value >>> 1, low, high);
  return value & 1 ? varintIn(low, high) : pairY;
}

/** A size or a place in the memory plan, in bytes. */
export function planBytes(): u32 {
  return varintIn(0, MAX_BYTES / PLAN_UNIT) * PLAN_UNIT;
}

/** A byte: in a small container a number. */
export function byte(): u32 {
  return isSmall() ? varintIn(0, 255) : bits(8);
}

/** Whether a field follows: always, or in a small container behind a 1; a 0 says that it has the value that goes without saying. */
export function isStated(): bool {
  return !isSmall() || bits(1) != 0;
}

/** An i8: in a small container a 0 for -128, or a 1 in front of it. */
export function signedByte(): i32 {
  return isStated() ? <i32>(<i8>bits(8)) : -128;
}

/** An i16: in a small container a number that is 0 for -32,768. */
export function signedShort(): i32 {
  return isSmall() ? <i32>varintIn(0, 0xffff) - 0x8000 : <i32>(<i16>bits(16));
}
