/**
 * CRC-32 as in ISO-HDLC, zip and PNG (reflected polynomial EDB88320), four bits at a time: the table of 256 words that a
 * byte at a time would take is a seventh of the module.
 */

/** Entry n: the remainder of the four bits n. */
// prettier-ignore
const REMAINDERS = memory.data<u32>([
  0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
  0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
]);

/** The state before the first byte; the CRC of all bytes is the state after the last, inverted. */
export const CRC_INITIAL: u32 = 0xffffffff;

/** The state after `length` more bytes at `ptr`. */
export function updateCrc(state: u32, ptr: usize, length: u32): u32 {
  let end = ptr + length;
  while (ptr < end) {
    state ^= load<u8>(ptr++);
    state = (state >>> 4) ^ load<u32>(REMAINDERS + ((state & 15) << 2));
    state = (state >>> 4) ^ load<u32>(REMAINDERS + ((state & 15) << 2));
  }
  return state;
}
