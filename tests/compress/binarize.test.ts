import { beforeAll, expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { binarizedGraph, thresholds } from "../../host/compress/binarize.js";
import { foldedGraph } from "../../host/compress/fold-batchnorm.js";
import { integerEvaluation } from "../../host/compress/integer-errors.js";
import type { BinarizeStage } from "../../host/compress/method-stages.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { runStage, type StageContext } from "../../host/compress/stages.js";
import { writeContainer } from "../../host/container/write.js";
import { runNet } from "../../host/engines/ops-f32.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { openReference } from "../../host/engines/reference.js";
import type { FloatTensor, Graph, Net, QModel } from "../../host/model/model.js";
import { parameterShapes } from "../../host/model/shapes.js";
import { quantize } from "../../host/quantize/quantize.js";
import { Random } from "../../host/rng.js";
import type { Checkpoint } from "../../host/train/checkpoint.js";
import { lenet300 } from "../../host/train/nets.js";
import { barSamples, netBytes, smallNet, stageContext, startedNet } from "../train/support.js";

const samples = barSamples(256, 1);
const context = stageContext(samples, {});
const stage: BinarizeStage = {
  kind: "binarize",
  rounding: { conv: "deterministic", fc1: "deterministic", fc2: "deterministic" },
  epochs: 10,
  lr: 0.01,
  lrEnd: 0,
};

/** Two binarized layers in a row, one of which pads, under a pool. */
const graph: Graph = {
  ...smallNet,
  layers: [
    smallNet.layers[0],
    { op: "relu", name: "relu0", input: "conv", output: "relu0" },
    { ...smallNet.layers[0], name: "conv2", input: "relu0", output: "conv2", outChannels: 8 } as Graph["layers"][0],
    { op: "maxpool", name: "pool", input: "conv2", output: "pool", kernel: 2, stride: 2 },
    { op: "clamp", name: "relu1", input: "pool", output: "relu1", low: 0, high: 6 },
    { ...smallNet.layers[2], input: "relu1" } as Graph["layers"][0],
    ...smallNet.layers.slice(3),
  ],
};
const all: BinarizeStage["rounding"] = { ...stage.rounding, conv2: "stochastic" };

let start: Net;
let trained: Net;
let model: QModel;
beforeAll(async () => {
  start = await startedNet(graph, samples, 60, 0.005);
  trained = await runStage(start, { ...stage, rounding: all }, context, samples);
  model = quantize(await runStage(trained, { kind: "calibrate", samples: 96, range: "error" }, context, samples));
});

test("weights are ± 1, outputs 0 and 1, and nothing but pools lies between", () => {
  expect(trained.graph).toEqual(foldedGraph(binarizedGraph(graph, Object.keys(all))));
  expect(trained.graph.layers.map(({ name }) => name)).toEqual([
    "conv",
    "conv.step",
    "conv2",
    "conv2.step",
    "pool",
    "fc1",
    "fc1.step",
    "fc2",
  ]);
  for (const name of Object.keys(all))
    expect([...new Set(trained.tensors.get(`${name}.weight`)!.integers)].sort((a, b) => a - b)).toEqual([-1, 1]);
  expect(model.layers.map(({ op }) => op)).toEqual(["conv2d", "conv2d", "dense", "dense"]);
  for (const layer of model.layers.slice(0, -1)) expect(layer).toMatchObject({ clamp: [0, 1] });
  expect(model.tensors.slice(1, -1).map(({ zeroPoint }) => zeroPoint)).toEqual([0, 0, 0]);
});

const best = (values: ArrayLike<number>): number => Array.from(values).indexOf(Math.max(...Array.from(values)));

test("every hidden value and every class of the integers are those of the float net", () => {
  const hidden = ["conv", "pool", "fc1"];
  const ones = hidden.map(() => 0);
  for (let n = 0; n < samples.count; n++) {
    const pixels = samples.images.subarray(n * 64, (n + 1) * 64);
    const real = runNet(
      trained,
      Float32Array.from(pixels, (value) => value / 255),
    );
    const integers = runModel(
      model,
      Int8Array.from(pixels, (value) => value - 128),
    );
    hidden.forEach((name, i) => {
      expect([...integers[i]]).toEqual([...real.get(name)!]);
      ones[i] += Array.from(integers[i]).reduce((sum, bit) => sum + bit, 0) / integers[i].length;
    });
    expect(best(integers.at(-1)!)).toBe(best(real.get("logits")!));
  }
  // Neither all 0 nor all 1.
  for (const count of ones) expect(Math.abs(count / samples.count - 0.5)).toBeLessThan(0.45);
});

test("has learnt, and is the same each time", async () => {
  expect(integerEvaluation(openReference(writeContainer(model)), samples).errors).toBeLessThan(0.1 * samples.count);
  expect(netBytes(await runStage(start, { ...stage, rounding: all }, context, samples)).equals(netBytes(trained))).toBe(
    true,
  );
});

test("thresholds between two sums are what rounding leaves alone", () => {
  for (const [name, unit] of [
    ["conv", 1 / 255],
    ["conv2", 1],
    ["fc1", 1],
  ] as const)
    for (const threshold of trained.tensors.get(`${name}.bias`)!.data) {
      const distance = Math.abs((threshold / unit) % 1);
      expect(Math.abs(distance - 0.5)).toBeLessThan(0.01);
    }
});

test("stopped after an epoch and gone on with: the same bytes", async () => {
  let state: Checkpoint | undefined;
  const stop = new AbortController();
  const keeper: StageContext["keeper"] = { load: () => state, save: (kept) => void (state = kept) };
  const onProgress = (done: number): void => {
    if (done === 17) stop.abort();
  };
  const told = { ...stage, rounding: all };
  const stopped = runStage(start, told, { ...context, keeper, signal: stop.signal, onProgress }, samples);
  await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
  expect(state!.progress!.step).toBe(17);
  expect(netBytes(await runStage(start, told, { ...context, keeper }, samples)).equals(netBytes(trained))).toBe(true);
});

test("layers that are not named stay real, and those of a result are not cut", async () => {
  const some = await runStage(start, { ...stage, rounding: { fc1: "deterministic" }, epochs: 1 }, context, samples);
  expect(some.graph.layers.map(({ name }) => name)).toEqual(
    graph.layers.flatMap(({ name }) => (name === "fc1" ? ["fc1", "fc1.step"] : name === "relu" ? [] : [name])),
  );
  expect(some.tensors.get("conv.weight")!.integers).toBeUndefined();
  const outputs = ["fc1", "logits"];
  const twice = binarizedGraph({ ...smallNet, outputs }, ["fc1"]);
  expect(twice.layers.some(({ op }) => op === "map")).toBe(false);
  expect(twice.layers.map(({ name }) => name)).toContain("relu");
});

test("normalizations of any factor become thresholds and scales that do the same", () => {
  const random = new Random(5);
  const names = Object.keys(all);
  const normed = binarizedGraph(graph, names);
  const tensors = new Map<string, FloatTensor>();
  const draw = (name: string): number => {
    if (name.endsWith(".variance")) return 0.5 + random.uniform();
    if (/(conv2?|fc[12])\.weight/.test(name)) return random.uniform() < 0.5 ? -0.25 : 0.25;
    return name.endsWith("norm.weight") ? random.integer(5) - 2 : name.endsWith(".norm.bias") ? random.normal() : 0;
  };
  for (const [name, shape] of parameterShapes(normed)) {
    const count = shape.reduce((product, size) => product * size, 1);
    tensors.set(name, { shape, data: Float32Array.from({ length: count }, () => draw(name)) });
  }
  const net = { graph: normed, tensors };
  const signs = names.map((name) => ({ name, values: tensors.get(`${name}.weight`)!.data, scale: 0.25 }));
  const settled = thresholds(net, signs, samples);
  const factors = names.flatMap((name) => [...tensors.get(`${name}.norm.weight`)!.data]);
  expect([-1, 0, 1].every((sign) => factors.some((factor) => Math.sign(factor) === sign))).toBe(true);
  for (let n = 0; n < 20; n++) {
    const pixels = Float32Array.from(samples.images.subarray(n * 64, (n + 1) * 64), (value) => value / 255);
    const [expected, got] = [net, settled].map((one) => runNet(one, pixels));
    for (const name of ["conv", "conv2", "fc1"]) expect([...got.get(name)!]).toEqual([...expected.get(name)!]);
    got.get("logits")!.forEach((value, i) => expect(value).toBeCloseTo(expected.get("logits")![i], 4));
  }
});

test.each<[unknown[], string]>([
  [[{ kind: "binarize", rounding: "up" }], "stages[0].rounding: expected one of deterministic, stochastic"],
  [[{ kind: "binarize", rounding: { fc1: "stochastic" } }], "stages[0].rounding.fc2: missing"],
  [[{ kind: "binarize" }, { kind: "levels" }], "stages[1].levels: earlier stages have brought all its layers"],
  [[{ kind: "binarize" }, { kind: "train" }], "stages[1]: train cannot follow binarize, which fixes the weights"],
])("%j is refused", (stages, message) => {
  const text = JSON.stringify({ net: "lenet300", stages: [...stages, { kind: "calibrate" }] });
  expect(() => checkRecipe(parseRecipe(text, "r.json"), lenet300)).toThrow(message);
});

test("a name that is taken is refused before anything is trained", () => {
  const layers = lenet300.layers.map((layer) => (layer.name === "relu1" ? { ...layer, name: "fc1.step" } : layer));
  const text = JSON.stringify({ net: "lenet300", stages: [{ kind: "binarize" }, { kind: "calibrate" }] });
  expect(() => checkRecipe(parseRecipe(text, "r.json"), { ...lenet300, layers })).toThrow(
    "stages[0]: lenet300 has a layer or a tensor named fc1.step already",
  );
});
