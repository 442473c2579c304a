import { expect, test } from "vitest";
import {
  freeze,
  frozenAfter,
  gridStep,
  nextToFreeze,
  rowSteps,
  toGrid,
  type GridLayer,
} from "../../host/compress/grid.js";

const layer = (weights: number[], secondMoment: number[], step = 0.5): GridLayer => ({
  weights: Float32Array.from(weights),
  frozen: new Uint8Array(weights.length),
  secondMoment: Float32Array.from(secondMoment),
  steps: Float32Array.of(step),
});

test("the step is a factor of the survivors' mean magnitude", () => {
  expect(gridStep(Float32Array.of(0, 1, -3, 0), 0.5)).toBe(1);
  expect(gridStep(new Float32Array(3), 0.5)).toBe(1);
});

test.each([
  [0.24, 0],
  [0.25, 1],
  [-0.25, -1],
  [0.74, 1],
  [-1.3, -3],
  [9, 8],
  [-9, -8],
  [-0.1, 0],
])("%f on a grid of 0.5 up to 8 is %i", (w, q) => {
  expect(toGrid(w, 0.5, 8)).toBe(q);
});

test("those whose rounding may hurt most are frozen first; pruned and frozen ones are left out", () => {
  const a = layer([1, 0, 1], [1, 100, 3], 1);
  const b = layer([1, 1], [8, 40], 0.5);
  expect(nextToFreeze([a, b], 3)).toEqual([[2], [1, 0]]);
  freeze(b, [1], 8);
  expect(nextToFreeze([a, b], 2)).toEqual([[2], [0]]);
});

test("rows may have steps of their own, by their own survivors, and what a step costs is the row's", () => {
  const weights = Float32Array.of(0.1, -0.3, 0, 2, 1, 0);
  const steps = rowSteps(weights, 2, 0.5);
  expect([...steps]).toEqual([Math.fround(0.1), 0.75]);
  // Not so small that the rows' biases have no common unit, and a row without weights has the layer's.
  const far = rowSteps(Float32Array.of(0.1, -0.3, 20, 10, 0, 0), 3, 0.5);
  expect([...far]).toEqual([3.8 / 8, 7.5, 3.8].map((step) => expect.closeTo(step, 5)));
  const rows: GridLayer = {
    weights,
    frozen: new Uint8Array(6),
    secondMoment: Float32Array.of(9, 1, 1, 1, 2, 1),
    steps,
  };
  expect(nextToFreeze([rows], 3)).toEqual([[4, 3, 0]]);
  freeze(rows, [0, 1, 3, 4], 127);
  expect([...weights]).toEqual([1, -3, 0].map((q) => Math.fround(q * steps[0])).concat([2.25, 0.75, 0]));
});

test("freezing moves weights to exact multiples and may prune", () => {
  const a = layer([0.6, -0.2, 0.9], [1, 1, 1], Math.fround(0.1));
  const tiny = layer([0.04], [1], Math.fround(0.1));
  freeze(a, [0, 1, 2], 7);
  freeze(tiny, [0], 7);
  expect([...a.weights]).toEqual([6, -2, 7].map((q) => Math.fround(q * Math.fround(0.1))));
  expect([...a.frozen]).toEqual([1, 1, 1]);
  expect(tiny.weights[0] === 0).toBe(true);
});

test("shares are even and end at the whole", () => {
  expect([1, 2, 3, 4].map((done) => frozenAfter(10, done, 4))).toEqual([2, 5, 7, 10]);
  expect(frozenAfter(3, 1, 40)).toBe(0);
});
