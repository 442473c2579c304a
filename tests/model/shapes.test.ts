import { describe, expect, test } from "vitest";
import { runNet } from "../../host/engines/ops-f32.js";
import type { FloatTensor, Graph, Layer, Shape } from "../../host/model/model.js";
import { parameterShapes, sampleShape, tensorShapes } from "../../host/model/shapes.js";
import { allFloatOps } from "../../host/ops/index.js";
import { parseGraph } from "../../host/train/metadata.js";

/** Every op, a branch that is joined again, and two results. */
const everyOp: Graph = {
  name: "every op",
  input: { name: "in", shape: [2, 4, 6] },
  layers: [
    {
      op: "conv2d",
      name: "conv",
      input: "in",
      output: "conv",
      outChannels: 2,
      kernel: [3, 3],
      stride: [1, 2],
      pad: [1, 0, 1, 1],
      groups: 2,
    },
    { op: "batchnorm", name: "norm", input: "conv", output: "norm", epsilon: 1e-3 },
    { op: "relu", name: "relu", input: "norm", output: "relu" },
    { op: "maxpool", name: "max", input: "relu", output: "max", kernel: [2, 1], stride: [2, 1], pad: [0, 0, 0, 1] },
    { op: "avgpool", name: "mean", input: "relu", output: "mean", kernel: [4, 3], stride: 1 },
    { op: "map", name: "sigmoid", input: "mean", output: "gate", function: "sigmoid" },
    { op: "mul", name: "gated", inputs: ["max", "gate"], output: "gated" },
    { op: "clamp", name: "cut", input: "gated", output: "cut", high: 6 },
    { op: "add", name: "difference", inputs: ["max", "cut"], output: "difference", sign: -1 },
    { op: "concat", name: "joined", inputs: ["difference", "cut", "max"], output: "joined" },
    { op: "crop", name: "part", input: "joined", output: "part", channel: 1, channels: 4 },
    { op: "append", name: "window", inputs: ["part", "part"], output: "window", rows: 3 },
    { op: "resize", name: "larger", input: "window", output: "larger", factor: [1, 2] },
    { op: "dense", name: "dense", input: "larger", output: "scores", outFeatures: 3 },
  ],
  outputs: ["gate", "scores"],
  ends: {
    names: ["an image", "gate:0", "scores:0"],
    preprocessing: { layout: "interleaved", colours: "none", mean: [1, 2], std: [255, 4] },
  },
};

const graphOf = (shape: Shape, ...layers: Layer[]): Graph => ({ name: "net", input: { name: "in", shape }, layers });

/** A net without parameters on the elements of its input. */
function run(shape: Shape, input: readonly number[], ...layers: Layer[]): number[] {
  const graph = graphOf(shape, ...layers);
  return [...runNet({ graph, tensors: new Map() }, Float32Array.from(input)).get(layers.at(-1)!.output)!];
}

test("a graph may have every op", () => {
  expect(new Set(everyOp.layers.map(({ op }) => op))).toEqual(new Set(allFloatOps().map(([op]) => op)));
});

test("shapes of all tensors, and of what the layers have", () => {
  expect(Object.fromEntries(tensorShapes(everyOp))).toEqual({
    in: [2, 4, 6],
    conv: [2, 4, 3],
    norm: [2, 4, 3],
    relu: [2, 4, 3],
    max: [2, 2, 4],
    mean: [2, 1, 1],
    gate: [2, 1, 1],
    gated: [2, 2, 4],
    cut: [2, 2, 4],
    difference: [2, 2, 4],
    joined: [6, 2, 4],
    part: [4, 2, 4],
    window: [4, 3, 4],
    larger: [4, 3, 8],
    scores: [3, 1, 1],
  });
  expect(Object.fromEntries(parameterShapes(everyOp))).toEqual({
    "conv.weight": [2, 1, 3, 3],
    "conv.bias": [2],
    "norm.weight": [2],
    "norm.bias": [2],
    "norm.mean": [2],
    "norm.variance": [2],
    "dense.weight": [3, 96],
    "dense.bias": [3],
  });
});

/** A sum of all steps, and what it was a step before. */
const sums: Graph = {
  name: "sums",
  input: { name: "in", shape: [2, 1, 1] },
  states: [{ tensor: "before", shape: [2, 1, 1], source: "sum" }],
  steps: 3,
  layers: [
    { op: "add", name: "sum", inputs: ["in", "before"], output: "sum" },
    { op: "concat", name: "both", inputs: ["sum", "before"], output: "both" },
  ],
};

test("is read from JSON as it is written", () => {
  expect(parseGraph(JSON.stringify(everyOp), "a.json")).toEqual(everyOp);
  expect(parseGraph(JSON.stringify(sums), "a.json")).toEqual(sums);
});

test("states are tensors between the input and the outputs of layers, and a sample has a row a step", () => {
  expect([...tensorShapes(sums)]).toEqual([
    ["in", [2, 1, 1]],
    ["before", [2, 1, 1]],
    ["sum", [2, 1, 1]],
    ["both", [4, 1, 1]],
  ]);
  expect([sampleShape(sums), sampleShape(everyOp)]).toEqual([
    [1, 3, 2],
    [2, 4, 6],
  ]);
});

describe("values", () => {
  const edges = { name: "layer", input: "in", output: "out" } as const;

  test("a pool's padding is zeros, which count", () => {
    const pool = { ...edges, kernel: 2, stride: 2, pad: [0, 0, 0, 1] } as const;
    expect(run([1, 2, 3], [1, 2, -3, 4, 5, -6], { op: "avgpool", ...pool })).toEqual([3, -2.25]);
    expect(run([1, 2, 3], [1, 2, -3, 4, 5, -6], { op: "maxpool", ...pool })).toEqual([5, 0]);
  });

  test("clamp and functions", () => {
    expect(run([3, 1, 1], [-2, 0.5, 7], { op: "clamp", ...edges, low: -1, high: 6 })).toEqual([-1, 0.5, 6]);
    expect(run([3, 1, 1], [-2, 0.5, 7], { op: "clamp", ...edges, low: 0 })).toEqual([0, 0.5, 7]);
    expect(run([2, 1, 1], [-2, 3], { op: "map", ...edges, function: "leaky-relu", parameters: [0.25] })).toEqual([
      -0.5, 3,
    ]);
    expect(run([2, 1, 1], [0, 3], { op: "map", ...edges, function: "hard-swish" })).toEqual([0, 3]);
  });

  test("sums, products, gates, joins", () => {
    const double: Layer = { op: "add", name: "double", inputs: ["in", "in"], output: "double" };
    const two = ["in", "double"] as const;
    const input = [1, 2, 3, 4];
    expect(run([2, 1, 2], input, double)).toEqual([2, 4, 6, 8]);
    const less: Layer = { op: "add", name: "less", inputs: two, output: "out", sign: -1 };
    expect(run([2, 1, 2], input, double, less)).toEqual([-1, -2, -3, -4]);
    const product: Layer = { op: "mul", name: "product", inputs: two, output: "out" };
    expect(run([2, 1, 2], input, double, product)).toEqual([2, 8, 18, 32]);
    const mean: Layer = { op: "avgpool", name: "mean", input: "in", output: "double", kernel: [1, 2], stride: 1 };
    expect(run([2, 1, 2], input, mean, product)).toEqual([1.5, 3, 10.5, 14]);
    const joined: Layer = { op: "concat", name: "joined", inputs: two, output: "out" };
    expect(run([2, 1, 2], input, double, joined)).toEqual([1, 2, 3, 4, 2, 4, 6, 8]);
  });

  test("a crop takes channels from one on", () => {
    const part: Layer = { op: "crop", ...edges, channel: 1, channels: 2 };
    expect(run([4, 1, 2], [1, 2, 3, 4, 5, 6, 7, 8], part)).toEqual([3, 4, 5, 6]);
  });

  test("an append takes the last rows or columns of two tensors", () => {
    const double: Layer = { op: "add", name: "double", inputs: ["in", "in"], output: "double" };
    const [shape, input] = [[2, 2, 2] as const, [1, 2, 3, 4, 5, 6, 7, 8]];
    const taken = (count: { rows: number } | { columns: number }): number[] =>
      run(shape, input, double, { op: "append", name: "last", inputs: ["in", "double"], output: "out", ...count });
    expect(taken({ rows: 3 })).toEqual([3, 4, 2, 4, 6, 8, 7, 8, 10, 12, 14, 16]);
    expect(taken({ rows: 1 })).toEqual([6, 8, 14, 16]);
    expect(taken({ columns: 3 })).toEqual([2, 2, 4, 4, 6, 8, 6, 10, 12, 8, 14, 16]);
    expect(taken({ columns: 2 })).toEqual([2, 4, 6, 8, 10, 12, 14, 16]);
    expect(taken({ columns: 4 }).length).toBe(16);
  });

  test("states hold what their sources were a step before, at first zeros", () => {
    const values = runNet({ graph: sums, tensors: new Map() }, Float32Array.of(1, 10, 2, 20, 3, 30));
    expect([...values.get("both")!]).toEqual([6, 60, 3, 30]);
  });

  test("an element becomes a block", () => {
    const larger: Layer = { op: "resize", ...edges, factor: [2, 3] };
    expect(run([1, 1, 2], [1, 2], larger)).toEqual([1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2]);
  });

  test("a convolution looks at what its padding and strides say", () => {
    const conv: Layer = {
      op: "conv2d",
      ...edges,
      outChannels: 1,
      kernel: [1, 2],
      stride: [1, 3],
      pad: [0, 1, 0, 0],
      groups: 1,
    };
    const tensors = new Map<string, FloatTensor>([
      ["layer.weight", { shape: [1, 1, 1, 2], data: Float32Array.of(10, 1) }],
      ["layer.bias", { shape: [1], data: Float32Array.of(0.5) }],
    ]);
    const net = { graph: graphOf([1, 1, 4], conv), tensors };
    expect([...runNet(net, Float32Array.of(1, 2, 3, 4)).get("out")!]).toEqual([1.5, 34.5]);
  });

  test("a batch normalization is one line a channel", () => {
    const norm: Layer = { op: "batchnorm", ...edges, epsilon: 1 };
    const one = (value: readonly number[]): FloatTensor => ({ shape: [2], data: Float32Array.from(value) });
    const tensors = new Map([
      ["layer.weight", one([2, 3])],
      ["layer.bias", one([10, 0])],
      ["layer.mean", one([1, 0])],
      ["layer.variance", one([3, 8])],
    ]);
    const net = { graph: graphOf([2, 1, 2], norm), tensors };
    expect([...runNet(net, Float32Array.of(1, 3, 3, 6)).get("out")!]).toEqual([10, 12, 3, 6]);
  });
});

describe("refuses", () => {
  const edges = { name: "layer", input: "in", output: "out" } as const;
  const joined = { name: "layer", output: "out" } as const;
  const relu: Layer = { op: "relu", name: "relu", input: "in", output: "relu" };
  test.each<[string, Graph, RegExp]>([
    ["a layer that reads what comes later", graphOf([1, 2, 2], { op: "relu", ...edges, input: "b" }), /its input, "b"/],
    ["a name twice", graphOf([1, 2, 2], relu, { ...relu, input: "relu" }), /occurs twice/],
    [
      "an output that is neither read nor a result",
      graphOf([1, 2, 2], relu, { op: "relu", ...edges }),
      /net\/relu: its output "relu" is read by no layer/,
    ],
    ["a result that nobody makes", { ...graphOf([1, 2, 2], relu), outputs: ["relu", "b"] }, /its output, "b"/],
    [
      "results in another order than they are made in",
      { ...everyOp, outputs: ["scores", "gate"] },
      /"gate" is made before "scores"/,
    ],
    ["the input as a result", { ...graphOf([1, 2, 2], relu), outputs: ["relu", "in"] }, /its output, "in"/],
    [
      "a sum of two shapes",
      graphOf(
        [1, 2, 2],
        { op: "resize", ...edges, factor: [2, 2] },
        { op: "add", name: "sum", inputs: ["in", "out"], output: "sum" },
      ),
      /net\/sum: its inputs are \[1, 2, 2\] and \[1, 4, 4\]/,
    ],
    [
      "a join of one tensor",
      graphOf([1, 2, 2], { op: "concat", ...joined, inputs: ["in"] }),
      /reads 1 tensors, expected 2 or more/,
    ],
    ["a function that is none", graphOf([1, 2, 2], { op: "map", ...edges, function: "swish" as "silu" }), /one of/],
    ["a missing parameter", graphOf([1, 2, 2], { op: "map", ...edges, function: "elu" }), /elu has 0 parameters/],
    ["limits that cross", graphOf([1, 2, 2], { op: "clamp", ...edges, low: 2, high: 1 }), /low 2 is above high 1/],
    [
      "padding for three sides",
      graphOf([1, 2, 2], { op: "maxpool", ...edges, kernel: 1, stride: 1, pad: [0, 0, 0] as unknown as number }),
      /pad must be \[top, left, bottom, right\]/,
    ],
    [
      "a stride of 0 across",
      graphOf([1, 2, 2], { op: "maxpool", ...edges, kernel: 1, stride: [1, 0] }),
      /stride width must be a whole number of at least 1, got 0/,
    ],
    [
      "a crop beyond the last channel",
      graphOf([3, 1, 1], { op: "crop", ...edges, channel: 2, channels: 2 }),
      /net\/layer: takes channels 2 … 3 of an input of 3/,
    ],
    [
      "an append of neither rows nor columns",
      graphOf([1, 2, 2], { op: "append", ...joined, inputs: ["in", "in"] }),
      /net\/layer: has neither rows nor columns, expected one of both/,
    ],
    [
      "an append of both",
      graphOf([1, 2, 2], { op: "append", ...joined, inputs: ["in", "in"], rows: 2, columns: 2 }),
      /net\/layer: has rows and columns, expected one of both/,
    ],
    [
      "an append of more than there is",
      graphOf([1, 2, 2], { op: "append", ...joined, inputs: ["in", "in"], columns: 5 }),
      /net\/layer: takes 5 columns of inputs of 4/,
    ],
    [
      "an append of three tensors",
      graphOf([1, 2, 2], { op: "append", ...joined, inputs: ["in", "in", "in"], rows: 2 }),
      /reads 3 tensors, expected 2/,
    ],
    [
      "an append of no rows",
      graphOf([1, 2, 2], { op: "append", ...joined, inputs: ["in", "in"], rows: 0 }),
      /rows must be a whole number of at least 1, got 0/,
    ],
    [
      "an append of rows of two lengths",
      graphOf(
        [1, 2, 2],
        { op: "resize", ...edges, factor: [1, 2] },
        { op: "append", name: "last", inputs: ["in", "out"], output: "last", rows: 2 },
      ),
      /net\/last: its inputs are \[1, 2, 2\] and \[1, 2, 4\], expected as many channels and columns/,
    ],
    [
      "states without steps",
      { ...sums, steps: undefined as unknown as number },
      /steps is missing, with states expected/,
    ],
    ["more steps than there may be", { ...sums, steps: 1001 }, /steps is 1001, with states expected 2 … 1000/],
    [
      "more layers in all steps than can be planned",
      { ...sums, steps: 1000, layers: Array.from({ length: 51 }, () => relu) },
      /sums: 51 layers in 1000 steps, expected at most 50000 in all/,
    ],
    ["one step", { ...sums, steps: 1 }, /steps is 1, with states/],
    ["steps without states", { ...graphOf([1, 2, 2], relu), steps: 3 }, /net: 3 steps without states/],
    [
      "steps of a picture",
      { ...sums, input: { name: "in", shape: [2, 2, 1] } },
      /the input of a step is \[2, 2, 1\], with states expected a vector/,
    ],
    [
      "a state of another shape than its source",
      { ...sums, states: [{ tensor: "before", shape: [2, 1, 1], source: "both" }] },
      /state "before": its source "both" is \[4, 1, 1\], expected its own shape, \[2, 1, 1\]/,
    ],
    [
      "a state that nobody reads",
      { ...sums, states: [...sums.states!, { tensor: "old", shape: [4, 1, 1], source: "both" }] },
      /sums: state "old" is read by no layer/,
    ],
    [
      "a state of the input",
      { ...sums, states: [{ tensor: "before", shape: [2, 1, 1], source: "in" }] },
      /state "before": no layer makes its source, "in"/,
    ],
    [
      "a state by the input's name",
      { ...sums, states: [{ tensor: "in", shape: [2, 1, 1], source: "sum" }] },
      /the name of state "in" occurs twice/,
    ],
    [
      "a batch normalization of all steps",
      { ...sums, layers: [...sums.layers, { op: "batchnorm", name: "norm", input: "both", output: "n", epsilon: 1 }] },
      /sums: norm: a batch normalization is not trained in a net with states/,
    ],
  ])("%s", (_, graph, message) => {
    expect(() => tensorShapes(graph)).toThrow(message);
  });

  test.each<[string, unknown, RegExp]>([
    ["a list of no outputs", { outputs: [] }, /mote\.graph\.outputs: \[\]/],
    [
      "a layout that is none",
      { ends: { preprocessing: { ...everyOp.ends!.preprocessing, layout: "nhwc" } } },
      /ends\.preprocessing\.layout: "nhwc"/,
    ],
    ["a name too few", { ends: { names: ["in"] } }, /ends\.names: 1 of them, expected 3/],
    [
      "numbers for another count of channels",
      { ends: { preprocessing: { ...everyOp.ends!.preprocessing, std: [1] } } },
      /ends\.preprocessing\.std: 1 numbers, expected 2, one a channel/,
    ],
    ["an output that no layer makes", { outputs: ["b"] }, /outputs: "b" is made by no layer/],
    [
      "one input where there are two",
      { layers: [{ op: "add", name: "a", input: "in", output: "a" }] },
      /layers\[0\]\.inputs: nothing/,
    ],
    [
      "a list where there is one",
      { layers: [{ op: "relu", name: "a", inputs: ["in"], output: "a" }] },
      /layers\[0\]\.input: nothing/,
    ],
    [
      "an input that no layer before makes",
      { layers: [{ op: "add", name: "a", inputs: ["in", "b"], output: "a" }] },
      /its input "b" is made by no layer before/,
    ],
    ["a list of no states", { states: [] }, /mote\.graph\.states: \[\]/],
    ["steps that are no count", { steps: 1.5 }, /mote\.graph\.steps: 1\.5/],
    ["a state without a source", { states: [{ tensor: "s", shape: [1, 1, 1] }] }, /states\[0\]\.source: nothing/],
    [
      "a state that takes over the input",
      { states: [{ tensor: "s", shape: [2, 4, 6], source: "in" }] },
      /states\[0\]\.source: "in" is made by no layer/,
    ],
    [
      "a state by a layer's name",
      { states: [{ tensor: "conv", shape: [2, 4, 3], source: "relu" }] },
      /layers\[0\]: the name "conv" or its output occurs twice/,
    ],
    [
      "a state as a result",
      { states: [{ tensor: "s", shape: [2, 4, 3], source: "relu" }], outputs: ["s"] },
      /outputs: "s" is made by no layer/,
    ],
  ])("in JSON %s", (_, change, message) => {
    expect(() => parseGraph(JSON.stringify({ ...everyOp, ...(change as object) }), "a.json")).toThrow(message);
  });
});
