/**
 * CRC-32 as in ISO-HDLC, zip and PNG (reflected polynomial EDB88320), two bits at a time: with a table of 16 words loading would take two thirds of
 * the instructions, and the module 50 bytes more.
 */

/** What the lower of two bits leaves behind. Twice as much, the polynomial, is what the upper one does. */
const REMAINDER: u32 = 0xedb88320 >>> 1;

/** The state before the first byte; the CRC of all bytes is the state after the last, inverted. */
export const CRC_INITIAL: u32 = 0xffffffff;

/** The state after `length` more bytes at `ptr`. */
export function updateCrc(state: u32, ptr: usize, length: u32): u32 {
  let end = ptr + length;
  while (ptr < end) {
    state ^= load<u8>(ptr++);
    let pairs = 4;
    do {
      state = (state >>> 2) ^ ((state & 1) * REMAINDER) ^ ((state & 2) * REMAINDER);
    } while (--pairs);
  }
  return state;
}
