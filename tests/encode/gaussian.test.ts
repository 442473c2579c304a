import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BitReader } from "../../host/codecs/bit-reader.js";
import { BitWriter } from "../../host/codecs/bit-writer.js";
import { gaussian, magnitudeProbabilities } from "../../host/codecs/gaussian.js";
import { codingsOf, smallestCoding } from "../../host/codecs/index.js";
import { weightStatistics } from "../../host/codecs/statistics.js";
import { Random } from "../../host/rng.js";

const SPREADS = Array.from({ length: 32 }, (_, spread) => spread);

/** Of a normal distribution of this variance, by the definition: of all weights as large as each magnitude, those that are larger. */
function exact(variance: number): number[] {
  const density = Array.from({ length: 128 }, (_, k) => Math.exp((-k * k) / (2 * variance)) * (k === 0 ? 1 : 2));
  return density.map((_, k) => {
    const larger = density.slice(k + 1).reduce((sum, one) => sum + one, 0);
    return larger / (larger + density[k]);
  });
}

describe("the table", () => {
  test.each(SPREADS)("of width %i follows the normal distribution", (spread) => {
    const table = magnitudeProbabilities(spread);
    const deviation = Math.sqrt(2 ** (spread / 2) / (16 * Math.LN2));
    const probabilities = exact(deviation ** 2);
    for (let k = 0; k < Math.min(127, 2.5 * deviation); k++) {
      expect(Math.abs(table[k] / 65536 - probabilities[k])).toBeLessThan(0.045);
    }
  });

  test.each(SPREADS)("of width %i has probabilities up to one magnitude, and none from there on", (spread) => {
    const table = magnitudeProbabilities(spread);
    const largest = table.indexOf(0);
    expect(largest).toBeGreaterThan(0);
    table.forEach((probability, k) => {
      if (k >= largest) expect(probability).toBe(0);
      else expect(probability).toBeGreaterThanOrEqual(64);
    });
  });
});

function decoded(bytes: Uint8Array, rows: number, columns: number) {
  const reader = new BitReader(bytes, 0, bytes.length, "the section");
  const weights = gaussian.read(reader, rows, columns, [1, 1]);
  reader.finish();
  return weights;
}

test("all weights but -128 come back, from as many bits as the coding says", () => {
  const spec = fc.record({
    rows: fc.integer({ min: 1, max: 12 }),
    columns: fc.integer({ min: 1, max: 30 }),
    spread: fc.constantFrom(0, 0.4, 1, 2.5, 9, 200),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(spec, ({ rows, columns, spread, seed }) => {
      const random = new Random(seed);
      const weights = Int8Array.from({ length: rows * columns }, () =>
        Math.max(-127, Math.min(127, Math.round(random.normal() * spread))),
      );
      const [coding] = gaussian.candidates(weights, weightStatistics(weights, rows, columns));
      const writer = new BitWriter();
      coding.write(writer);
      expect(writer.bitLength).toBe(coding.bits);
      const { weights: read, bits, nonZeros, fullestRow } = decoded(writer.finish(), rows, columns);
      expect(read).toEqual(weights);
      expect({ nonZeros, fullestRow }).toEqual({
        nonZeros: weights.filter((w) => w !== 0).length,
        fullestRow: coding.fullestRow,
      });
      expect(Object.values(bits).reduce((sum, one) => sum + one, 0)).toBe(coding.bits);
    }),
    { numRuns: 100 },
  );
});

test("a layer with a weight of -128 is not coded so", () => {
  const weights = Int8Array.of(1, -128, 0, 3);
  expect(gaussian.candidates(weights, weightStatistics(weights, 2, 2))).toEqual([]);
  expect(smallestCoding(codingsOf(weights, 2, 2, { codec: "gaussian" })).codec).not.toBe(gaussian.number);
});

test("a small layer takes close to what its distribution has, and far fewer bits than by codec 2", () => {
  const random = new Random(7);
  const weights = Int8Array.from({ length: 90 }, () => Math.round(random.normal() * 2.2));
  const bits = (codec: "gaussian" | "arithmetic"): number => smallestCoding(codingsOf(weights, 10, 9, { codec })).bits;
  // log2(deviation × √(2πe)) bits a weight.
  expect(bits("gaussian")).toBeLessThan(90 * Math.log2(2.2 * Math.sqrt(2 * Math.PI * Math.E)) + 24);
  expect(bits("gaussian")).toBeLessThan(0.9 * bits("arithmetic"));
});

describe("a section", () => {
  test("of any bytes is read, or refused with its place", () => {
    const random = new Random(3);
    let refused = 0;
    for (let round = 0; round < 300; round++) {
      const bytes = Uint8Array.from({ length: random.integer(60) }, () => random.integer(256));
      try {
        expect(decoded(bytes, 5, 20).weights.length).toBe(100);
      } catch (error) {
        refused++;
        expect(error).toMatchObject({ code: "FORMAT" });
        expect(String(error)).toMatch(/\(byte \d+\)/);
      }
    }
    expect(refused).toBeGreaterThan(0);
  });

  test("with more bytes than its weights take is refused", () => {
    expect(() => decoded(new Uint8Array(9), 1, 2)).toThrow("bytes of weights, expected no more than the");
  });
});
