/** Nets of int16 activations and int8 weights, TFLite's 16x8: beside what LiteRT answered, op by op and whole. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MAX_TENSOR_BYTES } from "../../assembly/format.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { arrange } from "../../host/import/arrange.js";
import { runFloat } from "../../host/import/float-run.js";
import { memorySource } from "../../host/import/graph.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
import type { ImportedNet, NetEnd } from "../../host/import/net.js";
import { compareIntegers } from "../../host/import/layer-errors.js";
import { realNet } from "../../host/import/real-net.js";
import { inferShapes } from "../../host/import/shapes.js";
import { readTflite } from "../../host/import/tflite.js";
import { planarIndex } from "../../host/import/view.js";
import { openEngine } from "../../host/node/engines/open.js";
import { packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { fillRandom } from "../../host/model/elements.js";
import { valuesOf } from "../../host/model/geometry.js";
import { lowered, type Node, type Tensor } from "../support/graphs.js";
import { problem } from "../support/problem.js";

interface Run {
  readonly input: readonly number[];
  readonly outputs: readonly (readonly number[])[];
}

const folder = join(packageRoot, "tests/golden/import");
const answers = JSON.parse(readFileSync(join(folder, "int16-outputs.json"), "utf8")) as Record<
  "conv" | "ops",
  readonly Run[]
>;

const golden = (name: keyof typeof answers): ImportedNet =>
  lowerGraph(
    inferShapes(readTflite(memorySource(new Uint8Array(readFileSync(join(folder, `${name}-int16.tflite`))))), {
      batch: 1,
    }),
  );

/** Elements of the file as the planar tensor has them. */
function planar(net: ImportedNet, { tensor, order }: NetEnd, values: readonly number[]): Int16Array {
  const place = planarIndex(order, net.tensors[tensor].shape);
  const elements = new Int16Array(values.length);
  values.forEach((value, i) => (elements[place(i)] = value));
  return elements;
}

/** How many elements of each output differ from LiteRT's, of how many, and by how much at most. */
function differences(name: keyof typeof answers, engineName: "reference" | "v8" | "wasm3"): Record<string, string> {
  const net = golden(name);
  const model = importedModel(net);
  const container = writeContainer(model);
  expect(readContainer(container).model).toEqual(model);
  const engine = openEngine(engineName, container);
  const places = engine.outputs.map(({ name: end }) => end);
  const tallies = net.outputs.map(() => ({ differing: 0, elements: 0, largest: 0 }));
  for (const { input, outputs } of answers[name]) {
    engine.run(planar(net, net.inputs[0], input));
    net.outputs.forEach((end, output) => {
      const found = engine.result(places.indexOf(end.name));
      const tally = tallies[output];
      planar(net, end, outputs[output]).forEach((expected, i) => {
        const steps = Math.abs(expected - found[i]);
        tally.elements++;
        if (steps > 0) tally.differing++;
        tally.largest = Math.max(tally.largest, steps);
      });
    });
  }
  engine.close();
  return Object.fromEntries(
    net.outputs.map(({ name: end }, output) => {
      const { differing, elements, largest } = tallies[output];
      return [end, `${differing} of ${elements}${differing === 0 ? "" : ` by ${largest}`}`];
    }),
  );
}

describe("beside LiteRT", () => {
  test.each(["reference", "v8", "wasm3"] as const)("each op by itself, %s: all but sums are the same", (engine) => {
    expect(differences("ops", engine)).toEqual({
      conv: "0 of 576",
      relu6: "0 of 576",
      // LiteRT rounds twice.
      "conv, int32": "1 of 576 by 1",
      depthwise: "0 of 576",
      "dense, dense": "0 of 36",
      "dense, rows": "0 of 36",
      "dense, no bias": "0 of 36",
      coarser: "0 of 144",
      relu: "0 of 144",
      // Multipliers of 14 bits: see DESIGN.md.
      sum: "58 of 144 by 1",
      twice: "0 of 144",
      product: "0 of 144",
      less: "0 of 144",
      scaled: "0 of 144",
      "average of 4": "0 of 36",
      "average of 6": "0 of 24",
      mean: "0 of 6",
      largest: "0 of 36",
      joined: "0 of 288",
      part: "0 of 24",
      enlarged: "0 of 576",
    });
  });

  test.each(["reference", "v8", "wasm3"] as const)("a whole net, %s", (engine) => {
    expect(differences("conv", engine)).toEqual({ "StatefulPartitionedCall_1:0": "23 of 40 by 2" });
  });
});

test.each(["conv", "ops"] as const)("each layer of %s gives what the oracle gives, sums to a step", async (name) => {
  const net = arrange(golden(name));
  const engine = openEngine("reference", writeContainer(importedModel(net)));
  const sample = (index: number): Int16Array[] => {
    const elements = new Int16Array(valuesOf(engine.input.shape));
    fillRandom(elements, new Random(index));
    return [elements];
  };
  const { layers } = await compareIntegers(
    net,
    engine,
    { count: 4, perSample: 1, perStream: 1, sample },
    async () => {},
  );
  for (const { op, name: node, largest } of layers)
    expect(largest, node).toBe(op === "add" && node !== "ADD #10" ? 1 : 0);
  engine.close();
});

/** A dense layer of two rows; what is said of x holds for y. */
const X: Tensor = { type: "int16", shape: [1, 2], scale: 0.5 };
const W: Tensor = { shape: [2, 2], scale: 0.25, values: [1, -2, 3, 4] };
const bias = (...values: number[]): Tensor => ({ type: "int64", shape: [2], values });
const DENSE: Node = ["FULLY_CONNECTED", "x w b", "y"];
const net = (tensors: Readonly<Record<string, Tensor>>, ...nodes: Node[]): ImportedNet =>
  lowered("tflite", { x: X, w: W, b: bias(0, 0), ...tensors }, nodes, "y");

describe("a net", () => {
  test("of int64 biases has all of their bits that an int32 has", () => {
    for (const values of [
      [2 ** 31 - 1 - 3 * 32768, -(2 ** 31) + 7 * 32768],
      [70_000, -70_000],
    ]) {
      const { layers } = importedModel(net({ b: bias(...values) }, DENSE));
      expect("bias" in layers[0] && [...layers[0].bias]).toEqual(values);
    }
  });

  test.each([
    ["int8", -128],
    ["uint8", 7],
    ["float32", 0],
  ] as const)("takes what QUANTIZE makes of %s for its input", (type, zeroPoint) => {
    const given: Tensor = type === "float32" ? { shape: [1, 2] } : { type, shape: [1, 2], scale: 0.1, zeroPoint };
    const made = net({ given, x: X, q: X, y: X }, ["QUANTIZE", "x", "q"], ["FULLY_CONNECTED", "q w b", "y"]);
    expect(made.activationBits).toBe(16);
    const fed = lowered(
      "tflite",
      { w: W, x: given, q: X, b: bias(0, 0), y: X },
      [
        ["QUANTIZE", "x", "q"],
        ["FULLY_CONNECTED", "q w b", "y"],
      ],
      "y",
    );
    const { tensors, inputs, isQuantized } = fed;
    expect([isQuantized, tensors[inputs[0].tensor].quantization]).toEqual([true, { scale: 0.5, zeroPoint: 0 }]);
    expect(inputs[0]).toMatchObject({ bias: 0 });
    expect(inputs[0]).not.toHaveProperty("isInteger");
    expect(importedModel(fed).tensors[0]).toMatchObject({ bits: 16, scale: 0.5 });
  });

  test("whose input another scale is made of begins with a layer that makes it", () => {
    const { layers } = net({ q: { ...X, scale: 1 }, y: X }, ["QUANTIZE", "x", "q"], ["FULLY_CONNECTED", "q w b", "y"]);
    expect(layers.map(({ op }) => op)).toEqual(["avgpool", "dense"]);
  });

  test("cuts and rescales by averages of one element where int8 has tables", () => {
    const made = net({ r: { ...X, scale: 1.5 }, y: { ...X, scale: 1 } }, ["RELU6", "x", "r"], ["RESHAPE", "r", "y"]);
    expect(made.layers.map(({ op }) => op)).toEqual(["avgpool", "avgpool"]);
    const [, y] = runModel(importedModel(made), Int16Array.of(-9, 11)); // 5.5 is 3.67 of 1.5, 4 is 6
    expect([...y]).toEqual([0, 6]);
  });

  // As TensorFlow Lite Micro's keyword net has it.
  test.each([
    [8, { shape: [1, 2], scale: 0.5 }, X],
    [16, X, { shape: [1, 2], scale: 1 / 256, zeroPoint: -128 }],
  ] as const)("of %i bits may have a softmax of others, which is left to the host", (bits, x, y) => {
    const b: Tensor = { type: "int32", shape: [2], values: [1, 2] };
    const nodes: Node[] = [
      ["FULLY_CONNECTED", "x w b", "t"],
      ["SOFTMAX", "t", "p"],
      ["RESHAPE", "p", "y"],
    ];
    const made = net({ x, b, t: x, p: y, y }, ...nodes);
    expect(made.activationBits ?? 8).toBe(bits);
    expect(made.isQuantized).toBe(true);
    expect(made.layers.map(({ op }) => op)).toEqual(["dense"]);
    expect(importedModel(made).outputs).toHaveLength(1);
  });

  test("of a stream keeps its states, on all engines", () => {
    const row: Tensor = { ...X, shape: [1, 1, 1, 2] };
    const window: Tensor = { ...X, shape: [1, 3, 1, 2] };
    const nodes: Node[] = [
      ["READ_VARIABLE", "v", "before"],
      ["CONCATENATION", "before x", "all", { axis: 1 }],
      ["ASSIGN_VARIABLE", "v latest", ""],
      ["CONV_2D", "all w b", "y", { stride_h: 1, stride_w: 1 }],
    ];
    const early = nodes.toSpliced(2, 0, ["STRIDED_SLICE", "all first last each", "latest"]);
    const ints = (...values: number[]): Tensor => ({ type: "int32", shape: [4], values });
    const tensors = {
      x: row,
      before: { ...X, shape: [1, 2, 1, 2] },
      v: { ...X, shape: [1, 2, 1, 2] },
      all: window,
      latest: { ...X, shape: [1, 2, 1, 2] },
      first: ints(0, 1, 0, 0),
      last: ints(1, 3, 1, 2),
      each: ints(1, 1, 1, 1),
      w: { shape: [1, 3, 1, 2], scale: 1, values: [1, 2, 3, 4, 5, 6] },
      b: { type: "int64", shape: [1], values: [1000] },
      y: { ...X, shape: [1, 1, 1, 1] },
    } as const;
    const model = importedModel(lowered("tflite", tensors, early, "y"));
    const steps = [1, 2, 3, 4].map((t) => Int16Array.of(1000 * t, -t));
    const at = (t: number): number => (t < 1 ? 0 : 1000 * t);
    const expected = steps.map((_, i) => {
      const [a, b, c] = [i - 1, i, i + 1].map((t) => (t < 1 ? [0, 0] : [at(t), -t]));
      return 1000 + a[0] + 2 * a[1] + 3 * b[0] + 4 * b[1] + 5 * c[0] + 6 * c[1];
    });
    for (const name of ["reference", "v8", "wasm3"] as const) {
      const engine = openEngine(name, writeContainer(model));
      for (let turn = 0; turn < 2; turn++) {
        engine.reset();
        expect(steps.map((step) => engine.run(step)[0])).toEqual(expected);
      }
      engine.close();
    }
  });

  test("as real numbers keeps what int16 cuts off", () => {
    const real = realNet(net({ y: X }, DENSE));
    expect(real).not.toHaveProperty("activationBits");
    const [[low, high]] = [runFloat(real, [Float32Array.of(1e5, 1e5)])[0]];
    expect([low, high]).toEqual([-16384, 16383.5]);
  });
});

describe("is refused by name", () => {
  const table = "a function by a table, which there is none of for int16; expected RELU or RELU6, or int8 activations";

  test("every function that int8 has a table for, all at once", () => {
    const ops = ["LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "ELU", "GELU"];
    const nodes = ops.map((op, i): Node => [op, i === 0 ? "x" : `t${i - 1}`, i === ops.length - 1 ? "y" : `t${i}`]);
    expect(problem(() => net({}, ...nodes))).toBe(
      `UNSUPPORTED the net does not run: ${ops.map((op, i) => `${op} #${i}: ${table}`).join("; ")}`,
    );
    expect(problem(() => net({ s: { ...X, shape: [1] } }, ["PRELU", "x s", "y"]))).toContain(`PRELU #0: ${table}`);
  });

  const lstm: Node = ["UNIDIRECTIONAL_SEQUENCE_LSTM", "x", "y", { fused_activation_function: "TANH" }];
  const mixed = (narrow: string, wide: string): string =>
    `some elements are int8 (${narrow}) and some int16 (${wide}); expected all int8 or all int16`;
  const narrow: Tensor = { shape: [1, 2], scale: 0.5 };
  const of = (...nodes: Node[]): readonly Node[] => nodes;

  test.each<readonly [string, Readonly<Record<string, Tensor>>, readonly Node[], string]>([
    ["an LSTM", {}, of(lstm), "_LSTM #0: of int16; expected real numbers, which pack makes int8 of"],
    [
      "an SVDF",
      {},
      of(["SVDF", "x w w b x", "y", { rank: 1 }]),
      "SVDF #0: steps of int16; expected int8 or real numbers",
    ],
    [
      "a softmax within",
      {},
      of(["SOFTMAX", "x", "t"], ["RELU", "t", "y"]),
      "SOFTMAX #0: within the net, as attention has it; it runs at the end only",
    ],
    ["a zero point", { x: { ...X, zeroPoint: 3 }, y: X }, of(DENSE), '"x" is int16 with zero point 3, expected 0'],
    ["one of an output", { y: { ...X, zeroPoint: -1 } }, of(DENSE), '"y" is int16 with zero point -1, expected 0'],
    [
      "one of a softmax's output",
      { t: X, y: { ...X, zeroPoint: 1 } },
      of(["FULLY_CONNECTED", "x w b", "t"], ["SOFTMAX", "t", "y"]),
      '"y" is int16 with zero point 1, expected 0',
    ],
    ["one of weights", { w: { ...W, zeroPoint: 1 } }, of(DENSE), "its weights have a zero point, expected 0"],
    [
      "one of a bias",
      { b: { ...bias(1, 2), scale: 0.125, zeroPoint: 1 } },
      of(DENSE),
      "its bias has a zero point, expected 0",
    ],
    [
      "a bias above int32",
      { b: bias(0, 2 ** 31) },
      of(DENSE),
      "its bias of row 1 is 2147483648, expected an int32; of the net of real numbers --activation-bits 16 makes one",
    ],
    [
      "a bias below int32",
      { b: bias(-(2 ** 31) - 1, 0) },
      of(DENSE),
      "its bias of row 0 is -2147483649, expected an int32",
    ],
    // What is left of it in 32 bits is 5.
    [
      "a bias of 64 bits",
      { b: bias(2 ** 40 + 5, 0) },
      of(DENSE),
      "its bias of row 0 is 1099511627781, expected an int32",
    ],
    [
      "half a bias",
      { b: { type: "int64", shape: [1], values: [1] } },
      of(DENSE),
      "its bias has 1 elements, expected 2",
    ],
    [
      "a bias of int16",
      { b: { ...X, shape: [2], values: [1, 2] } },
      of(DENSE),
      "its bias is int16, expected int64 or int32",
    ],
    ["a bias of int64 beside int8", { x: narrow }, of(DENSE), "its bias is int64, expected int32"],
    [
      "weights of int16",
      { w: { ...W, type: "int16" } },
      of(DENSE),
      "its weights are int16, expected int8 or real numbers",
    ],
    [
      "weights of real numbers",
      { w: { shape: [2, 2], values: [1, 2, 3, 4] } },
      of(DENSE),
      "its weights are float32 and its input is int16, expected int8 weights",
    ],
    ["a tensor without a scale", { y: { type: "int16", shape: [1, 2] } }, of(DENSE), '"y" is int16 without a scale'],
    ["an int8 output", { y: narrow }, of(DENSE), mixed("FULLY_CONNECTED #0", "input x")],
    ["an int8 input", { x: narrow, y: X }, of(DENSE), mixed("input x", "FULLY_CONNECTED #0")],
    [
      "int8 within",
      { q: narrow, y: X },
      of(["QUANTIZE", "x", "q"], ["FULLY_CONNECTED", "q w b", "y"]),
      mixed("QUANTIZE #0", "FULLY_CONNECTED #1"),
    ],
    [
      "int8 at the end",
      { t: X, y: { ...narrow, type: "uint8" } },
      of(["FULLY_CONNECTED", "x w b", "t"], ["QUANTIZE", "t", "y"]),
      mixed("QUANTIZE #1", "input x"),
    ],
    [
      "a tensor of more bytes than there may be",
      { x: { ...X, shape: [1, 4096, 4096, 1] }, y: { ...X, shape: [1, 4096, 4096, 1] } },
      of(["RELU", "x", "y"]),
      `sizes are at most 65535, and all elements ${MAX_TENSOR_BYTES / 2}`,
    ],
  ])("%s", (_, tensors, nodes, why) => {
    const found = problem(() => net(tensors, ...nodes));
    expect(found).toMatch(/^UNSUPPORTED /);
    expect(found).toContain(why);
  });

  test("sums that an int32 does not hold, by layer and row", () => {
    const edge = 2 ** 31 - 1 - 3 * 32768;
    expect(problem(() => importedModel(net({ b: bias(edge, 0) }, DENSE)))).toBe("none");
    expect(problem(() => importedModel(net({ b: bias(edge + 3, 0) }, DENSE)))).toMatch(
      /^MISMATCH FULLY_CONNECTED #0: the accumulator of row 0 may reach \d+ … 2147483\d+, expected an int32; fewer or smaller weights/,
    );
  });
});
