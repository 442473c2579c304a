import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readOnnx } from "../../host/import/onnx.js";
import { inferShapes } from "../../host/import/shapes.js";
import { supportOf, type Support } from "../../host/import/support.js";
import { openGraph } from "../../host/node/import/open-graph.js";
import { reportGraph } from "../../host/report/graph.js";
import { attribute, edge, field, floats, goldenBytes, integers, memorySource, model, node } from "../support/onnx.js";

const zooFolder = process.env.MOTE_ZOO ?? "";

function support(bytes: Uint8Array): Support {
  return supportOf(inferShapes(readOnnx(memorySource(bytes)), { batch: 1 }));
}

/** What becomes of the first node that makes "y". */
function verdict(...graph: number[][]): string {
  const { verdicts } = support(model(13, ...graph, edge(12, "y", [])));
  const [found] = verdicts;
  return found.kind === "runs" ? "runs" : found.kind === "dissolves" ? `dissolves into ${found.into}` : found.why;
}

const x = edge(11, "x", [1, 4, 6, 8]);

describe("what becomes of a node follows from its op, attributes and inputs", () => {
  const conv = (kernel: [number, number], ...more: number[][]): number[][] => [
    edge(11, "x", [1, 1, 600, 600]),
    floats("w", [1, 1, ...kernel]),
    node("Conv", ["x", "w"], ["y"], ...more),
  ];
  const pool = (op: string, ...more: number[][]): number[][] => [
    x,
    node(op, ["x"], ["y"], attribute("kernel_shape", [2, 2]), ...more),
  ];
  const two = (op: string, a: readonly number[], b: readonly number[]): number[][] => [
    edge(11, "a", a),
    edge(11, "b", b),
    node(op, ["a", "b"], ["y"]),
  ];
  const beside = (op: string, shape: readonly number[], order: readonly string[] = ["x", "c"]): number[][] => [
    x,
    floats("c", shape),
    node(op, order, ["y"]),
  ];
  const pad = (pads: readonly number[], ...more: number[][]): number[][] => [
    x,
    integers("p", pads),
    node("Pad", ["x", "p"], ["y"], ...more),
  ];
  const resize = (scales: readonly number[], ...more: number[][]): number[][] => [
    edge(11, "x", [1, 4, 6, 8]),
    floats("s", [4], scales),
    node("Resize", ["x", "", "s"], ["y"], ...more),
  ];
  const asymmetric = [attribute("coordinate_transformation_mode", "asymmetric"), attribute("nearest_mode", "floor")];

  it.each<[string, number[][], string]>([
    ["a kernel of 255", conv([255, 3]), "runs"],
    ["a kernel of 256", conv([256, 3]), "its kernel spans 256 elements; at most 255 run"],
    ["a dilated kernel", conv([3, 3], attribute("dilations", [127, 1])), "runs"],
    ["one too far", conv([3, 3], attribute("dilations", [128, 1])), "its kernel spans 257 elements; at most 255 run"],
    ["a stride of 256", conv([3, 3], attribute("strides", [1, 256])), "a stride of 256; at most 255 run"],
    ["pads of 15", conv([31, 31], attribute("pads", [15, 15, 15, 15])), "runs"],
    ["pads of 16", conv([33, 33], attribute("pads", [16, 15, 15, 15])), "pads of 16; at most 15 run"],
    ["the same by name", conv([33, 33], attribute("auto_pad", "SAME_UPPER")), "pads of 16; at most 15 run"],
    [
      "one axis",
      [edge(11, "x", [1, 1, 9]), floats("w", [1, 1, 3]), node("Conv", ["x", "w"], ["y"])],
      "works along 1 axis, expected 2; between two Reshapes, to [1, C, 1, W] and back, it does",
    ],
    [
      "weights that are made",
      two("Conv", [1, 2, 3, 3], [2, 2, 1, 1]),
      "its weights are made while the net runs; expected constants",
    ],
    [
      "a product",
      two("MatMul", [1, 3], [3, 2]),
      "multiplies two tensors that are both made while the net runs, as attention does",
    ],
    [
      "rows",
      [edge(11, "x", [1, 5, 3]), floats("w", [3, 2]), node("MatMul", ["x", "w"], ["y"])],
      "multiplies 5 rows, expected 1; a Conv of 1 × 1 does it",
    ],
    ["one row", [edge(11, "x", [1, 3]), floats("w", [3, 2]), node("MatMul", ["x", "w"], ["y"])], "runs"],
    [
      "transA",
      [edge(11, "x", [3, 1]), floats("w", [3, 2]), node("Gemm", ["x", "w"], ["y"], attribute("transA", 1))],
      "transA = 1 turns its input; expected 0",
    ],
    ["a max-pool with pads", pool("MaxPool", attribute("pads", [1, 1, 0, 0])), "runs"],
    [
      "an average with pads",
      pool("AveragePool", attribute("pads", [1, 1, 0, 0])),
      "averages fewer elements at the edges; expected count_include_pad = 1 or no pads",
    ],
    [
      "pads that count",
      pool("AveragePool", attribute("pads", [1, 1, 0, 0]), attribute("count_include_pad", 1)),
      "runs",
    ],
    [
      "an average that is cut",
      pool(
        "AveragePool",
        attribute("strides", [2, 2]),
        attribute("pads", [1, 1, 0, 0]),
        attribute("ceil_mode", 1),
        attribute("count_include_pad", 1),
      ),
      "its last window reaches beyond the end, where fewer elements count; expected windows that fit",
    ],
    [
      "one whose last window would begin behind the end",
      pool("AveragePool", attribute("strides", [3, 3]), attribute("ceil_mode", 1)),
      "runs",
    ],
    ["one that comes out even", pool("AveragePool", attribute("strides", [2, 2]), attribute("ceil_mode", 1)), "runs"],
    [
      "indices that are read",
      [x, node("MaxPool", ["x"], ["z", "i"], attribute("kernel_shape", [2, 2])), node("Identity", ["i"], ["y"])],
      "its second output, the indices, is read",
    ],
    ["a sum of three", [x, node("Sum", ["x", "x", "x"], ["y"])], "of 3 operands; expected two, as Add has"],
    ["a sum", two("Add", [1, 4, 6, 8], [1, 4, 6, 8]), "runs"],
    ["a gate", two("Mul", [1, 4, 6, 8], [1, 4, 1, 1]), "runs"],
    [
      "a sum over rows",
      two("Add", [1, 4, 6, 8], [1, 4, 1, 1]),
      "of [1, 4, 6, 8] and [1, 4, 1, 1]; expected equal shapes",
    ],
    [
      "a difference",
      two("Sub", [1, 4, 6, 8], [1, 4, 6, 8]),
      "of two tensors; expected a constant on the right, or an Add",
    ],
    ["a bias", beside("Add", [4, 1, 1]), "runs"],
    ["a factor", beside("Mul", [1]), "runs"],
    [
      "a plane of its own",
      beside("Add", [4, 6, 8]),
      "a constant of [4, 6, 8]; expected one value, or one for each channel",
    ],
    ["a row of its own", beside("Add", [8]), "a constant of [8]; expected one value, or one for each channel"],
    ["a divided constant", beside("Div", [1], ["c", "x"]), "divides a constant; expected to divide by one"],
    ["a limit", beside("Max", []), "runs"],
    ["the larger of two", two("Max", [1, 4], [1, 4]), "of two tensors; expected one beside one constant value"],
    ["one slope", beside("PRelu", [1]), "runs"],
    ["slopes", beside("PRelu", [4, 1, 1]), "slopes of [4, 1, 1]; expected one constant, as LeakyRelu has"],
    [
      "softmax at the end",
      [x, node("Softmax", ["x"], ["z"]), node("Flatten", ["z"], ["y"])],
      "dissolves into a last step of the host",
    ],
    [
      "softmax within",
      [x, node("Softmax", ["x"], ["z"]), node("Relu", ["z"], ["y"])],
      "within the net, as attention has it; it runs at the end only",
    ],
    ["a rim", pad([0, 0, 1, 0, 0, 0, 0, 15]), "dissolves into the padding of the layer behind it"],
    ["a wide rim", pad([0, 0, 16, 0, 0, 0, 0, 0]), "pads of 16; at most 15 run"],
    ["more channels", pad([0, 1, 0, 0, 0, 0, 0, 0]), "pads samples or channels; expected rows and columns"],
    ["less rows", pad([0, 0, -1, 0, 0, 0, 0, 0]), "cuts rows or columns off; expected pads of at least 0"],
    ["a mirror", pad([0, 0, 1, 0, 0, 0, 0, 0], attribute("mode", "reflect")), "mode = reflect; expected constant"],
    [
      "channels last",
      [x, node("Transpose", ["x"], ["y"], attribute("perm", [0, 2, 3, 1]))],
      "dissolves into the layout of its neighbours",
    ],
    [
      "rows for columns",
      [x, node("Transpose", ["x"], ["y"], attribute("perm", [0, 1, 3, 2]))],
      "perm = [0, 1, 3, 2] of [1, 4, 6, 8]; expected to move channels only, [0, 2, 3, 1] or [0, 3, 1, 2]",
    ],
    [
      "five dimensions",
      [x, integers("s", [1, 2, 2, 6, 8]), node("Reshape", ["x", "s"], ["y"])],
      "makes [1, 2, 2, 6, 8], 5 dimensions; expected at most 4",
    ],
    [
      "several samples",
      [x, integers("s", [4, 48]), node("Reshape", ["x", "s"], ["y"])],
      "makes [4, 48]; expected one sample, [1, ...]",
    ],
    ["channels joined", [x, node("Concat", ["x", "x"], ["y"], attribute("axis", 1))], "runs"],
    [
      "rows joined",
      [x, node("Concat", ["x", "x"], ["y"], attribute("axis", -2))],
      "joins along axis 2 of [1, 4, 12, 8]; expected channels",
    ],
    ["twice the size", resize([1, 1, 2, 2], ...asymmetric), "runs"],
    ["half a pixel on", resize([1, 1, 3, 3]), "runs"],
    [
      "rounded down",
      resize([1, 1, 3, 3], attribute("nearest_mode", "floor")),
      "coordinate_transformation_mode = half_pixel, nearest_mode = floor; expected asymmetric, floor",
    ],
    [
      "half the size",
      resize([1, 1, 0.5, 0.5], ...asymmetric),
      "from [1, 4, 6, 8] to [1, 4, 3, 4]; expected rows and columns by whole factors",
    ],
    ["a linear one", resize([1, 1, 2, 2], attribute("mode", "linear")), "mode = linear; expected nearest"],
    ["a mean of all rows and columns", [x, node("ReduceMean", ["x"], ["y"], attribute("axes", [-1, -2]))], "runs"],
    [
      "a mean of rows",
      [x, node("ReduceMean", ["x"], ["y"], attribute("axes", [2]))],
      "over axes [2] of [1, 4, 6, 8]; expected all rows and columns",
    ],
    [
      "training",
      [x, node("Dropout", ["x", "", "t"], ["y"]), floats("t", [], [1])],
      "training_mode is set; expected a net exported for inference",
    ],
    [
      "a scale that is made",
      [x, edge(11, "s", []), node("QuantizeLinear", ["x", "s"], ["y"])],
      "its scale is made while the net runs; expected a net that is quantized statically",
    ],
    [
      "an op of nobody",
      [x, node("Own", ["x"], ["y"], field(7, "com.example"))],
      "an op of its maker's own; expected standard ones",
    ],
    ["an op of tomorrow", [x, node("Fancy", ["x"], ["y"])], "no layer does it"],
    ["the name of a method", [x, node("constructor", ["x"], ["y"])], "no layer does it"],
    [
      "what nobody reads",
      [x, node("LSTM", ["x"], ["z"]), node("Relu", ["x"], ["y"])],
      "dissolves into nothing, since nobody reads it",
    ],
    [
      "an open shape",
      [edge(11, "x", [1, 4, 6, 8]), edge(11, "s", [2]), node("Reshape", ["x", "s"], ["y"])],
      "its output's shape [?, ?] does not follow from the file",
    ],
  ])("%s", (_, graph, expected) => {
    expect(verdict(...graph)).toBe(expected);
  });
});

describe("of whole nets", () => {
  const kinds = (name: string): Record<string, number> => {
    const all: Record<string, number> = {};
    for (const { kind } of support(goldenBytes(`${name}.onnx`)).verdicts) all[kind] = (all[kind] ?? 0) + 1;
    return all;
  };

  it.each<[string, Record<string, number>]>([
    ["torch-digits", { runs: 6, dissolves: 7 }],
    ["torch-blocks", { runs: 15, dissolves: 8 }],
    ["torch-dynamo", { runs: 14, dissolves: 1 }],
    ["quantized-qdq", { runs: 4, dissolves: 30 }],
    ["quantized-qoperator", { runs: 5, dissolves: 11 }],
    ["refused", { not: 11, runs: 1 }],
  ])("%s", (name, expected) => {
    expect(kinds(name)).toEqual(expected);
  });

  it("says what stands in the way beside nodes", () => {
    expect(support(goldenBytes("refused.onnx")).problems).toEqual([
      "input sequence is [3, 1, 2]: 3 samples at once; a model runs one",
    ]);
    const open = model(13, edge(11, "x", [1, 4, 0]), node("Relu", ["x"], ["y"]), edge(12, "y", [1]));
    expect(support(open).problems).toEqual(["input x has open sizes, [1, 4, ?]; --shape x=... fixes them"]);
    const large = (size: number): string[] => [
      ...support(model(13, edge(11, "x", [1, 257, size]), node("Relu", ["x"], ["y"]), edge(12, "y", [1]))).problems,
    ];
    expect(large(65_280)).toEqual([]);
    expect(large(65_281)).toEqual(
      ["x", "y"].map((name) => `tensor ${name} is [1, 257, 65281]; sizes are at most 65535, and all elements 16777216`),
    );
    expect(large(65_536)).toHaveLength(2);
  });
});

/**
 * Of real nets: whether all of it runs, multiplications and parameters. Known from elsewhere: SqueezeNet 1.1 has 1,235,496 parameters, ResNet-50
 * 25,557,032 and 53,120 means and variances.
 */
const ZOO: Readonly<Record<string, readonly [runs: boolean, macs: number | null, parameters: number]>> = {
  "onnx-light_resnet50.onnx": [true, 4_089_184_256, 25_610_152],
  "onnx-light_squeezenet.onnx": [true, 349_151_936, 1_235_496],
  "oww-embedding_model.onnx": [true, 41_955_840, 328_128],
  "silero-silero_vad_16k_op15.onnx": [false, null, 177_538],
  "ulface-RFB-320.onnx": [false, 100_418_560, 307_624],
  "wonnx-opt-mnist.onnx": [true, 786_560, 5_994],
};

describe.skipIf(zooFolder === "")("of all nets in the folder that MOTE_ZOO names", () => {
  const names = zooFolder === "" ? [] : readdirSync(zooFolder).filter((name) => name.endsWith(".onnx"));

  it.each(names)("%s", (name) => {
    const { graph, close } = openGraph(join(zooFolder, name));
    const { runs, macs, parameters } = reportGraph(inferShapes(graph, { batch: 1 }));
    close();
    expect([runs, macs, parameters]).toEqual(ZOO[name]);
  });
});

describe("multiplications and parameters", () => {
  it("are those of the layers", () => {
    const report = reportGraph(inferShapes(readOnnx(memorySource(goldenBytes("torch-digits.onnx")))));
    const conv1 = 4 * 28 * 28 * 9;
    const conv2 = 8 * 6 * 6 * 9;
    const fc = 8 * 6 * 6 * 5;
    expect(report.macs).toBe(conv1 + conv2 + fc);
    expect(report.parameters).toBe(36 + 4 * 4 + (72 + 8) + (fc + 5));
    expect(report.nodes.find(({ op }) => op === "Gemm")).toMatchObject({ macs: fc, parameters: fc + 5 });
  });

  it("are the same however the net is quantized", () => {
    for (const name of ["quantized-qdq", "quantized-qoperator"]) {
      const { macs } = reportGraph(inferShapes(readOnnx(memorySource(goldenBytes(`${name}.onnx`)))));
      expect(macs, name).toBe(4 * 28 * 28 * 9 + 8 * 6 * 6 * 9 + 8 * 6 * 6 * 5);
    }
  });

  it("are not known where a shape is open", () => {
    const report = reportGraph(inferShapes(readOnnx(memorySource(goldenBytes("opset-24.onnx")))));
    expect(report.macs).toBe(null);
    const fixed = reportGraph(inferShapes(readOnnx(memorySource(goldenBytes("opset-24.onnx"))), { batch: 1 }));
    expect(fixed.macs).toBe(4 * 5 * 4 * 9);
  });
});
