/**
 * Binary range decoder, as LZMA's but for its first byte. The stream begins at the bit where the reader stands; behind the limit, which is no
 * error here, there are zeros. Fewer than 8 bits in front of the limit are no byte, and stay in the reader.
 */
import { bits, limit, position } from "./bit-reader";

/** The interval is widened by a byte before a bit where it has become smaller than this. */
const LEAST_RANGE: u32 = 1 << 24;

let range: u32 = 0;
/** Where in the interval the stream is: below `range`. */
let code: u32 = 0;

/** Begins the stream. The first bit reads its first three bytes. */
export function beginRange(): void {
  range = 1;
  code = 0;
}

/** The next bit. @param probability of a 1 in 1/65,536: 1 … 65,535, so that the interval never becomes empty */
export function decodeBit(probability: u32): u32 {
  while (range < LEAST_RANGE) {
    range <<= 8;
    code = (code << 8) | (position < limit ? bits(8) : 0);
  }
  let bound = (range >>> 16) * probability;
  if (code < bound) {
    range = bound;
    return 1;
  }
  code -= bound;
  range -= bound;
  return 0;
}
