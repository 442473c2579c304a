/** SVDF becomes a dense layer, a window that is a state, and a convolution: beside what its runtimes answered, and beside its definition. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { freshStates, runLayers } from "../../host/engines/ops-i8.js";
import { calibrate } from "../../host/import/calibrate.js";
import { freshFloatStates, runFloat } from "../../host/import/float-run.js";
import {
  memorySource,
  type Attribute,
  type ElementType,
  type GraphTensor,
  type ImportedGraph,
} from "../../host/import/graph.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { inferShapes } from "../../host/import/shapes.js";
import { readTflite } from "../../host/import/tflite.js";
import { statesOf } from "../../host/model/edges.js";
import type { QModel } from "../../host/model/model.js";
import { openEngine } from "../../host/node/engines/open.js";
import { packageRoot } from "../../host/node/paths.js";
import { reportGraph } from "../../host/report/graph.js";
import { Random } from "../../host/rng.js";
import { problem } from "../support/problem.js";

const folder = join(packageRoot, "tests/golden/import");
const steps = JSON.parse(readFileSync(join(folder, "svdf-outputs.json"), "utf8")) as readonly {
  readonly input: readonly number[];
  readonly float: readonly number[];
  readonly int8: readonly number[];
  readonly int16: readonly number[];
}[];
const inputs = steps.map(({ input }) => Int8Array.from(input));
/** As tests/golden/import/svdf.py makes real numbers of them. */
const reals = inputs.map((input) => Float32Array.from(input, (q) => (q + 128) / 32));

const read = (path: string): ImportedGraph => readTflite(memorySource(new Uint8Array(readFileSync(path))));
const golden = (name: string): ImportedGraph => read(join(folder, `svdf-${name}.tflite`));
const lowered = (graph: ImportedGraph): ImportedNet => lowerGraph(inferShapes(graph, { batch: 1 }));

/** What a model gives, step by step. */
function streamed(model: QModel, stream: readonly Int8Array[]): number[][] {
  const states = freshStates(model);
  return stream.map((input) => [...runLayers(model, [input], states).get(model.outputs[0])!]);
}

describe("a net of real numbers", () => {
  const net = lowered(golden("float"));

  test("gives at each step what LiteRT gives", () => {
    const states = freshFloatStates(net);
    steps.forEach(({ float }, step) => {
      const [found] = runFloat(net, [reals[step]], undefined, undefined, states);
      float.forEach((y, i) => expect(found[i], `step ${step}`).toBeCloseTo(y, 4));
    });
  });

  test("calibrated over a stream stays near them, and all engines give the same, from a reset on again", () => {
    const quantized = calibrate(
      net,
      reals.map((real) => [real]),
      { range: "all", perStream: Infinity },
    );
    const model = importedModel(quantized);
    expect(statesOf(model).map((state) => model.tensors[state].shape)).toEqual([
      [12, 1, 6],
      [5, 1, 9],
    ]);
    const { scale: from, zeroPoint: zero } = model.tensors[0];
    const given = reals.map((real) => Int8Array.from(real, (x) => Math.round(x / from!) + zero));
    const expected = streamed(model, given);
    const { scale, zeroPoint } = model.tensors[model.outputs[0]];
    const errors = expected.flatMap((found, step) =>
      found.map((q, i) => Math.abs(scale! * (q - zeroPoint) - steps[step].float[i])),
    );
    expect(Math.max(...errors)).toBeLessThan(8 * scale!);

    const container = writeContainer(model);
    expect(streamed(readContainer(container).model, given)).toEqual(expected);
    for (const name of ["reference", "v8", "simd", "wasm3"] as const) {
      const engine = openEngine(name, container);
      for (let turn = 0; turn < 2; turn++) {
        engine.reset();
        expect(
          given.map((input) => [...engine.run(input)]),
          name,
        ).toEqual(expected);
      }
      engine.close();
    }
  });
});

describe("states of int8", () => {
  const graph = golden("int8");
  const net = lowered(graph);

  test("begin behind the QUANTIZE of samples of 16 bits, which are real numbers to whoever feeds them", () => {
    const [{ tensor, name, isInteger, bias }] = net.inputs;
    expect({ name, isInteger, bias }).toEqual({ name: "samples", isInteger: undefined, bias: 0 });
    expect(net.tensors[tensor].quantization).toEqual({ scale: 1 / 32, zeroPoint: -128 });
    expect(net.isQuantized).toBe(true);
    expect(net.notes).toEqual([]);
  });

  test("give what TensorFlow Lite Micro gives but for its second rounding", () => {
    expect(byDefinition(graph, roundedTwice)).toEqual(steps.map(({ int8 }) => int8));
    expect(streamed(importedModel(net), inputs)).toEqual(byDefinition(graph, roundedOnce));
  });
});

/** All of the net as the kernels define it, layer after layer. @param rescaled a sum by a factor, rounded */
function byDefinition(graph: ImportedGraph, rescaled: (sum: number, factor: number) => number): number[][] {
  const { tensors } = graph;
  const values = (tensor: number): readonly number[] => [...tensors[tensor].constant!.values()];
  const scale = (tensor: number): number => tensors[tensor].quantization!.scales[0];
  const zero = (tensor: number): number => tensors[tensor].quantization!.zeroPoints[0];
  const cut = (q: number): number => Math.min(127, Math.max(-128, q));
  const windows = new Map<number, number[][]>();
  const product = (weights: readonly number[], x: readonly number[], row: number): number =>
    x.reduce((sum, value, column) => sum + value * weights[row * x.length + column], 0);
  return inputs.map((input) => {
    let x = [...input];
    for (const { op, inputs: from, outputs, attributes } of graph.nodes.slice(1)) {
      const centred = x.map((q) => q - zero(from[0]));
      const [feature, second] = [values(from[1]), values(from[2])];
      const to = outputs[0];
      const rows = tensors[from[1]].shape![0] as number;
      if (op === "FULLY_CONNECTED") {
        const factor = (scale(from[0]) * scale(from[1])) / scale(to);
        x = second.map((bias, row) => cut(rescaled(bias + product(feature, centred, row), factor) + zero(to)));
        continue;
      }
      const [, , , bias, state] = from;
      const [into, out] = [
        (scale(from[0]) * scale(from[1])) / scale(state),
        (scale(state) * scale(from[2])) / scale(to),
      ];
      const memory = second.length / rows;
      const window = windows.get(state) ?? Array.from({ length: rows }, () => Array<number>(memory).fill(zero(state)));
      windows.set(state, window);
      window.forEach((line, row) => {
        line.shift();
        line.push(cut(rescaled(product(feature, centred, row), into) + zero(state)));
      });
      const rank = attributes.rank as number;
      x = values(bias).map((start, unit) => {
        let sum = start;
        for (let filter = unit * rank; filter < (unit + 1) * rank; filter++) {
          window[filter].forEach((q, t) => (sum += (q - zero(state)) * second[filter * memory + t]));
        }
        return cut(rescaled(sum, out) + zero(to));
      });
    }
    return x;
  });
}

const roundedOnce = (sum: number, factor: number): number => Math.floor(sum * factor + 0.5);

/** As gemmlowp: 31 bits of the factor, rounded, and what is left of it a shift, rounded again, halves away from zero. */
function roundedTwice(sum: number, factor: number): number {
  const exponent = Math.floor(Math.log2(factor)) + 1;
  const multiplier = BigInt(Math.round(factor * 2 ** (31 - exponent)));
  const doubled = BigInt(sum) * multiplier;
  const high = Number((doubled + (doubled >= 0n ? 1n << 30n : 1n - (1n << 30n))) / (1n << 31n));
  return Math.sign(high) * Math.floor(Math.abs(high) * 2 ** exponent + 0.5);
}

test("states of int16 are kept as int8, which costs little, and is said", () => {
  const net = lowered(golden("int16"));
  expect(net.notes).toEqual(
    ["SVDF #0", "SVDF #1"].map(
      (node) => `${node}: its state and time weights of 16 bits are kept at 8, and outputs differ from TFLite's`,
    ),
  );
  const model = importedModel(net);
  const { scale, zeroPoint } = model.tensors[model.outputs[0]];
  /** Root of the mean square, in steps of the output. */
  const error = (outputs: readonly (readonly number[])[]): number => {
    const errors = outputs.flatMap((output, step) =>
      output.map((q, i) => q - zeroPoint - steps[step].float[i] / scale!),
    );
    return Math.sqrt(errors.reduce((sum, each) => sum + each ** 2, 0) / errors.length);
  };
  const [ours, theirs] = [error(streamed(model, inputs)), error(steps.map(({ int16 }) => int16))];
  expect(theirs).toBeLessThan(0.8);
  expect(ours).toBeLessThan(1.2);
});

/** A net of one SVDF of real numbers; sizes of its parts may be told apart, for what does not fit. */
interface Case {
  readonly columns: number;
  readonly filters: number;
  readonly rank: number;
  readonly memory: number;
  readonly activation?: string;
  readonly hasBias?: boolean;
  readonly tensors?: Changes;
}

type Changes = Partial<Record<"x" | "feature" | "time" | "bias" | "state" | "y", Partial<GraphTensor>>>;

const FITTING: Case = { columns: 3, filters: 6, rank: 2, memory: 4 };

const random = new Random(11);
const normals = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());

function graphOf({
  columns,
  filters,
  rank,
  memory,
  activation = "NONE",
  hasBias = true,
  tensors = {},
}: Case): ImportedGraph {
  const tensor = (name: keyof Changes, shape: readonly number[], isGiven = false): GraphTensor => {
    const values = normals(shape.reduce((all, size) => all * size, 1));
    const type: ElementType = "float32";
    const constant = isGiven ? { bytes: values.byteLength, values: () => values } : undefined;
    const isVariable = name === "state" ? ({ isVariable: true } as const) : {};
    return { name, shape, type, quantization: undefined, constant, ...isVariable, ...tensors[name] };
  };
  const units = rank > 0 ? Math.floor(filters / rank) : filters;
  const attributes: Record<string, Attribute> = { rank, fused_activation_function: activation };
  return {
    format: "tflite",
    kind: "TFLite net",
    version: "schema 3",
    opset: 3,
    tensors: [
      tensor("x", [1, columns]),
      tensor("feature", [filters, columns], true),
      tensor("time", [filters, memory], true),
      tensor("bias", [units], true),
      tensor("state", [1, filters * memory]),
      tensor("y", [1, units]),
    ],
    nodes: [{ name: "SVDF #0", op: "SVDF", inputs: [0, 1, 2, hasBias ? 3 : -1, 4], outputs: [5], attributes }],
    inputs: [0],
    outputs: [5],
  };
}

test.each<Case>([
  FITTING,
  { ...FITTING, hasBias: false, activation: "RELU" },
  { columns: 1, filters: 1, rank: 1, memory: 1, activation: "RELU6" },
  { columns: 5, filters: 4, rank: 4, memory: 7, activation: "RELU_N1_TO_1" },
  { columns: 2, filters: 3, rank: 1, memory: 255 },
])("is what its definition says: %j", (of) => {
  const { columns, filters, rank, memory, activation = "NONE", hasBias = true } = of;
  const graph = graphOf(of);
  const [feature, time, bias] = [1, 2, 3].map((tensor) => graph.tensors[tensor].constant!.values());
  const net = lowered(graph);
  const states = freshFloatStates(net);
  const seen: number[][] = [];
  const bounds = { NONE: [-Infinity, Infinity], RELU: [0, Infinity], RELU6: [0, 6], RELU_N1_TO_1: [-1, 1] }[
    activation
  ]!;
  for (let step = 0; step < 9; step++) {
    const x = normals(columns);
    seen.push(
      Array.from({ length: filters }, (_, filter) =>
        x.reduce((sum, value, column) => sum + value * feature[filter * columns + column], 0),
      ),
    );
    const expected = Array.from({ length: filters / rank }, (_, unit) => {
      let sum = hasBias ? bias[unit] : 0;
      for (let filter = unit * rank; filter < (unit + 1) * rank; filter++) {
        for (let ago = 0; ago < Math.min(memory, seen.length); ago++)
          sum += seen[step - ago][filter] * time[(filter + 1) * memory - 1 - ago];
      }
      return Math.min(bounds[1], Math.max(bounds[0], sum));
    });
    const [found] = runFloat(net, [x], undefined, undefined, states);
    expected.forEach((y, i) => expect(found[i], `step ${step}`).toBeCloseTo(y, 4));
  }
});

const constant = (type: ElementType, ...shape: number[]): Partial<GraphTensor> => {
  const values = new Int8Array(shape.reduce((all, size) => all * size, 1));
  return { type, shape, constant: { bytes: values.length, values: () => values } };
};
const scaled = (type: ElementType, zeroPoint = 0, scales = 1): Partial<GraphTensor> => ({
  type,
  quantization: {
    scales: new Float32Array(scales).fill(0.5),
    zeroPoints: new Int32Array(scales).fill(zeroPoint),
    axis: scales > 1 ? 0 : undefined,
  },
});

describe("is refused by name", () => {
  const integers = {
    x: scaled("int8"),
    feature: { ...constant("int8", 6, 3), ...scaled("int8") },
    time: { ...constant("int16", 6, 4), ...scaled("int16") },
    bias: constant("int32", 3),
    state: scaled("int16"),
    y: scaled("int8"),
  };
  const changed = (tensors: Changes): Case => ({ ...FITTING, tensors });
  const changedIntegers = (tensors: Changes): Case => ({ ...FITTING, tensors: { ...integers, ...tensors } });
  const notBoth = (state: string): string =>
    `its state is ${state} and its time weights are int16, expected both int8 or both int16, of one scale`;
  const rank = (given: number): string => `expected [filters, steps], of filters a multiple of its rank, ${given}`;

  test("but integers that fit run", () => {
    expect(lowered(graphOf(changedIntegers({}))).isQuantized).toBe(true);
  });

  test.each<readonly [what: string, of: Case, why: string]>([
    ["no rank", { ...FITTING, rank: 0 }, "a rank of 0; expected 1 at least"],
    ["a rank below 0", { ...FITTING, rank: -2 }, "a rank of -2; expected 1 at least"],
    ["a rank that does not divide", { ...FITTING, rank: 4 }, `time weights of [6, 4]; ${rank(4)}`],
    ["a rank of more than all", { ...FITTING, rank: 12 }, `time weights of [6, 4]; ${rank(12)}`],
    ["no steps", { ...FITTING, memory: 0 }, `time weights of [6, 0]; ${rank(2)}`],
    ["no filters", { ...FITTING, filters: 0 }, `time weights of [0, 4]; ${rank(2)}`],
    [
      "time weights of a third dimension",
      changed({ time: constant("float32", 6, 2, 2) }),
      `time weights of [6, 2, 2]; ${rank(2)}`,
    ],
    [
      "time weights of other filters",
      changed({ time: constant("float32", 8, 4) }),
      "feature weights of [6, 3]; expected [8, 3]",
    ],
    ["time weights of no filters", changed({ time: constant("float32") }), `time weights of []; ${rank(2)}`],
    [
      "feature weights of larger steps",
      changed({ feature: constant("float32", 6, 5) }),
      "a step of [1, 3]; expected [1, 5]",
    ],
    [
      "feature weights of one dimension",
      changed({ feature: constant("float32", 6) }),
      "feature weights of [6]; expected [6, in]",
    ],
    ["several steps at once", changed({ x: { shape: [1, 2, 3] } }), "a step of [1, 2, 3]; expected [1, 3]"],
    ["a bias of other units", changed({ bias: constant("float32", 4) }), "a bias of [4]; expected [3]"],
    ["a state of fewer steps", changed({ state: { shape: [1, 23] } }), "a state of [1, 23]; expected [1, 24]"],
    ["an output of other units", changed({ y: { shape: [1, 2] } }), "an output of [1, 2]; expected [1, 3]"],
    ["more steps than a kernel has", { ...FITTING, memory: 256 }, "keeps 256 steps; at most 255 run"],
    [
      "a state that nobody keeps",
      changed({ state: { isVariable: undefined, ...constant("float32", 1, 24) } as object }),
      "its state is no variable that begins with zeros",
    ],
    [
      "a state that begins with something",
      changed({ state: constant("float32", 1, 24) }),
      "its state is no variable that begins with zeros",
    ],
    [
      "weights that are made",
      changed({ time: { constant: undefined, isVariable: true } }),
      "its weights are made while the net runs; expected constants",
    ],
    [
      "a bias that is made",
      changed({ bias: { constant: undefined, isVariable: true } }),
      "its bias is made while the net runs",
    ],
    ["a function", { ...FITTING, activation: "TANH" }, "TANH is fused into it; expected RELU or RELU6"],
    ["a state of real numbers beside integers", changedIntegers({ state: {} }), notBoth("float32")],
    ["a state of other bits than its weights", changedIntegers({ state: scaled("int8") }), notBoth("int8")],
    ["a state of two scales", changedIntegers({ state: scaled("int16", 0, 2) }), notBoth("int16")],
    [
      "a state with a zero point",
      changedIntegers({ state: scaled("int16", 3) }),
      "its state is int16 with zero point 3, expected 0",
    ],
    [
      "time weights with a zero point",
      changedIntegers({ time: { ...integers.time, ...scaled("int16", 3) } }),
      "its time weights are int16, expected one scale and zero point 0",
    ],
    [
      "a bias of real numbers beside integers",
      changedIntegers({ bias: constant("float32", 3) }),
      "its bias is float32, expected int32",
    ],
  ])("%s", (_, of, why) => {
    expect(problem(() => lowered(graphOf(of)))).toMatch(/^UNSUPPORTED (the net does|1 node does) not run: SVDF/);
    expect(problem(() => lowered(graphOf(of)))).toContain(`: ${why}`);
  });

  test("a state of scale 0", () => {
    const state = scaled("int16");
    const quantization = { ...state.quantization!, scales: Float32Array.of(0) };
    expect(
      problem(() => importedModel(lowered(graphOf(changedIntegers({ state: { ...state, quantization } }))))),
    ).toMatch(/^MISMATCH SVDF #0: /);
  });

  test("a state that others read too", () => {
    const one = graphOf(FITTING);
    const beside = (op: string, inputs: readonly number[]): ImportedGraph => ({
      ...one,
      tensors: [...one.tensors, { ...one.tensors[5], name: "z" }],
      nodes: [...one.nodes, { ...one.nodes[0], name: `${op} #1`, op, inputs, outputs: [6] }],
      outputs: [5, 6],
    });
    const why = "its state is read by others too; expected one of its own";
    for (const graph of [beside("SVDF", one.nodes[0].inputs), beside("TANH", [4]), { ...one, outputs: [5, 4] }])
      expect(problem(() => lowered(graph))).toContain(`SVDF #0: ${why}`);
  });
});

const zoo = process.env.MOTE_ZOO;
test.skipIf(zoo === undefined)("TensorFlow Lite Micro's keyword net in MOTE_ZOO runs, a state for each SVDF", () => {
  const graph = read(join(zoo!, "tflm-keyword_scrambled_8bit.tflite"));
  const net = lowered(graph);
  expect(net.notes).toHaveLength(1); // the softmax
  const model = importedModel(net);
  expect(statesOf(model)).toHaveLength(7);
  expect(model.layers.map(({ op }) => op).filter((op) => op !== "append" && op !== "conv2d")).toHaveLength(12);
  // MACs of weights, of 64 and 32 units: by the report as by the model.
  const { nodes } = reportGraph(inferShapes(graph, { batch: 1 }));
  const macs = model.layers.reduce((sum, layer) => sum + ("weights" in layer ? layer.weights.length : 0), 0);
  expect(nodes.reduce((sum, node) => sum + (node.macs ?? 0), 0)).toBe(macs);
});
