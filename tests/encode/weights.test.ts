import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CODEC_ARITHMETIC } from "../../assembly/format.js";
import { BitReader } from "../../host/codecs/bit-reader.js";
import { BitWriter } from "../../host/codecs/bit-writer.js";
import type { Coding, Kernel } from "../../host/codecs/codec.js";
import type { HuffmanChoice } from "../../host/codecs/huffman-candidates.js";
import { codeLengths } from "../../host/codecs/huffman-codes.js";
import { codecOf, CODECS, codingsOf, smallestCoding } from "../../host/codecs/index.js";
import { columnRanks, countGapSymbols, gapStatistics, weightStatistics } from "../../host/codecs/statistics.js";
import { MoteError } from "../../host/errors.js";
import { Random } from "../../host/rng.js";
import { randomWeights, type WeightKind } from "../support/models.js";

const choose = (weights: Int8Array, rows: number, columns: number, largestTables?: number): Coding =>
  smallestCoding(codingsOf(weights, rows, columns), largestTables);

/** decode(encode(x)) = x, and what the coding promises is what the decoder finds. */
function checkCoding(weights: Int8Array, rows: number, columns: number, coding: Coding, kernel: Kernel = [1, 1]): void {
  const writer = new BitWriter();
  coding.write(writer);
  expect(writer.bitLength).toBe(coding.bits);
  const bytes = writer.finish();
  const reader = new BitReader(bytes, 0, bytes.length, "test");
  const decoded = codecOf(coding.codec)!.read(reader, rows, columns, kernel);
  reader.finish();
  expect(decoded.weights.every((w, i) => w === weights[i])).toBe(true);
  const { fullestRow, liveColumns, tableBytes } = coding;
  const { nonZeros } = weightStatistics(weights, rows, columns);
  expect(decoded).toMatchObject({ nonZeros, fullestRow, liveColumns, tableBytes });
  expect(Object.values(decoded.bits).reduce((sum, bits) => sum + bits, 0)).toBe(coding.bits);
}

/** The one that is chosen. */
function checkRoundTrip(weights: Int8Array, rows: number, columns: number, largestTables?: number): Coding {
  const coding = choose(weights, rows, columns, largestTables);
  checkCoding(weights, rows, columns, coding);
  return coding;
}

const matrix = fc
  .record({
    rows: fc.integer({ min: 1, max: 40 }),
    columns: fc.integer({ min: 1, max: 120 }),
    density: fc.oneof(
      fc.constantFrom(0, 1),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 0.05, noNaN: true }),
    ),
    deadColumns: fc.constantFrom(0, 0, 0.5, 0.95),
    weights: fc.constantFrom<WeightKind>("grid", "codebook", "any", "single"),
    seed: fc.nat(),
  })
  .map((spec) => ({ ...spec, values: randomWeights(new Random(spec.seed), spec.rows, spec.columns, spec) }));

describe("any weights", () => {
  test("come back, whatever their shape, density and values", () => {
    fc.assert(
      fc.property(matrix, ({ rows, columns, values }) => void checkRoundTrip(values, rows, columns)),
      { numRuns: 400 },
    );
  });

  test("come back from any int8 matrix", () => {
    const any = fc.integer({ min: 1, max: 12 }).chain((columns) =>
      fc
        .array(fc.oneof(fc.constant(0), fc.integer({ min: -128, max: 127 })), {
          minLength: columns,
          maxLength: 12 * columns,
        })
        .map((values) => {
          const rows = Math.floor(values.length / columns);
          return { rows, columns, values: Int8Array.from(values.slice(0, rows * columns)) };
        }),
    );
    fc.assert(
      fc.property(any, ({ rows, columns, values }) => void checkRoundTrip(values, rows, columns)),
      { numRuns: 400 },
    );
  });

  test("come back from every candidate of every codec", () => {
    fc.assert(
      fc.property(matrix, ({ rows, columns, values }) => {
        const codings = (["auto", "gaussian", "cabac"] as const).flatMap((codec) =>
          codingsOf(values, rows, columns, { codec }),
        );
        expect(new Set(codings.map(({ codec }) => codec))).toEqual(new Set(CODECS.map(({ number }) => number)));
        for (const coding of codings) checkCoding(values, rows, columns, coding);
      }),
      { numRuns: 20 },
    );
  });

  test("come back with any kernel from codec 2, and no bytes make it do more than refuse", () => {
    const shapes = fc.record({
      height: fc.integer({ min: 1, max: 5 }),
      width: fc.integer({ min: 1, max: 5 }),
      channels: fc.integer({ min: 1, max: 4 }),
      rows: fc.integer({ min: 1, max: 9 }),
      seed: fc.integer({ min: 0, max: 1000 }),
      limit: fc.constantFrom(1, 2, 7, 128),
      rarity: fc.constantFrom(1, 2, 8, 100),
    });
    fc.assert(
      fc.property(shapes, ({ height, width, channels, rows, seed, limit, rarity }) => {
        const random = new Random(seed);
        const columns = channels * height * width;
        const weights = Int8Array.from({ length: rows * columns }, () =>
          random.integer(rarity) === 0 ? Math.min(127, random.integer(2 * limit + 1) - limit) : 0,
        );
        const kernel: Kernel = [height, width];
        for (const coding of codingsOf(weights, rows, columns, { kernel, codec: "arithmetic" }))
          checkCoding(weights, rows, columns, coding, kernel);
        const hostile = Uint8Array.from({ length: random.integer(60) }, () => random.integer(256));
        const reader = new BitReader(hostile, 0, hostile.length, "hostile");
        try {
          const decoded = CODECS[CODEC_ARITHMETIC].read(reader, rows, columns, kernel);
          expect(Object.values(decoded.bits).reduce((sum, bits) => sum + bits, 0)).toBe(reader.position);
        } catch (error) {
          expect(error).toBeInstanceOf(MoteError);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("fit the decoding tables that are granted", () => {
    fc.assert(
      fc.property(matrix, fc.integer({ min: 0, max: 2000 }), ({ rows, columns, values }, granted) => {
        expect(checkRoundTrip(values, rows, columns, granted).tableBytes).toBeLessThanOrEqual(granted);
      }),
      { numRuns: 200 },
    );
  });
});

describe("edges", () => {
  test.each<[string, number, number, (at: number) => number]>([
    ["no weights", 5, 2000, () => 0],
    ["one position, empty", 1, 1, () => 0],
    ["one position, full", 1, 1, () => 7],
    ["only the first", 3, 700, (at) => (at === 0 ? 1 : 0)],
    ["only the last", 3, 700, (at) => (at === 2099 ? 1 : 0)],
    ["first and last", 1, 5000, (at) => (at === 0 || at === 4999 ? -128 : 0)],
    ["one column", 3000, 1, (at) => (at % 50 === 49 ? 2 : 0)],
    ["one live column", 50, 400, (at) => (at % 400 === 17 ? 2 : 0)],
    ["all equal", 30, 30, () => -1],
    ["all 256 values", 16, 16, (at) => at - 128],
    ["every value but 0, often", 40, 255, (at) => (at % 255) - 127 || 127],
    ["gaps beyond the largest alphabet", 1, 40000, (at) => (at % 9000 === 8999 ? 1 : 0)],
    // A gap alphabet with a symbol for this one would need no bits at all, but is not allowed to be so large.
    ["one gap beyond the largest alphabet, often", 1, 2000 * 1101, (at) => (at % 1101 === 1100 ? 1 : 0)],
    ["gaps of every length to 1,100", 1, 607000, (at) => (isTriangular(at) ? 1 : 0)],
  ])("%s", (_name, rows, columns, value) => {
    checkRoundTrip(
      Int8Array.from({ length: rows * columns }, (_, at) => value(at)),
      rows,
      columns,
    );
  });

  test("each codec is found by its number, and there is none behind the last", () => {
    for (const codec of CODECS) expect(codecOf(codec.number)).toBe(codec);
    expect(codecOf(CODECS.at(-1)!.number + 1)).toBe(undefined);
  });

  test.each([
    [0, 4],
    [4, 0],
    [3, 2],
  ])("4 weights are not %i × %i", (rows, columns) => {
    expect(() => choose(new Int8Array(4), rows, columns)).toThrow(`expected ${rows} × ${columns} weights, got 4`);
  });

  function isTriangular(n: number): boolean {
    const root = Math.round((Math.sqrt(8 * n + 1) - 1) / 2);
    return (root * (root + 1)) / 2 === n;
  }
});

describe("the choice", () => {
  const random = new Random(1);
  const sparse = randomWeights(random, 100, 400, { density: 0.08, weights: "grid" });

  test("is dense where codes do not pay", () => {
    expect(choose(randomWeights(random, 20, 20, { density: 1, weights: "any" }), 20, 20).codec).toBe(0);
    expect(choose(Int8Array.of(0, 100), 1, 2).codec).toBe(0);
  });

  test("takes a column map where it saves bits", () => {
    const dead = randomWeights(random, 100, 400, { density: 0.08, weights: "grid", deadColumns: 0.6 });
    expect(choose(dead, 100, 400)).toMatchObject({ hasColumnMap: true });
    expect(choose(sparse, 100, 400)).toMatchObject({ hasColumnMap: false });
  });

  test("takes a grid for neighbouring values, a codebook for scattered ones", () => {
    expect(choose(sparse, 100, 400)).toMatchObject({ isCodebook: false });
    const scattered = randomWeights(random, 100, 400, { density: 0.08, weights: "codebook" });
    expect(choose(scattered, 100, 400)).toMatchObject({ isCodebook: true });
  });

  test("of gap symbols is within 0.2 % of the best of all", () => {
    for (const density of [0.5, 0.1, 0.03, 0.005]) {
      const weights = randomWeights(random, 60, 700, { density, weights: "single" });
      const coding = choose(weights, 60, 700) as Coding & HuffmanChoice;
      const bits = coding.gapCodes.bits + 4 * coding.gaps.counts.length;
      expect(bits).toBeLessThanOrEqual(fewestGapBits(weights) * 1.002);
    }
  });

  test.each([
    ["scattered", 0.51],
    ["scattered", 0.9],
    ["scattered", 0.99],
    ["in runs", 0.6],
  ] as const)(
    "takes no more bits than gaps do where most weights are left, whatever the tables: zeros %s, %d",
    (zeros, density) => {
      for (const kind of ["grid", "any", "single"] as const) {
        const weights = randomWeights(random, 60, 700, { density: zeros === "in runs" ? 1 : density, weights: kind });
        if (zeros === "in runs") weights.fill(0, density * weights.length);
        const { weightCounts } = weightStatistics(weights, 60, 700);
        const used = [...weightCounts.keys()].filter((at) => weightCounts[at] > 0);
        const gaps = countGapSymbols(gapStatistics(weights, 60, 700, columnRanks(700, null), 700), 12).counts;
        // Which codes these are: three fields, the alphabet, the lengths of gap codes.
        const sideBits = 12 + Math.min(16 + 4 * (used.at(-1)! - used[0] + 1), 8 + 12 * used.length) + 4 * 12;
        for (let weightLimit = 1; weightLimit <= 12; weightLimit++) {
          if (used.length > 2 ** weightLimit) continue;
          for (let gapLimit = 4; gapLimit <= 12; gapLimit++) {
            const codeBits = codeLengths(weightCounts, weightLimit).bits + codeLengths(gaps, gapLimit).bits;
            const tables = 2 * 2 ** weightLimit + 2 * 2 ** gapLimit;
            expect(choose(weights, 60, 700, tables).bits).toBeLessThanOrEqual(sideBits + codeBits);
          }
        }
      }
    },
  );

  function fewestGapBits(weights: Int8Array): number {
    const gaps = gapStatistics(weights, 60, 700, columnRanks(700, null), 700);
    let best = Infinity;
    for (let symbols = 2; symbols <= 400; symbols++) {
      best = Math.min(best, 4 * symbols + codeLengths(countGapSymbols(gaps, symbols).counts, 12).bits);
    }
    return best;
  }
});
