/** Layers of an imported net whose weights share few values. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { codingsOf, smallestCoding } from "../../host/codecs/index.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { runFloat } from "../../host/import/float-run.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
import type { ImportedNet, NetWeights } from "../../host/import/net.js";
import { realNet } from "../../host/import/real-net.js";
import { inferShapes } from "../../host/import/shapes.js";
import { sharedValues, shareWeights } from "../../host/import/share.js";
import { valuesOf } from "../../host/model/geometry.js";
import { openGraph } from "../../host/node/import/open-graph.js";
import { Random } from "../../host/rng.js";
import { IMPORT_FOLDER } from "../support/onnx.js";

function lowered(name: string): ImportedNet {
  const { graph, close } = openGraph(join(IMPORT_FOLDER, name));
  try {
    return lowerGraph(inferShapes(graph, { batch: 1 }));
  } finally {
    close();
  }
}

const NET = "conv-int8.tflite";
const weightsOf = (net: ImportedNet): NetWeights[] =>
  net.layers.flatMap((layer) => ("weights" in layer ? [layer.weights] : []));
const int8 = ({ values }: NetWeights): Int8Array => {
  if (values instanceof Int8Array) return values;
  throw new Error("expected int8 weights");
};

describe("values in place of others", () => {
  /** @param weights of values from −128 on */
  const errorOf = (weights: Float64Array, shared: Int8Array): number =>
    weights.reduce((sum, weight, at) => sum + weight * (at - 128 - shared[at]) ** 2, 0);

  /** The least error of all ways to cut the used values into ranges, each by the best integer, or by 0 where that is among them. */
  function leastError(weights: Float64Array, count: number): number {
    const used = [...weights.keys()].filter((at) => weights[at] > 0);
    const rangeError = (range: readonly number[]): number => {
      const centres = range.includes(128) ? [0] : Array.from({ length: 256 }, (_, i) => i - 128);
      return Math.min(
        ...centres.map((centre) => range.reduce((sum, at) => sum + weights[at] * (at - 128 - centre) ** 2, 0)),
      );
    };
    const least = (from: number, left: number): number => {
      if (from === used.length) return 0;
      if (left === 0) return Infinity;
      return Math.min(
        ...used.slice(from).map((_, i) => rangeError(used.slice(from, from + i + 1)) + least(from + i + 1, left - 1)),
      );
    };
    return least(0, count);
  }

  test("cost as little as any", () => {
    const random = new Random(3);
    for (let round = 0; round < 60; round++) {
      const weights = new Float64Array(256);
      for (let value = 0; value < 7; value++) weights[random.integer(256)] = 1 + random.integer(20);
      if (round % 2 === 0) weights[128] = 5;
      const count = 1 + random.integer(4);
      const shared = sharedValues(weights, count);
      const distinct = new Set([...weights.keys()].filter((at) => weights[at] > 0).map((at) => shared[at]));
      expect(distinct.size).toBeLessThanOrEqual(count);
      expect(errorOf(weights, shared)).toBeCloseTo(leastError(weights, count), 6);
    }
  });

  test("leave zero where it is, and all values where there are no more", () => {
    const weights = new Float64Array(256);
    for (const value of [-3, 0, 90, 100]) weights[value + 128] = 1;
    weights[0 + 128] = 1e-6;
    expect(sharedValues(weights, 2)[128]).toBe(0);
    expect([-3, 0, 90, 100].map((value) => sharedValues(weights, 4)[value + 128])).toEqual([-3, 0, 90, 100]);
  });
});

describe.each([1, 2, 4, 7])("weights of %i bits", (bits) => {
  const net = lowered(NET);
  const shared = shareWeights(net, bits, () => undefined);

  test("have no more values in a layer, and take no more bytes", () => {
    const before = weightsOf(net);
    weightsOf(shared).forEach((weights, index) => {
      expect(new Set(int8(weights)).size).toBeLessThanOrEqual(2 ** bits);
      const { rows, columns } = weights;
      const [old, now] = [before[index], weights].map((of) => smallestCoding(codingsOf(int8(of), rows, columns)).bits);
      expect(now).toBeLessThanOrEqual(old);
    });
  });
});

test("biases make up for the mean of what shared weights miss", () => {
  const net = lowered(NET);
  const random = new Random(8);
  const means = net.tensors.map(({ shape }) => Float64Array.from({ length: shape[0] }, () => random.uniform()));
  const shared = shareWeights(net, 2, (tensor) => means[tensor]);
  net.layers.forEach((layer, index) => {
    const after = shared.layers[index];
    if (!("weights" in layer) || !("weights" in after)) return;
    const [channels, height, width] = net.tensors[layer.inputs[0]].shape;
    const { rows, columns } = layer.weights;
    const [span, groups] =
      layer.op === "conv2d" ? [layer.kernel[0] * layer.kernel[1], layer.groups] : [height * width, 1];
    const { scale } = net.tensors[layer.inputs[0]].quantization!;
    for (let row = 0; row < rows; row++) {
      const first = Math.floor(row / (rows / groups)) * (channels / groups);
      const sum = (weights: NetWeights): number => {
        let total = weights.bias[row];
        for (let column = 0; column < columns; column++) {
          const mean = means[layer.inputs[0]][first + Math.floor(column / span)];
          total += (int8(weights)[row * columns + column] * mean) / scale;
        }
        return total;
      };
      expect(Math.abs(sum(after.weights) - sum(layer.weights))).toBeLessThanOrEqual(0.5 + 1e-6);
    }
  });
});

test("a quantized net as one of real numbers gives what it gives, to some steps", () => {
  const net = lowered(NET);
  const model = importedModel(net);
  const random = new Random(4);
  const { scale, zeroPoint } = net.tensors[net.inputs[0].tensor].quantization!;
  const to = net.tensors[net.outputs[0].tensor].quantization!;
  for (let run = 0; run < 5; run++) {
    const input = Int8Array.from({ length: valuesOf(model.tensors[0].shape) }, () => random.integer(256) - 128);
    const real = runFloat(realNet(net), [Float32Array.from(input, (q) => scale * (q - zeroPoint))])[0];
    const integers = runModel(model, input).at(-1)!;
    real.forEach((value, i) => {
      const expected = Math.min(127, Math.max(-128, value / to.scale + to.zeroPoint));
      expect(Math.abs(integers[i] - expected)).toBeLessThan(4);
    });
  }
});
