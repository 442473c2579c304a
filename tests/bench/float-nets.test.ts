/** The float nets that `mote bench` gives to others: files of ONNX with the layers of the table that they are made of. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { runFloat } from "../../host/import/float-run.js";
import { lowerGraph } from "../../host/import/import.js";
import { readOnnx } from "../../host/import/onnx.js";
import { inferShapes } from "../../host/import/shapes.js";
import { placeLayers, type SynthNet } from "../../host/synth/net.js";
import { synthNet } from "../../host/synth/nets.js";
import { floatGraph } from "../../tools/bench/float-nets.js";
import { writeRandomNet } from "../../tools/bench/onnx-file.js";
import { memorySource } from "../support/onnx.js";

const folder = mkdtempSync(join(tmpdir(), "mote-float-"));
afterAll(() => rmSync(folder, { recursive: true }));

const dense = { density: 1, bits: 8 };
const BRANCHES: SynthNet = {
  ...synthNet("lenet5"),
  name: "branches",
  input: [3, 33, 33],
  layers: [
    { op: "conv2d", name: "conv", channels: 16, kernel: 3, stride: 2, pad: 1, ...dense },
    { op: "lrn", name: "norm", size: 5 },
    { op: "maxpool", name: "pool", kernel: 3, stride: 2 },
    { op: "conv2d", name: "left", channels: 16, groups: 16, kernel: 3, pad: 1, ...dense },
    { op: "conv2d", name: "right", from: ["pool"], channels: 16, kernel: 1, relu: false, ...dense },
    { op: "add", name: "sum", from: ["left", "right"] },
    { op: "concat", name: "both", from: ["sum", "left"] },
    { op: "avgpool", name: "mean", kernel: 8, stride: 1 },
  ],
};

it.each([synthNet("lenet5"), BRANCHES])("$name, written and read, has these layers", (net) => {
  const path = join(folder, net.name);
  writeRandomNet(path, floatGraph(net));
  const graph = inferShapes(readOnnx(memorySource(readFileSync(path))));
  const shapes = new Map(graph.tensors.map(({ name, shape }) => [name, shape]));
  for (const { layer, output } of placeLayers(net)) {
    expect(shapes.get(layer.name), layer.name).toEqual([1, ...(layer.op === "dense" ? [output[0]] : output)]);
  }
  const lowered = lowerGraph(graph);
  expect(lowered.inputs.map(({ dims }) => dims)).toEqual([[1, ...net.input]]);
  const input = Float32Array.from({ length: net.input.reduce((a, b) => a * b) }, (_, i) => Math.sin(i / 7));
  const [outputs] = runFloat(lowered, [input]);
  // Neither dead nor all alike, and small enough to be numbers.
  expect(new Set(outputs).size).toBeGreaterThan(5);
  expect(Math.max(...outputs.map(Math.abs))).toBeLessThan(100);
});

it("writes the weights that were published", () => {
  const count = (name: string): number =>
    floatGraph(synthNet(name)).tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
  expect(["lenet5", "squeezenet", "alexnet", "vgg16"].map(count)).toEqual([
    431_080, 1_248_424, 60_965_224, 138_357_544,
  ]);
});
