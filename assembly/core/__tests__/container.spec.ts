import {
  CONTROL_ERROR_OFFSET,
  CONTROL_LAYERS_DONE,
  CONTROL_MEMORY_BYTES,
  CONTROL_METADATA,
  CONTROL_OUTPUT_TENSOR,
  STATUS_BUSY,
  STATUS_CODEC,
  STATUS_CRC,
  STATUS_DONE,
  STATUS_HUFFMAN,
  STATUS_MAGIC,
  STATUS_MEMORY,
  STATUS_OP,
  STATUS_PLAN,
  STATUS_RANGE,
  STATUS_SHAPE,
  STATUS_STREAM,
  STATUS_TRUNCATED,
  STATUS_VERSION,
} from "../../abi";
import { CODEC_HUFFMAN, FORM_PER_CHANNEL, OP_AVGPOOL, OP_CONV2D } from "../../format";
import { open, start, step } from "../graph";
import {
  beginFile,
  endFile,
  fileLength,
  filePtr,
  fixCrc,
  MEMORY_BYTES,
  pad,
  patch,
  putBits,
  putCode,
  putVarint,
} from "./file-builder";

/** The fields of the files below in their order; one of them gets another value. */
let field: i32 = 0;
let changedField: i32 = -1;
let changedValue: u32 = 0;

function next(value: u32): u32 {
  return field++ == changedField ? changedValue : value;
}

function number(value: u32): void {
  putVarint(next(value));
}

function bitField(value: u32, count: u32): void {
  putBits(next(value), count);
}

function tensor(channels: u32, height: u32, width: u32, border: u32, offset: u32): void {
  number(channels);
  number(height);
  number(width);
  number(channels);
  bitField(border, 8);
  bitField(reinterpret<u32>(<f32>0.5), 32);
  bitField(0, 8);
  number(offset);
}

/** Tensors [2, 6, 6] with a border of 1 and [2, 3, 3]; plan regions of just the sizes that the convolution needs. */
function beginModel(layers: u32 = 1): void {
  field = 0;
  beginFile();
  number(2); // 0: tensors
  number(layers); // 1: layers
  number(16); // 2: window
  number(3); // 3: tables, 20 bytes
  number(5); // 4: columns, 36 bytes
  number(1); // 5: channels, 8 bytes
  number(1); // 6: records, 8 bytes
  number(19); // 7: arena, 128 + 18 bytes
  tensor(2, 6, 6, 1, 0); // 8 … 15
  tensor(2, 3, 3, 0, 16); // 16 … 23
}

/** A 3 × 3 convolution with padding and a 2 × 2 pool, one weight in its first row. */
function putConv2d(): void {
  beginModel();
  bitField(OP_CONV2D, 8); // 24
  number(0); // 25: input
  number(1); // 26: output
  number(3); // 27: kernelHeight
  number(3); // 28: kernelWidth
  number(1); // 29: stride
  number(1); // 30: pad
  number(1); // 31: groups
  number(2); // 32: poolSize
  number(2); // 33: poolStride
  bitField(0x80, 8); // 34: clampMin
  bitField(0x7f, 8); // 35: clampMax
  bitField(CODEC_HUFFMAN, 8); // 36: form
  bitField(4, 8); // 37: biasBits
  bitField(2, 8); // 38: biasShift
  let sectionAt = fileLength();
  putBits(0, 8);
  bitField(0x40000000, 31); // 39: multiplier
  bitField(31, 6); // 40: shift
  bitField(7, 4); // 41, 42: biases
  bitField(8, 4);
  putBits(0, 2); // no column map, a grid
  bitField(0xff, 8); // 43: first
  bitField(1, 8); // 44: count - 1
  bitField(1, 4); // 45, 46: lengths
  bitField(1, 4);
  bitField(2, 10); // 47: gap symbols - 2
  bitField(1, 4); // 48 … 51: lengths
  bitField(2, 4);
  bitField(3, 4);
  bitField(3, 4);
  // Gap 0, a weight, and 35 more positions: 11 fillers of 3, and 2.
  putCode("0");
  putCode("1");
  for (let i = 0; i < 11; i++) putCode("111");
  putCode("110");
  pad();
  patch(sectionAt, fileLength() - sectionAt - 1);
  endFile();
}

function putPool(): void {
  beginModel();
  putPoolLayer(1);
  endFile();
}

function putPoolLayer(output: u32): void {
  bitField(OP_AVGPOOL, 8); // 24
  number(0);
  number(output);
  number(2); // 27: kernel
  number(2); // 28: stride
  bitField(0x80, 8); // 29: clampMin
  bitField(0x7f, 8); // 30: clampMax
  bitField(0x40000000, 32); // 31: multiplier
  bitField(32, 8); // 32: shift
}

function finish(begun: i32): i32 {
  let status = begun;
  while (status == STATUS_BUSY) status = step(50);
  return status;
}

/** The status of loading a file in which one field is changed. */
function convWith(which: i32, value: u32): i32 {
  changedField = which;
  changedValue = value;
  putConv2d();
  changedField = -1;
  return finish(open(MEMORY_BYTES));
}

function poolWith(which: i32, value: u32): i32 {
  changedField = which;
  changedValue = value;
  putPool();
  changedField = -1;
  return finish(open(MEMORY_BYTES));
}

/** The same of a file in linear memory: where it was put together, far above its plan. */
function residentWith(which: i32, value: u32): i32 {
  changedField = which;
  changedValue = value;
  putConv2d();
  changedField = -1;
  endFile(filePtr());
  return finish(open(filePtr() + fileLength() + 8));
}

/** For each field and value, the status that a convolution gets. */
function expectConv(field: i32, values: StaticArray<u32>, status: i32): void {
  for (let i = 0; i < values.length; i++) {
    expect(convWith(field, values[i])).toBe(status, "field " + field.toString() + " = " + values[i].toString());
  }
}

describe("loading", () => {
  it("takes a convolution and runs it", () => {
    expect(convWith(-1, 0)).toBe(STATUS_DONE);
    expect(load<u32>(CONTROL_OUTPUT_TENSOR)).toBe(1);
    expect(load<u32>(CONTROL_MEMORY_BYTES)).toBe(256 + 2 * 32 + 8 * (16 + 3 + 5 + 1 + 1 + 19));
    expect(finish(start())).toBe(STATUS_DONE);
    expect(load<u32>(CONTROL_LAYERS_DONE)).toBe(1);
  });

  it("takes a pool and runs it", () => {
    expect(poolWith(-1, 0)).toBe(STATUS_DONE);
    expect(finish(start())).toBe(STATUS_DONE);
  });

  it("checks magic, version, length and CRC, in this order", () => {
    putConv2d();
    patch(15, 99);
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_CRC);
    patch(9, fileLength() - 1);
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_TRUNCATED);
    patch(4, 2);
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_VERSION);
    patch(3, 0);
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_MAGIC);
  });

  it("says where it found an error", () => {
    convWith(36, 2);
    let offset = load<u32>(CONTROL_ERROR_OFFSET);
    expect(offset > 40 && offset < fileLength()).toBeTruthy();
  });

  it("checks the counts", () => {
    expectConv(0, [0, 256, 0x7fffffff], STATUS_RANGE);
    expectConv(1, [0, 256], STATUS_RANGE);
    expectConv(1, [2], STATUS_TRUNCATED);
  });

  it("checks the memory plan", () => {
    expectConv(2, [0, 15, 0x7fffffff], STATUS_RANGE);
    expectConv(6, [0, 0x2000001], STATUS_RANGE);
    for (let region = 2; region < 8; region++) {
      expectConv(region, [600, 0x100000], STATUS_MEMORY);
      expectConv(region, [0x2000000], STATUS_RANGE);
    }
  });

  it("checks that layers fit the memory plan", () => {
    expectConv(3, [0, 2], STATUS_PLAN);
    expectConv(4, [0, 4], STATUS_PLAN);
    expectConv(5, [0], STATUS_PLAN);
    expectConv(36, [CODEC_HUFFMAN | FORM_PER_CHANNEL], STATUS_PLAN);
  });

  it("checks tensors", () => {
    for (let dimension = 8; dimension < 11; dimension++) expectConv(dimension, [0, 65536], STATUS_RANGE);
    expectConv(8, [65535], STATUS_RANGE);
    expectConv(11, [1, 65536], STATUS_RANGE);
    expectConv(12, [16, 255], STATUS_RANGE);
    // 0, infinity, a NaN, -0.5; and the smallest and largest that are allowed.
    expectConv(13, [0, 0x7f800000, 0x7fc00000, 0xbf000000, 0x80000000], STATUS_RANGE);
    expectConv(13, [1, 0x7f7fffff], STATUS_DONE);
    expectConv(15, [4, 0x2000000, 0x7fffffff], STATUS_RANGE);
    expectConv(23, [17, 19], STATUS_RANGE);
  });

  it("checks a layer's op and tensors", () => {
    expectConv(24, [4, 255], STATUS_OP);
    expectConv(25, [2, 255], STATUS_RANGE);
    expectConv(26, [2], STATUS_RANGE);
    expectConv(25, [1], STATUS_SHAPE); // not written
    expectConv(26, [0], STATUS_SHAPE); // the input
    expectConv(23, [0, 15], STATUS_SHAPE); // they overlap
  });

  it("checks a convolution's geometry", () => {
    expectConv(27, [0, 256], STATUS_RANGE);
    expectConv(28, [0, 256], STATUS_RANGE);
    expectConv(29, [0, 256], STATUS_RANGE);
    expectConv(30, [16], STATUS_RANGE);
    expectConv(31, [0], STATUS_RANGE);
    expectConv(32, [0, 256], STATUS_RANGE);
    expectConv(33, [0, 256], STATUS_RANGE);
    expectConv(27, [4, 255], STATUS_SHAPE);
    expectConv(28, [4, 255], STATUS_SHAPE);
    expectConv(29, [2, 255], STATUS_SHAPE);
    expectConv(30, [0, 2], STATUS_SHAPE);
    expectConv(31, [3, 4], STATUS_SHAPE);
    expectConv(32, [3, 255], STATUS_SHAPE);
    expectConv(33, [3, 255], STATUS_SHAPE);
    expectConv(18, [4], STATUS_SHAPE); // an output that is too wide
  });

  it("checks what goes before the section", () => {
    expectConv(34, [0x7f], STATUS_DONE);
    expectConv(35, [0x80], STATUS_DONE);
    expectConv(35, [0], STATUS_DONE);
    expectConv(36, [2, 15], STATUS_CODEC);
    expectConv(36, [CODEC_HUFFMAN | 32, CODEC_HUFFMAN | 128], STATUS_RANGE);
    expectConv(37, [33, 255], STATUS_RANGE);
    expectConv(38, [32, 255], STATUS_RANGE);
  });

  it("checks scales and biases", () => {
    expectConv(39, [0, 0x3fffffff], STATUS_RANGE);
    expectConv(39, [0x7fffffff], STATUS_DONE);
    expectConv(40, [0, 63], STATUS_RANGE);
    expectConv(40, [1, 62], STATUS_DONE);
    // 7 × 2^28 and -8 × 2^28 fit an int32, 7 × 2^29 does not.
    expectConv(38, [28], STATUS_DONE);
    expectConv(38, [29], STATUS_RANGE);
  });

  it("checks the codes", () => {
    expectConv(43, [127], STATUS_RANGE);
    expectConv(43, [126], STATUS_DONE);
    expectConv(45, [2, 13], STATUS_HUFFMAN);
    expectConv(48, [0, 2], STATUS_HUFFMAN);
    expectConv(51, [2, 4, 15], STATUS_HUFFMAN);
    // Twelve more bits of lengths than there are bits in the section.
    expectConv(47, [1023], STATUS_STREAM);
  });

  it("checks a pool", () => {
    expect(poolWith(27, 0)).toBe(STATUS_RANGE);
    expect(poolWith(27, 3)).toBe(STATUS_SHAPE);
    expect(poolWith(28, 0)).toBe(STATUS_RANGE);
    expect(poolWith(28, 3)).toBe(STATUS_SHAPE);
    expect(poolWith(16, 1)).toBe(STATUS_SHAPE);
    expect(poolWith(29, 0x7f)).toBe(STATUS_DONE);
    expect(poolWith(30, 0x80)).toBe(STATUS_DONE);
    expect(poolWith(31, 0x3fffffff)).toBe(STATUS_RANGE);
    expect(poolWith(31, 0x80000000)).toBe(STATUS_RANGE);
    expect(poolWith(32, 0)).toBe(STATUS_RANGE);
    expect(poolWith(32, 63)).toBe(STATUS_RANGE);
    expect(poolWith(24, 2)).toBe(STATUS_DONE); // a max-pool, whose multiplier is then metadata
  });

  it("checks that a range is not upside down", () => {
    putPool();
    // clampMin and clampMax, in front of a multiplier of 4 bytes and a shift.
    patch(fileLength() - 7, 1);
    patch(fileLength() - 6, 0);
    fixCrc();
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_RANGE);
    patch(fileLength() - 6, 1);
    fixCrc();
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_DONE);
  });

  it("takes varints in the fewest bytes only", () => {
    // The window of 16 units in two bytes: 90 00.
    beginFile();
    putVarint(2);
    putVarint(1);
    putBits(0x0090, 16);
    for (let i = 0; i < 40; i++) putBits(0, 8);
    endFile();
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_RANGE);
    // Five bytes that make 2^31, and six.
    beginFile();
    putBits(0x80808080, 32);
    putBits(8, 8);
    for (let i = 0; i < 40; i++) putBits(0, 8);
    endFile();
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_RANGE);
    beginFile();
    for (let i = 0; i < 5; i++) putBits(0x81, 8);
    putBits(0, 8);
    endFile();
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_RANGE);
  });

  it("leaves to the host where the metadata behind the last layer begins", () => {
    for (let bytes: u32 = 0; bytes < 3; bytes++) {
      putPool();
      putBits(0, 8 * bytes);
      endFile();
      expect(finish(open(MEMORY_BYTES))).toBe(STATUS_DONE);
      expect(load<u32>(CONTROL_METADATA)).toBe(fileLength() - bytes);
    }
  });

  it("refuses a tensor that two layers write, and one that is the model's input", () => {
    for (let output: u32 = 0; output < 2; output++) {
      beginModel(2);
      putPoolLayer(1);
      // The other way round, or once more: shapes and places would do.
      putPoolLayer(output);
      endFile();
      expect(finish(open(MEMORY_BYTES))).toBe(STATUS_SHAPE);
    }
  });

  it("counts the window of a resident model where a plan must be below 2^28", () => {
    // 256 + 2 × 32 and regions of 120, 280, 320, 120, 2^28 - 1136 - 128 and 152 bytes: 2^28 with the window.
    let most: u32 = (1 << 28) - 256 - 64 - 8 * (16 + 3 + 5 + 1 + 19);
    expect(residentWith(6, most >>> 3)).toBe(STATUS_RANGE);
    // Smaller by one unit it is only more than there is.
    expect(residentWith(6, (most >>> 3) - 1)).toBe(STATUS_MEMORY);
  });

  it("needs the plan's memory and no more", () => {
    putConv2d();
    let planBytes = 256 + 2 * 32 + 8 * (16 + 3 + 5 + 1 + 1 + 19);
    expect(finish(open(planBytes))).toBe(STATUS_DONE);
    expect(finish(open(planBytes - 1))).toBe(STATUS_MEMORY);
  });
});
