import { describe, expect, test } from "vitest";
import { parseRecipe } from "../../host/compress/recipe.js";
import { survivors } from "../../host/compress/prune.js";
import {
  allowedRise,
  densitiesAt,
  densitiesFor,
  measureSensitivity,
  settingsAt,
  type Sensitivity,
} from "../../host/compress/sensitivity.js";
import type { Graph, Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Two layers of 100 weights: the first bears anything, the second little. */
const table: Sensitivity = {
  knob: "density",
  settings: [0.5, 0.1],
  samples: 100,
  loss: 1,
  layers: [
    { layer: "calm", weights: 100, rises: [0, 0.1], lost: 0.5 },
    { layer: "touchy", weights: 100, rises: [0.2, 2], lost: 4 },
  ],
};

describe("settings by sensitivity", () => {
  test("each layer goes to where its loss rises by so much", () => {
    expect(allowedRise(table, 0.05)).toBeCloseTo(0.2);
    expect(densitiesAt(table, 0.2).calm).toBe(0.1);
    expect(densitiesAt(table, 0.2).touchy).toBeCloseTo(0.5);
    expect(densitiesAt(table, 0.1).touchy).toBeCloseTo(Math.SQRT1_2);
    expect(densitiesAt(table, 0.05).calm).toBeCloseTo(Math.sqrt(0.05));
    expect(settingsAt(table, 0.15)).toEqual({ calm: 0.1, touchy: 0.5 });
  });

  test.each([20, 0.25, 60, 110, 150, 5])("as many weights as asked for: %d", (keep) => {
    const { calm, touchy } = densitiesFor(table, keep);
    expect(100 * (calm + touchy)).toBeCloseTo(keep < 1 ? 200 * keep : keep, 0);
    expect(calm).toBeLessThanOrEqual(touchy);
  });
});

/** Two inputs, of which the first says the class; the last layer takes both, the second with small weights. */
const graph: Graph = {
  name: "two",
  input: { name: "x", shape: [4, 1, 1] },
  layers: [
    { op: "dense", name: "a", input: "x", output: "a", outFeatures: 4 },
    { op: "dense", name: "b", input: "a", output: "b", outFeatures: 2 },
  ],
};
const tensor = (shape: number[], values: number[]) => ({ shape, data: Float32Array.from(values) });
const net: Net = {
  graph,
  tensors: new Map([
    ["a.weight", tensor([4, 4], [5, 0.01, 0.02, 0.01, 0.02, 5, 0.01, 0.02, 0.1, 0.2, 0.1, 0.1, 0.3, 0.1, 0.1, 0.2])],
    ["a.bias", tensor([4], [0, 0, 0, 0])],
    ["b.weight", tensor([2, 4], [4, -4, 3, -3, -4, 4, 3.5, 2.5])],
    ["b.bias", tensor([2], [0, 0])],
  ]),
};
const count = 64;
const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
const images = Uint8Array.from({ length: count * 4 }, (_, i) => ((i & 3) === labels[i >> 2] ? 200 : (i * 7) % 50));
const samples = { count, images, labels };

test("the loss of each layer alone is measured, the net is left as it is", async () => {
  const options = { runtime: nodeRuntime, threads: 1, batch: 32, samples };
  const before = net.tensors.get("a.weight")!.data.slice();
  const { layers, loss } = await measureSensitivity(net, "density", ["a", "b"], options);
  expect(net.tensors.get("a.weight")!.data).toEqual(before);
  expect(layers.map(({ layer, weights }) => [layer, weights])).toEqual([
    ["a", 16],
    ["b", 8],
  ]);
  for (const { rises, lost } of layers) {
    expect(rises).toEqual(rises.toSorted((a, b) => a - b));
    // Without weights both classes are as likely; with some it may be worse.
    expect(lost).toBeCloseTo(Math.max(rises.at(-1)!, Math.LN2 - loss), 4);
  }
  // Two large weights of the first layer do all the work: 0.15 of 16 are those.
  expect(layers[0].rises[4]).toBeLessThan(0.05);
  expect(layers[0].rises[7]).toBeGreaterThan(0.3);
});

test("a recipe of autos: what was measured is kept, and decides what is left", async () => {
  const work = mkdtempSync(join(tmpdir(), "mote-sensitivity-"));
  try {
    const stages = [
      { kind: "prune", sparsity: "auto", keep: 10, schedule: "one-shot", epochs: 0 },
      { kind: "share", bits: { a: "auto" }, epochs: 0 },
      { kind: "grid", epochs: 0 },
      { kind: "calibrate" },
    ];
    const recipe = parseRecipe(JSON.stringify({ net: "two.onnx", batch: 32, stages }), "r.json");
    const run = () => runRecipe({ recipe, net, data: { train: samples, validation: samples }, work, threads: 1 });
    const { net: result, reports } = await run();
    const left = ["a", "b"].map((name) => survivors(result.tensors.get(`${name}.weight`)!.data));
    expect(left[0] + left[1]).toBeLessThanOrEqual(10);
    // The first layer bears more: two of its sixteen weights matter.
    expect(left[0]).toBeLessThan(left[1]);
    expect(reports[1].sensitivity?.layers.map(({ layer }) => layer)).toEqual(["a", "b"]);
    expect(reports[3].sensitivity?.knob).toBe("step");
    expect(reports[3].sensitivity?.layers.map(({ layer }) => layer)).toEqual(["b"]);
    const kept = readdirSync(work).filter((name) => name.startsWith("sensitivity-"));
    expect(kept).toHaveLength(3);
    expect((await run()).reports.map((r) => r.sensitivity)).toEqual(reports.map((r) => r.sensitivity));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
