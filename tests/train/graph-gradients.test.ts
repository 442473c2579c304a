/** Gradients of nets that branch and join, of every op that chains of digits do without, of every loss. */
import { describe, test } from "vitest";
import type { Graph, Layer, Shape } from "../../host/model/model.js";
import type { Padding, PerAxis } from "../../host/ops/attributes.js";
import { checkGradients, type GradientCase } from "./gradient-check.js";

/** A layer, its name being that of its output. */
const conv = (
  input: string,
  output: string,
  outChannels: number,
  attributes: { kernel?: readonly [number, number]; stride?: PerAxis; pad?: Padding; groups?: number } = {},
): Layer => ({
  op: "conv2d",
  name: output,
  input,
  output,
  outChannels,
  kernel: [3, 3],
  stride: 1,
  pad: 1,
  groups: 1,
  ...attributes,
});
const dense = (input: string, output: string, outFeatures: number): Layer => ({
  op: "dense",
  name: output,
  input,
  output,
  outFeatures,
});
const relu = (input: string, output: string): Layer => ({ op: "relu", name: output, input, output });
const norm = (input: string, output: string): Layer => ({
  op: "batchnorm",
  name: output,
  input,
  output,
  epsilon: 1e-3,
});
const join = (op: "add" | "mul" | "concat", inputs: readonly string[], output: string): Layer => ({
  op,
  name: output,
  inputs,
  output,
});
const append = (
  inputs: readonly string[],
  output: string,
  last: { readonly rows: number } | { readonly columns: number },
): Layer => ({ op: "append", name: output, inputs, output, ...last });
const pool = (
  op: "maxpool" | "avgpool",
  input: string,
  output: string,
  kernel: PerAxis,
  stride: PerAxis,
  pad: Padding = 0,
): Layer => ({ op, name: output, input, output, kernel, stride, pad });

const net = (shape: Shape, layers: readonly Layer[], outputs?: readonly string[]): Graph => ({
  name: "case",
  input: { name: "x", shape },
  layers,
  ...(outputs && { outputs }),
});

/** Between a convolution whose gradients are to be right and a classifier: `y` is to be made of `c`. */
const between = (...layers: Layer[]): Graph => net([2, 5, 6], [conv("x", "c", 4), ...layers, dense("y", "z", 3)]);

const OPS: Readonly<Record<string, Graph>> = {
  "a convolution with strides and zeros that differ by axis and side": between(
    conv("c", "y", 3, { kernel: [3, 2], stride: [2, 1], pad: [1, 0, 2, 1] }),
  ),
  "a depthwise convolution of two filters a channel": between(conv("c", "y", 8, { groups: 4, stride: [1, 2] })),
  "a pointwise convolution": between(conv("c", "y", 5, { kernel: [1, 1], pad: 0 })),
  "a max-pool with zeros around": between(pool("maxpool", "c", "y", [3, 2], [2, 1], [1, 0, 1, 1])),
  "an average pool with zeros around": between(pool("avgpool", "c", "y", [2, 3], [1, 2], [0, 1, 1, 1])),
  "a global average pool": between(pool("avgpool", "c", "y", [5, 6], 1)),
  "relu6 and its like": between({ op: "clamp", name: "y", input: "c", output: "y", low: -0.3, high: 0.6 }),
  "a cut-off on one side": between({ op: "clamp", name: "y", input: "c", output: "y", high: 0.4 }),
  "a sum": between(conv("c", "d", 4), join("add", ["c", "d"], "y")),
  "a difference": between(conv("c", "d", 4), { ...join("add", ["c", "d"], "y"), sign: -1 } as Layer),
  "twice the same": between(join("add", ["c", "c"], "y")),
  "a product": between(conv("c", "d", 4), join("mul", ["d", "c"], "y")),
  "a square, as a product with itself": between(join("mul", ["c", "c"], "y")),
  "a gate of one value a channel": between(
    pool("avgpool", "c", "p", [5, 6], 1),
    dense("p", "s", 4),
    join("mul", ["c", "s"], "y"),
  ),
  "channels side by side": between(conv("c", "d", 3), join("concat", ["d", "c", "x", "d"], "y")),
  "some channels of what others read as well": between(
    conv("c", "d", 5),
    { op: "crop", name: "e", input: "d", output: "e", channel: 1, channels: 3 },
    { op: "crop", name: "f", input: "d", output: "f", channel: 3, channels: 2 },
    join("concat", ["f", "e", "d"], "y"),
  ),
  "rows below others": between(conv("c", "d", 4), append(["d", "c"], "y", { rows: 7 })),
  "columns beside others": between(conv("c", "d", 4), append(["d", "c"], "y", { columns: 8 })),
  "rows of the second alone, and columns of the first twice": between(
    conv("c", "d", 4),
    append(["c", "d"], "e", { rows: 3 }),
    append(["e", "e"], "f", { columns: 9 }),
    append(["f", "f"], "y", { rows: 6 }),
  ),
  enlargement: between({ op: "resize", name: "y", input: "c", output: "y", factor: [2, 3] }),
  "batch normalization": between(norm("c", "y")),
  "batch normalization of features": between(dense("c", "d", 5), norm("d", "y")),
  "a step": between(norm("c", "n"), { op: "map", name: "y", input: "n", output: "y", function: "step" }),
  "steps behind each other": between(
    norm("c", "n"),
    { op: "map", name: "s", input: "n", output: "s", function: "step" },
    conv("s", "d", 4),
    norm("d", "m"),
    { op: "map", name: "t", input: "m", output: "t", function: "step" },
    join("add", ["s", "t"], "y"),
  ),
  "batch normalization of the input": between(norm("x", "n"), conv("n", "d", 4), join("add", ["c", "d"], "y")),
};

describe.each(Object.entries(OPS))("%s", (_title, graph) => {
  test("dense kernels", () => checkGradients({ graph, batch: 16, shards: 2 }));
  test("sparse kernels", () => checkGradients({ graph, batch: 8, shards: 1, sparse: true }));
});

// interpolation.test.ts has the others.
test.each([
  ["sigmoid", []],
  ["hard-swish", []],
  ["leaky-relu", [0.3]],
  ["clamp", [-0.3, 0.8]],
] as const)("the function %s", (name, parameters) => {
  const layer: Layer = { op: "map", name: "y", input: "c", output: "y", function: name, parameters };
  checkGradients({ graph: between(layer), batch: 8, shards: 1 });
});

/** Residual, concat, squeeze and excitation, normalization, and a second result that another layer reads as well. */
const whole = net(
  [2, 6, 6],
  [
    conv("x", "c1", 4),
    norm("c1", "n1"),
    relu("n1", "r1"),
    conv("r1", "c2", 4, { groups: 4 }),
    norm("c2", "n2"),
    join("add", ["r1", "n2"], "sum"),
    pool("avgpool", "sum", "p", 6, 1),
    dense("p", "s1", 4),
    { op: "map", name: "s2", input: "s1", output: "s2", function: "hard-sigmoid", parameters: [0.2, 0.5] },
    join("mul", ["sum", "s2"], "gated"),
    join("concat", ["gated", "r1"], "both"),
    pool("maxpool", "both", "small", 2, 2),
    dense("small", "aux", 2),
    dense("small", "head", 5),
    join("concat", ["head", "aux"], "all"),
    dense("all", "logits", 3),
  ],
  ["aux", "logits"],
);

describe("a net of all that", () => {
  const sizes = { graph: whole, batch: 16, shards: 2 };
  const features = { tensor: "sum", weight: 2.5 };
  const cases: Readonly<Record<string, Omit<GradientCase, keyof typeof sizes>>> = {
    "softmax, of the first result alone": {},
    "softmax, classes that count differently": { task: { loss: "softmax", classWeights: [0.5, 2] } },
    "softmax and a teacher": { distill: { alpha: 0.7, temperature: 3 } },
    "a teacher alone": { distill: { alpha: 1, temperature: 1 } },
    "softmax and a teacher's features": { distill: { alpha: 0, temperature: 1, features } },
    sigmoid: { task: { loss: "sigmoid" } },
    "sigmoid, values that count differently": { task: { loss: "sigmoid", classWeights: [1, 0, 2, 0.5, 3] } },
    "sigmoid, a teacher and its features": {
      task: { loss: "sigmoid" },
      distill: { alpha: 0.4, temperature: 2, features },
    },
    squares: { task: { loss: "mse" } },
    "squares, values that count differently": { task: { loss: "mse", classWeights: [1, 0, 2, 0.5, 3] } },
    "squares and a teacher": { task: { loss: "mse" }, distill: { alpha: 0.6, temperature: 1 } },
    "int8 read channel by channel": { images: "int8" },
    "floats read channel by channel": { images: "float32" },
  };
  test.each(Object.entries(cases))("%s", (_title, options) => checkGradients({ ...sizes, ...options }));
});

test("the gradient of a result that is made early stays until its layer has had it", () => {
  const layers = [conv("x", "c", 3), dense("c", "early", 4), conv("c", "d", 3), relu("d", "r"), conv("r", "e", 2)];
  const graph = net([1, 4, 4], [...layers, dense("e", "late", 3)], ["early", "late"]);
  checkGradients({ graph, batch: 8, shards: 1, task: { loss: "mse" } });
});

test("a result that no layer with weights has a part in leaves the gradients of others alone", () => {
  const layers = [dense("x", "hidden", 4), dense("hidden", "made", 3), relu("x", "given")];
  const graph = net([1, 4, 4], layers, ["made", "given"]);
  for (const loss of ["mse", "sigmoid"] as const) checkGradients({ graph, batch: 16, shards: 2, task: { loss } });
});
