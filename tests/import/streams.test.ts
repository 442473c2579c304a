/** Nets that take a step of a stream at a time: variables of TFLite become states, and windows over time appends. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ONE_STREAM } from "../../host/data/sequences.js";
import { freshStates, runLayers, runModel } from "../../host/engines/ops-i8.js";
import { openReference } from "../../host/engines/reference.js";
import { arrange } from "../../host/import/arrange.js";
import { calibrate } from "../../host/import/calibrate.js";
import { freshFloatStates, runFloat } from "../../host/import/float-run.js";
import { memorySource, type GraphNode, type GraphTensor, type ImportedGraph } from "../../host/import/graph.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
import { compareIntegers } from "../../host/import/layer-errors.js";
import { NO_CLAMP, type ImportedNet } from "../../host/import/net.js";
import { realNet } from "../../host/import/real-net.js";
import { inferShapes } from "../../host/import/shapes.js";
import { readTflite } from "../../host/import/tflite.js";
import { trainableNet } from "../../host/import/trainable.js";
import { planarIndex } from "../../host/import/view.js";
import { statesOf } from "../../host/model/edges.js";
import { writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/node/paths.js";

const folder = join(packageRoot, "tests/golden/import");
const steps = JSON.parse(readFileSync(join(folder, "stream-outputs.json"), "utf8")) as readonly {
  readonly input: readonly number[];
  readonly output: readonly number[];
}[];

const read = (path: string): ImportedGraph => readTflite(memorySource(new Uint8Array(readFileSync(path))));

const graph = read(join(folder, "stream-int8.tflite"));
const lowered = (of: ImportedGraph): ImportedNet => lowerGraph(inferShapes(of, { batch: 1 }));
const net = lowered(graph);
const model = importedModel(net);
const place = planarIndex(net.inputs[0].order, net.tensors[net.inputs[0].tensor].shape);
const inputs = steps.map(({ input }) => {
  const planar = new Int8Array(input.length);
  input.forEach((q, i) => (planar[place(i)] = q));
  return planar;
});

describe("a net of TensorFlow's converter", () => {
  test("gives at each step what LiteRT gives, and from a reset on again", () => {
    const engine = openReference(writeContainer(model));
    for (let turn = 0; turn < 2; turn++) {
      engine.reset();
      steps.forEach(({ output }, step) => {
        // uint8 ends are int8 minus 128.
        expect(
          Array.from(engine.run(inputs[step]), (q) => q + 128),
          `step ${step}`,
        ).toEqual(output);
      });
    }
  });

  test("has a window of each variable in one append, along the rows, and a crop of each half that is read", () => {
    expect(model.layers.map(({ op }) => op).filter((op) => op === "crop" || op === "append")).toEqual([
      "append",
      "append",
      "crop",
      "crop",
      "append",
    ]);
    const states = statesOf(model).map((state) => model.tensors[state]);
    // As long as the windows that they are taken from.
    expect(states.map(({ shape }) => shape.join(" × ")).toSorted()).toEqual(["10 × 1 × 3", "12 × 1 × 7", "8 × 1 × 5"]);
    for (const { source, shape } of states) expect(model.tensors[source!].shape).toEqual(shape);
  });

  test("is what its own arithmetic is, layer by layer, over a stream", async () => {
    const engine = openReference(writeContainer(model));
    engine.run(inputs[40]); // which the comparison forgets
    const arranged = arrange(net);
    const { layers, outputs } = await compareIntegers(
      arranged,
      engine,
      { ...ONE_STREAM, count: 60, sample: (step) => [inputs[step]] },
      async () => {},
    );
    expect(layers.map(({ differing }) => differing)).toEqual(layers.map(() => 0));
    expect(outputs[0]).toMatchObject({ elements: 240, differing: 0 });
  });

  test("as real numbers calibrated over a stream, stays near them", () => {
    const real = realNet(net);
    const bare = { ...real, tensors: real.tensors.map(({ name, shape }) => ({ name, shape })) };
    const { scale, zeroPoint } = net.tensors[net.inputs[0].tensor].quantization!;
    const reals = inputs.slice(60).map((input) => Float32Array.from(input, (q) => scale * (q - zeroPoint)));
    const quantized = importedModel(
      calibrate(
        bare,
        reals.map((input) => [input]),
        { range: "all", perStream: Infinity },
      ),
    );
    const [from, to] = [quantized.tensors[0], quantized.tensors[quantized.outputs[0]]];
    const states = freshStates(quantized);
    const floatStates = freshFloatStates(bare);
    const errors = reals.map((input) => {
      const [expected] = runFloat(bare, [input], undefined, undefined, floatStates);
      const integers = Int8Array.from(input, (x) =>
        Math.min(127, Math.max(-128, Math.round(x / from.scale!) + from.zeroPoint)),
      );
      const found = runLayers(quantized, [integers], states).get(quantized.outputs[0])!;
      return Math.max(...Array.from(found, (q, i) => Math.abs(to.scale! * (q - to.zeroPoint) - expected[i])));
    });
    expect(Math.max(...errors)).toBeLessThan(0.08);
  });

  test("is not trained", () => {
    expect(() => trainableNet(net, "net")).toThrow(
      "net: keeps 3 states from step to step, and does not tell of how many a sample is: mote train --steps does",
    );
  });
});

test("ranges are those of streams of so many steps, each from a reset on", () => {
  const end = { name: "", dims: [1, 1], order: "chw", bias: 0 } as const;
  const sums: ImportedNet = {
    tensors: ["x", "before", "sum"].map((name) => ({ name, shape: [1, 1, 1] })),
    layers: [{ op: "add", name: "sum", sign: 1, inputs: [0, 1], output: 2, clamp: NO_CLAMP }],
    inputs: [{ ...end, tensor: 0 }],
    outputs: [{ ...end, tensor: 2 }],
    states: [{ tensor: 1, source: 2 }],
    isQuantized: false,
    notes: [],
  };
  const ones = Array.from({ length: 6 }, () => [Float32Array.of(1)]);
  const most = (perStream?: number): number => {
    const { tensors, outputs } = calibrate(sums, ones, { range: "all", ...(perStream && { perStream }) });
    return 255 * tensors[outputs[0].tensor].quantization!.scale;
  };
  expect([most(), most(1), most(2), most(3), most(Infinity)]).toEqual(
    [1, 1, 2, 3, 6].map((sum) => expect.closeTo(sum, 5) as number),
  );
});

describe("variables", () => {
  const change = (
    nodes: (node: GraphNode) => GraphNode[],
    tensors: (tensor: GraphTensor) => GraphTensor = (tensor) => tensor,
  ): ImportedGraph => ({ ...graph, nodes: graph.nodes.flatMap(nodes), tensors: graph.tensors.map(tensors) });
  const withInitial = (initial: (tensor: GraphTensor) => GraphTensor | undefined) =>
    change(
      (node) => [node],
      (tensor) =>
        tensor.variable === undefined
          ? tensor
          : { ...tensor, variable: { ...tensor.variable, initial: initial(tensor.variable.initial!) } },
    );
  const problem = (of: ImportedGraph): string => {
    try {
      lowered(of);
    } catch (error) {
      return (error as Error).message;
    }
    return "none";
  };

  test("that begin with anything but zeros are refused by name", () => {
    const one = withInitial((initial) => {
      const values = Int8Array.from(initial.constant!.values());
      values[values.length - 1]++;
      return { ...initial, constant: { bytes: values.length, values: () => values } };
    });
    expect(problem(one)).toMatch(/READ_VARIABLE #\d+: \/frames does not begin with zeros; expected -?\d+ everywhere/);
    expect(problem(withInitial(() => undefined))).toMatch(/nothing says what \/frames holds at first/);
  });

  test("that a graph of more than assignments sets are refused", () => {
    const refused = change((node) =>
      node.op === "CALL_ONCE" ? [{ ...node, refused: "runs a graph with ADD" }] : [node],
    );
    expect(problem(refused)).toBe("the net does not run: CALL_ONCE #0: runs a graph with ADD");
  });

  test("that are assigned twice or never are refused", () => {
    const twice = change((node) => (node.op === "ASSIGN_VARIABLE" ? [node, node] : [node]));
    expect(problem(twice)).toContain("ASSIGN_VARIABLE: a variable is assigned twice; expected once");
    const never = change((node) => (node.op === "ASSIGN_VARIABLE" ? [] : [node]));
    expect(problem(never)).toContain("variable: it is never assigned; expected a constant in its place");
  });

  test("that are assigned nothing are refused", () => {
    const nothing = change((node) =>
      node.op === "ASSIGN_VARIABLE" ? [{ ...node, inputs: node.inputs.slice(0, 1) }] : [node],
    );
    expect(problem(nothing)).toContain("ASSIGN_VARIABLE: input 1 is absent");
  });

  test("that are read behind their assignment have what was assigned", () => {
    const assigned = graph.nodes.find(({ op }) => op === "ASSIGN_VARIABLE")!;
    const readers = graph.nodes.filter(({ op, inputs }) => op === "READ_VARIABLE" && inputs[0] === assigned.inputs[0]);
    const again = change((node) =>
      node === assigned ? [node, { ...readers[0], name: "again", outputs: [graph.tensors.length] }] : [node],
    );
    const tensors = [...again.tensors, { ...graph.tensors[assigned.inputs[1]], name: "again" }];
    const behind = lowered({ ...again, tensors, outputs: [...graph.outputs, graph.tensors.length] });
    const state = behind.states.find(({ source }) => source === behind.outputs[1].tensor);
    expect(state).toBeDefined();
  });
});

test("sums and products of int8 with constants are by channel, also of channels that the file has as places", () => {
  const scaled = (name: string, shape: readonly number[], scale: number, zeroPoint: number, values?: Int8Array) => ({
    name,
    shape,
    type: "int8" as const,
    quantization: { scales: Float32Array.of(scale), zeroPoints: Int32Array.of(zeroPoint), axis: undefined },
    constant: values && { bytes: values.length, values: () => values },
  });
  const node = (op: string, inputs: readonly number[], output: number, attributes = {}): GraphNode => {
    return { name: op, op, inputs, outputs: [output], attributes };
  };
  const sums: ImportedGraph = {
    format: "tflite",
    kind: "TFLite net",
    version: "schema 3",
    opset: 3,
    tensors: [
      scaled("x", [1, 1, 1, 6], 0.5, 3),
      scaled("wide", [1, 1, 3, 2], 0.5, 3),
      scaled("factors", [2], 0.25, -128, Int8Array.of(-124, -126)), // 1 and 0.5
      scaled("product", [1, 1, 3, 2], 0.5, 1),
      scaled("terms", [2], 1, 0, Int8Array.of(-2, 7)),
      scaled("y", [1, 1, 3, 2], 0.5, -128),
    ],
    nodes: [
      node("RESHAPE", [0], 1),
      node("MUL", [1, 2], 3),
      node("ADD", [3, 4], 5, { fused_activation_function: "RELU" }),
    ],
    inputs: [0],
    outputs: [5],
  };
  const elements = Int8Array.of(3, 7, 13, 3, -107, 127);
  const [, y] = runModel(importedModel(lowered(sums)), elements);
  const expected = Array.from(elements, (q, i) => {
    const real = 0.5 * (q - 3) * [1, 0.5][i % 2] + [-2, 7][i % 2];
    return Math.min(127, Math.max(0, real) / 0.5 - 128);
  });
  expect([...y]).toEqual(expected);
});

const zoo = process.env.MOTE_ZOO;
describe.skipIf(zoo === undefined)("microWakeWord's nets in MOTE_ZOO", () => {
  const names = zoo === undefined ? [] : readdirSync(zoo).filter((name) => /^mww-.*\.tflite$/.test(name));

  test.each(names)("%s", (name) => {
    const wakeWord = importedModel(lowered(read(join(zoo!, name))));
    expect(statesOf(wakeWord).length).toBeGreaterThan(5);
    expect(wakeWord.layers.filter(({ op }) => op === "append")).toHaveLength(statesOf(wakeWord).length);
  });
});
