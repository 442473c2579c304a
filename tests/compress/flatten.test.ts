import { beforeAll, describe, expect, test } from "vitest";
import type { Elements } from "../../host/model/elements.js";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { decompose, distance, type Shape4 } from "../../host/compress/components.js";
import { flatGraph, flatNet } from "../../host/compress/flatten.js";
import { integerEvaluation } from "../../host/compress/integer-errors.js";
import type { FlattenStage } from "../../host/compress/method-stages.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { runStage } from "../../host/compress/stages.js";
import { writeContainer } from "../../host/container/write.js";
import type { Graph, Net } from "../../host/model/model.js";
import { tensorShapes } from "../../host/model/shapes.js";
import { openEngine } from "../../host/node/engines/open.js";
import { quantize } from "../../host/quantize/quantize.js";
import { Random } from "../../host/rng.js";
import { lenet5 } from "../../host/train/nets.js";
import { asked, barSamples, stageContext, startedNet } from "../train/support.js";

const samples = barSamples(96, 1);
const context = stageContext(samples, {});

/** Two convolutions, one with padding and strides of its own for each axis. */
const convNet: Graph = {
  name: "small",
  input: { name: "image", shape: [1, 8, 8] },
  layers: [
    {
      op: "conv2d",
      name: "conv1",
      input: "image",
      output: "conv1",
      outChannels: 5,
      kernel: [3, 5],
      stride: [1, 2],
      pad: [1, 2, 0, 1],
      groups: 1,
    },
    { op: "relu", name: "relu1", input: "conv1", output: "relu1" },
    {
      op: "conv2d",
      name: "conv2",
      input: "relu1",
      output: "conv2",
      outChannels: 7,
      kernel: [3, 2],
      stride: 1,
      pad: 0,
      groups: 1,
    },
    { op: "relu", name: "relu2", input: "conv2", output: "relu2" },
    { op: "dense", name: "fc", input: "relu2", output: "logits", outFeatures: 4 },
  ],
};

let start: Net;
beforeAll(async () => {
  start = await startedNet(convNet, samples);
});

const logitsOf = (net: Net): Promise<Float32Array> => asked(net, (trainer) => trainer.logits(samples));

const stageOf = (stage: Partial<FlattenStage>, graph: Graph = convNet): FlattenStage => {
  const stages = [{ kind: "flatten", epochs: 0, ...stage }, { kind: "share", bits: 4 }, { kind: "calibrate" }];
  const recipe = parseRecipe(JSON.stringify({ net: "lenet5", stages }), "r.json");
  return checkRecipe(recipe, graph).stages[0] as FlattenStage;
};

/** Sums of `count` products of four drawn vectors. */
function sumOf([n0, n1, n2, n3]: Shape4, count: number, seed: number): Float32Array {
  const random = new Random(seed);
  const data = new Float32Array(n0 * n1 * n2 * n3);
  for (let r = 0; r < count; r++) {
    const [a, b, c, d] = [n0, n1, n2, n3].map((n) => Array.from({ length: n }, () => random.normal()));
    data.forEach((value, i) => {
      const [x, y, z] = [Math.floor(i / (n1 * n2 * n3)), Math.floor(i / (n2 * n3)) % n1, Math.floor(i / n3) % n2];
      data[i] = value + a[x] * b[y] * c[z] * d[i % n3];
    });
  }
  return data;
}

describe("components of a tensor", () => {
  test.each([1, 2, 3])("a sum of %i products is found again", (count) => {
    const shape: Shape4 = [5, 4, 3, 6];
    const data = sumOf(shape, count, count);
    expect(distance(shape, data, decompose(shape, data, count, 1), count) / Math.hypot(...data)).toBeLessThan(1e-3);
  });

  test("more of them come nearer, and of nothing they are nothing", () => {
    const shape: Shape4 = [6, 3, 4, 5];
    const data = sumOf(shape, 30, 7);
    const errors = [1, 2, 4, 8, 16].map((count) => distance(shape, data, decompose(shape, data, count, 1), count));
    for (let i = 1; i < errors.length; i++) expect(errors[i]).toBeLessThan(errors[i - 1]);
    expect(distance(shape, new Float32Array(360), decompose(shape, new Float32Array(360), 2, 1), 2)).toBe(0);
  });
});

describe("a flattened convolution", () => {
  test("is what it was where each filter is a product", async () => {
    const tensors = new Map(start.tensors);
    for (const name of ["conv1", "conv2"]) {
      const { shape } = tensors.get(`${name}.weight`)!;
      const [rows, ...sizes] = shape as unknown as Shape4;
      const each = Array.from({ length: rows }, (_, row) => [...sumOf([1, ...sizes], 1, row + 1)]).flat();
      tensors.set(`${name}.weight`, { shape, data: Float32Array.from(each, (w) => w / 3) });
      tensors.get(`${name}.bias`)!.data.forEach((_, i, bias) => (bias[i] = i / 10));
    }
    const net = { ...start, tensors };
    const flat = flatNet(net, stageOf({}), 1);
    expect(flat.graph.layers.map(({ name }) => name)).toEqual([
      "conv1.lateral",
      "conv1.vertical",
      "conv1.horizontal",
      "relu1",
      "conv2.lateral",
      "conv2.vertical",
      "conv2.horizontal",
      "relu2",
      "fc",
    ]);
    expect(tensorShapes(flat.graph).get("conv1")).toEqual(tensorShapes(convNet).get("conv1"));
    const [a, b] = [await logitsOf(net), await logitsOf(flat)];
    a.forEach((value, i) => expect(b[i]).toBeCloseTo(value, 3));
  });

  test("is what it was where all filters are sums of as many products as it has components", async () => {
    const tensors = new Map(start.tensors);
    const { shape } = tensors.get("conv2.weight")!;
    tensors.set("conv2.weight", { shape, data: sumOf(shape as unknown as Shape4, 2, 5).map((w) => w / 3) });
    const net = { ...start, tensors };
    const flat = flatNet(net, stageOf({ rank: { conv2: 2 } }), 1);
    expect(flat.graph.layers.slice(2, 6).map(({ name }) => name)).toEqual([
      "conv2.lateral",
      "conv2.vertical",
      "conv2.horizontal",
      "conv2.out",
    ]);
    expect(flat.tensors.get("conv2.out.weight")!.shape).toEqual([7, 2, 1, 1]);
    const [a, b] = [await logitsOf(net), await logitsOf(flat)];
    a.forEach((value, i) => expect(b[i]).toBeCloseTo(value, 2));
  });

  test.each<FlattenStage["init"]>(["trained", "scratch"])("from %s it trains, and runs as integers", async (init) => {
    const stage: FlattenStage = { ...stageOf({ init }), epochs: 40, lr: 0.01 };
    const flat = await runStage(start, stage, context, samples);
    expect(flat.graph).toEqual(flatGraph(stage, convNet));
    const bits = Object.fromEntries(flat.graph.layers.flatMap(({ name, op }) => (op === "relu" ? [] : [[name, 5]])));
    const share = { kind: "share", bits, init: "linear", epochs: 2, lr: 0.001, lrEnd: 0 } as const;
    const shared = await runStage(flat, share, context, samples);
    const net = await runStage(shared, { kind: "calibrate", samples: 96, range: "error" }, context, samples);
    const container = writeContainer(quantize(net));
    const reference = openEngine("reference", container);
    expect(integerEvaluation(reference, samples).errors).toBeLessThan(0.15 * samples.count);
    const input = Int8Array.from(samples.images.subarray(0, 64), (pixel) => pixel - 128);
    const [expected, tensors] = [reference.run(input), new Map<number, Elements>()];
    reference.run(input, (layer, output) => tensors.set(layer, output));
    for (const name of ["v8", "simd"] as const) {
      const engine = openEngine(name, container);
      expect(engine.run(input, (layer, output) => expect(output).toEqual(tensors.get(layer)))).toEqual(expected);
      engine.close();
    }
  });

  test("drawn anew does not depend on the weights before", async () => {
    const other = {
      ...start,
      tensors: new Map([...start.tensors].map(([n, t]) => [n, { ...t, data: t.data.map(() => 1) }])),
    };
    const run = (net: Net) => runStage(net, stageOf({ init: "scratch" }), context, samples);
    expect(await run(other)).toEqual(await run(start));
  });
});

test("a layer named as what every object has stays as it is", () => {
  const layers = convNet.layers.map((layer) => (layer.name === "conv1" ? { ...layer, name: "constructor" } : layer));
  const graph: Graph = { ...convNet, layers };
  expect(flatGraph(stageOf({ rank: { conv2: "filters" } }, graph), graph).layers.map(({ name }) => name)).toEqual([
    "constructor",
    "relu1",
    "conv2.lateral",
    "conv2.vertical",
    "conv2.horizontal",
    "relu2",
    "fc",
  ]);
});

test("more components than can be found in minutes are refused by the layer's name", () => {
  const large = { ...convNet.layers[0], outChannels: 512, kernel: [3, 3], pad: 1, stride: 1 } as const;
  const graph = { ...convNet, input: { name: "image", shape: [512, 8, 8] }, layers: [large] } as unknown as Graph;
  expect(() => stageOf({ rank: { conv1: 200 } }, graph)).toThrow(
    /^stages\[0\].rank.conv1: 200 of 512 × 512 × 3 × 3 weights take too long/,
  );
  expect(stageOf({}, graph)).toMatchObject({ rank: { conv1: "filters" } });
});

test.each<[unknown, string]>([
  [{ rank: { fc1: "filters" } }, "stages[0].rank.fc1: is a dense layer, expected a convolution"],
  [{ rank: { "op:dense": 4 } }, "stages[0].rank: selects no layer that can be split"],
  [{ rank: { conv1: 26 } }, "stages[0].rank.conv1: expected at most 25, got 26"],
  [{ rank: "rows" }, 'stages[0].rank: expected one of filters, got "rows"'],
  [{ rank: 0 }, "stages[0].rank: expected a whole number, 1 .. 65535, got 0"],
  [{ init: "drawn" }, 'stages[0].init: expected one of trained, scratch, got "drawn"'],
  [{ rank: { conv3: 2 } }, "stages[0].rank.conv3: no such layer; there are conv1, conv2, fc1, fc2"],
])("%j is refused", (stage, message) => {
  expect(() => stageOf(stage as Partial<FlattenStage>, lenet5)).toThrow(message);
});

test.each<[Partial<Graph["layers"][0]>, string]>([
  [{ kernel: [1, 1] } as never, "has a kernel of 1 × 1, which is flat"],
  [{ groups: 5, outChannels: 5, input: "relu1" } as never, "reads in groups, expected groups 1"],
])("a convolution with %j is refused by its name", (change, message) => {
  const layers = convNet.layers.map((layer) =>
    layer.name === "conv2" ? ({ ...layer, ...change } as typeof layer) : layer,
  );
  expect(() => stageOf({ rank: { conv2: "filters" } }, { ...convNet, layers })).toThrow(`rank.conv2: ${message}`);
  expect(stageOf({}, { ...convNet, layers }).rank).toEqual({ conv1: "filters" });
});
