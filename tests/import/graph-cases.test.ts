/** Small graphs, node by node: what becomes part of another layer, what is left out, and what is refused. */
import { describe, expect, test } from "vitest";
import { runModel } from "../../host/engines/ops-i8.js";
import { freshFloatStates, runFloat } from "../../host/import/float-run.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
import type { Attribute } from "../../host/import/graph.js";
import type { ImportedNet } from "../../host/import/net.js";
import { supportOf } from "../../host/import/support.js";
import { graphOf, lowered, run, type Node, type Tensor } from "../support/graphs.js";

describe("a relu or a scale behind a view of what others read as well stays a layer", () => {
  const onnx = {
    x: { shape: [1, 1, 1, 2] },
    w: { shape: [1, 1, 1, 1], values: [1] },
    ten: { shape: [1], values: [10] },
    flat: { shape: [1, 2] },
    relued: { shape: [1, 2] },
  };

  test.each(["Identity", "Dropout"])("%s", (op) => {
    for (const [reader, inputs, expected] of [
      ["Relu", "same", [0, 2]],
      ["Mul", "same ten", [-10, 20]],
    ] as const) {
      const nodes: Node[] = [
        ["Conv", "x w", "y"],
        [op, "y", "same"],
        [reader, inputs, "z"],
        ["Add", "y y", "sum"],
      ];
      expect(run(lowered("onnx", onnx, nodes, "sum z"), -1, 2)).toEqual([[-2, 4], expected]);
    }
  });

  test("a chain of them", () => {
    const nodes: Node[] = [
      ["Conv", "x w", "y"],
      ["Identity", "y", "a"],
      ["Flatten", "a", "flat"],
      ["Relu", "flat", "relued"],
      ["Add", "y y", "sum"],
    ];
    expect(run(lowered("onnx", onnx, nodes, "sum relued"), -1, 2)).toEqual([
      [-2, 4],
      [0, 2],
    ]);
  });

  test("where an output of the graph reads it", () => {
    const nodes: Node[] = [
      ["Conv", "x w", "y"],
      ["Identity", "y", "a"],
      ["Relu", "a", "z"],
    ];
    expect(run(lowered("onnx", onnx, nodes, "y z"), -1, 2)).toEqual([
      [-1, 2],
      [0, 2],
    ]);
  });

  test("and is part of the layer before where nobody else does", () => {
    const nodes: Node[] = [
      ["Conv", "x w", "y"],
      ["Identity", "y", "a"],
      ["Mul", "a ten", "scaled"],
      ["Relu", "scaled", "z"],
      ["Add", "z z", "sum"],
    ];
    const net = lowered("onnx", onnx, nodes, "sum");
    expect(net.layers.map(({ op }) => op)).toEqual(["conv2d", "add"]);
    expect(run(net, -1, 2)).toEqual([[0, 40]]);
  });

  test("of int8", () => {
    const tensors = {
      x: { shape: [1, 2], scale: 1 },
      w: { shape: [2, 2], scale: 1, values: [1, 0, 0, 1] },
      sum: { shape: [1, 2], scale: 1 },
    };
    const nodes: Node[] = [
      ["FULLY_CONNECTED", "x w", "y"],
      ["RESHAPE", "y", "same"],
      ["RELU", "same", "z"],
      ["ADD", "y y", "sum"],
    ];
    const model = importedModel(lowered("tflite", tensors, nodes, "sum z"));
    const all = runModel(model, Int8Array.of(-1, 2));
    expect(model.layers.map(({ op }, index) => [op, ...all[index]])).toEqual([
      ["dense", -1, 2],
      ["maxpool", 0, 2],
      ["add", -2, 4],
    ]);
  });

  test("the variable that it is assigned to", () => {
    const tensors = {
      x: { shape: [1, 2] },
      w: { shape: [2, 2], values: [1, 0, 0, 1] },
      ten: { shape: [1], values: [10] },
    };
    for (const [op, inputs, given, expected] of [
      ["RELU", "r", [-1, 2], [0, 2]],
      ["MUL", "r ten", [-1, 2], [-10, 20]],
    ] as const) {
      const nodes: Node[] = [
        ["READ_VARIABLE", "v", "before"],
        ["FULLY_CONNECTED", "x w", "y"],
        ["ASSIGN_VARIABLE", "v y", ""],
        ["READ_VARIABLE", "v", "r"],
        [op, inputs, "z"],
        ["ADD", "before x", "sum"],
      ];
      const net = lowered("tflite", tensors, nodes, "z sum");
      const states = freshFloatStates(net);
      const step = (): number[][] =>
        runFloat(net, [Float32Array.from(given)], undefined, undefined, states).map((output) => [...output]);
      expect(step(), op).toEqual([expected, [-1, 2]]);
      expect(step(), op).toEqual([expected, [-2, 4]]);
    }
  });
});

/** Why the graph is not lowered. */
function problem(...given: Parameters<typeof graphOf>): string {
  try {
    lowered(...given);
  } catch (error) {
    return (error as Error).message;
  }
  return "none";
}

describe("what does not fit is refused", () => {
  test.each([
    ["ADD", 2000],
    ["SUB", 2000],
    ["ADD", 1000],
  ])("%s of int8 with %d where that is no int32", (op, constant) => {
    const tensors = {
      x: { shape: [1, 2], scale: 2 ** -14 },
      c: { shape: [1], scale: constant / 100, values: [100] },
      y: { shape: [1, 2], scale: 20 },
    };
    const found = problem("tflite", tensors, [[op, "x c", "y"]], "y");
    if (constant === 1000) expect(found).toBe("none");
    else
      expect(found).toMatch(
        new RegExp(`${op}: its constant -?2000 is beyond int32 at its input's scale 0\\.00006103515625`),
      );
  });

  test.each([[-5], [4], [0.5], []])("a SPLIT along axis %s of four", (...axis) => {
    const tensors = {
      x: { shape: [1, 2, 2, 4] },
      axis: { shape: [axis.length], values: axis },
      a: { shape: [1, 2, 2, 2] },
    };
    const nodes: Node[] = [
      ["SPLIT", "axis x", "a b"],
      ["ADD", "a b", "y"],
    ];
    const found = problem("tflite", { ...tensors, b: tensors.a, y: tensors.a }, nodes, "y");
    expect(found).toContain(`SPLIT: its axis is ${axis[0]}, expected -4 .. 3`);
  });

  test.each<[op: string, sizes: readonly number[], parts: readonly [number, number], expected: string]>([
    ["SPLIT", [], [4, 4], "none"],
    ["SPLIT", [], [3, 5], "it takes 4 of 8 along axis 1, and its output has 3"],
    ["SPLIT_V", [3, 5], [3, 5], "none"],
    ["SPLIT_V", [3, -1], [3, 5], "none"],
    ["SPLIT_V", [-1, 5], [3, 5], "none"],
    ["SPLIT_V", [2, 6], [3, 5], "it takes 2 of 8 along axis 1, and its output has 3"],
    ["SPLIT_V", [5, -1], [3, 5], "it takes 5 of 8 along axis 1, and its output has 3"],
    ["SPLIT_V", [3, 4], [3, 4], "its 2 parts are 7 of 8 along axis 1; expected all of it, in 2 parts"],
    ["SPLIT_V", [3, 4, 1], [3, 4], "its 3 parts are 8 of 8 along axis 1; expected all of it, in 2 parts"],
    ["SPLIT_V", [8], [3, 5], "its 1 parts are 8 of 8 along axis 1; expected all of it, in 2 parts"],
    ["SPLIT_V", [-1, -1], [3, 5], "its 2 parts are -2 of 8 along axis 1; expected all of it, in 2 parts"],
  ])("a %s into %j, of outputs of %j", (op, sizes, [a, b], expected) => {
    const tensors = {
      x: { shape: [1, 8] },
      axis: { shape: [1], values: [1] },
      sizes: { shape: [sizes.length], values: sizes },
      a: { shape: [1, a] },
      b: { shape: [1, b] },
    };
    const found = problem("tflite", tensors, [[op, op === "SPLIT" ? "axis x" : "x sizes axis", "a b"]], "a b");
    if (expected === "none") expect(found).toBe("none");
    else expect(found).toContain(`${op}: ${expected}`);
  });

  test.each([
    ["SLICE", 0.5, 0],
    ["STRIDED_SLICE", 0.25, 3],
  ])("%s of everything with another scale or zero point", (op, scale, zeroPoint) => {
    const places = (...values: number[]): Tensor => ({ shape: [2], values });
    const tensors = {
      x: { shape: [1, 4], scale: 0.25 },
      begin: places(0, 0),
      end: places(1, 4),
      strides: places(1, 1),
      part: { shape: [1, 4], scale, zeroPoint },
    };
    const nodes: Node[] = [
      [op, "x begin end strides", "part"],
      ["TANH", "part", "y"],
    ];
    const wrong = "its output has another scale or zero point than its input; expected the same";
    expect(problem("tflite", tensors, nodes, "y")).toContain(`${op}: ${wrong}`);
    expect(problem("tflite", { ...tensors, part: tensors.x }, nodes, "y")).toBe("none");
  });

  const cut = (
    op: string,
    ends: Tensor,
    from: number,
    to: number,
    attributes: Record<string, Attribute> = {},
  ): string =>
    problem(
      "tflite",
      {
        x: { shape: [1, 8] },
        begin: { shape: [2], values: [0, from] },
        ends,
        strides: { shape: [2], values: [1, 1] },
        y: { shape: [1, to] },
      },
      [[op, "x begin ends strides", "y", attributes]],
      "y",
    );
  const ends = (...values: number[]): Tensor => ({ shape: [2], values });
  const strided = "STRIDED_SLICE: it takes";

  test.each<[string, string, Tensor, number, number, Record<string, Attribute>, string]>([
    ["as far as its end", "STRIDED_SLICE", ends(1, 5), 2, 3, {}, "none"],
    ["another end", "STRIDED_SLICE", ends(1, 6), 2, 3, {}, `${strided} 4 of 8 along axis 1, and its output has 3`],
    ["an end from behind", "STRIDED_SLICE", ends(1, -1), -4, 3, {}, "none"],
    ["another one", "STRIDED_SLICE", ends(1, -2), -4, 3, {}, `${strided} 2 of 8 along axis 1, and its output has 3`],
    ["an end beyond the last", "STRIDED_SLICE", ends(1, 99), 2, 6, {}, "none"],
    ["an end left open", "STRIDED_SLICE", ends(0, 1), 2, 6, { end_mask: 3 }, "none"],
    ["fewer than that", "STRIDED_SLICE", ends(0, 1), 2, 5, { end_mask: 3 }, `${strided} 6 of 8 along axis 1`],
    ["an end before the begin", "STRIDED_SLICE", ends(1, 1), 2, 3, {}, `${strided} -1 of 8 along axis 1`],
    ["no samples", "STRIDED_SLICE", ends(0, 5), 2, 3, {}, `${strided} 0 of 1 along axis 0, and its output has 1`],
    ["an offset", "STRIDED_SLICE", ends(1, 5), 2, 3, { offset: true }, "its end is counted from its begin"],
    ["an end that is made", "STRIDED_SLICE", { shape: [2] }, 2, 3, {}, "its end is not a constant"],
    ["a size", "SLICE", ends(1, 3), 2, 3, {}, "none"],
    ["another size", "SLICE", ends(1, 4), 2, 3, {}, "SLICE: it takes 4 of 8 along axis 1, and its output has 3"],
    ["all the rest", "SLICE", ends(-1, -1), 2, 6, {}, "none"],
    ["less than the rest", "SLICE", ends(-1, -1), 2, 5, {}, "SLICE: it takes 6 of 8 along axis 1"],
    ["half an element", "SLICE", ends(1, 3), 0.5, 3, {}, "SLICE: it takes [3, 1, 1] from [0.5, 0, 0] on of [8, 1, 1]"],
    ["a size that is made", "SLICE", { shape: [2] }, 2, 3, {}, "its size is not a constant"],
  ])("a part by %s", (_, op, end, from, to, attributes, expected) => {
    const found = cut(op, end, from, to, attributes);
    if (expected === "none") expect(found).toBe("none");
    else expect(found).toContain(expected);
  });
});

describe("real numbers of which a QUANTIZE makes int8", () => {
  const tensors: Record<string, Tensor> = {
    x: { shape: [1, 2] },
    q: { shape: [1, 2], scale: 0.5, zeroPoint: 3 },
    again: { shape: [1, 2], scale: 0.5, zeroPoint: 3 },
    coarse: { shape: [1, 2], scale: 1 },
    w: { shape: [2, 2], scale: 0.25, values: [4, 0, 0, -8] },
    bias: { type: "int32", shape: [2], values: [8, 16] }, // in units of 0.5 × 0.25
    y: { shape: [1, 2], scale: 1 },
    z: { shape: [1, 2], scale: 1 },
  };
  const nodes: Node[] = [
    ["QUANTIZE", "x", "q"],
    ["FULLY_CONNECTED", "q w bias", "y"],
  ];
  const quantizationOf = ({ tensors: all, inputs }: ImportedNet): unknown => all[inputs[0].tensor].quantization;

  test("are the input where nobody else reads them, however often they are made so", () => {
    const twice: Node[] = [...nodes, ["QUANTIZE", "x", "again"], ["TANH", "again", "z"]];
    for (const net of [lowered("tflite", tensors, nodes, "y"), lowered("tflite", tensors, twice, "y z")]) {
      expect(quantizationOf(net)).toEqual({ scale: 0.5, zeroPoint: 3 });
      expect(net.isQuantized).toBe(true);
    }
  });

  test("are missed where there are none", () => {
    const found = (): unknown =>
      lowered("tflite", tensors, [["QUANTIZE", "", "q"], nodes[1], ["TANH", "x", "z"]], "y z");
    expect(found).toThrow("1 node does not run: QUANTIZE: input 0 is absent (QUANTIZE #0)");
  });

  test.each<[why: string, node: Node, outputs: string, expected: readonly number[]]>([
    ["a function reads", ["TANH", "x", "t"], "y t", [Math.tanh(1), Math.tanh(3)]],
    ["a view reads", ["RESHAPE", "x", "t"], "y t", [1, 3]],
    ["another scale is made of", ["QUANTIZE", "x", "coarse"], "y coarse", [1, 3]],
    ["an output is", ["TANH", "q", "z"], "y x", [1, 3]],
  ])("stay what they are where %s", (_, node, outputs, expected) => {
    const net = lowered("tflite", tensors, [...nodes, node], outputs);
    expect(quantizationOf(net)).toBeUndefined();
    expect(net.isQuantized).toBe(false);
    expect(run(net, 1, 3)).toEqual([[1 * 1 + 1, -2 * 3 + 2], expected.map(Math.fround)]);
  });
});

test.each([
  [1, 2],
  [2, 3],
  [2, 5],
  [3, 4],
  [2, 7],
  [3, 6],
  [5, 6],
  [16, 16],
  [7, 255],
  [10, 255],
])("an average of %i × %i int8 is the nearest one, of two the one that is farther from zero", (height, width) => {
  const count = height * width;
  const tensors = { x: { shape: [1, height, width, 1], scale: 0.5 }, y: { shape: [1, 1, 1, 1], scale: 0.5 } };
  const window = { filter_height: height, filter_width: width, stride_h: height, stride_w: width };
  const model = importedModel(lowered("tflite", tensors, [["AVERAGE_POOL_2D", "x", "y", window]], "y"));
  const half = count / 2;
  for (const sum of [0, 1, 7, 126, -1, -8, -127].flatMap((whole) =>
    [-1, 0, 1].map((more) => whole * count + Math.floor(half) + more),
  )) {
    const least = Math.floor(sum / count);
    const input = Int8Array.from({ length: count }, (_, i) => least + (i < sum - least * count ? 1 : 0));
    const expected = Math.sign(sum) * Math.floor((Math.abs(sum) + half) / count);
    expect([...runModel(model, input)[0]], `sum ${sum}`).toEqual([expected + 0]);
  }
});

describe("a last join of rows", () => {
  const [one, both]: Tensor[] = [{ shape: [1, 2, 2, 1] }, { shape: [1, 4, 2, 1] }];
  const tensors = { x: one, joined: both, flat: { shape: [1, 8] }, z: both, line: { shape: [1, 2, 2] } };

  test.each([0, 1, 3, -1])("of nothing is refused, along axis %i", (axis) => {
    const nodes: Node[] = [
      ["CONCATENATION", "", "joined", { axis }],
      ["TANH", "x", "t"],
    ];
    const why = "1 node does not run: CONCATENATION: it joins nothing (CONCATENATION #0)";
    expect(() => lowered("tflite", tensors, nodes, "joined t")).toThrow(why);
  });

  test.each<[what: string, nodes: readonly Node[], output: string, expected: string]>([
    ["of what a layer makes", [["TANH", "x", "a"]], "joined", "outputs of the model, one a part"],
    [
      "of a view of that",
      [
        ["TANH", "x", "a0"],
        ["RESHAPE", "a0", "a"],
      ],
      "joined",
      "outputs of the model, one a part",
    ],
    ["of an input", [["RESHAPE", "x", "a"]], "joined", "a layer"],
    [
      "of an input of another dimension",
      [
        ["SQUEEZE", "x", "line"],
        ["EXPAND_DIMS", "line", "a"],
      ],
      "joined",
      "a layer",
    ],
    [
      "of a state",
      [
        ["READ_VARIABLE", "v", "a"],
        ["ASSIGN_VARIABLE", "v x", ""],
      ],
      "joined",
      "a layer",
    ],
    ["with another shape behind", [["TANH", "x", "a"]], "flat", "a layer"],
    ["with a layer behind", [["TANH", "x", "a"]], "z", "a layer"],
  ])("%s is what its verdict says", (_, before, output, expected) => {
    const behind: Node[] = output === "joined" ? [] : [[output === "z" ? "TANH" : "RESHAPE", "joined", output]];
    const nodes: Node[] = [...before, ["CONCATENATION", "a a", "joined", { axis: 1 }], ...behind];
    const graph = graphOf("tflite", tensors, nodes, output);
    const verdict = supportOf(graph).verdicts[before.length];
    const { layers, outputs, notes } = lowerGraph(graph);
    const isLayer = layers.some(({ op }) => op === "append");
    expect(verdict).toEqual(isLayer ? { kind: "runs" } : { kind: "dissolves", into: expected });
    expect(isLayer ? "a layer" : "outputs of the model, one a part").toBe(expected);
    expect([outputs.length, notes.length]).toEqual(isLayer ? [1, 0] : [2, 1]);
  });
});

describe("a variable", () => {
  const tensors = { x: { shape: [1, 2] } };

  test("that nobody reads, or reads for nothing, is left out, with what makes it", () => {
    const written: Node[] = [
      ["TANH", "x", "t"],
      ["ASSIGN_VARIABLE", "v t", ""],
    ];
    const read: Node[] = [
      ["READ_VARIABLE", "v", "before"],
      ["ADD", "before x", "t"],
      ["ASSIGN_VARIABLE", "v t", ""],
    ];
    for (const nodes of [written, read]) {
      const net = lowered("tflite", tensors, [...nodes, ["RELU", "x", "y"]], "y");
      expect(net.layers.map(({ op }) => op)).toEqual(["maxpool"]);
      expect(net.states).toEqual([]);
    }
  });

  test("that is read for another one stays", () => {
    const nodes: Node[] = [
      ["READ_VARIABLE", "va", "a"],
      ["READ_VARIABLE", "vb", "b"],
      ["TANH", "b", "later"],
      ["ASSIGN_VARIABLE", "va later", ""],
      ["ASSIGN_VARIABLE", "vb x", ""],
      ["ADD", "a x", "y"],
    ];
    const net = lowered("tflite", tensors, nodes, "y");
    const states = freshFloatStates(net);
    const step = (x: number): number[] => [...runFloat(net, [Float32Array.of(x, 0)], undefined, undefined, states)[0]];
    expect([step(1), step(2), step(3)].map(([y]) => y)).toEqual([1, 2, 3 + Math.fround(Math.tanh(1))].map(Math.fround));
  });

  test("and the input joined along time at the end are one layer", () => {
    const nodes: Node[] = [
      ["READ_VARIABLE", "v", "before"],
      ["CONCATENATION", "before x", "y", { axis: 1 }],
      ["ASSIGN_VARIABLE", "v x", ""],
    ];
    const joined = (more: { scale?: number }): ImportedNet =>
      lowered("tflite", { x: { shape: [1, 1, 1, 1], ...more }, y: { shape: [1, 2, 1, 1], ...more } }, nodes, "y");
    expect(importedModel(joined({ scale: 1 })).layers.map(({ op }) => op)).toEqual(["append"]);
    const net = joined({});
    const states = freshFloatStates(net);
    const step = (x: number): number[] => [...runFloat(net, [Float32Array.of(x)], undefined, undefined, states)[0]];
    expect([step(1), step(2), step(3)]).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
  });
});
