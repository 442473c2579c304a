import {
  CONTROL_ERROR_OFFSET,
  CONTROL_LAYERS_DONE,
  CONTROL_MEMORY_BYTES,
  CONTROL_METADATA,
  CONTROL_OUTPUT_TENSOR,
  CONTROL_VERSION,
  INTERFACE_VERSION,
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
  STATUS_STATE,
  STATUS_TRUNCATED,
  STATUS_VERSION,
} from "../../abi";
import {
  CODEC_HUFFMAN,
  FLAG_END,
  FLAG_NOMINAL,
  FLAG_SIZE,
  FLAG_STATE,
  FORM_CLAMP,
  OP_APPEND,
  OP_AVGPOOL,
  OP_CONV2D,
  OP_MAXPOOL,
} from "../../format";
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

/** The x that `axes` was given, for a pair of two numbers. */
let changedX: u32 = 0;

function pair(value: u32): void {
  let y = next(value);
  putVarint(y);
  if (y & 1) putVarint(changedX);
}

/** A pair of two values, for a field of a pair. */
function axes(y: u32, x: u32): u32 {
  changedX = x;
  return 2 * y + 1;
}

function bitField(value: u32, count: u32): void {
  putBits(next(value), count);
}

function tensor(channels: u32, height: u32, width: u32, border: u32, offset: u32): void {
  number(channels);
  bitField(FLAG_END | FLAG_SIZE | FLAG_NOMINAL | border, 8);
  number(height);
  number(width);
  number(channels + 1);
  bitField(reinterpret<u32>(<f32>0.5), 32);
  bitField(0, 8);
  number(offset);
}

/** Tensors [2, 6, 6] with a border of 1 and [2, 3, 3]; a scratch region of just the size that the convolution needs. */
function beginModel(layers: u32 = 1): void {
  field = 0;
  beginFile();
  number((1 << OP_CONV2D) | (1 << OP_AVGPOOL) | (1 << OP_MAXPOOL)); // 0: ops
  number(1 << CODEC_HUFFMAN); // 1: codecs
  number(1 + layers); // 2: tensors
  number(layers); // 3: layers
  number(16); // 4: window
  number(10); // 5: scratch, 8 bytes of channels, 36 of columns, 20 of tables and 8 of records
  number(19); // 6: arena, 128 + 18 bytes
  tensor(2, 6, 6, 1, 0); // 7 … 14
  tensor(2, 3, 3, 0, 128); // 15 … 22
}

/** A 3 × 3 convolution with padding and a 2 × 2 pool, one weight in its first row. */
function putConv2d(): void {
  beginModel();
  bitField(OP_CONV2D, 8); // 23
  number(0); // 24: distance
  pair(6); // 25: kernel, 3 × 3
  pair(2); // 26: stride
  pair(2); // 27: pad
  number(1); // 28: groups
  pair(4); // 29: pool, 2 × 2
  pair(4); // 30: poolStride
  bitField(CODEC_HUFFMAN | FORM_CLAMP, 8); // 31: form
  bitField(0x80, 8); // 32: clampMin
  bitField(0x7f, 8); // 33: clampMax
  let sectionAt = fileLength();
  putBits(0, 8);
  bitField(4, 6); // 34: biasBits
  bitField(2, 5); // 35: biasShift
  bitField(0x40000000, 31); // 36: multiplier
  bitField(31, 6); // 37: shift
  bitField(7, 4); // 38, 39: biases
  bitField(8, 4);
  putBits(0, 2); // no column map, a grid
  bitField(0xff, 8); // 40: first
  bitField(1, 8); // 41: count - 1
  bitField(1, 4); // 42, 43: lengths
  bitField(1, 4);
  bitField(2, 10); // 44: gap symbols - 2
  bitField(1, 4); // 45 … 48: lengths
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
  putPoolLayer(0);
  endFile();
}

function putPoolLayer(distance: u32): void {
  bitField(OP_AVGPOOL, 8); // 23
  number(distance);
  pair(4); // 25: kernel, 2 × 2
  pair(4); // 26: stride
  pair(0); // 27: pad
  bitField(FORM_CLAMP, 8); // 28: form
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
  return finish(open(<u32>filePtr() + fileLength() + 8));
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
    expect(load<u32>(CONTROL_VERSION)).toBe(INTERFACE_VERSION);
    expect(load<u32>(CONTROL_OUTPUT_TENSOR)).toBe(1);
    expect(load<u32>(CONTROL_MEMORY_BYTES)).toBe(256 + 2 * 32 + 8 * (16 + 10 + 19));
    expect(finish(start())).toBe(STATUS_DONE);
    expect(load<u32>(CONTROL_LAYERS_DONE)).toBe(1);
  });

  it("takes a pool and runs it", () => {
    expect(poolWith(-1, 0)).toBe(STATUS_DONE);
    expect(finish(start())).toBe(STATUS_DONE);
  });

  it("checks magic, version and CRC, in this order", () => {
    putConv2d();
    patch(15, 99);
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_CRC);
    patch(3, 1);
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_VERSION);
    patch(2, 0);
    expect(finish(open(MEMORY_BYTES))).toBe(STATUS_MAGIC);
  });

  it("says where it found an error", () => {
    convWith(31, CODEC_HUFFMAN | 8);
    let offset = load<u32>(CONTROL_ERROR_OFFSET);
    expect(offset > 40 && offset < fileLength()).toBeTruthy();
  });

  it("names the lowest op or codec that it lacks", () => {
    expect(convWith(0, 0x1001)).toBe(STATUS_OP);
    expect(load<u32>(CONTROL_ERROR_OFFSET)).toBe(12);
    expect(convWith(0, 0x7ffff801)).toBe(STATUS_OP);
    expect(load<u32>(CONTROL_ERROR_OFFSET)).toBe(OP_APPEND + 1);
    expect(convWith(1, 0xa2)).toBe(STATUS_CODEC);
    expect(load<u32>(CONTROL_ERROR_OFFSET)).toBe(5);
  });

  it("takes no op and no codec that the head does not name", () => {
    expectConv(0, [1 << OP_AVGPOOL], STATUS_RANGE);
    expectConv(1, [0, 1], STATUS_RANGE);
    expectConv(23, [4, 31, 32, 255], STATUS_RANGE);
    expectConv(31, [2 | FORM_CLAMP, 7 | FORM_CLAMP], STATUS_RANGE);
  });

  it("checks the counts", () => {
    expectConv(2, [0, 1, 1025, 0x7fffffff], STATUS_RANGE);
    expectConv(3, [0, 2], STATUS_RANGE);
  });

  it("checks the memory plan", () => {
    expectConv(4, [0, 15, 0x7fffffff], STATUS_RANGE);
    for (let region = 4; region < 7; region++) {
      expectConv(region, [600, 0x100000], STATUS_MEMORY);
      expectConv(region, [0x2000000, 0x2000001], STATUS_RANGE);
    }
  });

  it("checks that layers fit the memory plan", () => {
    expectConv(5, [0, 1, 5, 8, 9], STATUS_PLAN);
  });

  it("checks tensors", () => {
    for (let dimension = 0; dimension < 3; dimension++) {
      expectConv(dimension ? 8 + dimension : 7, [0, 65536], STATUS_RANGE);
    }
    expectConv(7, [65535], STATUS_RANGE);
    expectConv(11, [65535], STATUS_DONE); // nominal channels, which nothing depends on
    // 0, infinity, a NaN, -0.5; and the smallest and largest that are allowed.
    expectConv(12, [0, 0x7f800000, 0x7fc00000, 0xbf000000, 0x80000000], STATUS_RANGE);
    expectConv(12, [1, 0x7f7fffff], STATUS_DONE);
    expectConv(14, [25, 0x2000000, 0x7fffffff], STATUS_RANGE);
    expectConv(22, [135, 152], STATUS_RANGE);
    expectConv(22, [134], STATUS_DONE);
  });

  it("checks what tensors are to the graph", () => {
    let fields = FLAG_SIZE | FLAG_NOMINAL;
    // Without the flag of an end there is no scale, so that what follows is read out of step; but for the last tensor's the flags are seen first.
    expectConv(16, [fields | FLAG_STATE, fields | FLAG_STATE | FLAG_END], STATUS_RANGE);
    expectConv(8, [fields | FLAG_STATE | FLAG_END | 1], STATUS_RANGE);
  });

  it("checks a layer's tensors", () => {
    expectConv(24, [1, 2, 255], STATUS_RANGE);
  });

  it("checks a convolution's geometry", () => {
    expectConv(25, [0, 512], STATUS_RANGE);
    expectConv(26, [0, 512], STATUS_RANGE);
    expectConv(28, [0, 65536], STATUS_RANGE);
    expectConv(29, [0, 512], STATUS_RANGE);
    expectConv(30, [0, 512], STATUS_RANGE);
    expectConv(25, [8, 510], STATUS_SHAPE);
    expectConv(26, [4, 510], STATUS_SHAPE);
    expectConv(27, [0], STATUS_SHAPE);
    expectConv(27, [4], STATUS_RANGE); // more than the border
    expectConv(28, [3, 4], STATUS_SHAPE);
    expectConv(29, [6, 510], STATUS_SHAPE);
    expectConv(30, [6, 510], STATUS_SHAPE);
    expectConv(18, [4], STATUS_SHAPE); // an output that is too wide
    expectConv(17, [2], STATUS_DONE); // one that is lower than it could be
  });

  it("checks each axis of a pair", () => {
    // Two fields in one: y in the first byte, x in the second.
    for (let which = 25; which < 31; which++) {
      if (which == 28) continue;
      let least: u32 = which == 27 ? 0 : 1;
      let most: u32 = which == 27 ? 15 : 255;
      expect(convWith(which, axes(most + 1, least))).toBe(STATUS_RANGE);
      expect(convWith(which, axes(least, most + 1))).toBe(STATUS_RANGE);
      if (least) expect(convWith(which, axes(0, least))).toBe(STATUS_RANGE);
      if (least) expect(convWith(which, axes(least, 0))).toBe(STATUS_RANGE);
      // In range, but more than the input has.
      let status = which == 27 ? STATUS_RANGE : STATUS_SHAPE;
      expect(convWith(which, axes(most, least))).toBe(status);
      expect(convWith(which, axes(least, most))).toBe(status);
    }
    expect(convWith(25, axes(3, 2))).toBe(STATUS_DONE);
    expect(convWith(25, axes(2, 3))).toBe(STATUS_DONE);
  });

  it("checks what goes before the section", () => {
    expectConv(32, [0x7f], STATUS_DONE);
    expectConv(33, [0x80], STATUS_DONE);
    expectConv(33, [0], STATUS_DONE);
    expectConv(31, [CODEC_HUFFMAN | FORM_CLAMP | 8, CODEC_HUFFMAN | FORM_CLAMP | 128], STATUS_RANGE);
    expectConv(34, [33, 63], STATUS_RANGE);
  });

  it("checks scales and biases", () => {
    expectConv(36, [0, 0x3fffffff], STATUS_RANGE);
    expectConv(36, [0x7fffffff], STATUS_DONE);
    expectConv(37, [0, 63], STATUS_RANGE);
    expectConv(37, [1, 62], STATUS_DONE);
    // 7 × 2^28 and -8 × 2^28 fit an int32, 7 × 2^29 does not.
    expectConv(35, [28], STATUS_DONE);
    expectConv(35, [29], STATUS_RANGE);
  });

  it("checks the codes", () => {
    expectConv(40, [127], STATUS_RANGE);
    expectConv(40, [126], STATUS_DONE);
    expectConv(42, [2, 13], STATUS_HUFFMAN);
    expectConv(45, [0, 2], STATUS_HUFFMAN);
    expectConv(48, [2, 4, 15], STATUS_HUFFMAN);
    // Twelve more bits of lengths than there are bits in the section.
    expectConv(44, [1023], STATUS_STREAM);
  });

  it("checks a pool", () => {
    expect(poolWith(25, 0)).toBe(STATUS_RANGE);
    expect(poolWith(25, 0x20000)).toBe(STATUS_RANGE);
    expect(poolWith(25, 0x1fffe)).toBe(STATUS_SHAPE);
    expect(poolWith(25, 6)).toBe(STATUS_DONE); // into the border
    expect(poolWith(25, 8)).toBe(STATUS_SHAPE);
    expect(poolWith(26, 0)).toBe(STATUS_RANGE);
    expect(poolWith(26, 0x20000)).toBe(STATUS_RANGE);
    expect(poolWith(26, 6)).toBe(STATUS_SHAPE);
    expect(poolWith(27, 2)).toBe(STATUS_DONE);
    expect(poolWith(27, 4)).toBe(STATUS_RANGE); // more than the border
    expect(poolWith(15, 1)).toBe(STATUS_SHAPE);
    for (let bit: u32 = 0; bit < 5; bit++) expect(poolWith(28, FORM_CLAMP | (1 << bit))).toBe(STATUS_RANGE);
    expect(poolWith(28, FORM_CLAMP | 128)).toBe(STATUS_RANGE);
    expect(poolWith(29, 0x7f)).toBe(STATUS_DONE);
    expect(poolWith(30, 0x80)).toBe(STATUS_DONE);
    expect(poolWith(31, 0x3fffffff)).toBe(STATUS_RANGE);
    expect(poolWith(31, 0x80000000)).toBe(STATUS_RANGE);
    expect(poolWith(32, 0)).toBe(STATUS_RANGE);
    expect(poolWith(32, 63)).toBe(STATUS_RANGE);
    expect(poolWith(23, OP_MAXPOOL)).toBe(STATUS_DONE); // its multiplier is then metadata
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
    // The masks of ops in two bytes: 81 00.
    beginFile();
    putBits(0x0081, 16);
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

  it("counts the window of a resident model where a plan must be below 2^28", () => {
    // 256 + 2 × 32 and regions of 128, 2^28 - 600 and 152 bytes: 2^28 with the window.
    let most: u32 = (1 << 28) - 256 - 64 - 8 * (16 + 19);
    expect(residentWith(5, most >>> 3)).toBe(STATUS_RANGE);
    // Smaller by one unit it is only more than there is.
    expect(residentWith(5, (most >>> 3) - 1)).toBe(STATUS_MEMORY);
  });

  it("needs the plan's memory and no more", () => {
    putConv2d();
    let planBytes = 256 + 2 * 32 + 8 * (16 + 10 + 19);
    expect(finish(open(planBytes))).toBe(STATUS_DONE);
    expect(finish(open(planBytes - 1))).toBe(STATUS_MEMORY);
  });
});
