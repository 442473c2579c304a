import { STATUS_BUSY, STATUS_DONE, STATUS_PLAN, STATUS_RANGE, STATUS_STREAM } from "../../abi";
import { CODEC_ARITHMETIC, CODEC_CABAC, CODEC_DENSE, CODEC_HUFFMAN, FLAG_END, FLAG_SIZE, OP_DENSE } from "../../format";
import { open, start, step } from "../graph";
import { channel } from "../output-cursor";
import { recordsPtr } from "../scratch";
import { isRowComplete, recordsEnd, weightSum } from "../weights";
import {
  beginFile,
  endFile,
  fileLength,
  MEMORY_BYTES,
  pad,
  patch,
  putBits,
  putCode,
  putVarint,
  putVarints,
} from "./file-builder";

const STREAM: StaticArray<u8> = [0x63, 0xf8, 0x87, 0x6d, 0xc0];

/** Where the section's length was put. */
let sectionAt: u32 = 0;

/**
 * A dense layer of two rows over a [2, 3, 3] tensor with a border of 1, hence pitch 5 and plane 25. The section is open for its
 * weights; biases are 0 and the scale is 1 / 2.
 */
function beginLayer(codec: u32, records: u32): void {
  beginFile();
  putVarints([1 << OP_DENSE, 1 << codec, 2, 1]); // ops, codecs, tensors, layers
  // Window; scratch: 8 bytes of channels, 34 or 36 of columns, of tables 24, 248 or none; arena.
  putVarints([16, 1 + 5 + (codec == CODEC_HUFFMAN ? 3 : codec == CODEC_ARITHMETIC ? 31 : 0) + records, 8]);
  putVarint(2);
  putBits(FLAG_END | FLAG_SIZE | 1, 8);
  putVarints([3, 3]);
  putBits(reinterpret<u32>(<f32>1), 32);
  putBits(0, 8);
  putVarint(0);
  putVarint(2);
  putBits(FLAG_END, 8);
  putBits(reinterpret<u32>(<f32>1), 32);
  putBits(0, 8);
  putVarint(7);
  putBits(OP_DENSE, 8);
  putVarint(0);
  putBits(codec, 8); // no clamp
  sectionAt = fileLength();
  putBits(0, 8);
  putBits(0, 6); // biases of no bits
  putBits(0, 5);
  putBits(0x40000000, 31);
  putBits(31, 6);
}

function endLayer(): void {
  pad();
  patch(sectionAt, fileLength() - sectionAt - 1);
  endFile();
}

/** Column 4 is dead. Weights -2, -1, 1 have codes 10, 0, 11; gaps 0, 1, 2 and the filler have 0, 10, 110, 111. */
function putCodes(): void {
  putBits(1, 1);
  for (let column = 0; column < 18; column++) putBits(column == 4 ? 0 : 1, 1);
  putBits(0, 1);
  putBits(0xfe, 8);
  putBits(3, 8);
  putBits(2, 4);
  putBits(1, 4);
  putBits(0, 4);
  putBits(2, 4);
  putBits(2, 10);
  putBits(1, 4);
  putBits(2, 4);
  putBits(3, 4);
  putBits(3, 4);
}

/** Row 0 has weights in live columns 0, 1 and 7; row 1 in its last one, 16. */
function putSymbols(): void {
  putCode("0");
  putCode("11");
  putCode("0");
  putCode("10");
  putCode("111");
  putCode("110");
  putCode("0");
  // From position 8 to 33: eight fillers of 3, and 1.
  for (let i = 0; i < 8; i++) putCode("111");
  putCode("10");
  putCode("11");
}

/** The same weights by codec 2, as host/codecs/arithmetic.ts writes them: without a map, and with one of the columns that have a weight. */
function putArithmetic(hasMap: bool): void {
  let bytes: StaticArray<u8> = hasMap
    ? [0x01, 0x12, 0x6e, 0x0f, 0xf0, 0xd1, 0x1c]
    : [0x81, 0x26, 0x4f, 0x94, 0x55, 0x1b];
  for (let i = 0; i < bytes.length; i++) putBits(bytes[i], i < bytes.length - 1 ? 8 : 5);
}

function run(): i32 {
  let status = start();
  while (status == STATUS_BUSY) status = step(1000);
  return status;
}

function loaded(): i32 {
  let status = open(MEMORY_BYTES);
  while (status == STATUS_BUSY) status = step(1);
  return status;
}

/** Goes on until row `which` has been decoded to `count` records. */
function decodeRow(which: u32, count: u32): i32 {
  let status: i32 = STATUS_BUSY;
  while (status == STATUS_BUSY && !(channel == which && isRowComplete() && recordsEnd == recordsPtr + (count << 2)))
    status = step(1);
  return status;
}

function expectRecords(records: StaticArray<u32>): void {
  expect((recordsEnd - recordsPtr) >>> 2).toBe(records.length);
  for (let i = 0; i < records.length; i++) expect(load<u32>(recordsPtr + (i << 2))).toBe(records[i], i.toString());
}

describe("weights", () => {
  it("come as records from Huffman codes", () => {
    beginLayer(CODEC_HUFFMAN, 4);
    putCodes();
    putSymbols();
    endLayer();
    expect(loaded()).toBe(STATUS_DONE);
    expect(start()).toBe(STATUS_BUSY);
    expect(decodeRow(0, 3)).toBe(STATUS_BUSY);
    // Live column 7 is column 8: (0, 2, 2).
    expectRecords([1, (1 << 8) | 0xfe, (12 << 8) | 0xff]);
    expect(weightSum).toBe(-2);
    expect(decodeRow(1, 1)).toBe(STATUS_BUSY);
    // Live column 16 is column 17: (1, 2, 2).
    expectRecords([(37 << 8) | 1]);
    expect(weightSum).toBe(1);
    let status: i32 = STATUS_BUSY;
    while (status == STATUS_BUSY) status = step(1);
    expect(status).toBe(STATUS_DONE);
  });

  it("come as records from int8, zeros left out", () => {
    beginLayer(CODEC_DENSE, 4);
    for (let row = 0; row < 2; row++) {
      for (let column = 0; column < 18; column++) putBits(column == 3 ? 0x80 : column == 17 ? 5 : 0, 8);
    }
    endLayer();
    expect(loaded()).toBe(STATUS_DONE);
    start();
    expect(decodeRow(0, 2)).toBe(STATUS_BUSY);
    expectRecords([(5 << 8) | 0x80, (37 << 8) | 5]);
    expect(weightSum).toBe(-123);
  });

  it("come as records from bins of contexts", () => {
    beginLayer(CODEC_CABAC, 8 + 4); // 15 contexts of 4 bytes
    putBits(1, 4); // a flag
    putBits(3, 3); // shifts of 4 and 7
    putBits(3, 3);
    putBits(0, 1); // no codebook
    // 1, -2 and, in column 8, -1; in the second row 1 in the last column, as host/codecs/cabac.ts codes them.
    for (let i = 0; i < STREAM.length; i++) putBits(STREAM[i], 8);
    endLayer();
    expect(loaded()).toBe(STATUS_DONE);
    start();
    expect(decodeRow(0, 3)).toBe(STATUS_BUSY);
    expectRecords([1, (1 << 8) | 0xfe, (12 << 8) | 0xff]);
    expect(weightSum).toBe(-2);
    expect(decodeRow(1, 1)).toBe(STATUS_BUSY);
    expectRecords([(37 << 8) | 1]);
    let status: i32 = STATUS_BUSY;
    while (status == STATUS_BUSY) status = step(1);
    expect(status).toBe(STATUS_DONE);
  });

  it("come as records from arithmetic codes", () => {
    for (let hasMap = 0; hasMap < 2; hasMap++) {
      beginLayer(CODEC_ARITHMETIC, 4);
      putArithmetic(<bool>hasMap);
      endLayer();
      expect(loaded()).toBe(STATUS_DONE);
      expect(start()).toBe(STATUS_BUSY);
      expect(decodeRow(0, 3)).toBe(STATUS_BUSY);
      expectRecords([1, (1 << 8) | 0xfe, (12 << 8) | 0xff]);
      expect(weightSum).toBe(-2);
      expect(decodeRow(1, 1)).toBe(STATUS_BUSY);
      expectRecords([(37 << 8) | 1]);
      expect(run()).toBe(STATUS_DONE);
      // Again, from where nothing is as it was.
      expect(run()).toBe(STATUS_DONE);
    }
  });

  it("by arithmetic codes must have the tables that they take, and end with the section", () => {
    beginLayer(CODEC_ARITHMETIC, -1);
    putArithmetic(false);
    endLayer();
    expect(loaded()).toBe(STATUS_PLAN);
    beginLayer(CODEC_ARITHMETIC, 4);
    putArithmetic(false);
    // Some zeros may follow, which are no more than those behind the end; but not more than are read.
    putBits(0, 32);
    putBits(0, 32);
    endLayer();
    expect(loaded()).toBe(STATUS_DONE);
    expect(run()).toBe(STATUS_STREAM);
  });

  it("may be any bits for arithmetic codes", () => {
    for (let fill: u32 = 0; fill < 256; fill += 5) {
      beginLayer(CODEC_ARITHMETIC, 4);
      for (let i: u32 = 0; i < 40; i++) putBits(fill * (i | 1), 8);
      endLayer();
      let status = loaded();
      if (status == STATUS_DONE) status = run();
      let isRefused = status == STATUS_STREAM || status == STATUS_PLAN || status == STATUS_RANGE;
      expect(isRefused || status == STATUS_DONE).toBeTruthy(status.toString());
    }
  });

  it("may be more than there is room for at once, in a dense layer", () => {
    beginLayer(CODEC_DENSE, 1);
    for (let i = 0; i < 36; i++) putBits(1, 8);
    endLayer();
    expect(loaded()).toBe(STATUS_DONE);
    start();
    let status: i32 = STATUS_BUSY;
    let most: usize = 0;
    while (status == STATUS_BUSY) {
      status = step(1);
      // Before the first row is begun it is what another layer has left.
      if (recordsEnd == recordsPtr) most = 4;
      if (most) most = max(most, recordsEnd - recordsPtr);
    }
    expect(most).toBe(8);
    expect(status).toBe(STATUS_DONE);
  });

  it("must end with the section", () => {
    beginLayer(CODEC_HUFFMAN, 4);
    putCodes();
    putSymbols();
    putBits(0, 8);
    endLayer();
    expect(loaded()).toBe(STATUS_DONE);
    start();
    let status: i32 = STATUS_BUSY;
    while (status == STATUS_BUSY) status = step(1000);
    expect(status).toBe(STATUS_STREAM);
  });

  it("must not end with ones", () => {
    beginLayer(CODEC_HUFFMAN, 4);
    putCodes();
    putSymbols();
    putBits(1, 1);
    endLayer();
    loaded();
    start();
    let status: i32 = STATUS_BUSY;
    while (status == STATUS_BUSY) status = step(1000);
    expect(status).toBe(STATUS_STREAM);
  });

  it("must not run over the section", () => {
    beginLayer(CODEC_HUFFMAN, 4);
    putCodes();
    putCode("0");
    putCode("11");
    endLayer();
    expect(loaded()).toBe(STATUS_DONE);
    start();
    let status: i32 = STATUS_BUSY;
    while (status == STATUS_BUSY) status = step(1000);
    expect(status).toBe(STATUS_STREAM);
    // An error of a run does not end the model.
    expect(start()).toBe(STATUS_BUSY);
  });
});
