/** Every way a file can be wrong gets one error that says what, where and what was expected; nothing else is ever thrown. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
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
function signed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  if (copy.length > 9) new DataView(copy.buffer).setUint32(5, crc32(copy.subarray(9)), true);
  return copy;
}

function changed(bytes: Uint8Array, offset: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, offset);
  return copy;
}

/**
 * A file of one dense layer, 4 inputs and 2 outputs, whose fields stand at known offsets: plan 12, tensors 18 and 29, layer 40, section 49.
 * @param section bits of the section behind multiplier, shift and biases (none)
 */
function handmade(section: (bits: BitWriter) => void, change: (bytes: number[]) => void = () => {}): Uint8Array {
  const bits = new BitWriter();
  bits.write(2 ** 30, 31);
  bits.write(31, 6);
  section(bits);
  const body = [...bits.finish()];
  const header = "4d4f5445 01 00000000 00 02 01 10 04 02 02 02 02";
  const tensors = "04 01 01 04 00 0000803f 80 00  02 01 01 02 00 0000803f 00 01";
  const layer = "01 00 01 80 7f 01 00 00";
  const bytes = [...Buffer.from((header + tensors + layer).replaceAll(" ", ""), "hex"), body.length, ...body];
  bytes[9] = bytes.length;
  change(bytes);
  return signed(Uint8Array.from(bytes));
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
      handmade((b) => (head(b), fill(b, 8), b.write(1, 1))),
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
      handmade((b) => b.write(1, 1)), // 2 bits to the byte's end
      /ends within columnMap: 4 bits wanted, 2 are left/,
    ],
    [
      "a section that ends in its dense weights",
      handmade(
        (b) => b.write(0, 3 + 7 * 8),
        (bytes) => (bytes[45] = 0),
      ),
      /ends within dense weights: 64 bits wanted, 59 are left/,
    ],
    ["a section that ends in its alphabet", handmade((b) => b.write(0, 3)), /ends within (first|count)/],
    [
      "a section that ends in its scales",
      handmade(
        () => {},
        (bytes) => ((bytes[48] = 0), bytes.splice(49), (bytes[9] = 49)),
      ),
      /ends within multipliers/,
    ],
    [
      "codes longer than their tables",
      handmade(
        (b) => (head(b), fill(b, 8)),
        (bytes) => (bytes[13] = 0),
      ),
      /layer 0 needs 8 bytes of tables, the memory plan grants 0/,
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
    ["magic", 0, [0x50], "FORMAT", /magic is 0x45544f50, expected 0x45544f4d: not a .mote file \(byte 0\)/],
    ["version", 4, [2], "UNSUPPORTED", /version is 2; this build reads version 1 \(byte 4\)/],
    ["length", 9, [40], "FORMAT", /fileBytes is 40, but the file has \d+ bytes \(byte 9\)/],
    ["no tensors", 10, [0], "FORMAT", /tensorCount is 0, expected 1 … 255 \(byte 10\)/],
    ["no layers", 11, [0], "FORMAT", /layerCount is 0, expected 1 … 255/],
    ["a small window", 12, [15], "FORMAT", /window is 120 bytes, expected at least 128/],
    ["no records", 16, [0], "FORMAT", /records is 0 bytes, expected at least 8/],
    ["columns beyond the plan", 14, [0], "FORMAT", /layer 0 needs 8 bytes of columns, the memory plan grants 0/],
    ["channels beyond the plan", 15, [0], "FORMAT", /layer 0 needs 8 bytes of channels, the memory plan grants 0/],
    ["a tensor beyond the arena", 39, [2], "FORMAT", /tensor 1 offset is 16: its 2 bytes end beyond the arena's 16/],
    ["a tensor without channels", 18, [0], "FORMAT", /tensor 0 channels is 0, expected 1 … 65535/],
    ["fewer channels nominally", 21, [3], "FORMAT", /tensor 0 nominalChannels is 3, expected 4 … 65535/],
    ["a wide border", 22, [16], "FORMAT", /tensor 0 border is 16, expected 0 … 15/],
    ["a scale of zero", 25, [0, 0], "FORMAT", /tensor 0: scale is 0, expected a finite positive f32/],
    ["an infinite scale", 25, [0x80, 0x7f], "FORMAT", /scale is Infinity/],
    ["a scale that is not a number", 25, [0xc0, 0x7f], "FORMAT", /scale is NaN/],
    ["an op", 40, [4], "UNSUPPORTED", /layer 0 op is 4; this build has ops 0 … 3 \(byte 40\)/],
    ["a codec", 45, [15], "UNSUPPORTED", /layer 0 codec is 15; this build has codecs 0 … \d+ \(byte 45\)/],
    ["bits of the form", 45, [0x21], "FORMAT", /layer 0 form is 0x21/],
    [
      "an input that nothing wrote",
      41,
      [1],
      "FORMAT",
      /layer 0: input is tensor 1, expected tensor 0 or the output of an earlier layer/,
    ],
    ["an input that is not there", 41, [2], "FORMAT", /input is 2, expected 0 … 1/],
    ["an output over the input", 42, [0], "FORMAT", /output is tensor 0, which is the model's input/],
    ["tensors that overlap", 39, [0], "FORMAT", /its output, tensor 1, overlaps its input, tensor 0, in the arena/],
    ["a clamp upside down", 43, [1, 0], "FORMAT", /clampMax is 0, expected 1 … 127/],
    ["bias bits", 46, [33], "FORMAT", /biasBits is 33, expected 0 … 32/],
    ["bias shift", 47, [32], "FORMAT", /biasShift is 32, expected 0 … 31/],
    ["a multiplier", 52, [0], "FORMAT", /multiplier is 0, expected 1073741824 … 2147483647/],
    ["a section beyond the file", 48, [127], "FORMAT", /ends within layer 0 section: 127 bytes wanted, \d+ are left/],
    ["an output with rows", 30, [2], "FORMAT", /output shape is \[2, 2, 1\], expected \[2, 1, 1\]/],
  ])("%s", (_name, offset, values, code, message) => {
    const error = errorOf(signed(changed(good, offset, ...values)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test("a file that ends where a varint should begin", () => {
    const cut = good.slice(0, 29); // behind the first tensor
    cut[9] = cut.length;
    expect(errorOf(signed(cut)).message).toBe(
      "container: ends within tensor 1 channels: 1 bytes wanted, 0 are left (byte 29)",
    );
  });

  test("varints in more bytes than they need", () => {
    const long = [...good.subarray(0, 10), 0x82, 0, ...good.subarray(11)];
    long[9]++;
    expect(errorOf(signed(Uint8Array.from(long))).message).toMatch(/tensorCount is a varint with a needless last byte/);
  });

  test("varints of 2^31 and more", () => {
    for (const last of [0x08, 0x80]) {
      const long = [...good.subarray(0, 10), 0x80, 0x80, 0x80, 0x80, last, ...good.subarray(11)];
      long[9] += 4;
      expect(errorOf(signed(Uint8Array.from(long))).message).toMatch(/tensorCount is a varint of 2\^31 or more/);
    }
  });

  test("a bias beyond int32", () => {
    const wide = handmade(
      (bits) => bits.write(2, 2),
      (bytes) => bytes.splice(46, 2, 2, 31),
    );
    expect(errorOf(wide).message).toMatch(/has bias -4294967296 in row 0, expected an int32/);
  });

  test("a byte after the last layer", () => {
    const longer = [...good, 0];
    longer[9]++;
    expect(errorOf(signed(Uint8Array.from(longer))).message).toMatch(/ends within metadata length/);
  });

  test("an empty file", () => {
    expect(errorOf(new Uint8Array(0)).message).toBe("container: is empty");
  });

  test("more weights than there is memory for", () => {
    const bytes = writeContainer(buildModel(1, [100, 1, 1], [{ op: "dense", out: 50, density: 0, weights: "grid" }]));
    expect(() => readContainer(bytes, { maxWeights: 4999 })).toThrow(/layer 0 has 5000 weights, room is left for 4999/);
  });

  test("a plan of 2^28 bytes", () => {
    // The head of 256, two tensors' entries, 26 units of the other regions; the arena's varint grows from one byte to four.
    const arenaOf = (total: number): number => (total - 256 - 2 * 32) / 8 - 26;
    const planned = (total: number): Uint8Array => {
      const units = leb128(arenaOf(total));
      expect(units.length).toBe(4);
      const bytes = Uint8Array.from([...good.subarray(0, 17), ...units, ...good.subarray(18)]);
      return signed(changed(bytes, 9, bytes.length));
    };
    expect(planTotal(readContainer(planned(2 ** 28 - 8)).plan)).toBe(2 ** 28 - 8);
    expect(errorOf(planned(2 ** 28)).message).toMatch(
      /the memory plan's total is 268435456 bytes, expected fewer than 268435456/,
    );
  });

  test("but a record of one unit is enough for a dense layer", () => {
    expect(readContainer(signed(changed(good, 16, 1))).plan.records).toBe(8);
  });

  test("padding beyond the input's border", () => {
    const { model } = syntheticModels().find(({ name }) => name === "padded")!;
    const bytes = writeContainer(model);
    const { layers } = readContainer(bytes);
    // op, input, output, kernelHeight, kernelWidth, stride, pad
    const pad = layers[0].offset + 6;
    expect([bytes[pad], model.tensors[0].border]).toEqual([1, 1]);
    expect(errorOf(signed(changed(bytes, pad, 2))).message).toMatch(/layer 0: pad is 2, expected 0 … 1/);
  });

  test("a tensor written over one that is read later", () => {
    const dense = { op: "dense", out: 8, density: 0.5, weights: "grid" } as const;
    const bytes = writeContainer(buildModel(1, [8, 1, 1], [dense, { ...dense, from: 0 }, { ...dense, from: 1 }]));
    const { headBytes, plan } = readContainer(bytes);
    // A tensor takes 11 bytes here, its offset last.
    const second = headBytes - 1 - 11;
    expect(bytes[second]).toBe(plan.offsets[2] / 8);
    expect(errorOf(signed(changed(bytes, second, plan.offsets[1] / 8))).message).toBe(
      "container: layer 1 writes tensor 2 over tensor 1, which is read after it",
    );
  });
});

describe("damage", () => {
  const small = syntheticModels().filter(({ name }) =>
    ["tiny", "groups", "average pool", "dead columns", "per channel"].includes(name),
  );

  test.each(small)("$name, cut off at every byte", ({ model }) => {
    const bytes = writeContainer(model);
    for (let length = 0; length < bytes.length; length++) {
      expect(errorOf(bytes.subarray(0, length)).code).toBe("FORMAT");
      // Even when it claims to be whole. A length of two bytes keeps its size in what is left of these small files.
      const claimed = bytes.slice(0, length);
      if (length > 11) claimed.set([(length & 127) | 128, length >> 7], 9);
      if (length > 128 && bytes.length > 128)
        expect(["FORMAT", "UNSUPPORTED"]).toContain(errorOf(signed(claimed)).code);
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
          bytes = changed(bytes, 9 + random.integer(bytes.length - 9), random.integer(256));
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
    ["has no layers", { ...model, layers: [] }, /model: number of layers is 0, expected 1 … 255/],
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
    ["reads a tensor before it is written", withLayer({ input: 2 }), /input is tensor 2, expected tensor 0/],
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
