/** Weights of real numbers that share the values of a codebook keep it when they become int8. */
import { describe, expect, test } from "vitest";
import { calibrate } from "../../host/import/calibrate.js";
import type { NetWeights } from "../../host/import/net.js";
import { denseNet } from "../support/dense-net.js";
import { Random } from "../../host/rng.js";

const COLUMNS = 40;
const ROWS = 12;

const net = (values: Float32Array) => denseNet(values, new Float32Array(ROWS).fill(0.125));

function quantized(
  values: Float32Array,
): NetWeights & { readonly values: Int8Array; readonly scales: NonNullable<NetWeights["scales"]> } {
  const random = new Random(2);
  const samples = Array.from({ length: 3 }, () => [Float32Array.from({ length: COLUMNS }, () => random.normal())]);
  const [layer] = calibrate(net(values), samples, { range: "all" }).layers;
  if (layer.op !== "dense" || !(layer.weights.values instanceof Int8Array) || layer.weights.scales === undefined)
    throw new Error("expected a quantized dense layer");
  return { ...layer.weights, values: layer.weights.values, scales: layer.weights.scales };
}

/** Rows whose largest weights differ. */
function shared(values: readonly number[]): Float32Array {
  const random = new Random(7);
  return Float32Array.from({ length: ROWS * COLUMNS }, (_, at) => {
    const inRow = values.slice(0, 2 + (Math.floor(at / COLUMNS) % (values.length - 1)));
    return random.uniform() < 0.5 ? 0 : inRow[random.integer(inRow.length)];
  });
}

describe("a layer's weights", () => {
  test("of a codebook have as many values as before, by one scale", () => {
    const codebook = [0.1, -0.25, 0.4, -0.7, 1];
    const real = shared(codebook);
    const { values, scales } = quantized(real);
    expect(new Set(values)).toEqual(new Set([0, ...codebook.map((value) => Math.floor(value * 127 + 0.5))]));
    expect(new Set(scales)).toEqual(new Set([Math.fround(1 / 127)]));
    values.forEach((value, at) => expect(Math.abs(value * scales[0] - real[at])).toBeLessThanOrEqual(scales[0] / 2));
  });

  test("of as many values as weights have a scale for each row", () => {
    const random = new Random(8);
    const { values, scales } = quantized(Float32Array.from({ length: ROWS * COLUMNS }, () => random.normal()));
    expect(new Set(scales).size).toBe(ROWS);
    for (let row = 0; row < ROWS; row++) {
      expect(Math.max(...values.subarray(row * COLUMNS, (row + 1) * COLUMNS).map(Math.abs))).toBe(127);
    }
  });

  test("that are few are no codebook", () => {
    const few = new Float32Array(ROWS * COLUMNS);
    for (let row = 0; row < ROWS; row++) few[row * COLUMNS] = row + 1;
    expect(new Set(quantized(few).scales).size).toBe(ROWS);
  });
});
