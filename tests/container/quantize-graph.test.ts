/** Compressed nets that branch: the integer model gives what the float net gives, on every engine the same. */
import { describe, expect, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { ENGINE_NAMES } from "../../host/engines/open.js";
import { runNet } from "../../host/engines/ops-f32.js";
import { givenTensors, resultsOf } from "../../host/model/edges.js";
import type { Graph, Layer, Net, QModel } from "../../host/model/model.js";
import { openEngine } from "../../host/node/engines/open.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { scaleGroups } from "../../host/quantize/calibrate.js";
import { quantize } from "../../host/quantize/quantize.js";
import { compressedNet, randomPixels } from "../support/nets.js";

const conv = { op: "conv2d", kernel: [3, 3], stride: 1, pad: 1, groups: 1, outChannels: 6 } as const;
const input = { name: "in", shape: [2, 8, 8] } as const;

/** As of MobileNet: a depthwise and a pointwise convolution, cut at 6, beside what they read. */
const residual: Graph = {
  name: "residual",
  input,
  layers: [
    { ...conv, name: "stem", input: "in", output: "stem" },
    { op: "clamp", name: "stem6", input: "stem", output: "stem6", low: 0, high: 6 },
    { ...conv, name: "depth", input: "stem6", output: "depth", groups: 6 },
    { op: "clamp", name: "depth6", input: "depth", output: "depth6", low: 0, high: 6 },
    { ...conv, name: "point", input: "depth6", output: "point", kernel: [1, 1], pad: 0 },
    { op: "add", name: "sum", inputs: ["stem6", "point"], output: "sum" },
    { op: "relu", name: "rest", input: "sum", output: "rest" },
    { op: "avgpool", name: "mean", input: "rest", output: "mean", kernel: 8, stride: 1 },
    { op: "dense", name: "scores", input: "mean", output: "scores", outFeatures: 5 },
  ],
};

/** As of a detector: a gate, two scales joined, a result of each. */
const branches: Graph = {
  name: "branches",
  input,
  layers: [
    { ...conv, name: "fine", input: "in", output: "fine", stride: [1, 2], pad: [1, 0, 1, 1] },
    { op: "relu", name: "fine_relu", input: "fine", output: "fine_relu" },
    { op: "maxpool", name: "coarse", input: "fine_relu", output: "coarse", kernel: [2, 2], stride: [2, 2] },
    { ...conv, name: "deep", input: "coarse", output: "deep" },
    { op: "resize", name: "larger", input: "deep", output: "larger", factor: [2, 2] },
    { op: "concat", name: "joined", inputs: ["larger", "fine_relu", "fine_relu"], output: "joined" },
    { op: "avgpool", name: "mean", input: "deep", output: "mean", kernel: [4, 2], stride: 1 },
    { op: "map", name: "gate", input: "mean", output: "gate", function: "sigmoid" },
    { op: "mul", name: "gated", inputs: ["deep", "gate"], output: "gated" },
    { ...conv, name: "boxes", input: "joined", output: "boxes", outChannels: 3, kernel: [1, 1], pad: 0 },
    { op: "dense", name: "classes", input: "gated", output: "classes", outFeatures: 4 },
  ],
  outputs: ["boxes", "classes"],
  ends: { names: ["image", "boxes:0", "classes:0"] },
};

/** A difference, a function with parameters, a pool that pads, and what is read before and behind a cut. */
const cuts: Graph = {
  name: "cuts",
  input,
  layers: [
    { ...conv, name: "a", input: "in", output: "a", outChannels: 2 },
    { op: "relu", name: "a_relu", input: "a", output: "a_relu" },
    { op: "maxpool", name: "pool", input: "a_relu", output: "pool", kernel: 3, stride: 1, pad: 1 },
    { op: "add", name: "less", inputs: ["a", "pool"], output: "less", sign: -1 },
    { op: "map", name: "leaky", input: "less", output: "leaky", function: "leaky-relu", parameters: [0.25] },
    { op: "concat", name: "beside", inputs: ["leaky", "in"], output: "beside" },
    { op: "dense", name: "last", input: "beside", output: "last", outFeatures: 3 },
    { op: "clamp", name: "cut", input: "last", output: "cut", low: -2 },
  ],
};

/** Rows below others and columns beside them: of the input, of what is made of it, and of both. */
const windows: Graph = {
  name: "windows",
  input,
  layers: [
    { ...conv, name: "a", input: "in", output: "a", outChannels: 2 },
    { op: "append", name: "ins", inputs: ["in", "in"], output: "ins", rows: 11 },
    { op: "append", name: "mixed", inputs: ["in", "a"], output: "mixed", columns: 12 },
    { ...conv, name: "b", input: "ins", output: "b", outChannels: 3, stride: [2, 1], pad: 0 },
    { ...conv, name: "c", input: "mixed", output: "c", outChannels: 3 },
    { op: "append", name: "last", inputs: ["b", "b"], output: "last", columns: 7 },
    { op: "dense", name: "d", input: "last", output: "d", outFeatures: 4 },
    { op: "dense", name: "e", input: "c", output: "e", outFeatures: 4 },
    { op: "add", name: "sum", inputs: ["d", "e"], output: "sum" },
  ],
};

/** Results as real numbers. */
function realResults(model: QModel, pixels: Float32Array): Float64Array[] {
  const integers = Int8Array.from(pixels, (x) => Math.round(x * 255) - 128);
  const outputs = runModel(model, integers);
  return model.outputs.map((tensor) => {
    const { scale, zeroPoint } = model.tensors[tensor];
    return Float64Array.from(outputs[tensor - givenTensors(model)], (q) => scale! * (q - zeroPoint));
  });
}

/** Of the greatest error of a result, in its steps, and of how many steps its values span. */
function compare(net: Net, model: QModel): { readonly worst: number; readonly span: number } {
  let worst = 0;
  const spans = model.outputs.map(() => [Infinity, -Infinity]);
  for (let seed = 0; seed < 4; seed++) {
    const pixels = randomPixels(net.graph.input.shape, seed);
    const floats = runNet(net, pixels);
    realResults(model, pixels).forEach((values, index) => {
      const expected = floats.get(resultsOf(net.graph)[index])!;
      const { scale } = model.tensors[model.outputs[index]];
      values.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - expected[i]) / scale!)));
      spans[index] = [Math.min(spans[index][0], ...expected), Math.max(spans[index][1], ...expected)];
    });
  }
  const steps = spans.map(([low, high], index) => (high - low) / model.tensors[model.outputs[index]].scale!);
  return { worst, span: Math.min(...steps) };
}

describe.each([residual, branches, cuts, windows])("$name", (graph) => {
  describe.each([false, true])("with a scale for each row: %s", (byRow) => {
    const net = compressedNet(graph, 5, byRow);
    const model = quantize(net);

    test("gives what the float net gives, to some steps of int8", () => {
      const { worst, span } = compare(net, model);
      expect(span).toBeGreaterThan(60);
      expect(worst).toBeLessThan(5);
    });

    test("on every engine the same, from the container", () => {
      const container = writeContainer(model);
      expect(readContainer(container).model).toEqual(model);
      const integers = Int8Array.from(randomPixels(input.shape, 30), (x) => Math.round(x * 255) - 128);
      const expected = runModel(model, integers);
      for (const name of ENGINE_NAMES) {
        const engine = openEngine(name, container);
        engine.run(integers);
        model.outputs.forEach((tensor, index) =>
          expect(engine.result(index)).toEqual(expected[tensor - givenTensors(model)]),
        );
        engine.close();
      }
    });
  });
});

test("a cut is a part of the layer before it, unless that is read as well", () => {
  expect(quantize(compressedNet(residual, 1)).layers.map(({ op }) => op)).toEqual(
    "conv2d conv2d conv2d add avgpool dense".split(" "),
  );
  const model = quantize(compressedNet(cuts, 1));
  // The input joins with a copy of its own, whose scale is that of what it is joined with.
  expect(model.layers.map(({ op }) => op)).toEqual("conv2d maxpool maxpool add lut lut concat dense".split(" "));
  expect(model.layers[1]).toMatchObject({ kernel: [1, 1] });
  expect(model.layers.at(-1)).toMatchObject({ clamp: [expect.any(Number), 127] });
});

test("what is appended at another scale is copied to that of the window", () => {
  expect(quantize(compressedNet(windows, 1)).layers.map(({ op }) => op)).toEqual(
    "conv2d append lut append conv2d conv2d append dense dense add".split(" "),
  );
});

test("rows have multipliers of their own where they have scales, and one where not", () => {
  const multipliers = (byRow: boolean): number[] =>
    quantize(compressedNet(residual, 1, byRow)).layers.flatMap((layer) =>
      "multiplier" in layer && typeof layer.multiplier !== "number" ? [layer.multiplier.length] : [],
    );
  expect(multipliers(false)).toEqual([1, 1, 1, 1]);
  expect(multipliers(true)).toEqual([6, 6, 6, 5]);
});

test("results have scales and the file's names, in their order", () => {
  const net = compressedNet(branches, 1);
  const preprocessing = { layout: "planar", colours: "none", mean: [0, 0], std: [255, 255] } as const;
  const classes = Array.from({ length: 96 }, (_, i) => `class ${i}`);
  const ends = { ...branches.ends, preprocessing, labels: classes };
  const { names, outputs, tensors, labels, ...model } = quantize({ ...net, graph: { ...branches, ends } });
  expect([names, labels, model.preprocessing]).toEqual([["image", "boxes:0", "classes:0"], classes, preprocessing]);
  expect(outputs.map((tensor) => tensors[tensor].shape)).toEqual([
    [3, 8, 4],
    [4, 1, 1],
  ]);
});

test("results whose cuts stand behind other layers keep the graph's order", () => {
  const graph: Graph = {
    name: "heads",
    input,
    layers: [
      { ...conv, name: "a", input: "in", output: "a", outChannels: 2 },
      { ...conv, name: "b", input: "in", output: "b", outChannels: 3 },
      { op: "relu", name: "cut", input: "a", output: "cut" },
    ],
    outputs: ["b", "cut"],
    ends: { names: ["image", "three", "two"] },
  };
  const model = quantize(compressedNet(graph, 1));
  expect(model.outputs.map((at) => model.tensors[at].shape[0])).toEqual([3, 2]);
  expect(model.names).toEqual(["image", "three", "two"]);
});

describe("tensors that share a scale", () => {
  const groupsOf = (graph: Graph) =>
    scaleGroups(graph).map(({ tensors, deciders, nonNegative }) => [
      tensors.join(" "),
      deciders.join(" "),
      nonNegative,
    ]);

  test("are those between which values are picked, cut or joined; others decide than are cut", () => {
    expect(groupsOf(residual)).toEqual([
      ["in", "in", false],
      ["stem stem6", "stem6", true],
      ["depth depth6", "depth6", true],
      ["point", "point", false],
      ["sum rest", "rest", true],
      ["mean", "mean", false],
      ["scores", "scores", false],
    ]);
  });

  test("a joined tensor's scale is that of its parts, but not the input's", () => {
    expect(groupsOf(branches)).toEqual([
      ["in", "in", false],
      // A convolution between two tensors of the group makes no difference to who decides.
      ["fine fine_relu coarse deep larger joined", "coarse deep joined", false],
      ["mean", "mean", false],
      ["gate", "gate", false],
      ["gated", "gated", false],
      ["boxes", "boxes", false],
      ["classes", "classes", false],
    ]);
    expect(groupsOf(cuts)).toContainEqual(["leaky beside", "beside", false]);
    expect(groupsOf(cuts)).toContainEqual(["a a_relu pool", "a pool", false]);
  });

  test("a window has that of its parts, the input's where it is of the input alone", () => {
    expect(groupsOf(windows).slice(0, 3)).toEqual([
      ["in ins", "in ins", false],
      ["a mixed", "mixed", false],
      ["b last", "last", false],
    ]);
  });
});

describe("refuses", () => {
  const net = compressedNet(residual, 1, true);
  const withScale = (scale: number[]): Net => ({
    ...net,
    compression: { ...net.compression, weightScale: { ...net.compression.weightScale, point: scale } },
  });
  const norm: Layer = { op: "batchnorm", name: "norm", input: "scores", output: "normed", epsilon: 1e-5 };
  const activations = { ...net.compression.activations, normed: net.compression.activations.scores };
  test.each<[string, Net, RegExp]>([
    ["scales for other rows", withScale([1, 1]), /point: has 2 weight scales, expected one, or one for each of 6 rows/],
    ["a scale of 0", withScale([1, 1, 1, 0, 1, 1]), /point: weight scale is 0/],
    [
      "a batch normalization",
      {
        ...net,
        graph: { ...residual, layers: [...residual.layers, norm] },
        compression: { ...net.compression, activations },
      },
      /norm: a batch normalization, expected it folded/,
    ],
    [
      "padding beyond a border",
      compressedNet(
        { name: "wide", input, layers: [{ ...conv, name: "a", input: "in", output: "a", pad: [0, 16, 0, 0] }] },
        1,
      ),
      /a: pads by 16, expected 0 … 15/,
    ],
  ])("%s", (_, bad, message) => {
    expect(() => quantize(bad)).toThrow(message);
  });
});
