/** Nets with LSTMs and GRUs, beside what LiteRT and onnxruntime make of the same sequences. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { firstDifference } from "../../host/engines/compare.js";
import { calibrate } from "../../host/import/calibrate.js";
import { freshFloatStates, runFloat } from "../../host/import/float-run.js";
import type { GraphNode, GraphTensor, ImportedGraph } from "../../host/import/graph.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { readOnnx } from "../../host/import/onnx.js";
import { inferShapes } from "../../host/import/shapes.js";
import { readTflite } from "../../host/import/tflite.js";
import { planarIndex } from "../../host/import/view.js";
import { valuesOf } from "../../host/model/geometry.js";
import { openEngine } from "../../host/node/engines/open.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { reportGraph } from "../../host/report/graph.js";
import { goldenBytes, IMPORT_FOLDER, memorySource } from "../support/onnx.js";

type Sequences = readonly { readonly input: readonly number[]; readonly output: readonly number[] }[];

const golden = JSON.parse(readFileSync(join(IMPORT_FOLDER, "recurrent-outputs.json"), "utf8")) as Readonly<
  Record<string, Sequences>
>;

function graphOf(name: string): ImportedGraph {
  const source = memorySource(goldenBytes(name));
  return inferShapes(name.endsWith(".onnx") ? readOnnx(source) : readTflite(source), { batch: 1 });
}

const netOf = (name: string): ImportedNet => lowerGraph(graphOf(name));

/** What the net gives after each step of a sequence. */
function floatSteps(net: ImportedNet, sequence: readonly number[]): Float32Array[] {
  const states = freshFloatStates(net);
  return stepsOf(net, sequence).map((step) => runFloat(net, [step], undefined, undefined, states)[0]);
}

function stepsOf(net: ImportedNet, sequence: readonly number[]): Float32Array[] {
  const size = valuesOf(net.tensors[net.inputs[0].tensor].shape);
  return Array.from({ length: sequence.length / size }, (_, step) =>
    Float32Array.from(sequence.slice(step * size, (step + 1) * size)),
  );
}

const farthest = (found: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Math.max(...Array.from(found, (value, i) => Math.abs(value - expected[i])));

describe.each<[string, string, number, number]>([
  ["lstm-float.tflite", "dense crop lut mul add append", 1e-5, 33],
  // Integers of 8 bits multiply activations that LiteRT rounds to 8 bits in each step.
  ["lstm-last.tflite", "dense crop lut mul add", 0.02, 28],
  ["lstm.onnx", "dense crop lut mul add", 1e-5, 40],
  ["gru.onnx", "dense crop lut mul add append", 1e-5, 35],
])("%s", (name, ops, tolerance, decibels) => {
  const net = netOf(name);

  test(`is ${ops}, and after the last step what its own runtime gives`, () => {
    expect(new Set(net.layers.map(({ op }) => op))).toEqual(new Set(ops.split(" ")));
    for (const { input, output } of golden[name]) {
      expect(farthest(floatSteps(net, input).at(-1)!, output)).toBeLessThan(tolerance);
    }
    expect(net.notes.join()).toMatch(/a run takes one of \d steps/);
  });

  test("as int8 is near it, and the same bytes in all engines", () => {
    const samples = golden[name].flatMap(({ input }) => stepsOf(net, input)).map((step) => [step]);
    const perStream = samples.length / golden[name].length;
    const container = writeContainer(importedModel(calibrate(net, samples, { range: "all", perStream })));
    const engines = [
      openEngine("reference", container),
      openEngine("wasm3", container),
      openEngine("simd", container),
      openEngine("v8", fastModule(container)),
    ];
    const [{ input, output }] = engines;
    let [noise, signal] = [0, 0];
    for (const sequence of golden[name]) {
      for (const engine of engines) engine.reset();
      for (const step of stepsOf(net, sequence.input)) {
        const integers = Int8Array.from(step, (x) =>
          Math.min(127, Math.max(-128, Math.round(x / input.scale) + input.zeroPoint)),
        );
        expect(firstDifference(engines.slice(0, 3), integers)).toBeUndefined();
        expect(engines[3].run(integers)).toEqual(engines[0].result(0));
      }
      engines[0].result(0).forEach((q, i) => {
        noise += (output.scale * (q - output.zeroPoint) - sequence.output[i]) ** 2;
        signal += sequence.output[i] ** 2;
      });
    }
    for (const engine of engines) engine.close();
    expect(10 * Math.log10(signal / noise)).toBeGreaterThan(decibels);
  });
});

/** The graph with its first node of an op changed. */
function changed(name: string, op: string, change: (node: GraphNode) => Partial<GraphNode>): ImportedGraph {
  const graph = graphOf(name);
  const at = graph.nodes.findIndex((node) => node.op === op);
  return {
    ...graph,
    nodes: graph.nodes.map((node, index) => (index === at ? { ...node, ...change(node) } : node)),
  };
}

/** A constant of ones besides. @returns the graph and its index */
function withOnes(graph: ImportedGraph, shape: readonly number[]): [ImportedGraph, number] {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
  const ones: GraphTensor = {
    name: "ones",
    shape,
    type: "float32",
    quantization: undefined,
    constant: { bytes: values.byteLength, values: () => values },
  };
  return [{ ...graph, tensors: [...graph.tensors, ones] }, graph.tensors.length];
}

/** With ones for an input of the first node of an op. */
function withInput(name: string, op: string, input: number, shape: readonly number[]): ImportedGraph {
  const [graph, ones] = withOnes(graphOf(name), shape);
  const at = graph.nodes.findIndex((node) => node.op === op);
  const nodes = graph.nodes.map((node, index) => {
    if (index !== at) return node;
    const inputs = Array.from({ length: Math.max(node.inputs.length, input + 1) }, (_, i) => node.inputs[i] ?? -1);
    return { ...node, inputs: inputs.with(input, ones) };
  });
  return { ...graph, nodes };
}

const attributes =
  (more: GraphNode["attributes"]) =>
  (node: GraphNode): Partial<GraphNode> => ({ attributes: { ...node.attributes, ...more } });

/** With an input of int8. */
function ofIntegers(name: string): ImportedGraph {
  const graph = graphOf(name);
  const quantization = { scales: Float32Array.of(0.02), zeroPoints: Int32Array.of(3), axis: undefined };
  const [input] = graph.inputs;
  const tensors = graph.tensors.map((tensor, index) =>
    index === input ? { ...tensor, type: "int8" as const, quantization } : tensor,
  );
  return { ...graph, tensors };
}

const TFLITE_LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM";
const tflite = (input: number, shape: readonly number[]): ImportedGraph =>
  withInput("lstm-float.tflite", TFLITE_LSTM, input, shape);

describe("is refused, by the reason", () => {
  test.each<[string, ImportedGraph, string]>([
    ["backwards", changed("lstm.onnx", "LSTM", attributes({ direction: "reverse" })), "direction = reverse; expected"],
    ["both ways", changed("gru.onnx", "GRU", attributes({ direction: "bidirectional" })), "direction = bidirectional"],
    [
      "another activation",
      changed("lstm.onnx", "LSTM", attributes({ activations: ["Sigmoid", "Relu", "Tanh"] })),
      "activations Sigmoid, Relu, Tanh; expected Sigmoid, Tanh, Tanh",
    ],
    ["a cut", changed("gru.onnx", "GRU", attributes({ clip: 3 })), "cuts what its gates add up to (clip)"],
    ["coupled gates", changed("lstm.onnx", "LSTM", attributes({ input_forget: 1 })), "expected input_forget = 0"],
    ["lengths", withInput("lstm.onnx", "LSTM", 4, [1]), "takes lengths of sequences (sequence_lens)"],
    ["a state of ones", withInput("gru.onnx", "GRU", 5, [1, 1, 6]), "its initial_h is not constant zeros"],
    ["a cell of ones", withInput("lstm.onnx", "LSTM", 6, [1, 1, 8]), "its initial_c is not constant zeros"],
    ["peepholes", withInput("lstm.onnx", "LSTM", 7, [1, 24]), "through peepholes; expected none"],
    [
      "weights of another size",
      withInput("lstm.onnx", "LSTM", 2, [1, 32, 9]),
      "input 2 has 288 elements, expected 32 × 8",
    ],
    ["integers", ofIntegers("lstm.onnx"), "LSTM: its input is int8; expected real numbers (lstm0)"],
    ["integers of TFLite", ofIntegers("lstm-float.tflite"), "of int8; expected real numbers, which pack makes int8 of"],
    ["peepholes of TFLite", tflite(10, [8]), "through peepholes; expected none"],
    ["a projection", tflite(16, [4, 8]), "projects its output; expected a FULLY_CONNECTED behind it"],
    ["normalized gates", tflite(20, [8]), "normalizes its gates"],
    ["a state of TFLite of ones", tflite(19, [1, 8]), "its state, input 19, does not begin with zeros"],
    [
      "no activation",
      changed("lstm-float.tflite", TFLITE_LSTM, attributes({ fused_activation_function: "NONE" })),
      "NONE is its activation; expected TANH",
    ],
    [
      "no forget gate",
      changed("lstm-float.tflite", TFLITE_LSTM, ({ inputs }) => ({ inputs: inputs.with(2, -1) })),
      "its input 2, weights or a bias, is absent or made while the net runs",
    ],
    [
      "the first step",
      changed("lstm-last.tflite", "STRIDED_SLICE", attributes({ begin_mask: 7 })),
      "shrink_axis_mask; expected begin, end and strides of 1",
    ],
  ])("%s", (_, graph, reason) => {
    expect(() => lowerGraph(graph)).toThrow(reason);
  });
});

describe("a net of sequences", () => {
  test("is inspected as the file has it, its recurrent layers with what they multiply in all steps", () => {
    const { nodes, runs, inputs } = reportGraph(graphOf("lstm.onnx"));
    expect(runs).toBe(true);
    expect(inputs[0].shape).toEqual([1, 6, 5]);
    expect(nodes[1]).toMatchObject({ op: "LSTM", output: [6, 1, 1, 8], macs: 6 * 4 * 8 * (5 + 8), verdict: "runs" });
    const first = reportGraph(graphOf("lstm-float.tflite")).nodes[0];
    expect(first).toMatchObject({ macs: 6 * 4 * 8 * (5 + 8), parameters: 4 * 8 * (5 + 8 + 1) });
  });

  test("whose output is a sequence gives a step of it a run", () => {
    const graph = graphOf("lstm.onnx");
    const sequence = graph.nodes[5].outputs[0];
    const net = lowerGraph({ ...graph, outputs: [sequence] });
    expect(net.outputs[0].dims).toEqual([1, 8]);
    const whole = lowerGraph({ ...graph, outputs: [graph.nodes[6].outputs[0]] });
    const [{ input }] = golden["lstm.onnx"];
    expect(floatSteps(net, input)).toEqual(floatSteps(whole, input));
  });

  test("that turns its steps behind has them so in a window", () => {
    const turned = (perm: readonly number[]): ImportedNet => {
      const { nodes, ...rest } = graphOf("gru.onnx");
      const back = nodes.find(({ name }) => name === "back")!;
      const flat = nodes.find(({ name }) => name === "flatten")!;
      return lowerGraph({
        ...rest,
        nodes: nodes.map((node) => (node === back ? { ...node, attributes: { perm } } : node)),
        outputs: [flat.outputs[0]],
      });
    };
    const [{ input }] = golden["gru.onnx"];
    const inOrder = (net: ImportedNet): number[] => {
      const [{ order, tensor }] = net.outputs;
      const place = planarIndex(order, net.tensors[tensor].shape);
      const planar = floatSteps(net, input).at(-1)!;
      return Array.from(planar, (_, i) => planar[place(i)]);
    };
    const bySteps = inOrder(turned([1, 0, 2]));
    const byElements = inOrder(turned([1, 2, 0]));
    expect(new Set(bySteps).size).toBe(36);
    expect(byElements).toEqual(byElements.map((_, i) => bySteps[(i % 6) * 6 + Math.floor(i / 6)]));
  });

  test("cuts the cell where the layer says so", () => {
    const [{ input }] = golden["lstm-float.tflite"];
    const clipped = changed("lstm-float.tflite", TFLITE_LSTM, attributes({ cell_clip: 0.125 }));
    const net = lowerGraph({ ...clipped, outputs: [clipped.nodes[0].outputs[0]] });
    const most = Math.max(...floatSteps(net, input).flatMap((step) => [...step].map(Math.abs)));
    expect(most).toBeLessThanOrEqual(Math.tanh(0.125));
    expect(most).toBeGreaterThan(0.05);
  });

  test("without an input gate takes what the forget gate leaves", () => {
    const graph = changed("lstm-float.tflite", TFLITE_LSTM, ({ inputs }) => ({
      inputs: inputs.with(1, -1).with(5, -1).with(12, -1),
    }));
    const [node] = graph.nodes;
    const net = lowerGraph({ ...graph, outputs: [node.outputs[0]] });
    const [{ input }] = golden["lstm-float.tflite"];
    const weights = (at: number): ArrayLike<number> => graph.tensors[node.inputs[at]].constant!.values();
    const [hidden, features] = [8, 5];
    const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
    let [h, c] = [0, 0].map((zero) => Array.from({ length: hidden }, () => zero));
    stepsOf(net, input).forEach((x, step) => {
      const gate = (w: number, r: number, b: number): number[] =>
        h.map((_, row) => {
          let sum = weights(b)[row];
          for (let i = 0; i < features; i++) sum += weights(w)[row * features + i] * x[i];
          for (let i = 0; i < hidden; i++) sum += weights(r)[row * hidden + i] * h[i];
          return sum;
        });
      const [f, g, o] = [gate(2, 6, 13), gate(3, 7, 14), gate(4, 8, 15)];
      c = c.map((kept, i) => sigmoid(f[i]) * kept + (1 - sigmoid(f[i])) * Math.tanh(g[i]));
      h = c.map((cell, i) => sigmoid(o[i]) * Math.tanh(cell));
      expect(farthest(floatSteps(net, input)[step], h)).toBeLessThan(1e-5);
    });
  });
});
