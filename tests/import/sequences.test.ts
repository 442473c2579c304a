/** Nets of sequences beside a plain loop: what runs before and behind their recurrent layers in each step, and what cannot. */
import type { Elements } from "../../host/model/elements.js";
import { describe, expect, test } from "vitest";
import { streamsOf } from "../../host/data/sequences.js";
import { classifyAll } from "../../host/engines/classify.js";
import { openReference } from "../../host/engines/reference.js";
import { freshFloatStates, runFloat } from "../../host/import/float-run.js";
import type { Attribute, GraphNode, GraphTensor, ImportedGraph } from "../../host/import/graph.js";
import { importedContainer } from "../../host/import/imported-container.js";
import { lowerGraph } from "../../host/import/import.js";
import { samplesFor } from "../../host/import/net-samples.js";
import type { ImportedNet } from "../../host/import/net.js";
import { readOnnx } from "../../host/import/onnx.js";
import { inferShapes } from "../../host/import/shapes.js";
import { readTflite } from "../../host/import/tflite.js";
import { planarIndex } from "../../host/import/view.js";
import { generatedSamples } from "../../web/shrink/sample-files.js";
import { attribute, edge, floats, goldenBytes, integers, memorySource, model, node } from "../support/onnx.js";
import { problem } from "../support/problem.js";

type Rows = readonly (readonly number[])[];

const [T, F, H] = [5, 4, 3];

const numbers = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.fround(Math.sin(seed + 1.7 * i)));
const rows = (values: readonly number[], columns: number): number[][] =>
  Array.from({ length: values.length / columns }, (_, row) => values.slice(row * columns, (row + 1) * columns));
const times = (matrix: Rows, vector: readonly number[]): number[] =>
  matrix.map((row) => row.reduce((sum, weight, i) => sum + weight * vector[i], 0));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const plus = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x + b[i]);
const tanh = (a: readonly number[]): number[] => a.map(Math.tanh);
const relu = (a: readonly number[]): number[] => a.map((x) => Math.max(0, x));

const [W, R] = [numbers(4 * H * F, 1), numbers(4 * H * H, 2)];
const [WEIGHTS, BIAS] = [numbers(F * F, 3), numbers(F, 4)];

/** Hidden values after each step, gates in the order i, o, f, c. */
function lstm(sequence: Rows): number[][] {
  let [h, c] = [numbers(H, 0).fill(0), numbers(H, 0).fill(0)];
  return sequence.map((x) => {
    const all = plus(times(rows(W, F), x), times(rows(R, H), h));
    const gate = (at: number): number[] => all.slice(at * H, (at + 1) * H);
    const [i, o, f] = [0, 1, 2].map((at) => gate(at).map(sigmoid));
    const g = tanh(gate(3));
    c = c.map((kept, at) => f[at] * kept + i[at] * g[at]);
    h = tanh(c).map((value, at) => o[at] * value);
    return h;
  });
}

/** What the net gives after the last step of a sequence, in the order of its file. */
function result(net: ImportedNet, sequence: Rows): number[] {
  const states = freshFloatStates(net);
  const [end] = net.outputs;
  const place = planarIndex(end.order, net.tensors[end.tensor].shape);
  const steps = sequence.map((x) => runFloat(net, [Float32Array.from(x)], undefined, undefined, states)[0]);
  return Array.from(steps.at(-1)!, (_, i) => steps.at(-1)![place(i)]);
}

function expectNear(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  found.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
}

const perm = (...axes: readonly number[]): number[] => attribute("perm", axes);
/** Of "t", [T, 1, F], the hidden values "s", [T, 1, H], and "last", [1, 1, H]. */
const LSTM = [
  node("LSTM", ["t", "W", "R"], ["Y", "last"], attribute("hidden_size", H)),
  node("Squeeze", ["Y", "one"], ["s"]),
];
const TURN = node("Transpose", ["x"], ["t"], perm(1, 0, 2));
const CONSTANTS = [
  floats("W", [1, 4 * H, F], W),
  floats("R", [1, 4 * H, H], R),
  floats("weights", [F, F], WEIGHTS),
  integers("zero", [0]),
  integers("one", [1]),
  integers("minus", [-1]),
];

/** @param parts that make "y" of "x" */
function onnx(input: readonly number[], ...parts: readonly number[][]): ImportedGraph {
  const bytes = model(13, edge(11, "x", input), ...CONSTANTS, ...parts, edge(12, "y", []));
  return inferShapes(readOnnx(memorySource(bytes)), { batch: 1 });
}

/** From before the LSTM to its last output. */
const before = (...parts: readonly number[][]): number[][] => [
  ...parts,
  ...LSTM,
  node("Squeeze", ["last", "zero"], ["y"]),
];
/** From behind it on. */
const behind = (...parts: readonly number[][]): number[][] => [TURN, ...LSTM, ...parts];
const takeLast = (of: string): number[] => node("Gather", [of, "minus"], ["y"], attribute("axis", 0));
const toRows = node("Reshape", ["x", "rows"], ["r"]);
const toSteps = node("Reshape", ["q", "steps"], ["t"]);
const SHAPES = [integers("rows", [-1, F]), integers("steps", [-1, 1, F])];

const dense = (x: readonly number[]): number[] => plus(times(rows(WEIGHTS, F), x), BIAS);

describe("runs in each step of an ONNX net", () => {
  test.each<[string, number[][], (x: Rows) => readonly number[]]>([
    [
      "a function before the layout",
      before(node("Relu", ["x"], ["q"]), node("Transpose", ["q"], ["t"], perm(1, 0, 2))),
      (x) => lstm(x.map(relu)).at(-1)!,
    ],
    [
      "MatMul and Add, as PyTorch writes a Linear",
      before(
        floats("b", [F], BIAS),
        node("Transpose", ["weights"], ["turned"], perm(1, 0)),
        node("MatMul", ["x", "turned"], ["m"]),
        node("Add", ["m", "b"], ["q"]),
        node("Transpose", ["q"], ["t"], perm(1, 0, 2)),
      ),
      (x) => lstm(x.map(dense)).at(-1)!,
    ],
    [
      "Gemm with a bias of one a unit",
      before(
        ...SHAPES,
        floats("b", [F], BIAS),
        toRows,
        node("Gemm", ["r", "weights", "b"], ["q"], attribute("transB", 1)),
        toSteps,
      ),
      (x) => lstm(x.map(dense)).at(-1)!,
    ],
    [
      "a dropout whose mask has a name",
      before(node("Dropout", ["x"], ["q", "mask"]), node("Transpose", ["q"], ["t"], perm(1, 0, 2))),
      (x) => lstm(x).at(-1)!,
    ],
    [
      "a concatenation",
      behind(node("Tanh", ["s"], ["n"]), node("Concat", ["s", "n"], ["k"], attribute("axis", 2)), takeLast("k")),
      (x) => [...lstm(x).at(-1)!, ...tanh(lstm(x).at(-1)!)],
    ],
    [
      "a sum of two sequences, read whole",
      behind(
        node("Tanh", ["s"], ["n"]),
        node("Add", ["s", "n"], ["k"]),
        node("Transpose", ["k"], ["b"], perm(1, 0, 2)),
        integers("flat", [1, T * H]),
        node("Reshape", ["b", "flat"], ["y"]),
      ),
      (x) => lstm(x).flatMap((h) => plus(h, tanh(h))),
    ],
    [
      "Slice of the last step",
      behind(integers("end", [T]), node("Slice", ["s", "minus", "end", "zero"], ["y"])),
      (x) => lstm(x).at(-1)!,
    ],
    [
      "an LSTM with its batch first",
      [
        node("LSTM", ["x", "W", "R"], ["Y", "last"], attribute("hidden_size", H), attribute("layout", 1)),
        integers("two", [2]),
        node("Squeeze", ["Y", "two"], ["s"]),
        node("Gather", ["s", "minus"], ["y"], attribute("axis", 1)),
      ],
      (x) => lstm(x).at(-1)!,
    ],
    [
      "beside a longer sequence that nobody reads",
      behind(
        node("Concat", ["t", "t"], ["tt"], attribute("axis", 0)),
        node("LSTM", ["tt", "W", "R"], ["dead"], attribute("hidden_size", H)),
        takeLast("s"),
      ),
      (x) => lstm(x).at(-1)!,
    ],
  ])("%s", (_, parts, expected) => {
    const net = lowerGraph(onnx([1, T, F], ...parts));
    const x = rows(numbers(T * F, 5), F);
    expect(net.steps).toBe(T);
    expectNear(result(net, x), expected(x));
  });
});

describe("is refused where a step is none by itself", () => {
  const constant = (shape: readonly number[]): number[][] =>
    before(floats("c", shape), node("Mul", ["x", "c"], ["q"]), node("Transpose", ["q"], ["t"], perm(1, 0, 2)));
  const softmax = (axis: number): number[][] =>
    before(node("Transpose", ["x"], ["q"], perm(1, 0, 2)), node("Softmax", ["q"], ["t"], attribute("axis", axis)));
  const NONE = /its input is no sequence of \d steps/;
  const last = (
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps: readonly number[],
  ) =>
    behind(
      ...Object.entries({ starts, ends, axes, steps }).map(([name, values]) => integers(name, values)),
      node("Slice", ["s", "starts", "ends", "axes", "steps"], ["y"]),
    );
  test.each<[string, readonly number[], number[][], RegExp]>([
    ["a constant for each step", [1, T, F], constant([T, 1]), NONE],
    ["one of each step and feature", [1, T, F], constant([1, T, F]), NONE],
    [
      "a bias of Gemm for each step",
      [1, F, F],
      before(
        ...SHAPES,
        floats("b", [F, 1], BIAS),
        toRows,
        node("Gemm", ["r", "weights", "b"], ["q"], attribute("transB", 1)),
        toSteps,
      ),
      NONE,
    ],
    [
      "steps behind the features",
      [1, F, T],
      before(node("Transpose", ["x"], ["t"], perm(2, 0, 1))),
      /steps of input x lie behind other axes; expected them first/,
    ],
    ["a Softmax along the steps", [1, T, F], softmax(0), NONE],
    ["a Softmax of each step", [1, T, F], softmax(2), /Softmax #1: within the net, as attention has it/],
    [
      "features of one element that a constant spreads",
      [1, T, 1],
      before(floats("c", [F], BIAS), node("Add", ["x", "c"], ["q"]), node("Transpose", ["q"], ["t"], perm(1, 0, 2))),
      /Add/,
    ],
    ["the last step, turned", [1, T, F], last([-1, -1], [T, -9], [0, 2], [1, -1]), /Slice/],
  ])("%s", (_, input, parts, reason) => {
    expect(() => lowerGraph(onnx(input, ...parts))).toThrow(reason);
  });
});

const tflite = inferShapes(readTflite(memorySource(goldenBytes("lstm-float.tflite"))), { batch: 1 });
const [SEQUENCE] = tflite.nodes;
const [HIDDEN, STEPS] = [8, 6];

type Constant = readonly number[];

/** The LSTM of a TFLite net and nodes behind it, each of the LSTM's output, tensors made before, by name, and constants. */
function tfliteGraph(
  tail: readonly (readonly [
    string,
    readonly (string | Constant)[],
    readonly number[],
    Readonly<Record<string, Attribute>>,
  ])[],
): ImportedGraph {
  const tensors: GraphTensor[] = [...tflite.tensors];
  const known = new Map([["lstm", SEQUENCE.outputs[0]]]);
  const put = (name: string, shape: readonly number[], values?: Constant): number =>
    tensors.push({
      name,
      shape,
      type: values?.every(Number.isInteger) === true ? "int32" : "float32",
      quantization: undefined,
      constant: values && { bytes: 4 * values.length, values: () => Float32Array.from(values) },
    }) - 1;
  const nodes: GraphNode[] = [SEQUENCE];
  for (const [op, inputs, shape, attributes] of tail) {
    const from = inputs.map((input) =>
      typeof input === "string" ? known.get(input)! : put("c", [input.length], input),
    );
    const output = put(op, shape);
    known.set(op, output);
    nodes.push({ name: op.toLowerCase(), op, inputs: from, outputs: [output], attributes });
  }
  return { ...tflite, tensors, nodes, outputs: nodes.at(-1)!.outputs };
}

describe("of TFLite", () => {
  const x = rows(numbers(STEPS * 5, 6), 5);
  const hidden = (): number[] => result(lowerGraph(tfliteGraph([])), x);
  const whole = [1, STEPS, HIDDEN];
  const strided = (begin: Constant, strides: Constant, shape: readonly number[], masks: Record<string, number>) =>
    tfliteGraph([["STRIDED_SLICE", ["lstm", begin, begin.map(() => 0), strides], shape, masks]]);

  test("a sum with a constant for each feature, and a concatenation", () => {
    const bias = numbers(HIDDEN, 7);
    const graph = tfliteGraph([
      ["ADD", ["lstm", bias], whole, {}],
      ["TANH", ["ADD"], whole, {}],
      ["CONCATENATION", ["ADD", "TANH"], [1, STEPS, 2 * HIDDEN], { axis: 2 }],
      ["SLICE", ["CONCATENATION", [0, STEPS - 1, 0], [1, 1, 2 * HIDDEN]], [1, 1, 2 * HIDDEN], {}],
    ]);
    const sum = plus(hidden(), bias);
    expectNear(result(lowerGraph(graph), x), [...sum, ...tanh(sum)]);
  });

  test("STRIDED_SLICE of the last step, all of it", () => {
    const masks = { begin_mask: 5, end_mask: 7, shrink_axis_mask: 2 };
    expectNear(result(lowerGraph(strided([0, -1, 0], [1, 1, 1], [1, HIDDEN], masks)), x), hidden());
    const turned = strided([0, -1, -1], [1, 1, -1], [1, HIDDEN], { ...masks, begin_mask: 1 });
    expect(() => lowerGraph(turned)).toThrow("STRIDED_SLICE");
    const added = strided([0, -1, 0, 0], [1, 1, 1, 1], [1, 1, 1, HIDDEN], { new_axis_mask: 1 });
    expect(() => lowerGraph(added)).toThrow("STRIDED_SLICE");
    const dots = strided([0, -1, 0], [1, 1, 1], [1, HIDDEN], { ...masks, ellipsis_mask: 1 });
    expect(() => lowerGraph(dots)).toThrow("STRIDED_SLICE");
  });

  test("with its steps before its batch", () => {
    const { nodes, tensors, ...rest } = tfliteGraph([]);
    const turned = tensors.map((tensor, index) => {
      const size = [nodes[0].inputs[0], nodes[0].outputs[0]].includes(index) ? Number(tensor.shape!.at(-1)) : 0;
      return size === 0 ? tensor : { ...tensor, shape: [STEPS, 1, size] };
    });
    const timeMajor = { ...nodes[0], attributes: { ...nodes[0].attributes, time_major: true } };
    expectNear(result(lowerGraph({ ...rest, tensors: turned, nodes: [timeMajor] }), x), hidden());
  });
});

describe("a state of TFLite", () => {
  const hidden = SEQUENCE.inputs[18];
  test.each<[string, ImportedGraph, RegExp]>([
    [
      "that two layers have",
      { ...tflite, nodes: [...tflite.nodes.slice(0, 1), { ...SEQUENCE, name: "copy" }, ...tflite.nodes.slice(1)] },
      /its state, input 18, is read by others too/,
    ],
    [
      "that is an output",
      { ...tflite, outputs: [...tflite.outputs, hidden] },
      /its state, input 18, is read by others too/,
    ],
    [
      "of another size",
      { ...tflite, tensors: tflite.tensors.map((one, at) => (at === hidden ? { ...one, shape: [1, 9] } : one)) },
      /its state, input 18, is \[1, 9\]; expected \[1, 8\]/,
    ],
  ])("%s is refused", (_, graph, reason) => {
    expect(() => lowerGraph(graph)).toThrow(reason);
  });
});

describe("samples of a net of sequences", () => {
  const net = lowerGraph(onnx([1, T, F], ...behind(takeLast("s"))));
  const samples = (...shape: readonly number[]) => {
    const images = new Float32Array(shape.reduce((product, size) => product * size, 2));
    return { count: 2, shape, images, source: "x.npy" };
  };

  test("have its steps, and as many", () => {
    expect(samplesFor(net, [samples(T, F)])).toMatchObject({ count: 2 * T, perSample: T, perStream: T });
    expect(samplesFor(net, [samples(T * F)])).toMatchObject({ count: 2 * T, perSample: T, perStream: T });
    expect(problem(() => samplesFor(net, [samples(T + 1, F)]))).toBe(
      `MISMATCH x.npy: samples of ${T + 1} steps, expected ${T}`,
    );
    expect(problem(() => samplesFor(net, [samples(F)]))).toBe(`MISMATCH x.npy: samples of 1 step, expected ${T}`);
  });

  test("that the page makes up are whole", () => {
    expect(generatedSamples(net)).toMatchObject({ count: Math.ceil(64 / T) * T, perSample: T, perStream: T });
  });

  test("are refused where their steps lie behind the features", () => {
    expect(problem(() => samplesFor(net, [samples(F, T)]))).toMatch(/^MISMATCH .*\[4, 5\]/);
    expect(streamsOf(samples(48, 40), [40, 1, 3], true)).toMatchObject({ perSample: 16 });
  });
});

test("a net of one step says that it keeps its state", () => {
  const { notes, steps } = lowerGraph(onnx([1, 1, F], ...before(TURN)));
  expect(steps).toBeUndefined();
  expect(notes.join()).toMatch(/a recurrent layer keeps its state from run to run; reset begins anew/);
});

test("a net of one step begins each sample with a reset: nothing depends on their order", async () => {
  const net = lowerGraph(onnx([1, 1, F], ...before(TURN)));
  const given = rows(numbers(2 * F, 7), F);
  const setOf = (all: Rows) => ({ count: 2, shape: [1, F], images: Float32Array.from(all.flat()), source: "x.npy" });
  const made = async (all: Rows, steps?: number) => {
    const notes: string[] = [];
    const { bytes, calibration } = await importedContainer(net, samplesFor(net, [setOf(all)], steps), {
      range: "all",
      given: {},
      options: {},
      convolve: undefined,
      open: openReference,
      note: (line) => notes.push(line),
      report: () => {},
    });
    return { bytes, notes, errors: calibration!.layers.map(({ snr }) => snr.toFixed(6)) };
  };
  const turned = given.toReversed();
  const one = await made(given);
  expect(one.notes).toEqual([expect.stringMatching(/^each sample is a stream of one step/)]);
  expect(await made(turned)).toEqual(one);
  const stream = await made(given, Infinity);
  expect(stream.notes).toEqual([]);
  expect(stream.bytes).not.toEqual(one.bytes);
  const logitsOf = async (all: Rows): Promise<Elements[]> => {
    const found: Elements[] = [];
    await classifyAll(openReference(one.bytes), setOf(all), {
      onResult: (_, __, logits) => found.push(logits.slice()),
    });
    return found;
  };
  expect((await logitsOf(turned)).toReversed()).toEqual(await logitsOf(given));
});

test("outputs that are sequences are named", () => {
  const { notes } = lowerGraph(onnx([1, T, F], ...behind(node("Identity", ["s"], ["y"]))));
  expect(notes.join()).toMatch(/output y is a sequence, of which a run gives one step/);
});
