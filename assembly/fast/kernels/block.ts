/**
 * Sums of a block: BLOCK_WIDTH neighbouring places in each of BLOCK_HEIGHT rows. They come in one word of 64 bits for four places:
 * multiplying eight elements by a weight takes two multiplications, as long as each sum stays in its lane of 16 bits.
 */
import { RECORD_BYTES } from "../../abi";
import { BLOCK_HEIGHT, BLOCK_WIDTH } from "../layout";

// Between the control block and PLAN_BASE, where asc would put static data if there were any.

/** The latest chunk's sums: a row of ROW_LANES bytes, u16 at `(x & 1) << 3 | x >> 1 << 1` for place x. */
export const LANES: usize = 64;
export const ROW_LANES: usize = 2 * BLOCK_WIDTH;
export const BLOCK_LANES: usize = ROW_LANES * BLOCK_HEIGHT;
/** Sums of several chunks: an i32 for each place, in the order of the lanes: at twice the address of its lane. */
export const SUMS: usize = 2 * LANES;

export const EVEN_BYTES: u64 = ((<u64>0x00ff00ff) << 32) | 0x00ff00ff;

/**
 * Sums up weight × element over the records from `record` to before `last`, of which there is at least one. `elements` is the address
 * that offsets of the block's first place count from; its rows are `pitch` apart. To each sum `bias` is added, so that none
 * is negative.
 *
 * `odd` sums up the elements 1, 3, 5, 7, one in each lane. `all` sums up the words as they stand: it is that of the elements
 * 0, 2, 4, 6 plus 2^8 times that of the others, modulo 2^64, so that the even elements need no masking. Lanes are apart when the
 * sums, with the bias, fit 16 bits in the end; what overflows on the way comes back.
 */
export function sumBlock(record: usize, last: usize, elements: usize, pitch: usize, bias: u64): void {
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
    all0 += weight * load<u64>(ptr);
    odd0 += weight * (load<u64>(ptr, 1) & EVEN_BYTES);
    let ptr1 = ptr + pitch;
    all1 += weight * load<u64>(ptr1);
    odd1 += weight * (load<u64>(ptr1, 1) & EVEN_BYTES);
    let ptr2 = ptr + 2 * pitch;
    all2 += weight * load<u64>(ptr2);
    odd2 += weight * (load<u64>(ptr2, 1) & EVEN_BYTES);
    let ptr3 = ptr + 3 * pitch;
    all3 += weight * load<u64>(ptr3);
    odd3 += weight * (load<u64>(ptr3, 1) & EVEN_BYTES);
    record += RECORD_BYTES;
  } while (record < last);
  bias *= 0x0001000100010001;
  store<u64>(LANES, bias + all0 - (odd0 << 8));
  store<u64>(LANES, bias + odd0, 8);
  store<u64>(LANES, bias + all1 - (odd1 << 8), 16);
  store<u64>(LANES, bias + odd1, 24);
  store<u64>(LANES, bias + all2 - (odd2 << 8), 32);
  store<u64>(LANES, bias + odd2, 40);
  store<u64>(LANES, bias + all3 - (odd3 << 8), 48);
  store<u64>(LANES, bias + odd3, 56);
}

/** Adds the latest chunk's sums to those of several; with `first` they become those. */
export function widen(first: bool): void {
  let lane: usize = 0;
  do {
    let sum: i32 = load<u16>(LANES + lane);
    if (!first) sum += load<i32>(SUMS + 2 * lane);
    store<i32>(SUMS + 2 * lane, sum);
    lane += 2;
  } while (lane < BLOCK_LANES);
}
