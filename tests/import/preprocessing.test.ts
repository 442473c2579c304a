/** What an imported model says of its input: in which order, by what mean and std its bytes become real numbers. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inputFiller } from "../../host/engines/fill-input.js";
import { calibrate } from "../../host/import/calibrate.js";
import { importedModel, type GivenPreprocessing } from "../../host/import/import.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { QModel } from "../../host/model/model.js";
import { packageRoot } from "../../host/node/paths.js";
import { loadNet } from "../../tools/net-samples.js";

const golden = (name: string) => loadNet(join(packageRoot, "tests/golden/import", name), undefined);

function packed(name: string, given?: GivenPreprocessing): QModel {
  const net = golden(name);
  if (net.isQuantized) return importedModel(net, given);
  const { shape } = net.tensors[net.inputs[0].tensor];
  const sample = Float32Array.from({ length: valuesOf(shape) }, (_, i) => (i % 7) - 3);
  return importedModel(calibrate(net, [[sample]], { range: "all" }), given);
}

describe("an int8 net", () => {
  const model = packed("conv-int8.tflite");
  const [input] = model.tensors;

  test("takes bytes less 128, interleaved as its file has them", () => {
    const { layout, colours } = model.preprocessing!;
    expect([layout, colours]).toEqual(["interleaved", "none"]);
    const bytes = Uint8Array.from({ length: 360 }, (_, i) => (37 * i) % 256);
    const target = new Int8Array(360);
    const info = { ...input, scale: input.scale!, preprocessing: model.preprocessing };
    inputFiller({ count: 1, shape: [12, 10, 3], images: bytes }, info)(0, target);
    // Pixel by pixel in the file, plane by plane here.
    expect([...target]).toEqual(Array.from(target, (_, i) => bytes[(i % 120) * 3 + Math.floor(i / 120)] - 128));
  });

  test("or as they are told", () => {
    const given = { reading: { scale: 0.5, mean: [1, 2, 3], std: [2] }, colours: "bgr" } as const;
    expect(packed("conv-int8.tflite", given).preprocessing).toEqual({
      layout: "interleaved",
      colours: "bgr",
      mean: [2, 4, 6],
      std: [4, 4, 4],
    });
    expect(packed("conv-int8.tflite", { reading: { layout: "nchw" } }).preprocessing!.layout).toBe("planar");
    expect(() => packed("conv-int8.tflite", { reading: { mean: [1, 2] } })).toThrow(
      "mean: expected one, or one for each of 3 channels, got 2",
    );
  });
});

test("a net of real numbers takes bytes / 255, or as the samples were read that it was calibrated by", () => {
  const plain = packed("torch-digits.onnx").preprocessing!;
  expect(plain).toEqual({ layout: "planar", colours: "none", mean: [0], std: [255] });
  const read = packed("torch-digits.onnx", { reading: { mean: [0.5], std: [0.25] } }).preprocessing!;
  expect(read).toEqual({ layout: "planar", colours: "none", mean: [127.5], std: [63.75] });
  // Scales of such a net are those of its own samples, and say nothing of bytes.
  expect(packed("quantized-qdq.onnx").preprocessing).toEqual(plain);
});

test("an input that is no picture has none, unless it is told", () => {
  const net = golden("torch-digits.onnx");
  const { tensor } = net.inputs[0];
  const tensors = net.tensors.map((old, i) => (i === tensor ? { ...old, shape: [784, 1, 1] as const } : old));
  // A vector of as many elements, which the net only has to be asked about.
  const dense = net.layers.find(({ op }) => op === "dense")!;
  const weights = { rows: 5, columns: 784, values: new Float32Array(5 * 784).fill(0.01), bias: new Float32Array(5) };
  const layer = { ...dense, op: "dense", inputs: [tensor], weights } as unknown as typeof dense;
  const vector = { ...net, tensors, layers: [layer] };
  const quantized = calibrate(vector, [[new Float32Array(784).fill(1)]], { range: "all" });
  expect(importedModel(quantized).preprocessing).toBeUndefined();
  expect(importedModel(quantized, { reading: { mean: [1] } }).preprocessing!.mean).toHaveLength(784);
});
