import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { GraphTensor, ImportedGraph } from "../../host/import/graph.js";
import { isWhole } from "../../host/import/node-view.js";
import { readOnnx } from "../../host/import/onnx.js";
import { inferShapes } from "../../host/import/shapes.js";
import { openFileSource } from "../../host/node/file-source.js";
import {
  attribute,
  edge,
  field,
  floats,
  goldenBytes,
  goldenNets,
  integers,
  memorySource,
  model,
  node,
} from "../support/onnx.js";

type Shapes = Readonly<Record<string, Readonly<Record<string, string>>>>;

const golden = JSON.parse(new TextDecoder().decode(goldenBytes("onnx-shapes.json"))) as Shapes;
const zoo = JSON.parse(new TextDecoder().decode(goldenBytes("zoo-shapes.json"))) as Shapes;
const zooFolder = process.env.MOTE_ZOO ?? "";

const open = (name: string): ImportedGraph => readOnnx(memorySource(goldenBytes(`${name}.onnx`)));
const find = (graph: ImportedGraph, name: string): GraphTensor => graph.tensors.find((tensor) => tensor.name === name)!;

/** Tensors of which onnx knows the whole shape, with ours. */
function compared(graph: ImportedGraph, expected: Readonly<Record<string, string>>): [ours: object, theirs: object] {
  const inferred = new Map(inferShapes(graph).tensors.map(({ name, shape }) => [name, shape]));
  const ours = Object.keys(expected).map((name) => {
    const shape = inferred.get(name);
    return [name, isWhole(shape) ? shape.join("x") : (shape ?? "none")];
  });
  return [Object.fromEntries(ours) as object, expected];
}

describe("shapes are those that onnx.shape_inference finds", () => {
  it.each(goldenNets())("of %s", (name) => {
    const [ours, theirs] = compared(open(name), golden[name]);
    expect(ours).toEqual(theirs);
  });

  describe.skipIf(zooFolder === "")("in the folder that MOTE_ZOO names", () => {
    it.each(Object.keys(zoo))("of %s", (name) => {
      const path = join(zooFolder, name);
      expect(existsSync(path), path).toBe(true);
      const source = openFileSource(path);
      const [ours, theirs] = compared(readOnnx(source), zoo[name]);
      source.close();
      expect(ours).toEqual(theirs);
    });
  });
});

describe("open sizes", () => {
  const blocks = open("torch-blocks");

  it("stay symbols through nets that work out their own shapes", () => {
    const graph = inferShapes(blocks);
    expect(graph.outputs.map((index) => graph.tensors[index].shape)).toEqual([["batch", 8]]);
    expect(find(inferShapes(open("opset-24")), "r").shape).toEqual(["N", 4, 20]);
  });

  it("are what is given, or one where they are the batch", () => {
    const given = inferShapes(blocks, { shapes: new Map([["image", [5, 3, 8, 12]]]) });
    expect(find(given, "scores").shape).toEqual([5, 8]);
    expect(find(inferShapes(blocks, { batch: 1 }), "scores").shape).toEqual([1, 8]);
    const both = inferShapes(blocks, { shapes: new Map([["image", [5, 3, 8, 12]]]), batch: 1 });
    expect(find(both, "scores").shape).toEqual([5, 8]);
  });

  it.each<[string, number[], string]>([
    ["picture", [1, 3, 8, 12], "shape of picture: the net's inputs are image"],
    ["image", [1, 3, 8], "shape of image: 1,3,8 does not fit the net's batch,3,8,12"],
    ["image", [1, 3, 8, 13], "shape of image: 1,3,8,13 does not fit the net's batch,3,8,12"],
  ])("cannot be given for %s as %j", (name, sizes, message) => {
    expect(() => inferShapes(blocks, { shapes: new Map([[name, sizes]]) })).toThrow(message);
  });
});

describe("constants made of constants", () => {
  it("are worked out when asked for: float16 weights behind a Cast", () => {
    const graph = inferShapes(open("opset-24"));
    const weight = find(graph, "weight");
    expect(weight).toMatchObject({ type: "float32", shape: [4, 3, 1, 3] });
    expect(weight.constant!.values()).toEqual(find(graph, "half").constant!.values());
  });

  it("are scale × (integer − zero point) behind a DequantizeLinear, by channel", () => {
    const graph = inferShapes(open("quantized-qdq"));
    const name = "conv1.weight";
    const [integers, scales, weights] = [`${name}_quantized`, `${name}_scale`, `${name}_DequantizeLinear_Output`].map(
      (tensor) => [...find(graph, tensor).constant!.values()],
    );
    expect(new Set(scales).size).toBe(4);
    expect(weights).toEqual(integers.map((value, i) => Math.fround(value * scales[Math.floor(i / 9)])));
  });

  const made = (op: string, attributes: number[][], shape: number[], values: number[]): number[] => {
    const bytes = model(13, floats("c", shape, values), node(op, ["c"], ["y"], ...attributes));
    return [...find(inferShapes(readOnnx(memorySource(bytes))), "y").constant!.values()];
  };
  const perm = attribute("perm", [1, 2, 0]);
  // More elements than are folded at once.
  const many = Array.from({ length: 2 * 3 * 50 }, (_, i) => i);

  it("are transposed", () => {
    const expected = many.map((_, i) => (i % 2) * 150 + Math.floor(i / 100) * 50 + (Math.floor(i / 2) % 50));
    expect(made("Transpose", [perm], [2, 3, 50], many)).toEqual(expected);
  });

  it("are as they were behind a Reshape or Identity", () => {
    expect(made("Identity", [], [300], many)).toEqual(many);
    expect(made("Flatten", [], [2, 3, 50], many)).toEqual(many);
  });

  it("of one value only allocate when asked for", () => {
    const filled = (values: number[]): GraphTensor =>
      find(
        inferShapes(
          readOnnx(memorySource(model(13, integers("sizes", values), node("ConstantOfShape", ["sizes"], ["y"])))),
        ),
        "y",
      );
    expect(filled([1000, 2]).constant!.values()).toEqual(new Float32Array(2000));
    expect(filled([2 ** 30, 2 ** 20]).shape).toEqual([2 ** 30, 2 ** 20]);
    expect(() => filled([2 ** 30, 2 ** 20]).constant!.values()).toThrow(
      "ConstantOfShape #0: takes 4503599627370496 bytes, expected at most 2147483647",
    );
  });
});

describe("integers are worked out as ONNX says", () => {
  it.each<[string, number[][], number[][], number[]]>([
    ["Add", [[1, 2, 3], [10]], [], [11, 12, 13]],
    [
      "Sub",
      [
        [1, 2],
        [3, 3],
      ],
      [],
      [-2, -1],
    ],
    ["Mul", [[3], [4, -5]], [], [12, -15]],
    ["Div", [[7, -7], [2]], [], [3, -3]],
    ["Mod", [[7, -7], [3]], [], [1, 2]],
    ["Mod", [[7, -7], [3]], [attribute("fmod", 1)], [1, -1]],
    [
      "Max",
      [
        [1, 9, 2],
        [3, 3, 3],
        [5, 4, 1],
      ],
      [],
      [5, 9, 3],
    ],
    [
      "Min",
      [
        [1, 9, 2],
        [3, 3, 3],
        [5, 4, 1],
      ],
      [],
      [1, 3, 1],
    ],
    ["Neg", [[1, -2]], [], [-1, 2]],
    [
      "Equal",
      [
        [1, 2],
        [1, 3],
      ],
      [],
      [1, 0],
    ],
    ["Less", [[1, 3], [2]], [], [1, 0]],
    [
      "Where",
      [
        [1, 0],
        [5, 6],
        [7, 8],
      ],
      [],
      [5, 8],
    ],
    [
      "Gather",
      [
        [5, 6, 7],
        [-1, 0],
      ],
      [],
      [7, 5],
    ],
    ["Concat", [[1], [2, 3]], [attribute("axis", 0)], [1, 2, 3]],
    ["Slice", [[1, 2, 3, 4], [-1], [-(2 ** 40)], [0], [-2]], [], [4, 2]],
    ["Slice", [[1, 2, 3, 4], [1], [2 ** 40]], [], [2, 3, 4]],
    ["ReduceProd", [[2, 3, 4]], [], [24]],
    ["ReduceMax", [[2, 3, 1]], [], [3]],
    ["Unsqueeze", [[2, 3], [0]], [], [2, 3]],
    ["Expand", [[2], [3]], [], [2, 2, 2]],
    ["ConstantOfShape", [[2]], [], [0, 0]],
    ["Shape", [[4, 5, 6]], [], [3]],
    ["Size", [[4, 5, 6]], [], [3]],
  ])("%s of %j", (op, inputs, attributes, expected) => {
    const names = inputs.map((_, i) => `c${i}`);
    const lists = inputs.map((values, i) => integers(names[i], values));
    const graph = inferShapes(readOnnx(memorySource(model(13, ...lists, node(op, names, ["y"], ...attributes)))));
    expect([...find(graph, "y").constant!.values()]).toEqual(expected);
  });
});

describe("nodes whose inputs and attributes contradict each other are named", () => {
  const named = (op: string, inputs: string[], ...more: number[][]): number[] =>
    node(op, inputs, ["y"], field(3, "here"), ...more);
  const x = edge(11, "x", [1, 3, 4, 5]);
  const w = floats("w", [2, 3, 3, 3]);

  it.each<[string, number[][], string]>([
    [
      "channels",
      [x, floats("w", [2, 4, 1, 1]), named("Conv", ["x", "w"])],
      "node here (Conv): channels of the input: 3, expected 4",
    ],
    [
      "kernels",
      [edge(11, "x", [1, 3, 2, 5]), w, named("Conv", ["x", "w"])],
      "node here (Conv): a kernel of 3 over 2 elements with their padding",
    ],
    [
      "ranks",
      [x, floats("w", [2, 3, 3]), named("Conv", ["x", "w"])],
      "node here (Conv): weights of 3 dimensions over 4",
    ],
    [
      "strides",
      [x, w, named("Conv", ["x", "w"], attribute("strides", [1, 0]))],
      "node here (Conv): strides [1, 0], expected 2 whole numbers of at least 1",
    ],
    [
      "pads",
      [x, w, named("Conv", ["x", "w"], attribute("pads", [1, 1]))],
      "node here (Conv): pads [1, 1], expected 4 whole numbers of at least 0",
    ],
    [
      "sums",
      [x, floats("w", [4, 4]), named("Add", ["x", "w"])],
      "node here (Add): shapes [1, 3, 4, 5] and [4, 4] do not fit together",
    ],
    [
      "joins",
      [x, floats("w", [1, 3, 5, 5]), named("Concat", ["x", "w"], attribute("axis", []))],
      "node here (Concat): attribute axis is not a number",
    ],
    ["axes", [x, named("Squeeze", ["x"], attribute("axes", [4]))], "node here (Squeeze): axis 4 of 4 dimensions"],
    [
      "squeezed sizes",
      [x, named("Squeeze", ["x"], attribute("axes", [-3]))],
      "node here (Squeeze): size along axis 1: 3, expected 1",
    ],
    [
      "permutations",
      [x, named("Transpose", ["x"], attribute("perm", [0, 1, 1, 2]))],
      "node here (Transpose): axes [0, 1, 1, 2] name one twice",
    ],
    [
      "elements",
      [x, named("Reshape", ["x"], attribute("shape", [7, -1]))],
      "node here (Reshape): [1, 3, 4, 5] cannot become [7, -1]: the elements do not come out even",
    ],
    [
      "columns",
      [edge(11, "x", [2, 3]), floats("w", [4, 2]), named("MatMul", ["x", "w"])],
      "node here (MatMul): columns on the left: 3, expected 4",
    ],
    [
      "stated sizes",
      [floats("c", [3]), edge(11, "s", [1]), named("Reshape", ["c", "s"]), edge(12, "y", [3072])],
      "node here (Reshape): makes [3072] of [3]: the elements do not come out even",
    ],
    ["missing inputs", [x, named("MaxPool", ["x"])], "node here (MaxPool): has no kernel_shape"],
    [
      "sizes",
      [edge(11, "x", [2 ** 40, 1]), edge(11, "z", [1, 2 ** 40]), named("MatMul", ["x", "z"])],
      "node here (MatMul): makes the shape [1099511627776, 1099511627776]",
    ],
  ])("%s", (_, graph, message) => {
    expect(() => inferShapes(readOnnx(memorySource(model(7, ...graph))))).toThrow(message);
  });
});
