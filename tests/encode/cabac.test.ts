import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BitReader } from "../../host/codecs/bit-reader.js";
import { BitWriter } from "../../host/codecs/bit-writer.js";
import { cabac, streamBits } from "../../host/codecs/cabac.js";
import { binarize, Contexts, contextCount, debinarize } from "../../host/codecs/cabac-contexts.js";
import type { Coding, DecodedWeights } from "../../host/codecs/codec.js";
import { RangeEncoder } from "../../host/codecs/range-coder.js";
import { weightStatistics } from "../../host/codecs/statistics.js";
import { readContainer } from "../../host/container/read.js";
import { packageRoot } from "../../host/node/paths.js";
import { columnCount, isWeighted, rowCount } from "../../host/ops/index.js";
import { Random } from "../../host/rng.js";
import { randomWeights } from "../support/models.js";

/** The bins of a level, regular ones with their contexts, bypass bins without. */
function binsOf(level: number, previous: number, flags: number): (number | [context: number, bin: number])[] {
  const bins: (number | [number, number])[] = [];
  binarize(level, previous, flags, {
    regular: (context, bin) => bins.push([context, bin]),
    bypass: (bin) => bins.push(bin),
  });
  return bins;
}

describe("the bins of a level", () => {
  test.each<[level: number, previous: number, flags: number, bins: ReturnType<typeof binsOf>]>([
    [0, 0, 1, [[0, 0]]],
    [0, 5, 1, [[1, 0]]],
    [0, -5, 1, [[2, 0]]],
    // The paper's example: with n = 1 a 1 is sigFlag 1, signFlag 0, absGr(1)Flag 0.
    [
      1,
      0,
      1,
      [
        [0, 1],
        [3, 0],
        [6, 0],
      ],
    ],
    [
      -1,
      3,
      1,
      [
        [1, 1],
        [4, 1],
        [7, 0],
      ],
    ],
    // Two above the flag: 1 + 1, of a prefix of one 1 and one bit behind it.
    [3, -1, 1, [[2, 1], [5, 0], [6, 1], [8, 1], [9, 0], 0]],
    [-7, 0, 2, [[0, 1], [3, 1], [7, 1], [9, 1], [10, 1], [11, 1], [12, 0], 0, 1]],
    [-128, 0, 0, [[0, 1], [3, 1], [6, 1], [7, 1], [8, 1], [9, 1], [10, 1], [11, 1], [12, 1], 0, 0, 0, 0, 0, 0, 0]],
  ])("%i behind %i with %i flags", (level, previous, flags, bins) => {
    expect(binsOf(level, previous, flags)).toEqual(bins);
  });

  test("are the level, for every one that there may be", () => {
    for (const flags of [0, 1, 2, 15]) {
      for (let level = -flags - 255; level <= flags + 255; level++) {
        const bins = binsOf(level, level, flags);
        const next = (context: number | undefined): 0 | 1 => {
          const bin = bins.shift()!;
          expect(typeof bin === "number" ? undefined : bin[0]).toBe(context);
          return (typeof bin === "number" ? bin : bin[1]) as 0 | 1;
        };
        expect(debinarize(level, flags, { regular: next, bypass: () => next(undefined) })).toBe(level);
        expect(bins).toEqual([]);
      }
    }
  });
});

test("estimates stay within their range and are the mean of two", () => {
  const contexts = new Contexts({ flags: 0, fastShift: 1, slowShift: 8 });
  expect(contexts.probability(0)).toBe(32768);
  contexts.adapt(0, 1);
  // 32768 + 16384 and 32768 + 128
  expect(contexts.probability(0)).toBe((49152 + 32896) / 2);
  expect(contexts.cost(0, 1)).toBeCloseTo(-Math.log2(41024 / 65536), 12);
  for (const bin of [0, 1] as const) {
    for (const [fastShift, slowShift] of [
      [1, 1],
      [1, 8],
      [8, 15],
    ]) {
      const extreme = new Contexts({ flags: 0, fastShift, slowShift });
      for (let i = 0; i < 300_000; i++) extreme.adapt(0, bin);
      expect(extreme.probability(0)).toBeGreaterThanOrEqual(1);
      expect(extreme.probability(0)).toBeLessThanOrEqual(65535);
    }
  }
});

function codingOf(weights: Int8Array, rows: number, columns: number): Coding {
  const [coding] = cabac.candidates(weights, weightStatistics(weights, rows, columns));
  return coding;
}

function bytesOf(coding: Coding): Uint8Array {
  const writer = new BitWriter();
  coding.write(writer);
  expect(writer.bitLength).toBe(coding.bits);
  return writer.finish();
}

function read(bytes: Uint8Array, rows: number, columns: number): DecodedWeights {
  const reader = new BitReader(bytes, 0, bytes.length, "the section");
  const decoded = cabac.read(reader, rows, columns, [1, 1]);
  reader.finish();
  return decoded;
}

function checkRoundTrip(weights: Int8Array, rows: number, columns: number): DecodedWeights {
  const coding = codingOf(weights, rows, columns);
  const decoded = read(bytesOf(coding), rows, columns);
  expect(decoded.weights.every((w, i) => w === weights[i])).toBe(true);
  const { fullestRow, tableBytes } = coding;
  const { nonZeros } = weightStatistics(weights, rows, columns);
  expect(decoded).toMatchObject({ nonZeros, fullestRow, liveColumns: columns, tableBytes });
  expect(Object.values(decoded.bits).reduce((sum, bits) => sum + bits, 0)).toBe(coding.bits);
  return decoded;
}

describe("weights", () => {
  test("come back, whatever their shape, density and values", () => {
    const spec = fc.record({
      rows: fc.integer({ min: 1, max: 12 }),
      columns: fc.integer({ min: 1, max: 60 }),
      density: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
      weights: fc.constantFrom("grid", "codebook", "any", "single"),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(spec, ({ rows, columns, seed, ...kind }) => {
        checkRoundTrip(randomWeights(new Random(seed), rows, columns, kind), rows, columns);
      }),
      { numRuns: 60 },
    );
  });

  test("take a codebook where values are scattered", () => {
    const random = new Random(5);
    const scattered = randomWeights(random, 40, 200, { density: 0.2, weights: "codebook" });
    expect(checkRoundTrip(scattered, 40, 200).description.alphabet).toBe("codebook");
    const grid = randomWeights(random, 40, 200, { density: 0.2, weights: "grid" });
    expect(checkRoundTrip(grid, 40, 200).description.alphabet).toBe("int8");
  });

  test("of which all 256 values occur have no codebook", () => {
    const all = Int8Array.from({ length: 256 }, (_, at) => at - 128);
    expect(checkRoundTrip(all, 16, 16).description.alphabet).toBe("int8");
  });

  test("take the bits that their contexts say", () => {
    const weights = randomWeights(new Random(9), 60, 300, { density: 0.1, weights: "grid" });
    const coding = codingOf(weights, 60, 300);
    // Best of all settings, so at most those of one; a range coder wastes less than 1 in 1,000.
    const bits = streamBits(weights, { flags: 4, fastShift: 4, slowShift: 7 });
    expect(coding.bits).toBeLessThan(bits * 1.001 + 40);
    expect(coding.bits).toBeGreaterThan(bits * 0.9);
  });

  test("that are all zero take next to nothing", () => {
    expect(codingOf(new Int8Array(10_000), 100, 100).bits).toBeLessThan(200);
  });
});

/** The standard's reference software (NNCodec) takes 2,671 and 3,555 at its best settings. */
test.each([
  ["lenet5", 2670],
  ["lenet300", 3520],
])("the weights of %s take at most %i bytes", (name, most) => {
  const { model } = readContainer(new Uint8Array(readFileSync(join(packageRoot, `models/${name}.mote`))));
  const bits = model.layers.map((layer) =>
    isWeighted(layer) ? codingOf(layer.weights, rowCount(model, layer), columnCount(model, layer)).bits : 0,
  );
  expect(bits.reduce((sum, one) => sum + one, 0) / 8).toBeLessThanOrEqual(most);
});

/** Levels as they would be coded, and what stands before them. */
function handmade(fields: readonly (readonly [value: number, bits: number])[], levels: readonly number[]): Uint8Array {
  const writer = new BitWriter();
  for (const [value, bits] of fields) writer.write(value, bits);
  const settings = { flags: fields[0][0], fastShift: fields[1][0] + 1, slowShift: fields[1][0] + 1 + fields[2][0] };
  const contexts = new Contexts(settings);
  const coder = new RangeEncoder();
  levels.forEach((level, at) =>
    binarize(level, at === 0 ? 0 : levels[at - 1], settings.flags, {
      regular: (context, bin) => {
        coder.encode(bin, contexts.probability(context));
        contexts.adapt(context, bin);
      },
      bypass: (bin) => coder.encode(bin, 32768),
    }),
  );
  for (const byte of coder.finish()) writer.write(byte, 8);
  return writer.finish();
}

const SETTINGS = [
  [2, 4],
  [3, 3],
  [3, 3],
] as const;

describe("a section", () => {
  test("may have a codebook in any order, with zeros and equal values", () => {
    const bytes = handmade([...SETTINGS, [1, 1], [1, 8], [3, 8], [5, 8], [0, 8], [5, 8], [-9, 8]], [-1, 0, 1, 2, 3, 3]);
    const { weights, nonZeros, fullestRow, tableBytes } = read(bytes, 2, 3);
    expect([...weights]).toEqual([5, 0, 0, 5, -9, -9]);
    expect({ nonZeros, fullestRow, tableBytes }).toEqual({
      nonZeros: 4,
      fullestRow: 3,
      tableBytes: 4 * contextCount(2) + 5,
    });
  });

  test.each<[string, Uint8Array, string]>([
    [
      "a level above int8",
      handmade([...SETTINGS, [0, 1]], [0, 128]),
      "has level 128 in row 0, column 1, expected -128 … 127",
    ],
    ["a level below int8", handmade([...SETTINGS, [0, 1]], [-129, 0]), "has level -129 in row 0, column 0"],
    [
      "a level beyond the codebook",
      handmade([...SETTINGS, [1, 1], [0, 8], [1, 8], [7, 8]], [1, -1]),
      "has level -1 in row 0, column 1, expected 0 … 1",
    ],
    ["too large a codebook", handmade([...SETTINGS, [1, 1], [128, 8], [127, 8]], [0, 0]), "a codebook of 256 values"],
    [
      "more than the weights",
      Uint8Array.of(...handmade([...SETTINGS, [0, 1]], [1, 2]), 0, 0, 0, 1),
      "bytes are left behind the last weight",
    ],
    ["no settings", Uint8Array.of(), "ends within flags: 4 bits wanted, 0 are left"],
    ["half a codebook", Uint8Array.of(0, 4, 255), "ends within"],
  ])("with %s is refused", (_name, bytes, message) => {
    expect(() => read(bytes, 1, 2)).toThrow(message);
  });

  test("of any bytes is read, or refused with its place", () => {
    const random = new Random(3);
    for (let round = 0; round < 300; round++) {
      const bytes = Uint8Array.from({ length: random.integer(40) }, () => random.integer(256));
      try {
        expect(read(bytes, 5, 20).weights.length).toBe(100);
      } catch (error) {
        expect(error).toMatchObject({ code: "FORMAT" });
        expect(String(error)).toMatch(/\(byte \d+\)/);
      }
    }
  });
});
