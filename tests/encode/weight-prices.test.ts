import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { modelBits, weightPrices } from "../../host/codecs/weight-prices.js";
import { readContainer } from "../../host/container/read.js";
import { inputOf } from "../../host/model/edges.js";
import { isWeighted, rowCount } from "../../host/ops/index.js";
import type { Axes } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";

interface Matrix {
  readonly weights: Int8Array;
  readonly rows: number;
  readonly kernel: Axes;
}

function matricesOf(name: string): Matrix[] {
  const { model } = readContainer(readFileSync(`models/${name}.mote`));
  return model.layers.filter(isWeighted).map((layer) => {
    const [, height, width] = model.tensors[inputOf(layer)].shape;
    return {
      weights: layer.weights,
      rows: rowCount(model, layer),
      kernel: layer.op === "conv2d" ? layer.kernel : [height, width],
    };
  });
}

/** What the layer has less bits if that weight goes, by coding it anew. */
function saving({ weights, rows, kernel }: Matrix, at: number): number {
  const without = Int8Array.from(weights);
  without[at] = 0;
  return modelBits(weights, rows, kernel) - modelBits(without, rows, kernel);
}

describe("modelBits", () => {
  // With a real arithmetic coder the weights of these took 2,595, 3,217, 37,634 and 22,833 bytes.
  it.each([
    ["lenet5", 2595],
    ["lenet300", 3217],
    ["lenet5-paper", 37634],
    ["lenet300-paper", 22833],
  ])("is what %s takes", (name, bytes) => {
    const bits = matricesOf(name).reduce((sum, { weights, rows, kernel }) => sum + modelBits(weights, rows, kernel), 0);
    expect(Math.abs(bits / 8 / bytes - 1)).toBeLessThan(0.02);
  });

  it("learns signs that neighbours tell", () => {
    const random = new Random(3);
    const same = Int8Array.from({ length: 50 * 49 }, (_, i) => (Math.floor(i / 49) % 2 === 0 ? 1 : -1));
    const mixed = same.map((w) => (random.integer(2) === 0 ? w : -w));
    expect(modelBits(same, 50, [7, 7])).toBeLessThan(0.4 * modelBits(mixed, 50, [7, 7]));
  });

  it("is nothing for a layer without weights", () => {
    expect(modelBits(new Int8Array(12), 3, [2, 2])).toBe(0);
  });
});

describe("weightPrices", () => {
  it("says what a weight's going saves, positions behind it included, to about a bit", () => {
    const [, matrix] = matricesOf("lenet5");
    const prices = weightPrices(matrix.weights, matrix.rows, matrix.kernel);
    const places = [...matrix.weights.keys()].filter((at) => matrix.weights[at] !== 0).filter((_, i) => i % 7 === 0);
    const savings = places.map((at) => saving(matrix, at));
    const mean = (values: number[]): number => values.reduce((a, b) => a + b) / values.length;
    expect(mean(places.map((at, i) => Math.abs(prices[at] - savings[i])))).toBeLessThan(1.5);
    expect(mean(places.map((at) => prices[at])) / mean(savings)).toBeCloseTo(1, 0);
    // What coders that know only row and column think: the same of all in a full matrix.
    const spread = Math.max(...savings) - Math.min(...savings);
    expect(spread).toBeGreaterThan(5);
    const ranked = places.map((_, i) => i).sort((a, b) => prices[places[a]] - prices[places[b]]);
    const [cheap, dear] = [ranked.slice(0, 10), ranked.slice(-10)].map((some) => mean(some.map((i) => savings[i])));
    expect(dear - cheap).toBeGreaterThan(spread / 3);
  });

  it("gives zeros none, and a line's last weight the line's zeros", () => {
    const weights = new Int8Array(8 * 40);
    for (let row = 0; row < 8; row++) for (let column = 0; column < 20; column += 2) weights[row * 40 + column] = 1;
    weights[3 * 40 + 31] = 1;
    const matrix: Matrix = { weights, rows: 8, kernel: [1, 1] };
    const prices = weightPrices(weights, 8, [1, 1]);
    expect(prices[3 * 40 + 30]).toBe(0);
    expect(prices[3 * 40 + 31]).toBeGreaterThan(prices[3 * 40 + 2] + 4);
    expect(Math.abs(prices[3 * 40 + 31] - saving(matrix, 3 * 40 + 31))).toBeLessThan(5);
  });
});
