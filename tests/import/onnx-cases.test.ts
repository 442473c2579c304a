/** Nets of ONNX that are easily taken for others: ranges that do not meet, a softmax of each place, constants and ranges of quantized nets. */
import { describe, expect, test } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { calibrate } from "../../host/import/calibrate.js";
import { importedModel } from "../../host/import/import.js";
import { softmax } from "../../tools/expected.js";
import { lowered, run, type Node, type Tensor } from "../support/graphs.js";

const value = (given: number): Tensor => ({ shape: [1], values: [given] });

describe("ranges one after the other", () => {
  const tensors = {
    x: { shape: [1, 1, 1, 4] },
    w: { shape: [1, 1, 1, 1], values: [1] },
    minus5: value(-5),
    minus1: value(-1),
    half: value(0.5),
    one: value(1),
    two: value(2),
  };
  const cases: [string, Node[], number[]][] = [
    [
      "Clip, Relu",
      [
        ["Clip", "c minus5 minus1", "d"],
        ["Relu", "d", "y"],
      ],
      [0, 0, 0, 0],
    ],
    [
      "Relu, Clip",
      [
        ["Relu", "c", "d"],
        ["Clip", "d minus5 minus1", "y"],
      ],
      [-1, -1, -1, -1],
    ],
    [
      "Min, Max",
      [
        ["Min", "c half", "d"],
        ["Max", "d one", "y"],
      ],
      [1, 1, 1, 1],
    ],
    ["Clip of limits that change places", [["Clip", "c two minus1", "y"]], [-1, -1, -1, -1]],
    ["Min of several constants", [["Min", "two c one half", "y"]], [-7, -2, 0.25, 0.5]],
    ["Max of several constants", [["Max", "minus1 minus5 c", "y"]], [-1, -1, 0.25, 3]],
  ];

  test.each(cases)("%s", (_, nodes, expected) => {
    const sample = [-7, -2, 0.25, 3];
    for (const input of ["c", "x"]) {
      const own = nodes.map(([op, from, to]): Node => [op, from.replace(/\bc\b/, input), to]);
      const net = lowered("onnx", tensors, input === "c" ? [["Conv", "x w", "c"], ...own] : own, "y");
      expect(run(net, ...sample)).toEqual([expected]);
      const quantized = calibrate(net, [[Float32Array.from(sample)]], { range: "all" });
      const model = importedModel(quantized);
      writeContainer(model); // which checks it
      const [from, to] = [model.tensors[0], model.tensors.at(-1)!];
      const given = Int8Array.from(sample, (real) => Math.round(real / from.scale!) + from.zeroPoint);
      const reals = Array.from(runModel(model, given).at(-1)!, (q) => to.scale! * (q - to.zeroPoint));
      reals.forEach((real, i) => expect(Math.abs(real - expected[i])).toBeLessThan(0.05));
    }
  });

  test("meet a max-pool that becomes part of the convolution", () => {
    const nodes: Node[] = [
      ["Conv", "x w", "c"],
      ["Clip", "c minus5 minus1", "d"],
      ["MaxPool", "d", "p", { kernel_shape: [1, 2], strides: [1, 2] }],
      ["Relu", "p", "y"],
    ];
    const shapes = { p: { shape: [1, 1, 1, 2] }, y: { shape: [1, 1, 1, 2] } };
    const quantized = calibrate(
      lowered("onnx", { ...tensors, ...shapes }, nodes, "y"),
      [[Float32Array.of(-7, -2, 0.25, 3)]],
      { range: "all" },
    );
    const model = importedModel(quantized);
    expect(model.layers.map(({ op }) => op)).toEqual(["conv2d"]);
    const { zeroPoint } = model.tensors[1];
    expect([...runModel(model, Int8Array.of(-128, -50, 0, 127))[0]]).toEqual([zeroPoint, zeroPoint]);
  });
});

describe("a Cast", () => {
  const shape = [1, 1, 1, 4];
  const tensors = { x: { shape }, w: { shape: [1, 1, 1, 1], values: [1] } };
  const net = (type: "float16" | "bfloat16" | "float64") =>
    lowered(
      "onnx",
      { ...tensors, h: { shape, type }, k: { shape, type } },
      [
        ["Conv", "x w", "c"],
        ["Cast", "c", "h", { to: { float16: 10, bfloat16: 16, float64: 11 }[type] }],
        ["Cast", "h", "d", { to: 1 }],
        ["Relu", "d", "e"],
        ["Cast", "e", "k", { to: { float16: 10, bfloat16: 16, float64: 11 }[type] }],
        ["Cast", "k", "y", { to: 1 }],
      ],
      "y",
    );

  test.each(["float16", "bfloat16"] as const)("to %s rounds nothing, as is said once", (type) => {
    const { notes } = net(type);
    expect(notes).toEqual([`numbers are not rounded to ${type}, as the net's Cast has it`]);
    expect(run(net(type), 1 + 2 ** -12, -1, 70_000, 0)).toEqual([[1 + 2 ** -12, 0, 70_000, 0]]);
  });

  test("to float64 and back has nothing to say", () => {
    expect(net("float64").notes).toEqual([]);
  });
});

describe("a softmax at the end", () => {
  const shape = [1, 3, 2, 2];
  const tensors = { x: { shape }, w: { shape: [3, 3, 1, 1], values: [1, 0, 0, 0, 1, 0, 0, 0, 1] } };
  const ended = (axis: number | undefined, opset: number, sizes = shape) => {
    const nodes: Node[] = [
      ["Conv", "x w", "c"],
      ["Softmax", "c", "y", axis === undefined ? {} : { axis }],
    ];
    return lowered("onnx", { ...tensors, x: { shape: sizes } }, nodes, "y", opset);
  };

  test.each<[axis: number | undefined, opset: number, size: number, pitch: number]>([
    [1, 13, 3, 4],
    [-3, 13, 3, 4],
    [2, 13, 2, 2],
    [undefined, 13, 2, 1],
    [1, 12, 12, 1],
    [undefined, 12, 12, 1],
    [2, 12, 4, 1],
  ])("axis %s of opset %i is of %i elements, %i apart", (axis, opset, size, pitch) => {
    const net = ended(axis, opset);
    expect(net.outputs[0].softmax).toEqual({ size, pitch, quantization: undefined });
    expect(net.notes[0]).toMatch(size === 12 ? /of the same order$/ : /of the same order along axis [123]$/);
  });

  test("of one element each is refused: it gives ones", () => {
    expect(() => ended(0, 13)).toThrow(/Softmax: it works along axis 0 of \[1, 3, 2, 2\]/);
    expect(() => ended(3, 13, [1, 3, 4, 1])).toThrow(/along axis 3/);
  });

  test("is worked out for each group when outputs are compared", () => {
    const [two, half] = [Math.log(2), Math.log(0.5)];
    const share = (values: number[], size: number, pitch: number): number[] =>
      [...softmax(Float64Array.from(values), { size, pitch })].map((value) => Math.round(1e9 * value) / 1e9);
    expect(share([0, 0, 1e3, 1e3], 4, 1)).toEqual([0, 0, 0.5, 0.5]);
    expect(share([1e3, 1e3, two, half + two + two], 2, 1)).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(share([two, 1, 0, 1, 0, half, 0, 0], 2, 2)).toEqual(
      [2 / 3, 0.5, 1 / 3, 0.5, 0.5, 1 / 3, 0.5, 2 / 3].map((value) => Math.round(1e9 * value) / 1e9),
    );
  });

  test("of TFLite is along the last axis", () => {
    const nodes: Node[] = [
      ["LOGISTIC", "x", "c"],
      ["SOFTMAX", "c", "y"],
    ];
    expect(lowered("tflite", { x: { shape: [1, 2, 2, 3] } }, nodes, "y").outputs[0].softmax).toMatchObject({
      size: 3,
      pitch: 1,
    });
  });
});

describe("of a net that a quantizer has made", () => {
  const zero = { type: "int8", shape: [], values: [0] } as const;
  const least = { type: "int8", shape: [], values: [-128] } as const;
  const scale = { shape: [], values: [0.5] };
  const ends = { x: { shape: [1, 2, 1, 2] }, scale, zero, least };

  test("a constant operand may be int8 with a scale", () => {
    const k = { type: "int8", shape: [2, 1, 1], values: [2, -4] } as const;
    const nodes: Node[] = [
      ["QuantizeLinear", "x scale zero", "xq"],
      ["DequantizeLinear", "xq scale zero", "xd"],
      ["DequantizeLinear", "k scale zero", "factor"],
      ["Mul", "xd factor", "product"],
      ["QuantizeLinear", "product scale zero", "yq"],
      ["DequantizeLinear", "yq scale zero", "y"],
    ];
    const types = { xq: { type: "int8", shape: ends.x.shape }, yq: { type: "int8", shape: ends.x.shape } } as const;
    const net = lowered("onnx", { ...ends, ...types, k, factor: { shape: [2, 1, 1] } }, nodes, "y");
    expect(net.isQuantized).toBe(true);
    expect([...runModel(importedModel(net), Int8Array.of(1, 2, 3, -4))[0]]).toEqual([1, 2, -6, 8]);
  });

  test("a relu whose output has another scale than what it reads is a table", () => {
    const nodes: Node[] = [
      ["QuantizeLinear", "x scale zero", "xq"],
      ["DequantizeLinear", "xq scale zero", "xd"],
      ["Relu", "xd", "c"],
      ["QuantizeLinear", "c fine least", "yq"],
      ["DequantizeLinear", "yq fine least", "y"],
    ];
    const fine = { shape: [], values: [0.25] };
    const types = { xq: { type: "int8", shape: ends.x.shape }, yq: { type: "int8", shape: ends.x.shape } } as const;
    const model = importedModel(lowered("onnx", { ...ends, ...types, fine }, nodes, "y"));
    expect(model.layers.map(({ op }) => op)).toEqual(["lut"]);
    expect([...runModel(model, Int8Array.of(-5, 0, 7, 127))[0]]).toEqual([-128, -128, -114, 126]);
  });

  test("what int8 cuts off in its middle stays cut off where its ends are real: it is a relu", () => {
    const nodes: Node[] = [
      ["Conv", "x w", "c"],
      ["QuantizeLinear", "c scale least", "cq"],
      ["DequantizeLinear", "cq scale least", "cd"],
      ["Add", "cd cd", "y"],
    ];
    const w = { shape: [2, 2, 1, 1], values: [1, 0, 0, 1] };
    const net = lowered("onnx", { ...ends, w, cq: { type: "int8", shape: ends.x.shape } }, nodes, "y");
    expect(net.isQuantized).toBe(false);
    expect(run(net, -3, 2, 1000, -0.5)).toEqual([[0, 4, 255, 0]]);
  });
});
