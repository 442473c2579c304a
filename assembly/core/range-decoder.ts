/**
 * Binary range decoder, as LZMA's but for its first byte. The stream begins at the bit where the reader stands; behind the limit, which is no
 * error here, there are zeros. Fewer than 8 bits in front of the limit are no byte, and stay in the reader.
 */
import { limit, plainBits, position, seek } from "./bit-reader";

/** The interval is widened by a byte before a bit where it has become smaller than this. */
const LEAST_RANGE: u32 = 1 << 24;

export let range: u32 = 0;
/** Where in the interval the stream is: below `range`. */
export let code: u32 = 0;

/** Whether the file is a small container: all of it behind its first bytes is one stream. */
let isStream: bool = false;

/** Begins the stream of a layer's weights. The first bit reads its first three bytes. In a small container they are a part of its stream. */
export function beginRange(): void {
  if (isSmall()) return;
  range = 1;
  code = 0;
}

/** Continues at a byte of the file, where the decoder of a small container's stream had come to this interval and place: at its begin 1 and 0. */
export function enterStream(offset: u32, interval: u32, place: u32): void {
  seek(offset);
  if (!isSmall()) return;
  range = interval;
  code = place;
}

/** Which of the two kinds of containers the file is. */
export function setSmall(small: bool): void {
  isStream = small;
}

/** Whether it is a small container. A packed module knows, and a core made for a model of the other kind has only that. */
export function isSmall(): bool {
  return isStream;
}

/** The next 0 … 32 bits, each as likely a 0 as a 1. */
export function rangedBits(count: u32): u32 {
  let value: u32 = 0;
  for (let place: u32 = 0; place < count; place++) value |= decodeBit(0x8000) << place;
  return value;
}

/** The next bit. @param probability of a 1 in 1/65,536: 1 … 65,535, so that the interval never becomes empty */
export function decodeBit(probability: u32): u32 {
  while (range < LEAST_RANGE) {
    range <<= 8;
    code = (code << 8) | (position < limit ? plainBits(8) : 0);
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
