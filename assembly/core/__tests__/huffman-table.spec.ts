import { STATUS_HUFFMAN, STATUS_PLAN, STATUS_STREAM } from "../../abi";
import { bitPosition, limitReads, openWindow, seekBits } from "../bit-reader";
import { beginTable, longest, stepTable } from "../codecs/huffman-table";
import { clearFailure, failure } from "../status";
import { clear, fileLength, filePtr, offerFile, pad, putBits } from "./file-builder";

const TABLE = memory.data(2 << 12);
const TABLE_END = TABLE + (2 << 12);

/** Puts code lengths and begins their table. */
function begin(lengths: StaticArray<u32>, first: i32, end: usize = TABLE_END): void {
  clear();
  for (let i = 0; i < lengths.length; i++) putBits(lengths[i], 4);
  pad();
  offerFile();
  openWindow(filePtr(), fileLength(), fileLength(), true);
  beginTable(TABLE, end, lengths.length, first);
}

/** Puts code lengths and builds their table. @returns the longest length */
function build(lengths: StaticArray<u32>, first: i32 = 0, end: usize = TABLE_END): u32 {
  begin(lengths, first, end);
  return finish();
}

/** Goes on to the end of the table, or an error. @returns the longest length */
function finish(): u32 {
  while (!stepTable() && !failure);
  return longest;
}

/** What the table says of a code written as on paper: `value << 4 | length`. */
function entry(code: string, longest: u32): u32 {
  let index: u32 = 0;
  for (let i = 0; i < code.length; i++) index |= (code.charCodeAt(i) & 1) << i;
  let found = load<u16>(TABLE + (index << 1));
  // Whatever follows the code, the entry is the same.
  for (let rest = index; rest < (<u32>1) << longest; rest += 1 << code.length) {
    expect(load<u16>(TABLE + (rest << 1))).toBe(found);
  }
  return found;
}

describe("Huffman tables", () => {
  beforeEach(() => {
    clearFailure();
  });

  it("hold the codes of RFC 1951's example", () => {
    // "Consider the alphabet ABCDEFGH, with bit lengths (3, 3, 3, 3, 3, 2, 4, 4)": 3.2.2
    let longest = build([3, 3, 3, 3, 3, 2, 4, 4]);
    expect(failure).toBe(0);
    expect(longest).toBe(4);
    let codes: StaticArray<string> = ["010", "011", "100", "101", "110", "00", "1110", "1111"];
    for (let symbol = 0; symbol < 8; symbol++) {
      expect(entry(codes[symbol], longest)).toBe((symbol << 4) | codes[symbol].length, codes[symbol]);
    }
  });

  it("are made in small pieces, though one code fills half of them", () => {
    for (let i: usize = 0; i < 2 << 12; i += 2) store<u16>(TABLE + i, 0);
    begin([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12], 1);
    let made = 0;
    while (!stepTable()) {
      let before = made;
      made = 0;
      for (let i: usize = 0; i < 2 << 12; i += 2) made += i32(load<u16>(TABLE + i) != 0);
      expect(made - before).toBeLessThanOrEqual(128);
    }
    expect(failure).toBe(0);
    expect(entry("0", 12)).toBe((1 << 4) | 1);
    expect(entry("10", 12)).toBe((2 << 4) | 2);
    expect(entry("111111111110", 12)).toBe((12 << 4) | 12);
    expect(entry("111111111111", 12)).toBe((13 << 4) | 12);
  });

  it("hold a grid's values, negative ones as 12 bits", () => {
    let longest = build([2, 1, 0, 2], -2);
    expect(entry("0", longest)).toBe((0xfff << 4) | 1);
    expect(entry("10", longest)).toBe((0xffe << 4) | 2);
    expect(entry("11", longest)).toBe((1 << 4) | 2);
  });

  it("hold a codebook's values", () => {
    clear();
    // A value above 127 is a place in the file: the codebook has to stand behind that many bits.
    for (let i = 0; i < 16; i++) putBits(0, 8);
    putBits(5, 3);
    let values: StaticArray<u32> = [7, 0x80, 0xff];
    for (let i = 0; i < 3; i++) putBits(values[i], 8);
    putBits(1, 4);
    putBits(2, 4);
    putBits(2, 4);
    pad();
    offerFile();
    openWindow(filePtr(), fileLength(), fileLength(), true);
    seekBits(155);
    beginTable(TABLE, TABLE_END, 3, 131);
    let longest = finish();
    expect(failure).toBe(0);
    expect(entry("0", longest)).toBe((7 << 4) | 1);
    expect(entry("10", longest)).toBe((0x80 << 4) | 2);
    expect(entry("11", longest)).toBe((0xff << 4) | 2);
    expect(bitPosition()).toBe(167);
  });

  it("take no bits for a lone symbol", () => {
    expect(build([0, 0, 1, 0])).toBe(0);
    expect(failure).toBe(0);
    expect(load<u16>(TABLE)).toBe(2 << 4);
  });

  it("reach the longest code and fit exactly", () => {
    // Lengths 1, 2, …, 11, 12, 12.
    let lengths = new StaticArray<u32>(13);
    for (let i = 0; i < 13; i++) lengths[i] = min(i + 1, 12);
    expect(build(lengths)).toBe(12);
    expect(failure).toBe(0);
    expect(entry("111111111111", 12)).toBe((12 << 4) | 12);
  });

  it("must fit the region", () => {
    build([1, 2, 2], 0, TABLE + 8);
    expect(failure).toBe(0);
    build([1, 2, 2], 0, TABLE + 7);
    expect(failure).toBe(STATUS_PLAN);
  });

  it("refuse codes that are over-subscribed", () => {
    build([1, 1, 1]);
    expect(failure).toBe(STATUS_HUFFMAN);
    clearFailure();
    build([1, 2, 2, 12]);
    expect(failure).toBe(STATUS_HUFFMAN);
  });

  it("refuse codes that are incomplete", () => {
    build([1, 2]);
    expect(failure).toBe(STATUS_HUFFMAN);
    clearFailure();
    build([2, 0, 0]);
    expect(failure).toBe(STATUS_HUFFMAN);
  });

  it("refuse alphabets without a used symbol", () => {
    build([0, 0, 0]);
    expect(failure).toBe(STATUS_HUFFMAN);
  });

  it("refuse lengths above 12", () => {
    build([1, 2, 2, 13]);
    expect(failure).toBe(STATUS_HUFFMAN);
  });

  it("fail when the lengths are cut off", () => {
    clear();
    putBits(1, 4);
    pad();
    offerFile();
    openWindow(filePtr(), fileLength(), fileLength(), true);
    limitReads(1, STATUS_STREAM);
    beginTable(TABLE, TABLE_END, 8, 0);
    finish();
    expect(failure).toBe(STATUS_STREAM);
  });
});
