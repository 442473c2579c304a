import { describe, expect, it } from "vitest";
import type { Attribute, ElementType, GraphTensor, ImportedGraph } from "../../host/import/graph.js";
import { inferShapes } from "../../host/import/shapes.js";
import { supportOf } from "../../host/import/support.js";
import { reportGraph } from "../../host/report/graph.js";

type Shape = readonly (number | string)[];
/** Elements make a constant of it. */
type Tensor = readonly [shape: Shape, elements?: readonly number[]];

/** Nodes with the names of their tensors; what is not among the tensors has the shape of "x". */
function graphOf(
  tensors: Readonly<Record<string, Tensor>>,
  ...nodes: (readonly [op: string, inputs: string, output: string, attributes?: Record<string, Attribute>])[]
): ImportedGraph {
  const names = [
    ...new Set([...Object.keys(tensors), ...nodes.flatMap(([, inputs, output]) => [...inputs.split(" "), output])]),
  ];
  return {
    format: "tflite",
    kind: "TFLite net",
    version: "schema 3",
    opset: 3,
    tensors: names.map((name): GraphTensor => {
      const [shape, elements] = tensors[name] ?? tensors.x;
      const values = Float32Array.from(elements ?? []);
      const constant = elements && { bytes: values.byteLength, values: () => values };
      const type: ElementType = "float32";
      return { name, shape, type, quantization: undefined, constant };
    }),
    nodes: nodes.map(([op, inputs, output, attributes = {}], i) => ({
      name: `${op} #${i}`,
      op,
      inputs: inputs.split(" ").map((name) => names.indexOf(name)),
      outputs: [names.indexOf(output)],
      attributes,
    })),
    inputs: [names.indexOf("x")],
    outputs: [names.indexOf("y")],
  };
}

const zeros = (...shape: number[]): Tensor => [
  shape,
  Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0),
];
const x: Tensor = [[1, 6, 8, 4]];

/** What becomes of the first node. */
function verdict(graph: ImportedGraph): string {
  const [found] = supportOf(inferShapes(graph, { batch: 1 })).verdicts;
  return found.kind === "runs" ? "runs" : found.kind === "dissolves" ? `dissolves into ${found.into}` : found.why;
}

describe("what becomes of a node of TFLite", () => {
  const relu = { fused_activation_function: "RELU" };
  const pads = (...sizes: number[]): ImportedGraph => graphOf({ x, p: [[4, 2], sizes] }, ["PAD", "x p", "y"]);

  const slice = (
    to: Shape,
    begin: readonly number[],
    strides: readonly number[] = [1, 1, 1, 1],
    masks: Record<string, Attribute> = {},
  ): ImportedGraph =>
    graphOf({ x, b: [[4], begin], e: zeros(4), s: [[4], strides], y: [to] }, ["STRIDED_SLICE", "x b e s", "y", masks]);

  it.each<[string, ImportedGraph, string]>([
    [
      "a convolution",
      graphOf({ x, w: zeros(2, 3, 3, 4), b: zeros(2) }, [
        "CONV_2D",
        "x w b",
        "y",
        { padding: "SAME", stride_h: 2, stride_w: 2, ...relu },
      ]),
      "runs",
    ],
    [
      "a fused tanh",
      graphOf({ x, w: zeros(2, 3, 3, 4) }, ["CONV_2D", "x w", "y", { fused_activation_function: "TANH" }]),
      "TANH is fused into it; expected RELU or RELU6",
    ],
    [
      "a kernel too wide",
      graphOf({ x: [[1, 1, 600, 1]], w: zeros(1, 1, 256, 1) }, ["CONV_2D", "x w", "y"]),
      "its kernel spans 256 elements; at most 255 run",
    ],
    [
      "dilations too wide",
      graphOf({ x: [[1, 1, 600, 1]], w: zeros(1, 1, 3, 1) }, ["CONV_2D", "x w", "y", { dilation_w_factor: 128 }]),
      "its kernel spans 257 elements; at most 255 run",
    ],
    [
      "a dense layer that reads planes",
      graphOf({ x, w: zeros(5, 192), y: [[1, 5]] }, ["FULLY_CONNECTED", "x w", "y"]),
      "runs",
    ],
    [
      "one that reads rows",
      graphOf({ x, w: zeros(5, 4), y: [[1, 6, 8, 5]] }, ["FULLY_CONNECTED", "x w", "y"]),
      "multiplies 48 rows, expected 1",
    ],
    [
      "an average",
      graphOf({ x, y: [[1, 3, 4, 4]] }, [
        "AVERAGE_POOL_2D",
        "x",
        "y",
        { padding: "SAME", filter_height: 2, filter_width: 2, stride_h: 2, stride_w: 2 },
      ]),
      "runs",
    ],
    [
      "an average beyond the edges",
      graphOf({ x }, [
        "AVERAGE_POOL_2D",
        "x",
        "y",
        { padding: "SAME", filter_height: 2, filter_width: 2, stride_h: 1, stride_w: 1 },
      ]),
      "padding SAME averages fewer elements at the edges; expected VALID",
    ],
    ["a bias", graphOf({ x, c: zeros(4) }, ["ADD", "x c", "y"]), "runs"],
    [
      "a bias of columns",
      graphOf({ x, c: zeros(8, 1) }, ["ADD", "x c", "y"]),
      "a constant of [8, 1]; expected one value, or one for each channel",
    ],
    ["a gate", graphOf({ x, g: [[1, 1, 1, 4]] }, ["MUL", "x g", "y"]), "runs"],
    ["a part", slice([1, 4, 8, 4], [0, 2, 0, 0]), "runs"],
    [
      "every second row",
      slice([1, 3, 8, 4], [0, 0, 0, 0], [1, 2, 1, 1]),
      "takes every second element or less; expected strides of 1",
    ],
    [
      "a row without its axis",
      slice([1, 1, 8, 4], [0, 0, 0, 0], [1, 1, 1, 1], { shrink_axis_mask: 2 }),
      "shrink_axis_mask; expected begin, end and strides of 1",
    ],
    [
      "a part that begins anywhere",
      graphOf({ x, b: [[4]], y: [[1, 4, 8, 4]] }, ["SLICE", "x b b", "y"]),
      "where it begins is made while the net runs",
    ],
    ["halves", graphOf({ x, a: [[1], [3]], y: [[1, 6, 8, 2]] }, ["SPLIT", "a x", "y", { num_splits: 2 }]), "runs"],
    [
      "halves along any axis",
      graphOf({ x, a: [[1]], y: [[1, 6, 8, 2]] }, ["SPLIT", "a x", "y", { num_splits: 2 }]),
      "its axis is made while the net runs",
    ],
    ["what is no variable", graphOf({ x, h: [[]] }, ["READ_VARIABLE", "h", "y"]), "reads no variable of a VAR_HANDLE"],
    ["channels joined", graphOf({ x, y: [[1, 6, 8, 8]] }, ["CONCATENATION", "x x", "y", { axis: -1 }]), "runs"],
    ["rows of an input joined", graphOf({ x, y: [[1, 12, 8, 4]] }, ["CONCATENATION", "x x", "y", { axis: 1 }]), "runs"],
    ["a mean", graphOf({ x, a: [[2], [1, 2]], y: [[1, 4]] }, ["MEAN", "x a", "y"]), "runs"],
    [
      "a mean of channels",
      graphOf({ x, a: [[1], [3]], y: [[1, 6, 8]] }, ["MEAN", "x a", "y"]),
      "over axes [3] of [1, 6, 8, 4]; expected all rows and columns",
    ],
    ["a rim", pads(0, 0, 1, 0, 0, 15, 0, 0), "dissolves into the padding of the layer behind it"],
    ["more channels", pads(0, 0, 0, 0, 0, 0, 0, 1), "runs"],
    [
      "more samples",
      pads(0, 1, 0, 0, 0, 0, 0, 0),
      "pads samples, or channels and planes at once; expected rows and columns",
    ],
    [
      "twice the size",
      graphOf({ x, y: [[1, 12, 16, 4]] }, ["RESIZE_NEAREST_NEIGHBOR", "x", "y", { half_pixel_centers: true }]),
      "runs",
    ],
    [
      "corners aligned",
      graphOf({ x, y: [[1, 12, 16, 4]] }, ["RESIZE_NEAREST_NEIGHBOR", "x", "y", { align_corners: true }]),
      "align_corners; expected without",
    ],
    [
      "one and a half",
      graphOf({ x, y: [[1, 9, 8, 4]] }, ["RESIZE_NEAREST_NEIGHBOR", "x", "y"]),
      "from [1, 6, 8, 4] to [1, 9, 8, 4]; expected rows and columns by whole factors",
    ],
    [
      "a state",
      graphOf({ x }, ["UNIDIRECTIONAL_SEQUENCE_RNN", "x", "y"]),
      "keeps a state from step to step; expected UNIDIRECTIONAL_SEQUENCE_LSTM",
    ],
    ["an op of nobody", graphOf({ x }, ["CUSTOM:Own", "x", "y"]), "an op of its maker's own; expected standard ones"],
  ])("%s", (_, graph, expected) => {
    expect(verdict(graph)).toBe(expected);
  });

  it("follows from constants: shapes taken apart and put together, float16 weights", () => {
    const tensors: Record<string, Tensor> = {
      x: [["?", 6, 8, 4]],
      s: [[4]],
      zero: [[1], [0]],
      one: [[1], [1]],
      n: [[]],
      rest: [[], [192]],
      p: [[2]],
      y: [["?", 192]],
    };
    const graph = inferShapes(
      graphOf(
        tensors,
        ["SOFTMAX", "x", "t"],
        ["SHAPE", "t", "s"],
        ["STRIDED_SLICE", "s zero one one", "n"],
        ["PACK", "n rest", "p"],
        ["RESHAPE", "t p", "y"],
      ),
      { batch: 1 },
    );
    const [, , , , p] = graph.nodes.map(({ inputs }) => graph.tensors[inputs[1]]);
    expect([...p.constant!.values()]).toEqual([1, 192]);
    expect(graph.tensors[graph.outputs[0]].shape).toEqual([1, 192]);
    expect(supportOf(graph).verdicts.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => "dissolves"));
    const half = graphOf(
      { x, h: zeros(2, 1, 1, 4), w: [[2, 1, 1, 4]] },
      ["DEQUANTIZE", "h", "w"],
      ["CONV_2D", "x w", "y"],
    );
    const stored = {
      ...half,
      tensors: half.tensors.map((tensor) => (tensor.name === "h" ? { ...tensor, type: "float16" as const } : tensor)),
    };
    const report = reportGraph(inferShapes(stored));
    expect(report).toMatchObject({ runs: true, parameters: 8 });
    expect(report.nodes.map(({ verdict: kind }) => kind)).toEqual(["dissolves", "runs"]);
  });

  it("takes as many multiplications as its filters say", () => {
    const y: Tensor = [[1, 6, 8, 8]];
    const macs = (op: string, w: Tensor): number | null => reportGraph(graphOf({ x, w, y }, [op, "x w", "y"])).macs;
    expect(macs("CONV_2D", zeros(8, 3, 5, 4))).toBe(6 * 8 * 8 * (3 * 5 * 4));
    expect(macs("DEPTHWISE_CONV_2D", zeros(1, 3, 5, 8))).toBe(6 * 8 * 8 * (3 * 5));
    const dense = graphOf({ x, w: zeros(7, 192), y: [[1, 7]] }, ["FULLY_CONNECTED", "x w", "y"]);
    expect(reportGraph(dense).macs).toBe(7 * 192);
  });
});
