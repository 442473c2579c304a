import { describe, expect, test } from "vitest";
import { foldableBiases, foldBiases, removeDeadUnits } from "../../host/compress/dead-units.js";
import { channelsByTensor } from "../../host/compress/narrow.js";
import { inputOf } from "../../host/model/edges.js";
import { axesOf, sidesOf } from "../../host/ops/attributes.js";
import { tensorShapes } from "../../host/model/shapes.js";
import type { FloatTensor, Graph, Layer, Net } from "../../host/model/model.js";
import { lenet300, lenet5 } from "../../host/train/nets.js";

/** A plain forward pass, one sample: the oracle that both nets must agree under. */
function forward(net: Net, input: Float32Array): Float32Array {
  const shapes = tensorShapes(net.graph);
  let x = input;
  for (const layer of net.graph.layers) {
    const [channels, height, width] = shapes.get(inputOf(layer))!;
    const [outChannels, outHeight, outWidth] = shapes.get(layer.output)!;
    const y = new Float32Array(outChannels * outHeight * outWidth);
    const weight = net.tensors.get(`${layer.name}.weight`)?.data;
    const bias = net.tensors.get(`${layer.name}.bias`)?.data;
    for (let o = 0; o < y.length; o++) {
      const c = Math.floor(o / (outHeight * outWidth));
      const row = Math.floor(o / outWidth) % outHeight;
      const column = o % outWidth;
      if (layer.op === "dense") {
        y[o] = bias![o] + x.reduce((sum, v, i) => sum + v * weight![o * x.length + i], 0);
      } else if (layer.op === "relu") {
        y[o] = Math.max(0, x[o]);
      } else {
        if (layer.op !== "conv2d" && layer.op !== "maxpool" && layer.op !== "avgpool") throw new Error(layer.op);
        const [kernelHeight, kernelWidth] = axesOf(layer.kernel);
        const [strideY, strideX] = axesOf(layer.stride);
        const [top, left] = sidesOf(layer.pad ?? 0);
        const window = (channel: number, visit: (v: number, tap: number) => void): void => {
          for (let tap = 0; tap < kernelHeight * kernelWidth; tap++) {
            const r = row * strideY + Math.floor(tap / kernelWidth) - top;
            const k = column * strideX + (tap % kernelWidth) - left;
            if (r >= 0 && r < height && k >= 0 && k < width) visit(x[(channel * height + r) * width + k], tap);
          }
        };
        if (layer.op === "conv2d") {
          y[o] = bias![c];
          const taps = kernelHeight * kernelWidth;
          for (let channel = 0; channel < channels; channel++)
            window(channel, (v, tap) => (y[o] += v * weight![(c * channels + channel) * taps + tap]));
        } else {
          let sum = 0;
          let most = -Infinity;
          window(c, (v) => ((sum += v), (most = Math.max(most, v))));
          y[o] = layer.op === "maxpool" ? most : sum / (kernelHeight * kernelWidth);
        }
      }
    }
    x = y;
  }
  return x;
}

function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Weights are integers times this. */
const SCALE = 1 / 64;

/** Random weights, `kept` of them non-zero; all biases non-zero. */
function randomNet(graph: Graph, seed: number, kept: number): Net {
  const random = noise(seed);
  const shapes = tensorShapes(graph);
  const tensors = new Map<string, FloatTensor>();
  for (const layer of graph.layers) {
    if (layer.op !== "conv2d" && layer.op !== "dense") continue;
    const [channels, height, width] = shapes.get(layer.input)!;
    const rows = shapes.get(layer.output)![0];
    const shape =
      layer.op === "conv2d" ? [rows, channels / layer.groups, ...layer.kernel] : [rows, channels * height * width];
    const integers = Int8Array.from({ length: shape.reduce((a, b) => a * b) }, () =>
      random() < 2 * kept - 1 ? Math.round(random() / SCALE) : 0,
    );
    const data = Float32Array.from(integers, (q) => q * SCALE);
    tensors.set(`${layer.name}.weight`, { shape, data, integers });
    tensors.set(`${layer.name}.bias`, { shape: [rows], data: Float32Array.from({ length: rows }, random) });
  }
  return { graph, tensors };
}

function expectSameOutput(a: Net, b: Net, seed: number): void {
  const random = noise(seed);
  const [channels, height, width] = a.graph.input.shape;
  for (let trial = 0; trial < 3; trial++) {
    const input = Float32Array.from({ length: channels * height * width }, () => Math.abs(random()));
    const expected = forward(a, input);
    // Sums in another order: float32 rounding of some hundred terms of size 1.
    forward(b, input).forEach((v, i) =>
      expect(Math.abs(v - expected[i])).toBeLessThan(2e-4 * Math.max(1, Math.abs(expected[i]))),
    );
  }
}

const conv = (name: string, input: string, outChannels: number, pad = 0): Layer => ({
  op: "conv2d",
  name,
  input,
  output: name,
  outChannels,
  kernel: [3, 3],
  stride: 1,
  pad,
  groups: 1,
});
const small = (pad: number, relu: boolean): Graph => ({
  name: "small",
  input: { name: "image", shape: [1, 12, 12] },
  layers: [
    conv("conv1", "image", 6),
    ...(relu ? [{ op: "relu", name: "relu0", input: "conv1", output: "relu0" } as const] : []),
    { op: "avgpool", name: "pool1", input: relu ? "relu0" : "conv1", output: "pool1", kernel: 2, stride: 2 },
    conv("conv2", "pool1", 8, pad),
    { op: "maxpool", name: "pool2", input: "conv2", output: "pool2", kernel: 3, stride: 2 },
    { op: "dense", name: "fc1", input: "pool2", output: "fc1", outFeatures: 12 },
    { op: "relu", name: "relu1", input: "fc1", output: "relu1" },
    { op: "dense", name: "fc2", input: "relu1", output: "logits", outFeatures: 4 },
  ],
});

describe("biases", () => {
  test("those without a relu behind them can move on: LeNet-5's convolutions, none of LeNet-300-100", () => {
    expect(foldableBiases(lenet5)).toEqual(["conv1", "conv2"]);
    expect(foldableBiases(lenet300)).toEqual([]);
    expect(foldableBiases(small(1, false))).toEqual(["conv2"]);
    expect(foldableBiases(small(0, true))).toEqual(["conv2"]);
  });

  test("LeNet-5 computes the same without its convolutions' biases", () => {
    const net = randomNet(lenet5, 1, 0.05);
    const folded = foldBiases(net);
    expect(folded.tensors.get("conv1.bias")!.data.every((b) => b === 0)).toBe(true);
    expect(folded.tensors.get("conv2.bias")!.data.every((b) => b === 0)).toBe(true);
    expect(net.tensors.get("conv1.bias")!.data[0]).not.toBe(0);
    expectSameOutput(net, folded, 2);
  });
});

describe("dead units", () => {
  test.each([
    [0, false, 0.1],
    [0, false, 0.04],
    [1, false, 0.05],
    [0, true, 0.05],
    [1, true, 0.03],
  ])("pad %i, relu %s, %f left: fewer units, same outputs", (pad, relu, kept) => {
    for (let seed = 1; seed <= 8; seed++) {
      const net = randomNet(small(pad, relu), seed, kept);
      const live = removeDeadUnits(net);
      expectSameOutput(net, live, seed + 100);
      const before = channelsByTensor(net.graph);
      const after = channelsByTensor(live.graph);
      expect(after.fc1).toBeLessThan(before.fc1);
      for (const layer of ["conv1", "conv2", "fc1"])
        expect(live.tensors.get(`${layer}.bias`)!.data.length).toBe(after[layer]);
      expect(live.tensors.get("fc2.weight")!.shape).toEqual([4, after.fc1]);
      expect(live.tensors.get("conv2.weight")!.shape).toEqual([after.conv2, after.conv1, 3, 3]);
      for (const layer of ["conv1", "conv2", "fc1", "fc2"]) {
        const { data, integers } = live.tensors.get(`${layer}.weight`)!;
        expect(Float32Array.from(integers!, (q) => q * SCALE)).toEqual(data);
      }
    }
  });

  test("a net without dead units stays as it is", () => {
    const net = randomNet(small(0, true), 3, 1);
    const same = removeDeadUnits(net);
    expect(same.graph).toEqual(net.graph);
    expect(same.tensors).toEqual(net.tensors);
  });

  test("a layer without any weights keeps one unit", () => {
    const net = randomNet(small(0, false), 4, 0.5);
    net.tensors.get("conv2.weight")!.data.fill(0);
    const live = removeDeadUnits(net);
    expect(channelsByTensor(live.graph)).toMatchObject({ conv1: 1, conv2: 1 });
    expectSameOutput(net, live, 5);
  });
});
