/** Nets of other formats as nets to train: layer by layer they give what the lowered net gives. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { foldBatchNorm, foldedGraph } from "../../host/compress/fold-batchnorm.js";
import { runNet } from "../../host/engines/ops-f32.js";
import { freshFloatStates, runFloat } from "../../host/import/float-run.js";
import { lowerGraph } from "../../host/import/import.js";
import type { LoweringOptions } from "../../host/import/lowering.js";
import { mapOf, NO_CLAMP, NO_PADS, type ImportedNet, type NetLayer } from "../../host/import/net.js";
import { realNet } from "../../host/import/real-net.js";
import { inferShapes } from "../../host/import/shapes.js";
import { trainableNet } from "../../host/import/trainable.js";
import { resultsOf } from "../../host/model/edges.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Net } from "../../host/model/model.js";
import { sampleShape, tensorShapes } from "../../host/model/shapes.js";
import { openGraph } from "../../host/node/import/open-graph.js";
import { readNet } from "../../host/node/import/read-net.js";
import { writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { Random } from "../../host/rng.js";
import { lenet5 } from "../../host/train/nets.js";
import { scratchFolder } from "../cli/support.js";
import { FLOAT_NETS, IMPORT_FOLDER } from "../support/onnx.js";

const scratch = scratchFolder();

const golden = (name: string): string => join(IMPORT_FOLDER, name);

function lowered(name: string, options: LoweringOptions = {}): ImportedNet {
  const { graph, close } = openGraph(golden(name));
  try {
    return lowerGraph(inferShapes(graph, { batch: 1 }), options);
  } finally {
    close();
  }
}

function sampleOf(net: Net, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: valuesOf(sampleShape(net.graph)) }, () => random.normal());
}

/** Values of all results. */
function resultsOn(net: Net, input: Float32Array): Float64Array[] {
  const tensors = runNet(net, input);
  return resultsOf(net.graph).map((name) => tensors.get(name)!);
}

function expectClose(values: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[], share = 1e-5): void {
  expect(values.length).toBe(expected.length);
  values.forEach((result, index) => {
    expect(result.length).toBe(expected[index].length);
    const most = Math.max(...Array.from(expected[index], Math.abs));
    for (let i = 0; i < result.length; i++)
      expect(Math.abs(result[i] - expected[index][i])).toBeLessThan(share * most + 1e-6);
  });
}

describe.each(FLOAT_NETS)("%s", (name) => {
  const imported = lowered(name);
  const net = trainableNet(imported, name);
  const expected = (input: Float32Array): Float32Array[] => runFloat(imported, [input]);

  test("gives what the lowered net gives", () => {
    for (const seed of [1, 2]) {
      const input = sampleOf(net, seed);
      expectClose(resultsOn(net, input), expected(input));
    }
  });

  test("gives it with its batch normalizations as layers, and with those folded again", () => {
    const kept = trainableNet(lowered(name, { keepsBatchNorm: true }), name);
    const folded = foldBatchNorm(kept);
    const input = sampleOf(net, 3);
    for (const other of [kept, folded]) expectClose(resultsOn(other, input), expected(input), 1e-4);
    expect(folded.graph.layers.some(({ op }) => op === "batchnorm")).toBe(false);
    expect(foldedGraph(kept.graph)).toEqual(folded.graph);
    expect([...folded.tensors.keys()].some((parameter) => /\.(mean|variance)$/.test(parameter))).toBe(false);
  });

  test("has names without surprises, each once", () => {
    const { layers } = net.graph;
    const names = [net.graph.name, ...layers.flatMap((layer) => [layer.name, layer.output])];
    for (const called of names) expect(called).toMatch(/^[\p{L}\p{N}._-]+$/u);
    expect(new Set(layers.map((layer) => layer.name)).size).toBe(layers.length);
  });

  test("is read from the file, and again as it is saved", () => {
    const read = readNet(golden(name));
    expect({ ...read, graph: { ...read.graph, name: "" } }).toEqual({ ...net, graph: { ...net.graph, name: "" } });
    const path = scratch.path(`${name}.saved.safetensors`);
    writeCheckpoint(path, { net: read });
    expect(readNet(path)).toEqual(read);
  });
});

test("the corpus has batch normalizations to keep, folded into weights or on their own", () => {
  const ops = (net: Net): string[] => net.graph.layers.map(({ op }) => op);
  const kept = FLOAT_NETS.map((name) => trainableNet(lowered(name, { keepsBatchNorm: true }), name));
  expect(kept.filter((net) => ops(net).includes("batchnorm")).length).toBeGreaterThan(2);
});

test.each([
  ["conv-int8.tflite", "int8"],
  ["quantized-qdq.onnx", "int8"],
  ["conv-int16.tflite", "int16"],
])("%s, %s, becomes real numbers, which is said", (name, type) => {
  const notes: string[] = [];
  const net = readNet(golden(name), { note: (line) => notes.push(line) });
  expect(notes.join()).toContain(`the net is ${type}; its weights are taken as real numbers`);
  const input = sampleOf(net, 4);
  expectClose(resultsOn(net, input), runFloat(realNet(lowered(name)), [input]));
});

describe("a net for packing", () => {
  test("keeps the file's names of its ends, and how its input is read", () => {
    const { ends } = trainableNet(lowered("conv-float.tflite"), "net").graph;
    const imported = lowered("conv-float.tflite");
    expect(ends!.names).toEqual([...imported.inputs, ...imported.outputs].map(({ name }) => name));
    expect(ends!.preprocessing).toMatchObject({ layout: "interleaved", std: expect.arrayContaining([255]) });
    const given = { reading: { mean: [0.5], std: [0.25] } };
    const { ends: other } = trainableNet(imported, "net", given).graph;
    expect(other!.preprocessing!.mean[0]).toBeCloseTo(127.5);
    expect(other!.preprocessing!.std[0]).toBeCloseTo(63.75);
  });
});

describe("layers", () => {
  const tensor = (name: string) => ({ name, shape: [1, 4, 4] }) as const;
  const end = (index: number, name: string) => ({
    tensor: index,
    name,
    dims: [1, 1, 4, 4],
    order: "chw" as const,
    bias: 0 as const,
  });
  const weights = { rows: 1, columns: 1, values: Float32Array.of(2), bias: Float32Array.of(0) };
  const one = { kernel: [1, 1], stride: [1, 1], pads: NO_PADS } as const;
  const net: ImportedNet = {
    tensors: [tensor("image:0"), tensor("a/b"), tensor("a:b"), { name: "pooled", shape: [1, 2, 2] }, tensor("")],
    layers: [
      { ...mapOf("elu", [0.5]), name: "x", inputs: [0], output: 1 },
      { op: "maxpool", ...one, clamp: { low: 0, high: 6 }, name: "x", inputs: [1], output: 2 },
      {
        op: "conv2d",
        ...one,
        groups: 1,
        weights,
        clamp: { low: 0, high: Infinity },
        pool: { size: [2, 2], stride: [2, 2] },
        name: "Conv #1",
        inputs: [2],
        output: 3,
      },
      { ...mapOf("identity"), name: "y", inputs: [2], output: 4 },
    ],
    inputs: [end(0, "image:0")],
    outputs: [end(3, "scores"), end(4, "cut")],
    isQuantized: false,
    notes: [],
    states: [],
  };

  test("are one thing each, with names of their own; what changes nothing is left out", () => {
    const { graph, tensors } = trainableNet(net, "a net");
    expect(graph).toMatchObject({
      name: "a_net",
      input: { name: "image_0" },
      layers: [
        { op: "map", name: "x", function: "elu", parameters: [0.5], input: "image_0", output: "a_b" },
        { op: "clamp", name: "x_2", low: 0, high: 6, input: "a_b", output: "a_b_2" },
        { op: "conv2d", name: "Conv_1", input: "a_b_2", output: "Conv_1" },
        { op: "maxpool", name: "Conv_1_maxpool", kernel: 2, stride: 2, output: "Conv_1_maxpool" },
        { op: "relu", name: "Conv_1_relu", output: "pooled" },
      ],
      outputs: ["a_b_2", "pooled"],
      ends: { names: ["image:0", "cut", "scores"] },
    });
    expect([...tensors.keys()]).toEqual(["Conv_1.weight", "Conv_1.bias"]);
    const input = Float32Array.from({ length: 16 }, (_, i) => i - 8);
    expect(resultsOn({ graph, tensors }, input).toReversed()).toEqual(
      runFloat(net, [input]).map((values) => Float64Array.from(values)),
    );
  });

  test("two inputs are refused, by name, and an input as an output", () => {
    const two = { ...net, inputs: [end(0, "left"), end(1, "right")] };
    expect(() => trainableNet(two, "net")).toThrow("net: has 2 inputs (left, right); a net of one is trained");
    const none = { ...net, layers: [], outputs: [end(0, "out")] };
    expect(() => trainableNet(none, "net")).toThrow("net: an output is an input");
  });
});

test("a graph without weights is read as it stands, and refused where it does not fit", () => {
  const path = scratch.path("lenet5.json");
  writeFileSync(path, JSON.stringify(lenet5));
  expect(readNet(path)).toEqual({ graph: lenet5, tensors: new Map() });
  writeFileSync(path, JSON.stringify({ ...lenet5, outputs: ["relu1"] }));
  expect(() => readNet(path)).toThrow('lenet5/fc2: its output "logits" is read by no layer');
  writeFileSync(path, JSON.stringify({ ...lenet5, ends: { names: [] } }));
  expect(() => readNet(path)).toThrow(`${path}.ends.names: []`);
  writeFileSync(path, "{}");
  expect(() => readNet(path)).toThrow(`${path}.name: nothing`);
});

describe("a batch normalization that cannot be folded into weights", () => {
  const norm = { op: "batchnorm", name: "norm", epsilon: 1 } as const;
  const ones = { shape: [2], data: Float32Array.of(1, 2) };
  const parameters = ["weight", "bias", "mean", "variance"].map((kind) => [`norm.${kind}`, ones] as const);
  const input = { name: "in", shape: [2, 3, 3] as const };

  test("becomes a convolution of its own", () => {
    const graph = { name: "net", input, layers: [{ ...norm, input: "in", output: "out" }] };
    const net: Net = { graph, tensors: new Map(parameters) };
    const folded = foldBatchNorm(net);
    expect(folded.graph.layers).toMatchObject([{ op: "conv2d", kernel: [1, 1], groups: 2, output: "out" }]);
    tensorShapes(folded.graph);
    expectClose(resultsOn(folded, sampleOf(net, 5)), resultsOn(net, sampleOf(net, 5)));
  });

  test("as where something else reads what is before it, and not where weights are integers", () => {
    const dense = { op: "dense", name: "dense", input: "in", output: "before", outFeatures: 2 } as const;
    const layers = [dense, { ...norm, input: "before", output: "after" }];
    const weight = { shape: [2, 18], data: new Float32Array(36).fill(3) };
    const tensors = new Map([...parameters, ["dense.weight", weight], ["dense.bias", ones]]);
    const branched: Net = { graph: { name: "net", input, layers, outputs: ["before", "after"] }, tensors };
    const folded = foldBatchNorm(branched);
    expect(folded.graph.layers.map(({ op }) => op)).toEqual(["dense", "conv2d"]);
    expect(folded.tensors.get("dense.weight")).toBe(weight);
    const integers = { ...weight, integers: new Int8Array(36).fill(3) };
    const chain: Net = {
      graph: { name: "net", input, layers },
      tensors: new Map(tensors).set("dense.weight", integers),
    };
    expect(() => foldBatchNorm(chain)).toThrow("dense.weight: on its integers");
  });
});

test("a product of a real net is cut where it was cut", () => {
  const tensor = { name: "t", shape: [1, 1, 2] as const };
  const end = { tensor: 0, name: "t", dims: [1, 1, 1, 2], order: "chw", bias: 0 } as const;
  const net: ImportedNet = {
    tensors: [tensor, tensor, tensor],
    layers: [
      { op: "add", sign: -1, clamp: NO_CLAMP, name: "sum", inputs: [0, 0], output: 1 },
      { op: "mul", clamp: { low: -Infinity, high: 1 }, name: "product", inputs: [0, 0], output: 2 },
    ],
    inputs: [end],
    outputs: [
      { ...end, tensor: 1 },
      { ...end, tensor: 2 },
    ],
    isQuantized: false,
    notes: [],
    states: [],
  };
  const input = Float32Array.of(0.5, 3);
  expect(resultsOn(trainableNet(net, "net"), input)).toEqual([Float64Array.of(0, 0), Float64Array.of(0.25, 1)]);
});

describe("a net with states", () => {
  const vector = (name: string, values: number) => ({ name, shape: [values, 1, 1] as const });
  const dense = (name: string, input: number, output: number, rows: number, columns: number): NetLayer => {
    const random = new Random(output);
    const values = Float32Array.from({ length: rows * columns }, () => random.normal());
    const weights = { rows, columns, values, bias: Float32Array.from({ length: rows }, () => random.normal()) };
    return { op: "dense", name, inputs: [input], output, weights, clamp: NO_CLAMP };
  };
  /** h = tanh of a half, h + another half of what a layer makes of x and h. */
  const net: ImportedNet = {
    tensors: [
      vector("x", 2),
      vector("h:0", 3),
      vector("xh", 5),
      vector("both", 6),
      vector("a", 3),
      vector("b", 3),
      vector("squashed", 3),
      vector("sum", 3),
      vector("y", 2),
    ],
    layers: [
      { op: "concat", name: "join", inputs: [0, 1], output: 2 },
      dense("gates", 2, 3, 6, 5),
      { op: "crop", name: "first", inputs: [3], output: 4, first: [0, 0, 0] },
      { op: "crop", name: "second", inputs: [3], output: 5, first: [3, 0, 0] },
      { ...mapOf("tanh"), name: "tanh", inputs: [4], output: 6 },
      { op: "add", sign: 1, clamp: { low: -1, high: 1 }, name: "add", inputs: [6, 5], output: 7 },
      dense("scores", 7, 8, 2, 3),
    ],
    inputs: [{ tensor: 0, name: "x", dims: [1, 2], order: "chw", bias: 0 }],
    outputs: [{ tensor: 8, name: "y", dims: [1, 2], order: "chw", bias: 0 }],
    states: [{ tensor: 1, source: 7 }],
    steps: 4,
    isQuantized: false,
    notes: [],
  };

  test("has as many steps as the file, and gives after the last what a stream of them gives", () => {
    const trained = trainableNet(net, "net");
    const { steps, states } = trained.graph;
    expect([steps, states]).toEqual([4, [{ tensor: "h_0", shape: [3, 1, 1], source: "sum" }]]);
    const input = Float32Array.of(0.5, 3, -1, 0.25, 2, 0, -0.5, 1);
    const held = freshFloatStates(net);
    let last: readonly Float32Array[] = [];
    for (let step = 0; step < 4; step++)
      last = runFloat(net, [input.subarray(2 * step, 2 * step + 2)], undefined, undefined, held);
    const [found] = resultsOn(trained, input);
    found.forEach((value, i) => expect(value).toBeCloseTo(last[0][i], 5));
  });

  test.each(["lstm.onnx", "lstm-last.tflite", "lstm-float.tflite", "gru.onnx"])(
    "%s gives what a stream of its lowered net gives",
    (name) => {
      const file = lowered(name);
      const trained = trainableNet(file, "net");
      const input = sampleOf(trained, 4);
      const held = freshFloatStates(file);
      let last: readonly Float32Array[] = [];
      const size = valuesOf(trained.graph.input.shape);
      for (let at = 0; at < input.length; at += size)
        last = runFloat(file, [input.subarray(at, at + size)], undefined, undefined, held);
      expect(input.length / size).toBe(trained.graph.steps);
      const [found] = resultsOn(trained, input);
      found.forEach((value, i) => expect(value).toBeCloseTo(last[0][i], 4));
    },
  );

  test("has the windows of SVDF layers as states, where it has a number of steps", () => {
    const file = { ...lowered("svdf-float.tflite"), steps: 9 };
    const trained = trainableNet(file, "net");
    expect(trained.graph.layers.filter(({ op }) => op === "append").length).toBe(trained.graph.states!.length);
    const input = sampleOf(trained, 5);
    const held = freshFloatStates(file);
    let last: readonly Float32Array[] = [];
    const size = input.length / 9;
    for (let at = 0; at < input.length; at += size)
      last = runFloat(file, [input.subarray(at, at + size)], undefined, undefined, held);
    expectClose(resultsOn(trained, input), last, 1e-4);
  });

  test.each(["lstm.onnx", "lstm-last.tflite"])("is refused whose output is of all steps: %s", (name) => {
    const { graph, close } = openGraph(golden(name));
    const whole = inferShapes(graph, { batch: 1 });
    const layer = whole.nodes.findLast(({ op }) => op.endsWith("LSTM"))!;
    const [sequence] = layer.outputs;
    const net = lowerGraph({ ...whole, outputs: [sequence] });
    close();
    expect(() => trainableNet(net, "net")).toThrow(
      `net: its output "${whole.tensors[sequence].name}" is of all ${net.steps} steps`,
    );
  });

  test("is refused where the file has no sequence, and with a crop of rows", () => {
    const { steps: _steps, ...stream } = net;
    expect(() => trainableNet(stream, "net")).toThrow("net: keeps 1 states from step to step, and does not tell");
    const rows: ImportedNet = {
      ...net,
      tensors: [
        { name: "x", shape: [1, 4, 2] },
        { name: "y", shape: [1, 2, 2] },
      ],
      layers: [{ op: "crop", name: "rows", inputs: [0], output: 1, first: [0, 1, 0] }],
      outputs: [{ ...net.outputs[0], tensor: 1 }],
      states: [],
    };
    expect(() => trainableNet(rows, "net")).toThrow("rows: a crop of rows or columns is not trained here");
  });
});
