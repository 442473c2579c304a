import { describe, expect, test } from "vitest";
import { scaleForRange } from "../../host/quantize/calibrate.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { outputOf } from "../../host/model/edges.js";
import type { FloatTensor, Compression, Graph, Layer, Net, QModel, QTensor } from "../../host/model/model.js";
import { NO_POOL } from "../../host/ops/op.js";
import { quantize } from "../../host/quantize/quantize.js";
import { runNet } from "../../host/engines/ops-f32.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { lenet300, lenet5 } from "../../host/train/nets.js";
import { compressedNet, randomPixels } from "../support/nets.js";

const conv = { op: "conv2d", kernel: [3, 3], stride: 1, pad: 0, groups: 1, outChannels: 4 } as const;

function graph(name: string, shape: readonly [number, number, number], ...layers: Layer[]): Graph {
  return { name, input: { name: "in", shape }, layers };
}

const padded = graph(
  "padded",
  [2, 9, 9],
  { ...conv, name: "a", input: "in", output: "a", pad: 1, stride: 2 },
  { op: "relu", name: "ra", input: "a", output: "ra" },
  { ...conv, name: "b", input: "ra", output: "b", pad: 2, groups: 2, outChannels: 6 },
  { op: "maxpool", name: "pb", input: "b", output: "pb", kernel: 3, stride: 2 },
  { op: "relu", name: "rb", input: "pb", output: "rb" },
  { op: "dense", name: "c", input: "rb", output: "c", outFeatures: 7 },
);

const averaged = graph(
  "averaged",
  [3, 8, 8],
  { ...conv, name: "a", input: "in", output: "a" },
  { op: "avgpool", name: "p", input: "a", output: "p", kernel: 2, stride: 2 },
  { op: "relu", name: "r", input: "p", output: "r" },
  { op: "maxpool", name: "m", input: "r", output: "m", kernel: 2, stride: 1 },
  { op: "dense", name: "c", input: "m", output: "c", outFeatures: 5 },
);

/** A model's output, which has a scale. */
function scaledOutput(model: QModel): QTensor & { readonly scale: number } {
  const { scale, ...tensor } = model.tensors[outputOf(model)];
  if (scale === undefined) throw new Error("expected an output with a scale");
  return { ...tensor, scale };
}

describe.each([lenet5, lenet300, padded, averaged])("$name", (net) => {
  const compressed = compressedNet(net, 3);
  const model = quantize(compressed);

  test("gives what the float net gives, to the rounding of int8", () => {
    const { scale, zeroPoint } = scaledOutput(model);
    let worst = 0;
    for (let seed = 0; seed < 5; seed++) {
      const pixels = randomPixels(net.input.shape, seed);
      const float = runNet(compressed, pixels).get(net.layers[net.layers.length - 1].output)!;
      const quantized = runModel(
        model,
        Int8Array.from(pixels, (x) => Math.round(x * 255) - 128),
      ).at(-1)!;
      float.forEach((value, i) => (worst = Math.max(worst, Math.abs(scale * (quantized[i] - zeroPoint) - value))));
    }
    // Half a step here and the errors of up to four tensors before it, each at most half a step and mostly cancelling.
    expect(worst / scale).toBeLessThan(4);
  });

  test("survives the container", () => {
    expect(readContainer(writeContainer(model)).model).toEqual(model);
  });
});

test("LeNet-5 becomes four layers, its pools and relu inside them", () => {
  const { layers, tensors } = quantize(compressedNet(lenet5, 1));
  expect(layers.map(({ op }) => op)).toEqual(["conv2d", "conv2d", "dense", "dense"]);
  expect(tensors.map(({ shape }) => shape)).toEqual([
    [1, 28, 28],
    [20, 12, 12],
    [50, 4, 4],
    [500, 1, 1],
    [10, 1, 1],
  ]);
  expect(layers[0]).toMatchObject({ pool: { size: [2, 2], stride: [2, 2] }, clamp: [-128, 127] });
  expect(layers[2]).toMatchObject({ clamp: [tensors[3].zeroPoint, 127] });
});

test("padding becomes the border of the tensor that is read, and both axes get their stride", () => {
  const { tensors, layers } = quantize(compressedNet(padded, 1));
  expect(tensors.map(({ border }) => border)).toEqual([1, 2, 0, 0, 0]);
  expect(layers[0]).toMatchObject({ stride: [2, 2], pad: [1, 1], pool: NO_POOL });
  expect(layers[1]).toMatchObject({ stride: [1, 1], pad: [2, 2], pool: NO_POOL });
});

test("a pool whose windows overlap stays a layer, so that no place is computed more than once", () => {
  const { layers } = quantize(compressedNet(padded, 1));
  expect(layers.map(({ op }) => op)).toEqual(["conv2d", "conv2d", "maxpool", "dense"]);
  expect(layers[2]).toMatchObject({ kernel: [3, 3], stride: [2, 2], clamp: [expect.any(Number), 127] });
});

test("the inputs and outputs alone have scales", () => {
  const { tensors, outputs } = quantize(compressedNet(padded, 1));
  expect(outputs).toEqual([4]);
  expect(tensors.map(({ scale }) => scale !== undefined)).toEqual([true, false, false, false, true]);
});

test("a relu with nothing to be fused with stays a layer", () => {
  const alone = graph(
    "alone",
    [1, 8, 8],
    { op: "relu", name: "r", input: "in", output: "r" },
    { op: "dense", name: "c", input: "r", output: "c", outFeatures: 5 },
  );
  const { layers } = quantize(compressedNet(alone, 1));
  expect(layers.map(({ op }) => op)).toEqual(["maxpool", "dense"]);
  expect(layers[0]).toMatchObject({ kernel: [1, 1], stride: [1, 1], pad: [0, 0] });
});

describe("a branch that nothing reads leaves open which output is the model's, and is refused", () => {
  const a: Layer = { ...conv, name: "a", input: "in", output: "a" };
  const r: Layer = { op: "relu", name: "r", input: "a", output: "r" };
  const c: Layer = { op: "dense", name: "c", input: "r", output: "c", outFeatures: 5 };
  const side: Layer = { op: "dense", name: "side", input: "r", output: "side", outFeatures: 3 };
  const tail: Layer = { op: "relu", name: "tail", input: "c", output: "tail" };
  test.each<[string, Layer[], RegExp]>([
    ["as the last layer", [a, r, c, side], /dead\/c: its output "c" is read by no layer/],
    [
      "as the last layer, of a pool",
      [a, r, c, { op: "maxpool", name: "p", input: "a", output: "p", kernel: 2, stride: 2 }],
      /dead\/c: its output "c" is read by no layer/,
    ],
    ["in the middle", [a, r, side, c], /dead\/side: its output "side" is read by no layer/],
    // The relu is a part of c, which would leave side as the last layer of the model.
    ["before a relu that is fused", [a, r, c, side, tail], /dead\/side: its output "side" is read by no layer/],
    ["at the start", [{ ...side, input: "in" }, a, r, c], /dead\/side: its output "side" is read by no layer/],
  ])("%s", (_, layers, message) => {
    expect(() => quantize(compressedNet(graph("dead", [1, 8, 8], ...layers), 1))).toThrow(message);
  });
});

test("a net whose hidden layer is 0 on all calibration digits packs, its biases exact", () => {
  const dead = graph(
    "dead",
    [1, 4, 4],
    { op: "dense", name: "a", input: "in", output: "a", outFeatures: 3 },
    { op: "relu", name: "r", input: "a", output: "r" },
    { op: "dense", name: "c", input: "r", output: "c", outFeatures: 2 },
  );
  const net = compressedNet(dead, 1);
  net.tensors.get("a.bias")!.data.fill(-1000);
  const nothing = scaleForRange(0, 0);
  const activations = { ...net.compression.activations, a: nothing, r: nothing, c: scaleForRange(-1, 1) };
  const bias = net.tensors.get("c.bias")!.data;
  bias.set([0.5, -0.25]);
  const model = quantize(withCompression(net, { activations, biasBits: { a: 8, c: 8 } }));
  const output = runModel(readContainer(writeContainer(model)).model, new Int8Array(16)).at(-1)!;
  const { scale, zeroPoint } = scaledOutput(model);
  output.forEach((q, i) => expect(Math.abs(scale * (q - zeroPoint) - bias[i])).toBeLessThan(scale));
});

test.each(["__proto__", "constructor", "toString"])("a layer and a tensor may be named %s", (name) => {
  const named = graph(
    "named",
    [1, 4, 4],
    { op: "dense", name, input: "in", output: name, outFeatures: 3 },
    { op: "dense", name: "c", input: name, output: "c", outFeatures: 2 },
  );
  const plain = graph(
    "named",
    [1, 4, 4],
    { op: "dense", name: "a", input: "in", output: "a", outFeatures: 3 },
    { op: "dense", name: "c", input: "a", output: "c", outFeatures: 2 },
  );
  const net = compressedNet(plain, 1);
  const rename = <T>(values: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key === "a" ? name : key, value]));
  const { nominalChannels, weightScale, activations } = net.compression;
  const tensors = new Map([...net.tensors].map(([key, tensor]) => [key.replace(/^a\./, `${name}.`), tensor]));
  const renamed: Net = {
    graph: named,
    tensors,
    compression: {
      nominalChannels: rename(nominalChannels),
      weightScale: rename(weightScale),
      activations: rename(activations),
    },
  };
  expect(quantize(renamed)).toEqual(quantize(net));
  const without = { ...renamed.compression!, activations: { in: activations.in, c: activations.c } };
  expect(() => quantize({ ...renamed, compression: without })).toThrow(`tensor ${name}: has no activation scale`);
});

test("biases share the power of two with which they fit their bits", () => {
  const net = compressedNet(lenet300, 1);
  const narrow = quantize(withCompression(net, { biasBits: { fc1: 6 } }));
  const exact = quantize(net);
  const [layer, before] = [narrow.layers[0], exact.layers[0]];
  if (layer.op !== "dense" || before.op !== "dense") throw new Error("expected dense layers");
  const most = Math.max(...before.bias.map(Math.abs));
  const step = 2 ** Math.ceil(Math.log2(most / 31.5));
  expect(layer.bias.map((b) => b % step)).toEqual(new Int32Array(300));
  layer.bias.forEach((b, i) => expect(Math.abs(b - before.bias[i])).toBeLessThanOrEqual(step / 2 + 1));
  expect(readContainer(writeContainer(narrow)).layers[0].section!.biasBits).toBeLessThanOrEqual(6);
});

function withCompression(net: Net & { compression: Compression }, change: Partial<Compression>): Net {
  return { ...net, compression: { ...net.compression, ...change } };
}

describe("refuses", () => {
  const net = compressedNet(padded, 1);
  const changed = (name: string, index: number, value: number): Net => {
    const tensor = net.tensors.get(name)!;
    const data = tensor.data.slice();
    data[index] = value;
    return { ...net, tensors: new Map(net.tensors).set(name, { ...tensor, data }) };
  };
  const withWeights = (name: string, tensor: FloatTensor): Net => ({
    ...net,
    tensors: new Map(net.tensors).set(name, tensor),
  });
  const b = net.tensors.get("b.weight")!;
  const { a: _, ...withoutA } = net.compression.activations;
  const { rb: __, ...withoutRb } = net.compression.activations;
  test.each<[string, Net, RegExp]>([
    [
      "a net that is not compressed",
      { graph: net.graph, tensors: net.tensors },
      /padded: the net is not compressed, expected .*mote compress/,
    ],
    [
      "weights that are not integers yet",
      withWeights("b.weight", { shape: b.shape, data: b.data }),
      /b\.weight: not on its integers, expected .*mote compress/,
    ],
    [
      "a weight of -128",
      withWeights("b.weight", { ...b, integers: b.integers!.with(7, -128) }),
      /b\.weight\[7\]: is -128, expected -127/,
    ],
    [
      "a bias beyond int32",
      changed("c.bias", 2, 1e9),
      /c\.bias: 1000000000 is .* units, expected below 2\^31: the layer's weights, or what they read, are too small/,
    ],
    ["a bias that is left no bits", withCompression(net, { biasBits: { c: 0 } }), /c\.bias: .* do not fit 0 bits/],
    ["a missing activation", withCompression(net, { activations: withoutRb }), /tensor rb: has no activation scale/],
    ["a missing weight scale", withCompression(net, { weightScale: {} }), /a: weight scale is undefined/],
    [
      "weights of another shape",
      { ...net, tensors: new Map(net.tensors).set("c.weight", net.tensors.get("b.weight")!) },
      /c\.weight: has \d+ elements/,
    ],
    [
      "a scale of zero",
      withCompression(net, { activations: { ...net.compression.activations, rb: { scale: 0, zeroPoint: 0 } } }),
      /tensor rb: scale is 0/,
    ],
    [
      "scales that no multiplier joins",
      withCompression(net, { activations: { ...net.compression.activations, c: { scale: 1e-30, zeroPoint: 0 } } }),
      /c: requantization factor/,
    ],
  ])("%s", (_name, bad, message) => {
    expect(() => quantize(bad)).toThrow(message);
  });

  test("but needs no scale of a tensor that is fused away", () => {
    expect(quantize(withCompression(net, { activations: withoutA }))).toEqual(quantize(net));
  });

  test("accumulators that could overflow", () => {
    const wide = graph("wide", [65535, 1, 1], { op: "dense", name: "d", input: "in", output: "d", outFeatures: 2 });
    const data = new Float32Array(131070).fill(127);
    const integers = Int8Array.from(data);
    const tensors = new Map([
      ["d.weight", { shape: [2, 65535], data, integers }],
      ["d.bias", { shape: [2], data: new Float32Array(2) }],
    ]);
    const activations = { in: { scale: 1, zeroPoint: -128 }, d: { scale: 1e6, zeroPoint: 0 } };
    const overflowing = {
      graph: wide,
      tensors,
      compression: { nominalChannels: {}, weightScale: { d: 1 }, activations },
    };
    expect(quantize(overflowing).layers.length).toBe(1);
    integers[0] = 0;
    tensors.get("d.bias")!.data[1] = 2 ** 31 - 128 * 200000;
    expect(() => quantize(overflowing)).toThrow(/d: the accumulator of row 1 may reach/);
  });
});
