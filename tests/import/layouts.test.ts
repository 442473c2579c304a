/** Nodes that move elements or put zeros around them: what stands behind them reads what it would read in the file. */
import { describe, expect, test } from "vitest";
import { preprocessingOf } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { planarIndex } from "../../host/import/view.js";
import { Random } from "../../host/rng.js";
import { lowered, run, type Node, type Tensor } from "../support/graphs.js";

const random = new Random(3);
const numbers = (count: number): number[] => Array.from({ length: count }, () => Math.round(8 * random.normal()) / 8);

const [C, H, W] = [2, 4, 3];
/** [1, C, H, W], and its elements as [1, H, W, C]. */
const x = numbers(C * H * W);
const interleaved = Array.from({ length: x.length }, (_, i) => x[(i % C) * H * W + Math.floor(i / C)]);
const w: Tensor = { shape: [2, C, 2, 2], values: numbers(2 * C * 2 * 2) };
const image = { x: { shape: [1, C, H, W] }, w };
const padded = (...pads: number[]): Tensor => ({
  shape: [8],
  values: [0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]],
});

/** Elements in the file's order of what the net gives for those in the file's order. */
function asFile(net: ImportedNet, elements: readonly number[]): number[] {
  const [input, output] = [net.inputs[0], net.outputs[0]];
  const into = Array.from(elements);
  const place = planarIndex(input.order, net.tensors[input.tensor].shape);
  elements.forEach((value, i) => (into[place(i)] = value));
  const [given] = run(net, ...into);
  const from = planarIndex(output.order, net.tensors[output.tensor].shape);
  return given.map((_, i) => given[from(i)]);
}

describe("zeros of a Pad are the padding of the layer behind it", () => {
  const at = ([top, left, bottom, right]: readonly number[]) => ({ pads: [top, left, bottom, right] });

  test.each<[string, Node, (pads: number[]) => Node, Record<string, Tensor>]>([
    ["a Conv", ["Conv", "q w", "y"], (pads) => ["Conv", "x w", "y", at(pads)], {}],
    [
      "a Conv with padding of its own",
      ["Conv", "q w", "y", { pads: [1, 0, 2, 1], strides: [2, 1] }],
      ([a, b, c, d]) => ["Conv", "x w", "y", { pads: [a + 1, b, c + 2, d + 1], strides: [2, 1] }],
      {},
    ],
    [
      "an AveragePool, which counts them",
      ["AveragePool", "q", "y", { kernel_shape: [2, 2] }],
      (pads) => ["AveragePool", "x", "y", { kernel_shape: [2, 2], count_include_pad: 1, ...at(pads) }],
      {},
    ],
  ])("%s", (_, behind, alone, more) => {
    for (const pads of [
      [0, 0, 1, 1],
      [1, 2, 0, 3],
    ]) {
      const net = lowered("onnx", { ...image, ...more, p: padded(...pads) }, [["Pad", "x p", "q"], behind], "y");
      const plain = lowered("onnx", { ...image, ...more }, [alone(pads)], "y");
      expect(net.layers).toHaveLength(1);
      expect(run(net, ...x)).toEqual(run(plain, ...x));
    }
  });

  test("a MaxPool, of which they are elements whatever the others are", () => {
    const nodes: Node[] = [
      ["Pad", "x p", "q"],
      ["MaxPool", "q", "y", { kernel_shape: [2, 2], strides: [2, 2] }],
    ];
    const tensors = { x: { shape: [1, 1, 2, 2] }, p: padded(1, 0, 1, 0) };
    expect(run(lowered("onnx", tensors, nodes, "y"), -1, -2, -3, -4)).toEqual([[0, 0]]);
  });

  test("two of them, and one of TFLite", () => {
    const twice: Node[] = [
      ["Pad", "x p", "q"],
      ["Pad", "q p", "r"],
      ["Conv", "r w", "y"],
    ];
    const plain: Node[] = [["Conv", "x w", "y", { pads: [2, 0, 0, 4] }]];
    const net = lowered("onnx", { ...image, p: padded(1, 0, 0, 2) }, twice, "y");
    expect(run(net, ...x)).toEqual(run(lowered("onnx", image, plain, "y"), ...x));
    const tflite = lowered(
      "tflite",
      {
        x: { shape: [1, 2, 2, 1] },
        p: { shape: [4, 2], values: [0, 0, 1, 0, 0, 1, 0, 0] },
        q: { shape: [1, 3, 3, 1] },
        w: { shape: [1, 2, 2, 1], values: [1, 10, 100, 1000] },
        y: { shape: [1, 2, 2, 1] },
      },
      [
        ["PAD", "x p", "q"],
        ["CONV_2D", "q w", "y", { padding: "VALID", stride_h: 1, stride_w: 1 }],
      ],
      "y",
    );
    expect(run(tflite, 1, 2, 3, 4)).toEqual([[2100, 200, 4321, 402]]);
  });

  test.each<[string, Node[], RegExp]>([
    ["an output", [["Pad", "x p", "y"]], /output: its input has padding around it/],
    [
      "a Transpose",
      [
        ["Pad", "x p", "q"],
        ["Transpose", "q", "y", { perm: [0, 2, 3, 1] }],
      ],
      /Transpose: its input has padding around it/,
    ],
  ])("%s has none", (_, nodes, message) => {
    expect(() => lowered("onnx", { ...image, p: padded(1, 1, 1, 1) }, nodes, "y")).toThrow(message);
  });

  test("zeros that are no real ones are refused", () => {
    const nodes: Node[] = [
      ["Pad", "x p v0", "q"],
      ["MaxPool", "q", "y", { kernel_shape: [2, 2] }],
    ];
    const least = { ...image, p: padded(1, 1, 1, 1), v0: { shape: [1], values: [-Infinity] } };
    expect(() => lowered("onnx", least, nodes, "y")).toThrow(/Pad #0: pads with -Infinity; expected 0/);
    const int8 = { x: { shape: [1, 1, 4, 4], scale: 0.5, zeroPoint: 3 }, p: padded(1, 1, 1, 1) };
    expect(() => lowered("onnx", int8, nodes.with(0, ["Pad", "x p", "q"]), "y")).toThrow(/Pad #0: pads int8/);
  });
});

describe("an input with channels last", () => {
  const last = { ...image, x: { shape: [1, H, W, C] } };
  const first: Node = ["Transpose", "x", "planar", { perm: [0, 3, 1, 2] }];
  const plain = lowered("onnx", image, [["Conv", "x w", "y"]], "y");

  test("stands so, and the samples are put in order", () => {
    const net = lowered("onnx", last, [first, ["Conv", "planar w", "y"]], "y");
    expect(net.inputs[0].order).toBe("hwc");
    expect(net.tensors[net.inputs[0].tensor].shape).toEqual([C, H, W]);
    expect(preprocessingOf(net, {})?.layout).toBe("interleaved");
    expect(asFile(net, interleaved)).toEqual(asFile(plain, x));
  });

  test("moves along with all views of it", () => {
    const nodes: Node[] = [["Flatten", "x", "flat"], first, ["Conv", "planar w", "y"], ["MatMul", "flat m", "z"]];
    const m: Tensor = { shape: [x.length, 1], values: numbers(x.length) };
    const net = lowered("onnx", { ...last, m, flat: { shape: [1, x.length] }, z: { shape: [1, 1] } }, nodes, "z y");
    const sum = interleaved.reduce((total, value, i) => total + value * m.values![i], 0);
    expect(asFile(net, interleaved)[0]).toBeCloseTo(sum, 4);
    expect(asFile({ ...net, outputs: net.outputs.toReversed() }, interleaved)).toEqual(asFile(plain, x));
  });

  test("in any other order is refused", () => {
    const nodes: Node[] = [first, ["Transpose", "planar", "odd", { perm: [0, 3, 1, 2] }], ["Conv", "odd w", "y"]];
    const tensors = { x: { shape: [1, H, C, W] }, w };
    expect(() => lowered("onnx", tensors, nodes, "y")).toThrow(/for which elements would have to move/);
  });
});

describe("constants and gates for each row are none for each channel", () => {
  const square = { x: { shape: [1, 2, 2, 2] }, w: { shape: [2, 2, 1, 1], values: [1, 0, 0, 1] } };
  const four = (...values: number[]): Tensor => ({ shape: [2], values });
  const before: Node[] = [
    ["Conv", "x w", "c"],
    ["Transpose", "c", "t", { perm: [0, 2, 3, 1] }],
  ];

  test.each<[string, Node[], RegExp]>([
    ["Mul", [["Mul", "t k", "y"]], /Mul: its constants are one for each row of the file/],
    ["BatchNormalization", [["BatchNormalization", "t a b a a", "y"]], /BatchNormalization: its constants are one/],
    [
      "Mul of two tensors",
      [
        ["GlobalAveragePool", "c", "g"],
        ["Mul", "t g", "y"],
      ],
      /Mul: its inputs are/,
    ],
  ])("%s", (_, nodes, message) => {
    const tensors = { ...square, k: { shape: [2, 1, 1], values: [1, 10] }, a: four(1, 2), b: four(0, 1) };
    expect(() => lowered("onnx", tensors, [...before, ...nodes], "y")).toThrow(message);
  });

  test("one value for all of them stays", () => {
    const net = lowered("onnx", { ...square, k: { shape: [1], values: [10] } }, [...before, ["Mul", "t k", "y"]], "y");
    expect(asFile(net, [1, 2, 3, 4, 5, 6, 7, 8])).toEqual([10, 50, 20, 60, 30, 70, 40, 80]);
  });
});
