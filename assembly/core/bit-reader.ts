/**
 * Bits of the model file, in order. The file stands in linear memory, or behind `mote.read`, which fills a window of it.
 * Fields are least significant bit first; a read beyond the limit (the end of the section, else of the file) fails and gives 0.
 */
import { STATUS_READ, STATUS_TRUNCATED } from "../abi";
import { read } from "../mote";
import { isSmall, rangedBits } from "./range-decoder";
import { expect, fail, failure } from "./status";

/** Bytes of the file. */
export let fileBytes: u32 = 0;
/** File offset of the next byte that is not in `bitBuffer` yet. */
export let position: u32 = 0;
/** File offset that reads must not pass. */
export let limit: u32 = 0;
/** Bits of the byte before `position` that have not been read: fewer than 8 between calls, and none above them. */
export let bitBuffer: u64 = 0;
export let bitCount: u32 = 0;

let limitStatus: i32 = 0;
let windowPtr: usize = 0;
let windowBytes: u32 = 0;
/** File offset of the first byte after the window, and where byte 0 of the file would be if the window went back to it. */
let windowEnd: u32 = 0;
let base: usize = 0;

/**
 * The file seen through `bytes` (at least MIN_WINDOW_BYTES) at `address`: a window, or all of it, followed by MODEL_SLACK_BYTES readable ones.
 */
export function openWindow(address: usize, bytes: u32, length: u32, isResident: bool): void {
  fileBytes = length;
  position = bitCount = 0;
  bitBuffer = 0;
  moveWindow(address, bytes);
  if (isResident) windowEnd = length;
  limitReads(length, STATUS_TRUNCATED);
}

/** Continues at the same place through another window. */
export function moveWindow(address: usize, bytes: u32): void {
  windowPtr = address;
  windowBytes = bytes;
  emptyWindow();
}

/** Leaves nothing in the window; what is read next will be its first byte. */
function emptyWindow(): void {
  base = windowPtr - position;
  windowEnd = position;
}

/** A read at or beyond file offset `end` fails with `status` from now on. `end` is at most the file's length. */
export function limitReads(end: u32, status: i32): void {
  limit = end;
  limitStatus = status;
}

/** Continues at a byte of the file, at most its length. */
export function seek(offset: u32): void {
  position = offset;
  bitBuffer = bitCount = 0;
  if ((offset < <u32>(windowPtr - base)) | (offset > windowEnd)) emptyWindow();
}

export function bitPosition(): u32 {
  return (position << 3) - bitCount;
}

export function seekBits(bit: u32): void {
  seek(bit >>> 3);
  bits(bit & 7);
}

function refill(): void {
  let length = min(windowBytes, fileBytes - position);
  emptyWindow();
  // A window that was not filled stays empty: the next run asks for it again, and nobody before, whatever has failed.
  if (failure || read(position, windowPtr, length)) fail(STATUS_READ);
  else windowEnd += length;
}

/** The next 0 … 32 bits, as an unsigned number: in a small container they come through the range decoder. */
export function bits(count: u32): u32 {
  return isSmall() ? rangedBits(count) : plainBits(count);
}

/** The same of the bytes as they stand. */
export function plainBits(count: u32): u32 {
  while (bitCount < count) {
    if (position >= limit) {
      expect(false, limitStatus);
      return 0;
    }
    if (position >= windowEnd) refill();
    bitBuffer |= (<u64>load<u8>(cursor())) << bitCount;
    bitCount += 8;
    position++;
  }
  let value = <u32>(bitBuffer & (((<u64>1) << count) - 1));
  bitBuffer >>= count;
  bitCount -= count;
  return value;
}

/**
 * Bytes that can be loaded from `cursor()`: at least `want`, where the file is long enough and `want` is at most
 * MIN_WINDOW_BYTES. For loops that keep the reader's state in locals and hand it back with `resume`.
 */
export function ahead(want: u32): u32 {
  if ((windowEnd - position < want) & (windowEnd < fileBytes)) refill();
  return windowEnd - position;
}

/** Address of the byte at `position`. */
export function cursor(): usize {
  return base + position;
}

/**
 * Goes on at address `next`, with `count` bits before it in `buffer` that were loaded and not used. Having passed the limit
 * is an error.
 */
export function resume(next: usize, buffer: u64, count: u32): void {
  position = <u32>(next - base) - (count >>> 3);
  bitCount = count & 7;
  bitBuffer = buffer & ((1 << bitCount) - 1);
  expect(position <= limit, limitStatus);
}
