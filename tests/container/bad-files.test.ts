/** Every way a file can be wrong gets one error that says what, where and what was expected; nothing else is ever thrown. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CRC_START } from "../../assembly/format.js";
import { BitWriter } from "../../host/codecs/bit-writer.js";
import { crc32 } from "../../host/container/crc32.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { MoteError, type ErrorCode } from "../../host/errors.js";
import { leb128 } from "../../host/module/leb128.js";
import type { QModel } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { buildModel, randomInput, syntheticModels } from "../support/models.js";

function errorOf(bytes: Uint8Array): MoteError {
  try {
    readContainer(bytes, { maxWeights: 2 ** 22 });
  } catch (error) {
    if (error instanceof MoteError) return error;
    throw error;
  }
  throw new Error("expected an error, the file was read");
}

/** The file with its CRC made right again. */
function signed(bytes: Uint8Array | readonly number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (copy.length > CRC_START) {
    new DataView(copy.buffer).setUint32(CRC_START - 4, crc32(copy.subarray(CRC_START)), true);
  }
  return copy;
}

function changed(bytes: Uint8Array, offset: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, offset);
  return copy;
}

/** With other bytes, as many or not, in place of some. */
const replaced = (bytes: Uint8Array, offset: number, length: number, ...values: number[]): Uint8Array =>
  signed([...bytes.subarray(0, offset), ...values, ...bytes.subarray(offset + length)]);

const bytesOf = (hex: string): number[] => [...Buffer.from(hex.replaceAll(" ", ""), "hex")];

/** Multiplier, shift and biases of a section. */
interface SectionHead {
  readonly biasBits?: number;
  readonly biasShift?: number;
  readonly multiplier?: number;
  readonly biases?: readonly number[];
}

/**
 * A file of one dense layer, 4 inputs and 2 outputs, whose fields stand at known offsets: masks 8, counts 10, plan 12, tensors 15 and 23,
 * layer 31, section 35. Its scratch region is 32 bytes, of channels, columns, tables and records 8 each.
 * @param section bits of the section behind its head, which takes 6 bytes: no biases
 */
function handmade(
  section: (bits: BitWriter) => void,
  change: (bytes: number[]) => void = () => {},
  { biasBits = 0, biasShift = 0, multiplier = 2 ** 30, biases = [0, 0] }: SectionHead = {},
): Uint8Array {
  const bits = new BitWriter();
  bits.write(biasBits, 6);
  bits.write(biasShift, 5);
  bits.write(multiplier, 31);
  bits.write(31, 6);
  for (const bias of biases) bits.write(bias, Math.min(32, biasBits));
  section(bits);
  const body = [...bits.finish()];
  const head = "4d4f54 02 00000000 02 02 02 01 10 04 02";
  const tensors = "04 40 0000803f 80 00  02 40 0000803f 00 08";
  const bytes = [...bytesOf(head + tensors + "01 00 01"), body.length, ...body];
  change(bytes);
  return signed(bytes);
}

/** Grid -1, 0, 1 with codes 1, 1 for the outer two; gaps 0 and filler, of one bit each. */
function head(
  bits: BitWriter,
  weightLengths: readonly number[] = [1, 0, 1],
  gapLengths: readonly number[] = [1, 1],
): void {
  bits.write(0, 2);
  bits.write(-1, 8);
  bits.write(weightLengths.length - 1, 8);
  for (const length of weightLengths) bits.write(length, 4);
  bits.write(gapLengths.length - 2, 10);
  for (const length of gapLengths) bits.write(length, 4);
}

/** Gap 0 and weight 1 eight times over, without a code for the end. */
function fill(bits: BitWriter, times: number): void {
  for (let i = 0; i < times; i++) bits.write(0b10, 2);
}

/** A section of so many bytes. */
const cutSection = (length: number): Uint8Array =>
  handmade(
    () => {},
    (bytes) => (bytes.splice(35 + length), (bytes[34] = length)),
  );

test("the handmade file is a good one", () => {
  const { model } = readContainer(handmade((bits) => (head(bits), fill(bits, 8))));
  expect(model.layers[0]).toMatchObject({ op: "dense", weights: new Int8Array(8).fill(1) });
});

describe("streams and codes", () => {
  test.each<[string, Uint8Array, RegExp]>([
    [
      "a stream that ends early",
      handmade((b) => (head(b), fill(b, 1))),
      /section of layer 0 ends within the (gap|weight) code: 1 bits wanted, 0 are left/,
    ],
    [
      "a stream that runs over",
      handmade((b) => (head(b), fill(b, 8), b.write(0, 16))),
      /section of layer 0 runs over: \d+ bits are left/,
    ],
    [
      "padding that is not zero",
      handmade((b) => (head(b), fill(b, 8), b.write(1, 1)), undefined, { biasBits: 1 }),
      /padding bits 1, expected zeros/,
    ],
    ["an over-subscribed weight code", handmade((b) => head(b, [1, 1, 1])), /the weight code is over-subscribed/],
    ["an incomplete weight code", handmade((b) => head(b, [2, 1, 0])), /the weight code is incomplete/],
    ["an empty weight code", handmade((b) => head(b, [0, 0, 0])), /the weight code has no used symbol/],
    ["an over-subscribed gap code", handmade((b) => head(b, [1, 0, 1], [1, 1, 1])), /the gap code is over-subscribed/],
    ["an incomplete gap code", handmade((b) => head(b, [1, 0, 1], [1, 2])), /the gap code is incomplete/],
    ["an empty gap code", handmade((b) => head(b, [1, 0, 1], [0, 0])), /the gap code has no used symbol/],
    ["a code of 13 bits", handmade((b) => head(b, [1, 13, 1])), /the weight code has a code of 13 bits/],
    ["one weight symbol of two bits", handmade((b) => head(b, [2, 0, 0])), /has one symbol of length 2, expected 1/],
    [
      "a grid beyond 127",
      handmade((b) => {
        b.write(0, 2);
        b.write(120, 8);
        b.write(8, 8);
      }),
      /has a grid 120 … 128, expected its end to be at most 127/,
    ],
    ["a column map without a live column", handmade((b) => b.write(1, 5)), /a column map without a live column/],
    [
      "a section that ends in its column map",
      handmade(
        (b) => b.write(1, 1), // 1 bit to the byte's end
        undefined,
        { biasBits: 3 },
      ),
      /ends within columnMap: 4 bits wanted, 1 are left/,
    ],
    [
      "a section that ends in its dense weights",
      handmade(
        (b) => b.write(0, 7 * 8),
        (bytes) => ((bytes[9] = 1), (bytes[33] = 0)),
      ),
      /ends within dense weights: 64 bits wanted, 56 are left/,
    ],
    ["a section that ends in its alphabet", handmade((b) => b.write(0, 3)), /ends within (first|count)/],
    ["a section of no bytes", cutSection(0), /section of layer 0 ends within biasBits: 6 bits wanted, 0 are left/],
    ["a section that ends in its scales", cutSection(5), /ends within multipliers: 37 bits wanted, 29 are left/],
    [
      "a section that ends in its biases",
      handmade(
        () => {},
        (bytes) => (bytes.pop(), bytes[34]--),
        { biasBits: 4 },
      ),
      /ends within bias: 4 bits wanted, 0 are left/,
    ],
    [
      "bias bits",
      handmade(() => {}, undefined, { biasBits: 33 }),
      /section of layer 0 has biasBits 33, expected 0 … 32/,
    ],
    [
      "a bias beyond int32",
      handmade((b) => (head(b), fill(b, 8)), undefined, { biasBits: 2, biasShift: 31, biases: [-2, 0] }),
      /has bias -4294967296 in row 0, expected an int32/,
    ],
    [
      "a multiplier",
      handmade((b) => (head(b), fill(b, 8)), undefined, { multiplier: 2 ** 30 - 1 }),
      /has at row 0: multiplier is 1073741823, expected 1073741824 … 2147483647/,
    ],
    [
      "more than its scratch region",
      handmade(
        (b) => (head(b), fill(b, 8)),
        (bytes) => (bytes[13] = 3),
      ),
      /layer 0 needs 32 bytes of scratch, the memory plan grants 24/,
    ],
  ])("%s", (_name, bytes, message) => {
    const error = errorOf(bytes);
    expect(error.code).toBe("FORMAT");
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/\(byte \d+\)$/);
  });
});

test("a grid may end at 127", () => {
  const bytes = handmade((b) => {
    b.write(0, 2);
    b.write(126, 8);
    b.write(1, 8);
    for (const length of [1, 1]) b.write(length, 4);
    b.write(0, 10);
    for (const length of [1, 1]) b.write(length, 4);
    for (let i = 0; i < 8; i++) b.write(i % 2 === 0 ? 0b00 : 0b10, 2); // a gap of 0, then either value
  });
  const [layer] = readContainer(bytes).model.layers;
  expect(layer).toMatchObject({ weights: Int8Array.of(126, 127, 126, 127, 126, 127, 126, 127) });
});

describe("fields", () => {
  const good = handmade((bits) => (head(bits), fill(bits, 8)));
  test.each<[string, number, number[], ErrorCode, RegExp]>([
    ["magic", 0, [0x50], "FORMAT", /magic is 0x544f50, expected 0x544f4d: not a .mote file \(byte 0\)/],
    ["version", 3, [1], "UNSUPPORTED", /version is 1; this build reads versions 2 and 4 \(byte 3\)/],
    ["an op that no layer has", 8, [0x0a], "FORMAT", /ops is 0xa, but the layers have 0x2$/],
    ["no ops", 8, [0], "FORMAT", /layer 0 op is 1, expected one of those that ops names, 0x0 \(byte 31\)/],
    [
      "a codec that there is not",
      9,
      [0x22],
      "UNSUPPORTED",
      /codecs is 0x22: the model needs codec 5; this build has codecs 0 … 4 \(byte 9\)/,
    ],
    ["a codec that no layer has", 9, [3], "FORMAT", /codecs is 0x3, but the layers have 0x2$/],
    ["no codecs", 9, [0], "FORMAT", /layer 0 codec is 1, expected one of those that codecs names, 0x0/],
    ["no tensors", 10, [0], "FORMAT", /tensorCount is 0, expected 2 … 1024 \(byte 10\)/],
    ["one tensor", 10, [1], "FORMAT", /tensorCount is 1, expected 2 … 1024 \(byte 10\)/],
    ["no layers", 11, [0], "FORMAT", /layerCount is 0, expected 1 … 1 \(byte 11\)/],
    ["as many layers as tensors", 11, [2], "FORMAT", /layerCount is 2, expected 1 … 1 \(byte 11\)/],
    ["a small window", 12, [15], "FORMAT", /window is 120 bytes, expected at least 128/],
    ["no scratch", 13, [0], "FORMAT", /layer 0 needs 32 bytes of scratch, the memory plan grants 0/],
    ["a tensor beyond the arena", 30, [16], "FORMAT", /tensor 1: offset is 16: its 2 bytes end beyond the arena's 16/],
    [
      "a border beyond the arena",
      24,
      [0x41],
      "FORMAT",
      /tensor 1: offset is 8: its 18 bytes end beyond the arena's 16/,
    ],
    ["a tensor without channels", 15, [0], "FORMAT", /tensor 0 channels is 0, expected 1 … 65535/],
    ["a scale of zero", 19, [0, 0], "FORMAT", /tensor 0: scale is 0, expected a finite positive f32/],
    ["an infinite scale", 19, [0x80, 0x7f], "FORMAT", /scale is Infinity/],
    ["a scale that is not a number", 19, [0xc0, 0x7f], "FORMAT", /scale is NaN/],
    [
      "an op that is not named",
      31,
      [2],
      "FORMAT",
      /layer 0 op is 2, expected one of those that ops names, 0x2 \(byte 31\)/,
    ],
    ["an op of another number", 31, [255], "FORMAT", /layer 0 op is 255, expected one of those that ops names, 0x2/],
    ["an input before the first", 32, [1], "FORMAT", /layer 0 input is 1, expected 0 … 0 \(byte 32\)/],
    [
      "a codec that is not named",
      33,
      [0],
      "FORMAT",
      /layer 0 codec is 0, expected one of those that codecs names, 0x2/,
    ],
    ["bit 3 of the form", 33, [0x09], "FORMAT", /layer 0 form is 0x9, expected no other bits than 0x77 \(byte 33\)/],
    ["bit 7 of the form", 33, [0x81], "FORMAT", /layer 0 form is 0x81, expected no other bits than 0x77/],
    ["tensors that overlap", 30, [0], "FORMAT", /its output, tensor 1, overlaps its input, tensor 0, in the arena/],
    ["a section beyond the file", 34, [127], "FORMAT", /ends within layer 0 section: 127 bytes wanted, \d+ are left/],
  ])("%s", (_name, offset, values, code, message) => {
    const error = errorOf(signed(changed(good, offset, ...values)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  const SCALE = [0, 0, 0x80, 0x3f];
  // Tensors take 8 bytes here: channels, flags, scale, zero point, offset.
  test.each<[string, number, number[], RegExp]>([
    [
      "an op that there is not",
      8,
      [0x82, 16],
      /ops is 0x802: the model needs op 11; this build has ops 0 … 10 \(byte 8\)/,
    ],
    ["an op of bit 30", 8, [0x82, 0x80, 0x80, 0x80, 4], /ops is 0x40000002: the model needs op 30; this build has/],
    ["a tensor too many", 10, leb128(1025), /tensorCount is 1025, expected 2 … 1024 \(byte 10\)/],
    ["a layer too many", 11, leb128(1024), /layerCount is 1024, expected 1 … 1 \(byte 11\)/],
    ["a tensor of too many channels", 15, leb128(65536), /tensor 0 channels is 65536, expected 1 … 65535/],
  ])("%s", (_name, offset, values, message) => {
    expect(errorOf(replaced(good, offset, 1, ...values)).message).toMatch(message);
  });

  test.each<[string, number, number, number[], RegExp]>([
    ["a size of 1 × 1", 15, 2, [4, 0x50, 1, 1], /tensor 0: states a size of 1 × 1, which goes without saying/],
    ["no height", 15, 2, [4, 0x50, 0, 2], /tensor 0 height is 0, expected 1 … 65535 \(byte 17\)/],
    ["no width", 15, 2, [4, 0x50, 2, 0], /tensor 0 width is 0, expected 1 … 65535 \(byte 18\)/],
    ["a height of 65,536", 15, 2, [4, 0x50, ...leb128(65536), 1], /tensor 0 height is 65536, expected 1 … 65535/],
    [
      "a tensor of 2^24 bytes and more",
      15,
      2,
      [4, 0x50, ...leb128(65535), ...leb128(65)],
      /tensor 0: takes 17039100 bytes/,
    ],
    ["as many channels nominally", 15, 2, [4, 0x60, 4], /tensor 0 nominalChannels is 4, expected 5 … 65535/],
    ["65,536 channels nominally", 15, 2, [4, 0x60, ...leb128(65536)], /tensor 0 nominalChannels is 65536, expected 5/],
    ["an input without a scale", 16, 5, [0], /tensor 0: has no scale, which an input or output has/],
    ["no output", 24, 5, [0], /model: has no output, expected one or more/],
    ["an output with rows", 23, 2, [2, 0x50, 2, 1], /layer 0: output shape is \[2, 2, 1\], expected \[2, 1, 1\]/],
    ["a state and no input", 16, 7, [0x80, 0x80, 0, 1], /tensor 0: is a state, expected an input/],
    ["an input that is a state", 16, 7, [0xc0, ...SCALE, 0x80, 0, 1], /tensor 0: has a scale, which inputs and/],
    [
      "a layer's output that is a state",
      24,
      7,
      [0xc0, ...SCALE, 0, 8, 0],
      /tensor 1: is a layer's output and has a source/,
    ],
    ["a clamp upside down", 33, 1, [0x41, 1, 0], /layer 0 clampMax is 0, expected 1 … 127 \(byte 35\)/],
    ["a clamp below a relu", 33, 1, [0x61, 0xff], /layer 0 clampMax is -1, expected 0 … 127 \(byte 34\)/],
  ])("%s", (_name, offset, length, values, message) => {
    const error = errorOf(replaced(good, offset, length, ...values));
    expect(error.code).toBe("FORMAT");
    expect(error.message).toMatch(message);
  });

  test.each<[string, number[], readonly [number, number]]>([
    ["whole", [0x01], [-128, 127]],
    ["of a relu", [0x21], [0, 127]],
    ["of both ends", [0x41, 0xfd, 5], [-3, 5]],
    ["of a relu and an upper end", [0x61, 0], [0, 0]],
    // In more bytes than need be.
    ["whole, in bytes", [0x41, 0x80, 0x7f], [-128, 127]],
  ])("a clamp may be %s", (_name, form, clamp) => {
    expect(readContainer(replaced(good, 33, 1, ...form)).model.layers[0]).toMatchObject({ clamp });
  });

  test("a file that ends where a varint should begin", () => {
    const cut = good.slice(0, 23); // behind the first tensor
    expect(errorOf(signed(cut)).message).toBe(
      "container: ends within tensor 1 channels: 1 bytes wanted, 0 are left (byte 23)",
    );
  });

  test("varints in more bytes than they need", () => {
    expect(errorOf(replaced(good, 10, 1, 0x82, 0)).message).toMatch(
      /tensorCount is a varint with a needless last byte/,
    );
  });

  test("varints of 2^31 and more", () => {
    for (const last of [0x08, 0x80]) {
      const long = replaced(good, 10, 1, 0x80, 0x80, 0x80, 0x80, last);
      expect(errorOf(long).message).toMatch(/tensorCount is a varint of 2\^31 or more/);
    }
  });

  test("a byte after the last layer", () => {
    expect(errorOf(signed([...good, 0])).message).toMatch(/ends within metadata length/);
  });

  test("an empty file", () => {
    expect(errorOf(new Uint8Array(0)).message).toBe("container: is empty");
  });

  test("more weights than there is memory for", () => {
    const bytes = writeContainer(buildModel(1, [100, 1, 1], [{ op: "dense", out: 50, density: 0, weights: "grid" }]));
    expect(() => readContainer(bytes, { maxWeights: 4999 })).toThrow(/layer 0 has 5000 weights, room is left for 4999/);
  });

  test("a plan of 2^28 bytes", () => {
    // The head of 256, two tensors' entries, 20 units of the other regions; the arena's varint grows from one byte to four.
    const arenaOf = (total: number): number => (total - 256 - 2 * 32) / 8 - 20;
    const planned = (total: number): Uint8Array => {
      const units = leb128(arenaOf(total));
      expect(units.length).toBe(4);
      return replaced(good, 14, 1, ...units);
    };
    expect(planTotal(readContainer(planned(2 ** 28 - 8)).plan)).toBe(2 ** 28 - 8);
    expect(errorOf(planned(2 ** 28)).message).toMatch(
      /the memory plan's total is 268435456 bytes, expected fewer than 268435456/,
    );
  });

  test.each([
    ["window", 12],
    ["scratch", 13],
    ["arena", 14],
  ] as const)("a %s of 2^28 bytes and more", (region, offset) => {
    expect(errorOf(replaced(good, offset, 1, ...leb128(2 ** 25 + 1))).message).toMatch(
      new RegExp(`${region} is 33554433, expected 0 … 33554432 \\(byte ${offset}\\)`),
    );
  });
});

/** The bytes of one pool over [1, 6, 9] with a border of 2, which makes [1, 2, 3]: its fields begin at 38. */
function pooled(...fields: number[]): Uint8Array {
  const head = "4d4f54 02 00000000 04 00 02 01 10 00 11"; // an arena of 136 bytes: 130 and 6
  const tensors = "01 52 06 09 0000803f 00 00  01 50 02 03 0000803f 00 8801";
  const bytes = bytesOf(head + tensors + "02 00");
  bytes[14] = 18;
  return signed([...bytes, ...fields]);
}

describe("pairs", () => {
  const layerOf = (...fields: number[]) => readContainer(pooled(...fields)).model.layers[0];

  test("are one number where both axes have the same, else two", () => {
    expect(layerOf(6, 6, 0, 0)).toMatchObject({ kernel: [3, 3], stride: [3, 3], pad: [0, 0], clamp: [-128, 127] });
    expect(layerOf(7, 4, 5, 1, 5, 1, 0)).toMatchObject({ kernel: [3, 4], stride: [2, 1], pad: [2, 1] });
    expect(layerOf(13, 5, 4, 0, 0)).toMatchObject({ kernel: [6, 5], stride: [2, 2], pad: [0, 0] });
  });

  test.each<[string, number[], RegExp]>([
    [
      "the same number twice",
      [7, 3, 6, 0, 0],
      /layer 0 kernel is 3 twice, expected one number for both axes \(byte 38\)/,
    ],
    ["a number of 0", [0, 6, 0, 0], /layer 0 kernel is 0, expected 1 … 65535 \(byte 38\)/],
    ["0 above", [1, 3, 6, 0, 0], /layer 0 kernel is 0, expected 1 … 65535/],
    ["0 beside", [7, 0, 6, 0, 0], /layer 0 kernel is 0, expected 1 … 65535/],
    ["65,536 twice", [...leb128(2 * 65536), 6, 0, 0], /layer 0 kernel is 65536, expected 1 … 65535/],
    ["65,536 beside", [6, 7, ...leb128(65536), 0, 0], /layer 0 stride is 65536, expected 1 … 65535 \(byte 39\)/],
    ["a wide pad", [6, 6, 32, 0], /layer 0 pad is 16, expected 0 … 15 \(byte 40\)/],
    ["a pad beyond the border", [6, 6, 5, 3, 0], /layer 0: pad is 3, expected 0 … 2 \(byte 36\)/],
    [
      "a second number in more bytes than it needs",
      [7, 0x84, 0, 6, 0, 0],
      /layer 0 kernel is a varint with a needless last/,
    ],
    ["nothing behind the first", [7], /ends within layer 0 kernel: 1 bytes wanted, 0 are left \(byte 39\)/],
    ["a codec without weights", [6, 6, 0, 1], /layer 0 form is 0x1, expected no other bits than 0x60 \(byte 41\)/],
    ["scales a row without weights", [6, 6, 0, 0x10], /layer 0 form is 0x10, expected no other bits than 0x60/],
    ["rows that are not there", [20, 6, 0, 0], /layer 0: reads 13 rows of its input, which has 8/],
  ])("%s", (_name, fields, message) => {
    expect(errorOf(pooled(...fields)).message).toMatch(message);
  });
});

describe("the arena", () => {
  const dense = { op: "dense", out: 8, density: 0.5, weights: "grid" } as const;
  /** A file whose tensor stands elsewhere: tensors are followed by their offset, and a state by its source. @param after bytes of the tensors behind it */
  const moved = (bytes: Uint8Array, after: number, from: number, to: number): Uint8Array => {
    const at = readContainer(bytes).headBytes - after - 1;
    expect(bytes[at]).toBe(from);
    return signed(changed(bytes, at, to));
  };

  test("a tensor written over one that is read later", () => {
    const bytes = writeContainer(buildModel(1, [8, 1, 1], [dense, { ...dense, from: 0 }, { ...dense, from: 1 }]));
    const { plan, model } = readContainer(bytes);
    const last = model.tensors[3];
    const after = 1 + 1 + (last.nominalChannels > 8 ? 1 : 0) + 4 + 2;
    expect(errorOf(moved(bytes, after, plan.offsets[2], plan.offsets[1])).message).toBe(
      "container: layer 1 writes tensor 2 over tensor 1, which is read after it",
    );
  });

  /** Input 0, input 1 or a state, and the output of a layer that reads tensor 0; then one that reads tensor 2. */
  const streaming = (second: "input" | "state"): Uint8Array => {
    const shape: [number, number, number] = [8, 1, 1];
    const extras = second === "input" ? { inputs: [shape] } : { states: [{ shape, source: 0 }] };
    const { tensors, ...model } = buildModel(1, shape, [{ ...dense, from: 0 }, dense], extras);
    const plain = tensors.map((tensor) => ({ ...tensor, nominalChannels: 8 }));
    return writeContainer({ ...model, tensors: plain });
  };
  // Behind an end 8 bytes, behind the inside of a model 4.
  test.each([
    ["two inputs", "input", 1, 0, /tensor 1 overlaps tensor 0; both are there before a run/],
    ["a state and an input", "state", 1, 0, /tensor 1 overlaps tensor 0; both are there before a run/],
    ["an output and a state", "state", 3, 1, /layer 1 writes tensor 3 over tensor 1, which is read after it/],
    ["what a layer writes and a state", "state", 2, 1, /layer 0 writes tensor 2 over tensor 1, which is read after it/],
  ] as const)("has %s apart", (_name, second, which, over, message) => {
    const bytes = streaming(second);
    const { plan, model } = readContainer(bytes);
    const bytesBehind = model.tensors.slice(which + 1).map(({ scale }) => (scale === undefined ? 4 : 8));
    const own = model.tensors[which].source === undefined ? 0 : 1;
    const after = bytesBehind.reduce((sum, each) => sum + each, own);
    expect(errorOf(moved(bytes, after, plan.offsets[which], plan.offsets[over])).message).toMatch(message);
  });

  test("has a state's source in it to the end, though a layer comes after", () => {
    const shape: [number, number, number] = [8, 1, 1];
    const chain = buildModel(1, shape, [dense, dense, dense, dense], { states: [{ shape, source: 0 }] });
    const { plan } = readContainer(writeContainer(chain));
    const others = [3, 4, 5].map((tensor) => plan.offsets[tensor]);
    expect(others).not.toContain(plan.offsets[2]);
  });
});

test("a file of as many tensors as there may be is read, byte for byte", () => {
  const pool = { op: "maxpool", kernel: 1, stride: 1 } as const;
  const model = buildModel(
    1,
    [1, 1, 1],
    Array.from({ length: 1023 }, () => pool),
  );
  const bytes = writeContainer(model);
  expect(writeContainer(readContainer(bytes).model)).toEqual(bytes);
});

describe("damage", () => {
  const small = syntheticModels().filter(({ name }) =>
    ["tiny", "groups", "average pool", "dead columns", "per channel"].includes(name),
  );

  test.each(small)("$name, cut off at every byte", ({ model }) => {
    const bytes = writeContainer(model);
    for (let length = 0; length < bytes.length; length++) {
      expect(errorOf(bytes.subarray(0, length)).code).toBe("FORMAT");
      expect(errorOf(signed(bytes.subarray(0, length))).code).toBe("FORMAT");
    }
  });

  test.each(small)("$name, every bit flipped", ({ model }) => {
    const bytes = writeContainer(model);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = changed(bytes, bit >> 3, bytes[bit >> 3] ^ (1 << (bit & 7)));
      expect(["FORMAT", "UNSUPPORTED"]).toContain(errorOf(flipped).code);
    }
  });

  test("any mutation with its CRC fixed is refused with a MoteError, or is a model that runs", () => {
    const originals = small.map(({ model }) => writeContainer(model));
    fc.assert(
      fc.property(fc.nat(originals.length - 1), fc.nat(), fc.integer({ min: 1, max: 4 }), (which, seed, changes) => {
        const random = new Random(seed);
        let bytes = originals[which];
        for (let i = 0; i < changes; i++)
          bytes = changed(bytes, CRC_START + random.integer(bytes.length - CRC_START), random.integer(256));
        let model: QModel;
        try {
          model = readContainer(signed(bytes), { maxWeights: 2 ** 20 }).model;
        } catch (error) {
          if (error instanceof MoteError) return;
          throw error;
        }
        runModel(model, randomInput(model, 1));
      }),
      { numRuns: 3000 },
    );
  });
});

describe("the writer refuses a model that", () => {
  const { model } = syntheticModels().find(({ name }) => name === "tiny")!;
  const layer = model.layers[1];
  if (layer.op !== "dense") throw new Error("expected a dense layer");
  const withLayer = (change: Partial<typeof layer>): QModel => ({
    ...model,
    layers: [model.layers[0], { ...layer, ...change }],
  });
  test.each<[string, QModel, RegExp]>([
    ["has no layers", { ...model, layers: [] }, /model: number of layers is 0, expected 1 … 2/],
    [
      "has too few weights",
      withLayer({ weights: new Int8Array(3) }),
      /layer 1 \(dense\): has 3 weights, expected 4 × 12 = 48/,
    ],
    ["has too few biases", withLayer({ bias: new Int32Array(3) }), /has 3 biases, expected 4/],
    [
      "has two multipliers for four rows",
      withLayer({ multiplier: Int32Array.of(2 ** 30, 2 ** 30) }),
      /has 2 multipliers and 1 shifts, expected 1 or 4/,
    ],
    ["has a multiplier that is too small", withLayer({ multiplier: Int32Array.of(5) }), /multiplier is 5/],
    ["has a shift of 0", withLayer({ shift: Uint8Array.of(0) }), /shift is 0, expected 1 … 62/],
    ["reads a tensor before it is written", withLayer({ inputs: [2] }), /input is 2, expected 0 … 1/],
    ["has a clamp beyond int8", withLayer({ clamp: [-129, 127] }), /clampMin is -129/],
    [
      "has a scale that is zero as f32",
      { ...model, tensors: model.tensors.map((tensor) => ({ ...tensor, scale: 1e-60 })) },
      /tensor 0: scale is 1e-60/,
    ],
    [
      "has a tensor that is too large",
      { ...model, tensors: [{ ...model.tensors[0], shape: [1, 65535, 300] }, ...model.tensors.slice(1)] },
      /tensor 0: takes \d+ bytes/,
    ],
  ])("%s", (_name, bad, message) => {
    expect(() => writeContainer(bad)).toThrow(message);
  });
});

test("CRC-32 has its known check value", () => {
  expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0))).toBe(0);
});
