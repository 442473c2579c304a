import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  assign,
  CENTROID_INITS,
  compareInits,
  initialCentroids,
  kMeans,
  roundCodebook,
} from "../../host/compress/share.js";

const layer = fc.array(fc.oneof(fc.constant(0), fc.float({ noNaN: true, min: -8, max: 8 })), {
  minLength: 1,
  maxLength: 200,
});

describe("k-means", () => {
  test("initial centroids, worked by hand on 0 … 9 and 100", () => {
    const sorted = Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100);
    expect([...initialCentroids(sorted, 3, "linear", 1)]).toEqual([0, 50, 100]);
    // (j + ½) · 11 / 3 = 1.8, 5.5, 9.2
    expect([...initialCentroids(sorted, 3, "density", 1)]).toEqual([1, 5, 9]);
    const forgy = initialCentroids(sorted, 3, "forgy", 1);
    expect(new Set(forgy).size).toBe(3);
    expect(forgy.every((c) => sorted.includes(c))).toBe(true);
    expect([...initialCentroids(sorted, 3, "forgy", 1)]).toEqual([...forgy]);
  });

  test("finds two clusters that anyone can see", () => {
    const { centroids, assignment, squaredError } = kMeans(Float32Array.of(1, 0, 1.5, -2, -2.5), 2, "linear", 1);
    expect([...centroids]).toEqual([-2.25, 1.25]);
    expect([...assignment]).toEqual([1, -1, 1, 0, 0]);
    expect(squaredError).toBeCloseTo(4 * 0.0625);
  });

  test("a fixed point: centroids are their members' means, members are nearest to their centroid", () => {
    fc.assert(
      fc.property(layer, fc.integer({ min: 1, max: 16 }), fc.constantFrom(...CENTROID_INITS), (values, k, init) => {
        const weights = Float32Array.from(values);
        const { centroids, assignment } = kMeans(weights, k, init, 7);
        expect(centroids.length).toBeLessThanOrEqual(k);
        const sums = new Float64Array(centroids.length);
        const counts = new Float64Array(centroids.length);
        for (let i = 0; i < weights.length; i++) {
          expect(assignment[i] < 0).toBe(weights[i] === 0);
          if (assignment[i] < 0) continue;
          sums[assignment[i]] += weights[i];
          counts[assignment[i]]++;
          const distance = Math.abs(weights[i] - centroids[assignment[i]]);
          for (const c of centroids) expect(distance).toBeLessThanOrEqual(Math.abs(weights[i] - c) + 1e-6);
        }
        centroids.forEach((c, j) => {
          expect(counts[j]).toBeGreaterThan(0);
          expect(c).toBeCloseTo(sums[j] / counts[j], 4);
          if (j > 0) expect(c).toBeGreaterThan(centroids[j - 1]);
        });
      }),
    );
  });

  test("as many centroids as distinct weights: no error", () => {
    const weights = Float32Array.of(3, 1, 0, 3, -2, 1);
    for (const { squaredError } of Object.values(compareInits(weights, 4, 1))) expect(squaredError).toBe(0);
  });

  test("an empty layer has no centroids", () => {
    expect(kMeans(new Float32Array(5), 4, "forgy", 1).centroids.length).toBe(0);
  });

  test("400,000 weights in well under a second", () => {
    let state = 1;
    const weights = Float32Array.from({ length: 400_000 }, () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state / 2 ** 32 - 0.5) ** 3;
    });
    const started = process.cpuUsage();
    const { centroids } = kMeans(weights, 32, "linear", 1);
    expect(centroids.length).toBe(32);
    // Of the processor, in µs, whatever else the machine does: a naive k × n round would take longer for 10 rounds alone.
    expect(process.cpuUsage(started).user).toBeLessThan(2e6);
  });
});

describe("codebook", () => {
  test("rounds to int8 multiples of the largest / 127", () => {
    const { scale, codes } = roundCodebook(Float32Array.of(-1.27, -0.004, 0.5));
    expect(scale).toBeCloseTo(0.01, 8);
    expect([...codes]).toEqual([-127, 0, 50]);
  });

  test("no centroid but 0: any scale will do", () => {
    expect(roundCodebook(new Float32Array(2))).toEqual({ scale: 1, codes: new Int8Array(2) });
  });

  test("a weight half-way between two centroids goes to the lower", () => {
    const assignment = new Int32Array(1);
    assign(Float32Array.of(1.5), Float32Array.of(1, 2), assignment);
    expect(assignment[0]).toBe(0);
  });
});
