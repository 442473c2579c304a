import { describe, expect, test } from "vitest";
import { obdScores } from "../../host/compress/curvature.js";
import {
  codecBits,
  gradualKeep,
  keepBest,
  lampScore,
  magnitudeScore,
  positionBits,
  pruneMasks,
  rateScore,
  survivors,
  type PrunableLayer,
} from "../../host/compress/prune.js";
import { MoteError } from "../../host/errors.js";

const layer = (name: string, values: number[], rows = 1) => ({
  name,
  weights: Float32Array.from(values),
  rows,
  positions: 1,
  kernel: [1, 1] as const,
});
const bitsOnly = { gamma: 1, multiplicationBits: 0 };
const magnitude = { ...bitsOnly, score: "magnitude", power: 1.5 } as const;

describe("scores", () => {
  test("magnitude is |w|", () => {
    expect([...magnitudeScore(Float32Array.of(-3, 0, 2))]).toEqual([3, 0, 2]);
  });

  test("LAMP divides w² by the squares of all that are at least as large", () => {
    // 3² / 9, 2² / (9 + 4), 1² / (9 + 4 + 1), worked by hand
    expect([...lampScore(Float32Array.of(1, -3, 2, 0))]).toEqual([1 / 14, 1, 4 / 13, 0].map(Math.fround));
  });

  test("LAMP scores do not change when a layer is scaled", () => {
    const weights = Float32Array.of(0.5, -0.25, 1, 2);
    expect([...lampScore(weights.map((w) => w * 8))]).toEqual([...lampScore(weights)]);
  });

  test("a position in a full row and column is cheaper than one in an almost empty row and column", () => {
    const bits = positionBits(Float32Array.of(1, 1, 1, 1, 1, 0, 1, 0, 0), 3);
    expect(bits[0]).toBeLessThan(bits[4]);
    expect(bits[4]).toBeLessThan(bits[8]);
  });

  test("rate prefers gradient over size and cheap positions over dear ones; a pruned weight scores 0", () => {
    const weights = Float32Array.of(1, 1, 1, 1, 1, 0, 1, 0, 0);
    const even = rateScore(
      { name: "a", weights, rows: 3, positions: 1, kernel: [1, 1], secondMoment: new Float32Array(9).fill(1e-6) },
      bitsOnly,
    );
    expect(even[0]).toBeGreaterThan(even[4]);
    expect(even[8]).toBe(0);
    const steep = rateScore(
      {
        name: "a",
        weights,
        rows: 3,
        positions: 1,
        kernel: [1, 1],
        secondMoment: Float32Array.of(1, 1, 1, 1, 9, 1, 1, 1, 1),
      },
      bitsOnly,
    );
    expect(steep[4]).toBeGreaterThan(steep[0]);
  });

  test("OBD is what the loss rises by: h w² / 2; what it does not depend on goes before the rest, what is gone stays", () => {
    const scores = obdScores(Float32Array.of(1, -2, 3, 0, 4), Float32Array.of(8, 1, 0, 5, 0.5));
    expect([...scores].map((score) => Math.round(score * 1e6) / 1e6)).toEqual([4, 2, 0, 0, 4]);
    expect(scores[2]).toBeGreaterThan(0);
    expect(scores[3]).toBe(0);
    expect(() => pruneMasks([layer("a", [1])], [1], 1, 1, { ...magnitude, score: "obd" })).toThrow(TypeError);
  });

  test("rate without gradients is a programming mistake", () => {
    expect(() => rateScore(layer("a", [1]), bitsOnly)).toThrow(TypeError);
  });

  test("codec prefers what its neighbours make likely, where all else is equal", () => {
    // Rows of two planes of 3 × 3: one is full, of the other one a weight is left, elsewhere in each row.
    const rows = 9;
    const values = Array.from({ length: rows }, (_, row) =>
      Array.from({ length: 18 }, (_, at) => (at < 9 || at - 9 === row ? 1 : 0)),
    ).flat();
    const planes: PrunableLayer = {
      ...layer("planes", values, rows),
      kernel: [3, 3],
      secondMoment: new Float32Array(values.length).fill(1),
    };
    const bits = codecBits(planes);
    const lone = Array.from({ length: rows }, (_, row) => row * 18 + 9 + row);
    for (const [row, at] of lone.entries()) expect(bits[at]).toBeGreaterThan(1.5 * bits[row * 18 + 4]);
    const [mask] = pruneMasks([planes], [90], 81, 1, { ...bitsOnly, score: "codec", power: 1 });
    expect(lone.map((at) => mask[at])).toEqual(lone.map(() => 0));
  });

  test("codec does not let a weight that is dearer gone have no price", () => {
    const weights = new Float32Array(49).fill(1);
    const full: PrunableLayer = { ...layer("full", [...weights], 1), kernel: [7, 7] };
    const least = codecBits(full).reduce((a, b) => Math.min(a, b));
    expect(least).toBe(1);
  });

  test("rate counts the multiplications of a filter that is laid on many positions, when asked to", () => {
    const dense = { ...layer("dense", [1, 1]), secondMoment: Float32Array.of(1, 1) };
    const conv = { ...dense, positions: 576 };
    expect(rateScore(conv, bitsOnly)).toEqual(rateScore(dense, bitsOnly));
    // Both weights take 3 + 0 bits; 576 multiplications at 1/8 bit are 72 more, one is 1/8.
    const price = { gamma: 1, multiplicationBits: 1 / 8 };
    expect(rateScore(conv, price)[0]).toBeCloseTo(1 / 75, 3);
    expect(rateScore(dense, price)[0]).toBeCloseTo(1 / 3.125, 3);
  });
});

describe("keepBest", () => {
  test("keeps exactly as many as asked for, over all layers together", () => {
    const masks = keepBest([Float32Array.of(1, 5, 3), Float32Array.of(4, 2)], 3);
    expect(masks.map((m) => [...m])).toEqual([
      [0, 1, 1],
      [1, 0],
    ]);
  });

  test.each([0, 1, 2, 3, 4, 5, 9])("ties: %i of five equal scores", (keep) => {
    const masks = keepBest([new Float32Array(3).fill(7), new Float32Array(2).fill(7)], keep);
    expect(masks.reduce((n, m) => n + survivors(m), 0)).toBe(Math.min(5, keep));
    expect(masks[0][0]).toBe(keep > 0 ? 1 : 0);
  });

  test("a score of 0 never survives", () => {
    expect(keepBest([Float32Array.of(0, 0, 1)], 3).map((m) => [...m])).toEqual([[0, 0, 1]]);
  });
});

describe("schedules", () => {
  test("gradualKeep goes from n0 to n1 without rising", () => {
    const counts = Array.from({ length: 101 }, (_, i) => gradualKeep(430_500, 2_200, i / 100, 1.5));
    expect(counts[0]).toBe(430_500);
    expect(counts[100]).toBe(2_200);
    expect(counts.every((n, i) => i === 0 || n <= counts[i - 1])).toBe(true);
    // half-way: 2200 × (430500 / 2200)^(0.5^1.5)
    expect(counts[50]).toBe(Math.round(2200 * (430500 / 2200) ** (0.5 ** 1.5)));
  });

  test("nothing grows back when fewer than n1 are left already", () => {
    expect(gradualKeep(100, 200, 0.3, 1)).toBe(100);
  });

  test("pruneMasks: one number for all, a number for each, fractions and counts", () => {
    const layers = [layer("a", [1, -2, 3, -4]), layer("b", [10, 20])];
    const at = (keep: number | Record<string, number>) =>
      pruneMasks(layers, [4, 2], keep, 1, magnitude).map((m) => survivors(m));
    expect(at(2)).toEqual([0, 2]);
    expect(at(0.5)).toEqual([1, 2]);
    expect(at({ a: 0.5, b: 1 })).toEqual([2, 2]);
    expect(at({ a: 3, b: 0.5 })).toEqual([3, 1]);
  });

  test("a layer too many or too few is a recipe error that names it", () => {
    const layers = [layer("a", [1]), layer("b", [1])];
    expect(() => pruneMasks(layers, [1, 1], { a: 1 }, 1, magnitude)).toThrow(/keep\.b: missing/);
    expect(() => pruneMasks(layers, [1, 1], { a: 1, b: 1, c: 1 }, 1, magnitude)).toThrow(
      new MoteError("RECIPE", "keep.c: no such layer; there are a, b"),
    );
  });
});
