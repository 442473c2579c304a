/**
 * Sparse dot products: records against elements. A record is `offset << 8 | weight`: the element's offset from the address
 * given, 0 … 2^24 - 1, and an int8 weight. An element is a byte in offset binary, 0 … 255: SPEC.md, "The core's interface".
 */
import { RECORD_BYTES } from "../format";

/** `acc + Σ weight × element` over the records from `record` to before `end`. The sum is an int32 and wraps. */
export function dot1(record: usize, end: usize, elements: usize, acc: i32): i32 {
  while (record < end) {
    acc += load<i8>(record) * load<u8>(elements + (load<u32>(record) >>> 8));
    record += RECORD_BYTES;
  }
  return acc;
}

/**
 * The places of a block: BLOCK_WIDTH neighbours in each of BLOCK_HEIGHT rows. Its sums come in one word of 64 bits for
 * several places at a time: multiplying eight elements by a weight is one multiplication, as long as each sum stays in its lane.
 */
export const BLOCK_WIDTH: u32 = 8;
export const BLOCK_HEIGHT: u32 = 4;
/** The sums of a block: BLOCK_HEIGHT rows of SMALL_ROW or LARGE_ROW bytes. */
export const BLOCK = memory.data(128, 8);
export const SMALL_ROW: usize = 16;
export const LARGE_ROW: usize = 32;

/** Sums are small when the weights' magnitudes add up to at most this: then they span at most 255 × 257 = 2^16 - 1. */
export const SMALL_SUM: u32 = 257;

const LARGE_LANES: u64 = 0x8000000080000000;
const EVEN_BYTES: u64 = 0x00ff00ff00ff00ff;
const FOURTH_BYTES: u64 = 0x000000ff000000ff;

/**
 * Small sums of a block over the records from `record` to before `end`, of which there is at least one. `elements` is the address
 * that offsets of the block's first place count from; its rows are `pitch` apart. The sum of place x, 0 … 7, goes to the
 * u16 at `(x & 1) << 3 | x >> 1 << 1` of its row, with `bias` added, so that none is negative.
 *
 * Four lanes of 16 bits a word. `odd` sums up the elements 1, 3, 5, 7, one in each lane. `all` sums up the words as they
 * stand: it is that of the elements 0, 2, 4, 6 plus 2^8 times that of the others, modulo 2^64, so that the even elements need
 * no masking. Lanes are apart when the sums, with the bias, fit 16 bits in the end; what overflows on the way comes back.
 */
export function dotSmall(record: usize, end: usize, elements: usize, pitch: usize, bias: u64): void {
  let all0: u64 = 0;
  let all1: u64 = 0;
  let all2: u64 = 0;
  let all3: u64 = 0;
  let odd0: u64 = 0;
  let odd1: u64 = 0;
  let odd2: u64 = 0;
  let odd3: u64 = 0;
  do {
    let ptr = elements + (load<u32>(record) >>> 8);
    let weight: u64 = load<i8>(record);
    let word = load<u64>(ptr);
    all0 += weight * word;
    odd0 += weight * ((word >>> 8) & EVEN_BYTES);
    word = load<u64>((ptr += pitch));
    all1 += weight * word;
    odd1 += weight * ((word >>> 8) & EVEN_BYTES);
    word = load<u64>((ptr += pitch));
    all2 += weight * word;
    odd2 += weight * ((word >>> 8) & EVEN_BYTES);
    word = load<u64>(ptr + pitch);
    all3 += weight * word;
    odd3 += weight * ((word >>> 8) & EVEN_BYTES);
    record += RECORD_BYTES;
  } while (record < end);
  bias *= 0x0001000100010001;
  store<u64>(BLOCK, bias + all0 - (odd0 << 8));
  store<u64>(BLOCK, bias + odd0, 8);
  store<u64>(BLOCK, bias + all1 - (odd1 << 8), 16);
  store<u64>(BLOCK, bias + odd1, 24);
  store<u64>(BLOCK, bias + all2 - (odd2 << 8), 32);
  store<u64>(BLOCK, bias + odd2, 40);
  store<u64>(BLOCK, bias + all3 - (odd3 << 8), 48);
  store<u64>(BLOCK, bias + odd3, 56);
}

/**
 * The same for sums that need 32 bits, two lanes a word; two rows, whose sums go to `sums`. The sum of place x goes to the
 * int32 at `(x & 3) << 3 | x >> 2 << 2` of its row.
 */
export function dotLarge(record: usize, end: usize, elements: usize, pitch: usize, sums: usize): void {
  let all0: u64 = 0;
  let all1: u64 = 0;
  let second0: u64 = 0;
  let second1: u64 = 0;
  let third0: u64 = 0;
  let third1: u64 = 0;
  let fourth0: u64 = 0;
  let fourth1: u64 = 0;
  do {
    let ptr = elements + (load<u32>(record) >>> 8);
    let weight: u64 = load<i8>(record);
    let word = load<u64>(ptr);
    all0 += weight * word;
    second0 += weight * ((word >>> 8) & FOURTH_BYTES);
    third0 += weight * ((word >>> 16) & FOURTH_BYTES);
    fourth0 += weight * ((word >>> 24) & FOURTH_BYTES);
    word = load<u64>(ptr + pitch);
    all1 += weight * word;
    second1 += weight * ((word >>> 8) & FOURTH_BYTES);
    third1 += weight * ((word >>> 16) & FOURTH_BYTES);
    fourth1 += weight * ((word >>> 24) & FOURTH_BYTES);
    record += RECORD_BYTES;
  } while (record < end);
  storeLarge(sums, all0, second0, third0, fourth0);
  storeLarge(sums + LARGE_ROW, all1, second1, third1, fourth1);
}

function storeLarge(sums: usize, all: u64, second: u64, third: u64, fourth: u64): void {
  store<u64>(sums, (LARGE_LANES + all - (((((fourth << 8) + third) << 8) + second) << 8)) ^ LARGE_LANES);
  store<u64>(sums, (LARGE_LANES + second) ^ LARGE_LANES, 8);
  store<u64>(sums, (LARGE_LANES + third) ^ LARGE_LANES, 16);
  store<u64>(sums, (LARGE_LANES + fourth) ^ LARGE_LANES, 24);
}
