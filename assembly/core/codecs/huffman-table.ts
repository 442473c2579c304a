/**
 * Canonical Huffman codes (RFC 1951, 3.2.2) to decoding tables. A table has 2^longest u16 entries, `value << 4 | length`, at the
 * index of each next `longest` bits of the stream: one look-up a symbol.
 */
import { STATUS_HUFFMAN, STATUS_PLAN } from "../../abi";
import { MAX_CODE_LENGTH } from "../../format";
import { bitPosition, bits, seekBits } from "../bit-reader";
import { byte } from "../fields";
import { expect } from "../status";

/** Symbols of one piece of work, and the entries that it makes for each. */
const SYMBOLS: u32 = 2;
const ENTRIES: usize = 64;

/** For each length 0 … 15: how many codes there are, then the next code to give out. */
const CODES = memory.data(32, 8);

/** Length of the longest code; 0 for a lone symbol, which takes no bits. Valid once the table is complete. */
export let longest: u32 = 0;

let table: usize = 0;
let tableEnd: usize = 0;
let symbols: u32 = 0;
/** The first symbol's value; if above 127, the bit of the file where a codebook begins (the first bits are the header). */
let alphabet: i32 = 0;
/** Bit of the file where the code lengths begin. Like the codebook they are read twice instead of being kept. */
let lengthsBit: u32 = 0;
/** The next symbol to count, then to give its code. */
let symbol: u32 = 0;
let isCounting: bool = false;
/** Where the symbol is entered next, for a short code fills half of the table; 0 where it begins. */
let nextEntry: usize = 0;
/** Sum of 2^(MAX_CODE_LENGTH - length). */
let kraft: u32 = 0;

/**
 * Begins the table, from `ptr` on and before `end`, of the code whose lengths come next, 4 bits for each of `symbolCount` symbols.
 * `stepTable` goes on.
 * @param values up to 127: the value of the first symbol, each having one more than the one before; above, the bit of the
 *   file from which on the symbols' values stand, a byte each
 */
export function beginTable(ptr: usize, end: usize, symbolCount: u32, values: i32): void {
  table = ptr;
  tableEnd = end;
  symbols = symbolCount;
  alphabet = values;
  lengthsBit = bitPosition();
  symbol = longest = kraft = 0;
  nextEntry = 0;
  isCounting = true;
  let count = CODES;
  do {
    store<u64>(count, 0);
    count += 8;
  } while (count < CODES + 32);
}

/** Counts, or enters into the table, up to SYMBOLS symbols. @returns whether the table is complete, and its lengths are read */

@inline
export function stepTable(): bool {
  let end = min(symbol + SYMBOLS, symbols);
  do {
    seekBits(lengthsBit + (symbol << 2));
    let length = bits(4);
    if (!length) continue;
    // Never above the longest, unless the file has changed since it was counted; a lone symbol's is.
    if (!isCounting) length = min(length, longest);
    let codes = CODES + (length << 1);
    let code: u32 = load<u16>(codes);
    if (isCounting) {
      longest = max(longest, length);
      kraft += (1 << MAX_CODE_LENGTH) >>> length;
    } else if (!enter(code, length)) return false;
    store<u16>(codes, code + 1);
  } while (++symbol < end);
  if (symbol < symbols) return false;
  if (isCounting) endCounting();
  else seekBits(lengthsBit + (symbols << 2));
  return symbol != 0;
}

/** Checks the counts, and turns them into the first code of each length. */
function endCounting(): void {
  // Half of all codes, and none longer than a bit: a lone symbol.
  if ((longest == 1) & (kraft == 1 << (MAX_CODE_LENGTH - 1))) longest = 0;
  else expect((kraft == 1 << MAX_CODE_LENGTH) & (longest <= <u32>MAX_CODE_LENGTH), STATUS_HUFFMAN);
  expect(table + (2 << longest) <= tableEnd, STATUS_PLAN);
  let code: u32 = 0;
  let ptr = CODES;
  do {
    let count = load<u16>(ptr);
    store<u16>(ptr, code);
    code = (code + count) << 1;
    ptr += 2;
  } while (ptr < CODES + 32);
  isCounting = false;
  symbol = 0;
}

/** Enters `symbol` wherever the next bits begin with its code, ENTRIES times a call. @returns whether that is everywhere */

@inline
function enter(code: u32, length: u32): bool {
  let value: u32 = alphabet + symbol;
  if (alphabet > 127) {
    seekBits(alphabet + (symbol << 3));
    value = byte();
  }
  let ptr = nextEntry;
  if (!ptr) {
    // Codes are most significant bit first, the stream is not. In bytes of the table: one bit further up.
    ptr = table;
    for (let place = length; place; place--) {
      ptr += (code & 1) << place;
      code >>>= 1;
    }
  }
  let end = table + (2 << longest);
  let stride: usize = 2 << length;
  let stop = min(end, ptr + ENTRIES * stride);
  let entry = ((value & 0xfff) << 4) | length;
  do {
    store<u16>(ptr, entry);
    ptr += stride;
  } while (ptr < stop);
  nextEntry = ptr < end ? ptr : 0;
  return !nextEntry;
}
