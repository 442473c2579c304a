/** Kernels for layers with most of their weights, or many: at the edges of what they take at once, on inputs and weights that go furthest. */
import { describe, expect, it } from "vitest";
import * as abi from "../../assembly/abi.js";
import {
  CONTROL_LAYERS_PTR,
  KIND_BORDER,
  KIND_END,
  LAYER_CLAMP_MIN,
  LAYER_ENTRY_BYTES,
  LAYER_KIND,
  LOT_MOST_STRETCH,
  LOT_STRETCH,
  QUAD_INPUTS,
  QUAD_STRETCH,
} from "../../assembly/fast/layout.js";
import { writeContainer } from "../../host/container/write.js";
import { runModel } from "../../host/engines/ops-i8.js";
import type { QModel, Shape } from "../../host/model/model.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { valuesOf } from "../../host/model/geometry.js";
import { buildModel, randomInput, type LayerSpec } from "../support/models.js";
import { expectEqual } from "./expect-equal.js";
import { TestHost } from "./test-host.js";

const full = { weights: "any", density: 1, perChannel: true } as const;
const conv = { op: "conv2d", kernel: [1, 1], out: 6, ...full } as const;

/** Inputs at random and where all elements are as far as they go. */
function inputsOf({ tensors: [input] }: QModel): Int8Array[] {
  const fill = (element: (at: number) => number): Int8Array =>
    Int8Array.from({ length: valuesOf(input.shape) }, (_, at) => element(at));
  return [
    fill(() => -128),
    fill(() => 127),
    fill((at) => (at % 2 === 0 ? 127 : -128)),
    ...[1, 2].map((seed) => randomInput({ tensors: [input], layers: [], outputs: [] }, seed)),
  ];
}

/** The kernels of a model whose outputs are equal. */
const kernelsOf = (model: QModel): string[] => expectEqual(model, inputsOf(model)).map(({ kernel }) => kernel);

const kernelOf = (shape: Shape, spec: LayerSpec, change: (model: QModel) => QModel = (model) => model): string =>
  kernelsOf(change(buildModel(9, shape, [spec])))[0];

/** With all weights alike, and elements that are at most or at least the input's zero point. */
const extreme =
  (weight: (at: number) => number, zeroPoint: number) =>
  (model: QModel): QModel => ({
    ...model,
    tensors: [{ ...model.tensors[0], zeroPoint }, ...model.tensors.slice(1)],
    layers: model.layers.map((layer) => {
      if (layer.op !== "conv2d" && layer.op !== "dense") return layer;
      const multiplier = layer.multiplier.map((_, row) => 2 ** 30 + row);
      const shift = layer.shift.map(() => 36 + Math.ceil(Math.log2(layer.weights.length)));
      return { ...layer, multiplier, shift, weights: Int8Array.from(layer.weights, (_, at) => weight(at)) };
    }),
  });

const EXTREMES = [
  ["the most", () => 127],
  ["the least", () => -128],
  ["both", (at: number) => (at % 2 === 0 ? 127 : -128)],
] as const;

describe("convolutions by two filters", () => {
  const kernel = "conv2d by two filters";

  const stretches = [LOT_STRETCH, QUAD_STRETCH, LOT_MOST_STRETCH].flatMap((inputs) => [inputs - 1, inputs, inputs + 1]);

  it.each([7, 8, 9, 16, ...stretches, 130, QUAD_INPUTS])("of %i inputs", (channels) => {
    expect(kernelOf([channels, 3, 3], conv)).toBe(kernel);
  });

  it.each([2, 3, 4, 5, 6, 7, 8, 9, 31])("at %i places of a line", (width) => {
    expect(kernelOf([20, 1, width], { ...conv, out: 12 })).toBe(kernel);
    expect(kernelOf([20, width, 1], { ...conv, out: 12 })).toBe(kernel);
    expect(kernelOf([20, width, 3], { ...conv, out: 12 })).toBe(kernel);
  });

  it.each([2, 3, 5, 8])("of %i filters", (out) => {
    expect(kernelOf([30, 9, 9], { ...conv, out })).toBe(kernel);
  });

  it.each<[string, Shape, LayerSpec]>([
    ["3 × 3", [5, 9, 7], { ...conv, kernel: [3, 3] }],
    ["3 × 3, a stride of 2", [3, 11, 12], { ...conv, kernel: [3, 3], stride: 2 }],
    ["3 × 3 with pads, one channel", [1, 9, 9], { ...conv, out: 9, kernel: [3, 3], pad: 1 }],
    ["strides and pads of their own", [3, 17, 19], { ...conv, kernel: [2, 3], stride: [3, 2], pad: [2, 1] }],
    ["10 × 4, one channel", [1, 25, 10], { ...conv, kernel: [10, 4], stride: 2, pad: 1 }],
    ["a line of 300", [1, 2, 400], { ...conv, kernel: [1, 255], stride: [1, 3] }],
    ["31 × 33", [1, 40, 41], { ...conv, kernel: [31, 33] }],
    ["a clamp", [24, 5, 5], { ...conv, relu: true }],
    ["one scale for all", [24, 5, 5], { ...conv, perChannel: false }],
    ["a line of bytes 255 apart", [1, 1, 3000], { ...conv, kernel: [1, 40], stride: [1, 255] }],
  ])("%s", (_name, shape, spec) => {
    expect(kernelOf(shape, spec)).toBe(kernel);
  });

  it.each(EXTREMES)("whose weights are %s", (_name, weight) => {
    for (const zeroPoint of [-128, 0, 127]) {
      for (const channels of [LOT_STRETCH, QUAD_STRETCH, 300]) {
        expect(kernelOf([channels, 2, 3], conv, extreme(weight, zeroPoint))).toBe(kernel);
      }
    }
  });

  // Lanes take the former at once.
  it.each([
    ["4,112 in 64 inputs", 64, (at: number) => (at % 64 < 16 ? 65 : 64)],
    ["4,113 in 64 inputs", 64, (at: number) => (at % 64 < 17 ? 65 : 64)],
    ["4,096 in 256 inputs", 256, () => 16],
    ["4,352 in 256 inputs", 256, () => 17],
    ["1,024 in 1,024 inputs", 1024, () => 1],
  ])("whose weights add up to %s", (_name, channels, weight) => {
    for (const sign of [1, -1]) {
      for (const zeroPoint of [-128, 127]) {
        expect(
          kernelOf(
            [channels, 2, 3],
            conv,
            extreme((at) => sign * weight(at), zeroPoint),
          ),
        ).toBe(kernel);
      }
    }
  });

  it("write no other bytes than their outputs", () => {
    const next = { op: "conv2d", kernel: [3, 3], out: 4, pad: 1, ...full } as const;
    expect(kernelsOf(buildModel(3, [9, 5, 5], [{ ...conv, out: 7 }, next]))).toEqual([kernel, kernel]);
  });
});

describe("convolutions by gaps", () => {
  const sparse = { ...conv, density: 0.15, out: 8 } as const;

  it.each([30, 64, 100, 400, QUAD_INPUTS])("of %i inputs", (channels) => {
    expect(kernelOf([channels, 5, 7], sparse)).toBe("conv2d by gaps");
  });

  it("with gaps beyond a byte, filters of no weights, and all of them", () => {
    const model = buildModel(4, [900, 4, 4], [{ ...sparse, out: 9 }]);
    const [layer] = model.layers as [Extract<QModel["layers"][number], { op: "conv2d" }>];
    const weights = layer.weights.slice().fill(0, 0, 2700).fill(0, 3600, 4500);
    weights.set([-128], 899);
    weights.set([127], 1800 + 256);
    weights.set([-3], 1800 + 256 + 255);
    weights.set(
      layer.weights.subarray(0, 900).map((weight) => weight || 5),
      2700,
    );
    weights.fill(-128, 3600 + 100, 3600 + 170);
    expect(kernelsOf({ ...model, layers: [{ ...layer, weights }] })).toEqual(["conv2d by gaps"]);
  });

  it("strides, pads and a clamp", () => {
    const spec = { ...sparse, kernel: [3, 3], stride: 2, pad: 1, relu: true } as const;
    expect(kernelOf([20, 15, 15], spec)).toBe("conv2d by gaps");
  });
});

describe("depthwise convolutions", () => {
  const kernel = "conv2d by channels";
  const depthwise = (channels: number, rest: Partial<Extract<LayerSpec, { op: "conv2d" }>> = {}): LayerSpec => ({
    ...conv,
    kernel: [3, 3],
    pad: 1,
    out: channels,
    groups: channels,
    ...rest,
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 13])("of %i lines", (height) => {
    const widths = height < 6 ? [16, 25, 26, 27] : [1, 2, 3, 4, 5, 8, 25];
    for (const width of widths) expect(kernelOf([2, height, width], depthwise(2))).toBe(kernel);
  });

  it.each<[string, Shape, LayerSpec]>([
    ["a stride of 2", [3, 12, 12], depthwise(3, { stride: 2 })],
    ["a stride of 2, odd", [3, 13, 11], depthwise(3, { stride: 2 })],
    ["strides of their own", [3, 13, 21], depthwise(3, { stride: [2, 3] })],
    ["5 × 5", [3, 12, 12], depthwise(3, { kernel: [5, 5], pad: 2 })],
    ["1 × 7", [2, 9, 12], depthwise(2, { kernel: [1, 7], pad: [0, 3] })],
    ["7 × 1", [2, 9, 12], depthwise(2, { kernel: [7, 1], pad: [3, 0] })],
    ["64 taps", [2, 11, 11], depthwise(2, { kernel: [8, 8] })],
    ["1 tap", [5, 6, 6], depthwise(5, { kernel: [1, 1], pad: 0 })],
    ["without pads", [4, 9, 9], depthwise(4, { pad: 0 })],
    ["a clamp", [4, 9, 9], depthwise(4, { relu: true })],
    ["more lines than are laid out at once", [2, 70, 90], depthwise(2)],
    ["the same, odd", [2, 71, 91], depthwise(2, { stride: 2 })],
    ["lines of 512 words", [1, 5, 510], depthwise(1)],
    ["one channel", [1, 8, 8], depthwise(1)],
    ["a stride that leaves elements out", [2, 20, 20], depthwise(2, { kernel: [3, 3], stride: 5, pad: 0 })],
    ["wider pads than the kernel", [2, 6, 7], depthwise(2, { pad: 5 })],
    ["the widest pads", [2, 1, 1], depthwise(2, { pad: 15, stride: [1, 4] })],
  ])("%s", (_name, shape, spec) => {
    expect(kernelOf(shape, spec)).toBe(kernel);
  });

  it.each<[pad: readonly [number, number], more: readonly [number, number]]>([
    [
      [0, 0],
      [1, 1],
    ],
    [
      [0, 0],
      [3, 4],
    ],
    [
      [2, 0],
      [-1, 2],
    ],
    [
      [0, 3],
      [2, -3],
    ],
    [
      [4, 4],
      [-6, -5],
    ],
  ])("with pads of %j, and as many more outputs as %j", (pad, more) => {
    for (const stride of [1, 2]) {
      const change = (model: QModel): QModel => {
        const [input, output] = model.tensors;
        const [channels, height, width] = output.shape;
        const shape: Shape = [channels, height + more[0], width + more[1]];
        return {
          ...model,
          tensors: [
            { ...input, border: 12 },
            { ...output, shape },
          ],
        };
      };
      expect(kernelOf([3, 15, 16], depthwise(3, { pad, stride }), change)).toBe(kernel);
    }
  });

  it("read no borders", () => {
    const last = depthwise(3, { kernel: [5, 5], pad: 2 });
    const model = buildModel(6, [3, 10, 10], [depthwise(3), depthwise(3, { stride: 2, pad: 3 }), last]);
    const host = new TestHost(fastModule(writeContainer(model)));
    const memory = new DataView(host.exports.memory.buffer);
    for (
      let entry = host.word(CONTROL_LAYERS_PTR);
      host.word(entry + LAYER_KIND) !== KIND_END;
      entry += LAYER_ENTRY_BYTES
    ) {
      if (host.word(entry + LAYER_KIND) === KIND_BORDER) memory.setUint32(entry + LAYER_CLAMP_MIN, 0x5a, true);
    }
    const input = randomInput(model, 3);
    expect(host.run(input)).toBe(abi.STATUS_DONE);
    expect(host.output()).toEqual(runModel(model, input).at(-1));
  });

  it.each(EXTREMES)("whose weights are %s", (_name, weight) => {
    for (const zeroPoint of [-128, 0, 127]) {
      for (const taps of [3, 8]) {
        const spec = depthwise(2, { kernel: [taps, taps] });
        expect(kernelOf([2, 9, 10], spec, extreme(weight, zeroPoint))).toBe(kernel);
      }
    }
  });

  it("of several widths in one model", () => {
    const five = depthwise(3, { kernel: [5, 5], pad: 2 });
    expect(kernelsOf(buildModel(6, [3, 10, 10], [depthwise(3), five, depthwise(3, { stride: 2 })]))).toEqual(
      Array(3).fill(kernel),
    );
  });
});

describe("dense layers by six rows", () => {
  const dense = { op: "dense", out: 8, ...full } as const;
  const kernel = "dense by six rows";

  it.each([30, 31, 32, 33, 100, 1000])("of %i inputs", (inputs) => {
    expect(kernelOf([inputs, 1, 1], dense)).toBe(kernel);
  });

  it.each([3, 4, 5, 6, 7, 8, 9, 50])("of %i rows", (out) => {
    expect(kernelOf([3, 5, 7], { ...dense, out })).toBe(kernel);
  });

  it.each(EXTREMES)("whose weights are %s", (_name, weight) => {
    for (const zeroPoint of [-128, 0, 127])
      expect(kernelOf([300, 1, 1], dense, extreme(weight, zeroPoint))).toBe(kernel);
  });

  it("behind another, and under a clamp", () => {
    expect(kernelsOf(buildModel(8, [60, 1, 1], [{ ...dense, out: 41, relu: true }, dense]))).toEqual([kernel, kernel]);
  });
});
