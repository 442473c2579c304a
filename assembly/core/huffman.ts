/**
 * Canonical Huffman codes (RFC 1951, 3.2.2) to decoding tables. A table has 2^longest u16 entries at the index of each next
 * `longest` bits of the stream: one look-up a symbol. An entry is `value << unit | length`; the length takes 4 bits, the value
 * is signed for weights (unit 4) and unsigned for gaps (unit 5, so that `entry >>> 4` is twice the value).
 */
import { MAX_CODE_LENGTH, STATUS_HUFFMAN, STATUS_PLAN } from "../format";
import { BLOCK } from "./accumulate";
import { bitPosition, bits, seekBits } from "./bit-reader";
import { expect, failure } from "./status";

/** For each length 0 … 15: how many codes there are, then the next code to give out. Shares its place with a block's sums. */
const CODES = BLOCK;

/**
 * Reads `symbols` code lengths of 4 bits and writes their table from `table` on, before `end`. The lengths, and the
 * codebook, are read twice instead of being kept.
 * @param first value of the first symbol; each has one more than the one before
 * @param unit 4 or 5
 * @param codebook if not 0: bit of the file where the symbols' values stand instead, a byte each
 * @returns the longest code's length; 0 for a lone symbol, which takes no bits
 */
export function buildTable(table: usize, end: usize, symbols: u32, first: i32, unit: u32, codebook: u32): u32 {
  let lengthsBit = bitPosition();
  let longest = countLengths(symbols);
  let size: usize = 2 << longest;
  expect(table + size <= end, STATUS_PLAN);
  if (failure) return 0;
  let code: u32 = 0;
  let ptr = CODES + 2;
  do {
    let count = load<u16>(ptr);
    store<u16>(ptr, code);
    code = (code + count) << 1;
    ptr += 2;
  } while (ptr <= CODES + 2 * MAX_CODE_LENGTH);
  store<u16>(CODES, 0);
  let symbol: u32 = 0;
  do {
    seekBits(lengthsBit + (symbol << 2));
    let length = bits(4);
    if (!length) continue;
    // A lone symbol. No other length is above the longest, unless the file has changed since it was counted.
    length = min(length, longest);
    let value: i32 = first + symbol;
    if (codebook) {
      seekBits(codebook + (symbol << 3));
      value = <i8>bits(8);
    }
    let next = CODES + (length << 1);
    code = load<u16>(next);
    store<u16>(next, code + 1);
    let reversed: usize = 0;
    for (let bit: u32 = 0; bit < length; bit++) reversed |= ((code >>> bit) & 1) << (length - bit);
    do {
      store<u16>(table + reversed, (value << unit) | length);
      reversed += 2 << length;
    } while (reversed < size);
  } while (++symbol < symbols);
  seekBits(lengthsBit + (symbols << 2));
  return longest;
}

/** Counts the code lengths into CODES. @returns the longest, or 0 if there is one code, of one bit */
function countLengths(symbols: u32): u32 {
  store<u64>(CODES, 0);
  store<u64>(CODES, 0, 8);
  store<u64>(CODES, 0, 16);
  store<u64>(CODES, 0, 24);
  let longest: u32 = 0;
  let kraft: u32 = 0;
  let symbol: u32 = 0;
  do {
    let length = bits(4);
    if (!length) continue;
    let count = CODES + (length << 1);
    store<u16>(count, load<u16>(count) + 1);
    longest = max(longest, length);
    kraft += (1 << MAX_CODE_LENGTH) >>> length;
  } while (++symbol < symbols);
  // Half of all codes, and none longer than a bit: a lone symbol.
  if (longest == 1 && kraft == 1 << (MAX_CODE_LENGTH - 1)) return 0;
  expect(kraft == 1 << MAX_CODE_LENGTH && longest <= <u32>MAX_CODE_LENGTH, STATUS_HUFFMAN);
  return longest;
}
