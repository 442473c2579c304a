/** The stream of weights behind `mote.read`, seen through the window. It is trusted: a fast module's checksum covers it. */
import { CONTROL_MODEL_BYTES, STATUS_READ } from "../abi";
import { read } from "../mote";
import { CONTROL_WINDOW_BYTES, CONTROL_WINDOW_PTR, PROGRESS_BYTES } from "./layout";

/** The part of the window that is still to be read. */
export let next: usize = 0;
export let end: usize = 0;
/** Stream offset of what stands at `end`. */
let offset: u32 = 0;

/** 0, or STATUS_READ once the host has failed to read. */
export let failure: i32 = 0;

/** Goes back to the beginning. */
export function rewind(): void {
  next = end = offset = failure = 0;
}

/** Stream offset of `next`. */
export function position(): u32 {
  return offset - <u32>(end - next);
}

/** Goes back to a position, which the window may still have. */
export function goTo(target: u32): void {
  let back = position() - target;
  if (next - windowPtr() >= back) {
    next -= back;
  } else {
    next = end;
    offset = target;
  }
}

/** Goes on behind what has been read. */
export function passTo(address: usize): void {
  next = address;
}

/** Goes on at a stream offset, whatever the window has. */
export function seek(to: u32): void {
  offset = to;
  next = end;
}

/**
 * Makes `bytes`, no more than the window has, readable from `next` on, as far as the stream goes.
 * @returns the readable bytes, 0 on a failure
 */
@inline
export function ahead(bytes: u32): u32 {
  let have = <u32>(end - next);
  if (have < bytes) have = refill(have);
  return have;
}

/** Moves the window to `next`, where `have` bytes are readable. @returns the readable bytes, 0 on a failure */
function refill(have: u32): u32 {
  let from = offset - have;
  let length = min(windowBytes(), streamBytes() - from);
  next = windowPtr();
  offset = from + length;
  end = next + length;
  if (!read(from, next, length)) return length;
  fail();
  return 0;
}

/** The host may have left anything. Zeros are rows and records that lead nowhere, up to the slice's end. */
function fail(): void {
  failure = STATUS_READ;
  for (let ptr = next; ptr < end; ptr++) store<u8>(ptr, 0);
}

/** Address of the progress. */
export function progressPtr(): usize {
  return windowPtr() - PROGRESS_BYTES;
}

// What the packer knows: it puts constants in their place.

export function windowPtr(): usize {
  return load<u32>(CONTROL_WINDOW_PTR);
}

/** What kernels lay out for themselves. */
export function scratchPtr(): usize {
  return windowPtr() + windowBytes();
}

export function windowBytes(): u32 {
  return load<u32>(CONTROL_WINDOW_BYTES);
}

export function streamBytes(): u32 {
  return load<u32>(CONTROL_MODEL_BYTES);
}
