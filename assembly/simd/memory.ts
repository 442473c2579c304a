/** Linear memory behind the plan: what layers are decoded to, which grows as they are, up to what the host allows. */
import { CONTROL_MEMORY_BYTES, STATUS_MEMORY } from "../abi";
import { expect, failure } from "../core/status";

/** What kernels may read behind whatever they read: vectors reach beyond the last element. */
const SLACK_BYTES: u32 = 128;
const PAGE_BITS: u32 = 16;
/** Memory grows by so many pages at least, where there may be so many. */
const GROWTH_PAGES: i32 = 16;

/** Where the next bytes are taken. */
let top: usize = 0;
let most: u32 = 0;

/** Begins behind what the plan takes, `begin`, in at most `bytes` of memory. */
export function beginMemory(begin: usize, bytes: u32): void {
  top = (begin + 15) & -16;
  most = bytes;
  store<u32>(CONTROL_MEMORY_BYTES, 0);
  reserve(0);
}

/** Sees that so many bytes can be written at what it returns, without taking them; where they cannot, that is an error, and 0. */
export function reserve(bytes: u64): usize {
  let end = <u64>top + bytes + SLACK_BYTES;
  if (failure) return 0;
  // Also of what there is no room for, so that a host can say how much it was.
  store<u32>(CONTROL_MEMORY_BYTES, max(load<u32>(CONTROL_MEMORY_BYTES), <u32>min(end, <u64>u32.MAX_VALUE)));
  expect(end <= <u64>most, STATUS_MEMORY);
  if (failure) return 0;
  let pages = <i32>((end + 0xffff) >> PAGE_BITS);
  let missing = pages - memory.size();
  if (missing > 0) {
    let allowed = <i32>(most >>> PAGE_BITS) - memory.size();
    expect(memory.grow(max(missing, min(GROWTH_PAGES, allowed))) != -1 || memory.grow(missing) != -1, STATUS_MEMORY);
  }
  return failure ? 0 : top;
}

/** Gives back what has been taken from `ptr` on. */
export function rewind(ptr: usize): void {
  top = ptr;
}

/** Takes bytes that vectors may begin with. @returns their address, or after an error 0 */
export function take(bytes: u64): usize {
  let whole = (bytes + 15) & -16;
  let ptr = reserve(whole);
  if (ptr) top += <usize>whole;
  return ptr;
}
