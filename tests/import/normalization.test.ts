/** Local response normalization (Krizhevsky et al. 2012, section 3.3), which becomes two tables, a convolution and a product. */
import { describe, expect, test } from "vitest";
import { runModel } from "../../host/engines/ops-i8.js";
import { readCaffe } from "../../host/import/caffe.js";
import { calibrate } from "../../host/import/calibrate.js";
import { runFloat } from "../../host/import/float-run.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { readOnnx } from "../../host/import/onnx.js";
import { inferShapes } from "../../host/import/shapes.js";
import { Random } from "../../host/rng.js";
import { attribute, edge, field, integer, memorySource, model, node } from "../support/onnx.js";

const [CHANNELS, SIDE] = [9, 4];
const COUNT = CHANNELS * SIDE * SIDE;

const number = (name: string, value: number): number[] =>
  field(5, field(1, name), [2 * 8 + 5, ...new Uint8Array(Float32Array.of(value).buffer)], integer(20, 1));

function onnx(size: number, alpha: number, beta: number, bias: number): ImportedNet {
  const shape = [1, CHANNELS, SIDE, SIDE];
  const attributes = [
    attribute("size", size),
    number("alpha", alpha),
    number("beta", beta),
    number("bias", bias),
  ] as const;
  const bytes = model(13, edge(11, "x", shape), edge(12, "y", shape), node("LRN", ["x"], ["y"], ...attributes));
  const none = (name: string): never => {
    throw new Error(name);
  };
  return lowerGraph(inferShapes(readOnnx(memorySource(bytes), none), { batch: 1 }));
}

function caffe(param: string): ImportedNet {
  const text = `layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: ${CHANNELS} dim: ${SIDE} dim: ${SIDE} } } }
    layer { name: "norm" type: "LRN" bottom: "data" top: "norm" ${param} }`;
  const prototxt = { source: memorySource(new TextEncoder().encode(text)), path: "net.prototxt" };
  return lowerGraph(inferShapes(readCaffe(memorySource(new Uint8Array(0)), prototxt), { batch: 1 }));
}

/** As the ONNX specification writes it. */
function normalized(x: Float32Array, size: number, alpha: number, beta: number, bias: number): number[] {
  const plane = SIDE * SIDE;
  return Array.from(x, (value, at) => {
    const [channel, place] = [Math.floor(at / plane), at % plane];
    let squares = 0;
    for (let c = channel - Math.floor((size - 1) / 2); c <= channel + Math.ceil((size - 1) / 2); c++) {
      if (c >= 0 && c < CHANNELS) squares += x[c * plane + place] ** 2;
    }
    return value / (bias + (alpha / size) * squares) ** beta;
  });
}

const sample = (seed: number): Float32Array => {
  const random = new Random(seed);
  return Float32Array.from({ length: COUNT }, () => 20 * random.normal());
};

describe("of real numbers", () => {
  test.each([
    [5, 1e-2, 0.75, 1],
    [4, 0.5, 0.5, 2],
    [1, 0.1, 1, 1],
    [31, 1, 0.75, 3],
  ])("ONNX's is what its specification says: size %i, alpha %d, beta %d, bias %d", (size, alpha, beta, bias) => {
    const net = onnx(size, alpha, beta, bias);
    expect(net.layers.map(({ op }) => op)).toEqual(["lut", "conv2d", "lut", "mul"]);
    const x = sample(size);
    const [y] = runFloat(net, [x]);
    normalized(x, size, alpha, beta, bias).forEach((value, i) => expect(y[i]).toBeCloseTo(value, 4));
  });

  test.each([
    ["lrn_param { local_size: 3 alpha: 0.05 beta: 0.6 k: 2 }", 3, 0.05, 0.6, 2],
    ["", 5, 1, 0.75, 1],
  ])("Caffe's is the same: %j", (param, size, alpha, beta, bias) => {
    const x = sample(7);
    const [y] = runFloat(caffe(param), [x]);
    normalized(x, size, alpha, beta, bias).forEach((value, i) => expect(y[i]).toBeCloseTo(value, 4));
  });
});

test("of int8 it is within three steps of what it is of real numbers, and half a step or so on the average", () => {
  const args = [5, 1e-2, 0.75, 1] as const;
  const quantized = calibrate(
    onnx(...args),
    [1, 2, 3].map((seed) => [sample(seed)]),
    { range: "all" },
  );
  const { scale, zeroPoint } = quantized.tensors[quantized.inputs[0].tensor].quantization!;
  const to = quantized.tensors[quantized.outputs[0].tensor].quantization!;
  const integers = Int8Array.from(sample(1), (real) => Math.round(real / scale) + zeroPoint);
  const outputs = runModel(importedModel(quantized), integers).at(-1)!;
  const real = Float32Array.from(integers, (q) => scale * (q - zeroPoint));
  const worst = normalized(real, ...args).map((value, i) => Math.abs(value / to.scale + to.zeroPoint - outputs[i]));
  expect(Math.max(...worst)).toBeLessThan(3);
  expect(Math.sqrt(worst.reduce((sum, error) => sum + error ** 2, 0) / worst.length)).toBeLessThan(0.6);
});
