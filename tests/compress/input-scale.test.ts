import { expect, test } from "vitest";
import { inputFactor, scaleInput } from "../../host/compress/input-scale.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { integerEvaluation } from "../../host/compress/integer-errors.js";
import { writeContainer } from "../../host/container/write.js";
import type { Samples } from "../../host/data/samples.js";
import { openReference } from "../../host/engines/reference.js";
import type { Graph, Net } from "../../host/model/model.js";
import { quantize } from "../../host/quantize/quantize.js";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const graph: Graph = {
  name: "raw",
  input: { name: "x", shape: [4, 1, 1] },
  layers: [
    { op: "dense", name: "a", input: "x", output: "a", outFeatures: 4 },
    { op: "relu", name: "relu", input: "a", output: "relu" },
    { op: "dense", name: "b", input: "relu", output: "b", outFeatures: 2 },
  ],
};
const diagonal = (value: number): Float32Array =>
  Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? value : value / 9));
const net: Net = {
  graph,
  tensors: new Map([
    ["a.weight", { shape: [4, 4], data: diagonal(0.02) }],
    ["a.bias", { shape: [4], data: new Float32Array(4) }],
    ["b.weight", { shape: [2, 4], data: Float32Array.of(3, -3, 1, -1, -3, 3, -1, 1) }],
    ["b.bias", { shape: [2], data: new Float32Array(2) }],
  ]),
};
const count = 64;
const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
const images = Uint8Array.from({ length: count * 4 }, (_, i) => ((i & 3) === labels[i >> 2] ? 200 : (i * 7) % 50));
const raw: Samples = { count, images, labels, reading: { scale: [1, 1, 1, 1], offset: [0, 0, 0, 0] } };

test("bytes as they are count as value / 255, whatever else is read as it is", () => {
  expect(inputFactor(graph, raw)).toBe(255);
  expect(inputFactor(graph, { count, images, labels })).toBe(1);
  expect(inputFactor(graph, { ...raw, images: Float32Array.from(images) })).toBe(1);
  expect(inputFactor(graph, { ...raw, reading: { scale: [1], offset: [-3] } })).toBe(1);
  expect(inputFactor(graph, { ...raw, reading: { scale: [1, 2], offset: [0, 0] } })).toBe(1);
  // A relu is no sum that its weights could scale.
  const early: Graph = { ...graph, layers: [{ op: "relu", name: "r", input: "x", output: "r" }] };
  expect(inputFactor(early, raw)).toBe(1);
});

test("there and back: the net as it was", () => {
  const there = scaleInput(net, 255);
  expect(there.tensors.get("a.weight")!.data[0]).toBeCloseTo(5.1);
  expect(there.tensors.get("b.weight")).toBe(net.tensors.get("b.weight"));
  expect([...scaleInput(there, 1 / 255).tensors.get("a.weight")!.data]).toEqual(
    [...net.tensors.get("a.weight")!.data].map((w) => expect.closeTo(w, 7)),
  );
});

test("what is compressed so still sees bytes as they are, with first weights on their integers", async () => {
  const work = mkdtempSync(join(tmpdir(), "mote-input-scale-"));
  try {
    const stages = [{ kind: "train", epochs: 4 }, { kind: "grid", step: 0.3, epochs: 4 }, { kind: "calibrate" }];
    const recipe = parseRecipe(JSON.stringify({ net: "raw.onnx", batch: 32, stages }), "r.json");
    const data = { train: raw, validation: raw };
    const { net: made, reports } = await runRecipe({ recipe, net, data, work, threads: 1 });
    const { data: weights, integers } = made.tensors.get("a.weight")!;
    const scale = made.compression!.weightScale.a as number;
    expect(weights).toEqual(Float32Array.from(integers!, (q) => q * scale));
    // A rate of 0.001 would have moved weights of 0.02 by as much as they are.
    expect(weights[0]).toBeCloseTo(0.02, 2);
    const engine = openReference(writeContainer(quantize(made)));
    expect(engine.input.scale).toBeCloseTo(1, 6);
    expect(engine.input.zeroPoint).toBe(-128);
    expect(integerEvaluation(engine, raw).errors).toBe(reports.at(-1)!.validationErrors);
    expect(reports.at(-1)!.validationErrors).toBe(0);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
