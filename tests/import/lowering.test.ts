/** Nets of other formats, lowered: as real numbers they give what LiteRT and onnxruntime give, and quantized ones the same integers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runModel } from "../../host/engines/ops-i8.js";
import { calibrate } from "../../host/import/calibrate.js";
import { runFloat } from "../../host/import/float-run.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
import type { ImportedNet, NetEnd } from "../../host/import/net.js";
import { inferShapes } from "../../host/import/shapes.js";
import { planarIndex } from "../../host/import/view.js";
import { valuesOf } from "../../host/model/geometry.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { openGraph } from "../../host/node/import/open-graph.js";
import { packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { FLOAT_NETS } from "../support/onnx.js";

interface Run {
  readonly input: readonly number[];
  readonly output: readonly number[];
}

const folder = join(packageRoot, "tests/golden/import");
const outputs = Object.assign(
  {},
  ...["outputs.json", "caffe-outputs.json", "graph-outputs.json"].map((name) =>
    JSON.parse(readFileSync(join(folder, name), "utf8")),
  ),
) as Record<string, readonly Run[]>;

function lowered(name: string): ImportedNet {
  const { graph, close } = openGraph(join(folder, name));
  try {
    return lowerGraph(inferShapes(graph, { batch: 1 }));
  } finally {
    close();
  }
}

/** Elements of the file as the planar tensor has them. */
function planar<T extends Float32Array | Int8Array>(
  net: ImportedNet,
  { tensor, order }: NetEnd,
  values: readonly number[],
  into: T,
): T {
  const place = planarIndex(order, net.tensors[tensor].shape);
  values.forEach((value, i) => (into[place(i)] = value));
  return into;
}

/** And back. */
function asFile(net: ImportedNet, { tensor, order }: NetEnd, values: ArrayLike<number>): number[] {
  const place = planarIndex(order, net.tensors[tensor].shape);
  return Array.from({ length: values.length }, (_, i) => values[place(i)]);
}

const softmax = (values: readonly number[]): number[] => {
  const most = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
};

describe.each(FLOAT_NETS)("%s", (name) => {
  const net = lowered(name);
  const [input, output] = [net.inputs[0], net.outputs[0]];
  const given = (run: Run): Float32Array => planar(net, input, run.input, new Float32Array(run.input.length));

  test("gives what its own runtime gives", () => {
    for (const run of outputs[name]) {
      const logits = asFile(net, output, runFloat(net, [given(run)])[0]);
      // But for TFLite's the outputs are those of the softmax, which is left to the host.
      const values = net.notes.length > 0 && !name.endsWith(".tflite") ? softmax(logits) : logits;
      const most = Math.max(...run.output.map(Math.abs));
      values.forEach((value, i) => expect(Math.abs(value - run.output[i])).toBeLessThan(1e-5 * most + 1e-6));
    }
  });

  test.each(["all", "percentile", "least error"] as const)(
    "calibrated by %s gives it to some steps of int8",
    (range) => {
      const random = new Random(5);
      const samples = [
        ...outputs[name].map((run) => [given(run)]),
        ...Array.from({ length: 20 }, () => [
          Float32Array.from({ length: valuesOf(net.tensors[input.tensor].shape) }, () => random.normal()),
        ]),
      ];
      const quantized = calibrate(net, samples, { range });
      const model = importedModel(quantized);
      expect(readContainer(writeContainer(model)).model).toEqual(model);
      const [from, to] = [model.tensors[0], model.tensors[model.outputs[0]]];
      for (const [sample] of samples.slice(0, outputs[name].length)) {
        const integers = Int8Array.from(sample, (x) =>
          Math.min(127, Math.max(-128, Math.round(x / from.scale!) + from.zeroPoint)),
        );
        const got = runModel(model, integers)[model.outputs[0] - (model.tensors.length - model.layers.length)];
        const expected = runFloat(net, [sample])[0];
        const error = Math.max(...expected.map((value, i) => Math.abs((got[i] - to.zeroPoint) * to.scale! - value)));
        expect(error / to.scale!).toBeLessThan(40);
      }
    },
  );
});

describe("ranges of a calibrated net", () => {
  const net = lowered("torch-digits.onnx");
  const random = new Random(6);
  const samples = Array.from({ length: 9 }, (_, index) => [
    Float32Array.from(
      { length: valuesOf(net.tensors[net.inputs[0].tensor].shape) },
      () => random.normal() * 10 ** (index - 4),
    ),
  ]);
  const scales = (by: readonly (readonly Float32Array[])[], range: "all" | "percentile" | "least error") =>
    calibrate(net, by, { range, percentile: 90 }).tensors.map(({ quantization }) => quantization);

  test.each(["all", "percentile", "least error"] as const)("do not depend on the samples' order: %s", (range) => {
    expect(scales(samples.toReversed(), range)).toEqual(scales(samples, range));
  });

  test("leave out what is rare, or costs more than it saves", () => {
    const [all, percentile, least] = (["all", "percentile", "least error"] as const).map(
      (range) => scales(samples, range)[net.inputs[0].tensor]!.scale,
    );
    expect(percentile).toBeLessThan(all / 2);
    expect(least).toBeLessThan(all);
  });

  test.each([NaN, Infinity])("do not come of %s", (value) => {
    const broken = samples.map(([sample], index) => [
      index === 3 ? sample.map((x, i) => (i === 7 ? value : x)) : sample,
    ]);
    expect(() => calibrate(net, broken, { range: "all" })).toThrow(
      /^tensor ".+" has elements that are not finite with sample 3$/,
    );
  });
});

test("an int8 net with a sum, a concatenation and a depthwise convolution gives LiteRT's integers", () => {
  const name = "conv-int8.tflite";
  const net = lowered(name);
  expect(net.isQuantized).toBe(true);
  const model = importedModel(net);
  expect(readContainer(writeContainer(model)).model).toEqual(model);
  for (const run of outputs[name]) {
    const input = planar(net, net.inputs[0], run.input, new Int8Array(run.input.length));
    expect(asFile(net, net.outputs[0], runModel(model, input).at(-1)!)).toEqual(run.output);
  }
});

test("an ONNX net quantized by nodes gives onnxruntime's numbers to a step", () => {
  const name = "quantized-qdq.onnx";
  const net = lowered(name);
  expect(net.isQuantized).toBe(true);
  const model = importedModel(net);
  const [from, to] = [model.tensors[0], model.tensors[model.outputs[0]]];
  for (const run of outputs[name]) {
    const integers = run.input.map((x) => Math.min(127, Math.max(-128, Math.round(x / from.scale!) + from.zeroPoint)));
    const input = planar(net, net.inputs[0], integers, new Int8Array(integers.length));
    const got = asFile(net, net.outputs[0], runModel(model, input).at(-1)!);
    const probabilities = softmax(got.map((q) => (q - to.zeroPoint) * to.scale!));
    // The file has them as uint8.
    probabilities.forEach((value, i) => expect(Math.abs(value - run.output[i])).toBeLessThan(1.5 / 255));
  }
});

test("what does not run is refused, all of it, by name", () => {
  expect(() => lowered("refused.onnx")).toThrow(/the net does not run: .+; .+/);
  expect(() => lowered("branch-float.tflite")).toThrow(/SUM #0: .+; GREATER #1: .+; IF #2: /);
});

test("names of a model's results stand in its order, whatever the file's", () => {
  const net = lowered("torch-digits.onnx");
  const samples = [new Float32Array(valuesOf(net.tensors[net.inputs[0].tensor].shape))];
  const [first] = net.layers;
  const early = { ...net.outputs[0], tensor: first.output, name: "early", order: "chw" as const };
  const model = importedModel(calibrate({ ...net, outputs: [...net.outputs, early] }, [samples], { range: "all" }));
  expect(model.names).toEqual(["image", "early", "scores"]);
  expect(model.tensors[model.outputs[0]].shape).toEqual(net.tensors[first.output].shape);
});
