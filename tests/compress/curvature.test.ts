import { describe, expect, test } from "vitest";
import { affordableSamples, gaussNewton, passesOf } from "../../host/compress/curvature.js";
import { Surgeon } from "../../host/compress/obs.js";
import type { Samples } from "../../host/data/samples.js";
import type { Graph, Layer } from "../../host/model/model.js";
import { parameterShapes } from "../../host/model/shapes.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Random } from "../../host/rng.js";
import { CLASSES, type Task } from "../../host/train/losses.js";
import { Trainer } from "../../host/train/trainer.js";
import { loss, type Batch } from "../train/reference.js";

const SAMPLES = 20;

const conv = (name: string, outChannels: number, stride: number, pad: number, groups: number): Partial<Layer> => {
  return { op: "conv2d", name, outChannels, kernel: [3, 2], stride, pad, groups };
};
const dense = (name: string, outFeatures: number): Partial<Layer> => ({ op: "dense", name, outFeatures });
const relu: Partial<Layer> = { op: "relu" };

/** @param layers but for their edges */
const chain = (layers: readonly Partial<Layer>[]): Graph => ({
  name: "tiny",
  input: { name: "t0", shape: [2, 6, 5] },
  layers: layers.map((layer, i) => ({ name: `l${i}`, ...layer, input: `t${i}`, output: `t${i + 1}` }) as Layer),
});

function samplesFor(outputs: number): Samples & { readonly labels: Uint8Array; readonly targets: Float32Array } {
  const random = new Random(5);
  const images = Float32Array.from({ length: SAMPLES * 60 }, () => random.normal());
  const labels = Uint8Array.from({ length: SAMPLES }, () => random.integer(outputs));
  const targets = Float32Array.from({ length: SAMPLES * outputs }, () => random.uniform());
  return { count: SAMPLES, images, reading: { scale: [1, 1], offset: [0, 0] }, labels, targets };
}

async function trainerOf(graph: Graph): Promise<Trainer> {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph, seed: 3, threads: 1, batch: 32 });
  const random = new Random(6);
  for (const { name } of graph.layers.filter(({ op }) => op === "conv2d" || op === "dense")) {
    const bias = trainer.bias(name);
    for (let i = 0; i < bias.length; i++) bias[i] = random.normal() / 4;
  }
  return trainer;
}

/** Of the loss by a weight, in doubles. */
function secondDifference(graph: Graph, trainer: Trainer, batch: Batch, name: string, index: number): number {
  const tensors = trainer.toNet().tensors;
  const parameters = new Map(
    [...parameterShapes(graph).keys()].map((key) => [key, Float64Array.from(tensors.get(key)!.data)]),
  );
  const step = 1e-4;
  const at = (offset: number): number => {
    const values = parameters.get(`${name}.weight`)!.slice();
    values[index] += offset;
    return loss(graph, new Map(parameters).set(`${name}.weight`, values), batch);
  };
  return (at(step) - 2 * at(0) + at(-step)) / step ** 2;
}

const NETS: readonly (readonly [string, Graph])[] = [
  ["dense layers", chain([dense("a", 7), relu, dense("b", 4)])],
  [
    "convolutions with borders, strides and groups, a pool",
    chain([conv("a", 4, 1, 1, 1), { op: "maxpool", kernel: 2, stride: 2 }, relu, conv("b", 6, 2, 1, 2), dense("c", 4)]),
  ],
  [
    "a convolution of one position in groups, and one on a map of one value with zeros around it",
    chain([
      { op: "conv2d", name: "a", outChannels: 6, kernel: [5, 4], stride: 2, pad: 0, groups: 2 },
      relu,
      { op: "conv2d", name: "b", outChannels: 8, kernel: [3, 3], stride: 1, pad: 1, groups: 1 },
      relu,
      dense("c", 4),
    ]),
  ],
];
const TASKS: readonly Task[] = [
  CLASSES,
  { loss: "softmax", classWeights: [1, 2, 0.5, 3] },
  { loss: "sigmoid" },
  { loss: "mse", classWeights: [1, 2, 0.5, 3] },
];

describe.each(NETS)("the Hessian's diagonal of %s", (_, graph) => {
  test.each(TASKS.map((task) => [`${task.loss}${task.classWeights ? ", weighted" : ""}`, task] as const))(
    "is the loss's second difference: %s",
    async (_, task) => {
      const data = samplesFor(4);
      const trainer = await trainerOf(graph);
      const found = await gaussNewton(trainer, data, task);
      const rows = <T>(values: ArrayLike<number>, each: number, as: (part: number[]) => T): T[] =>
        Array.from({ length: SAMPLES }, (_, n) => as(Array.from(values).slice(n * each, (n + 1) * each)));
      const batch: Batch = {
        inputs: rows(data.images, 60, (row) => Float64Array.from(row)),
        labels: [...data.labels],
        targets: rows(data.targets, 4, (row) => Float64Array.from(row)),
        task,
      };
      let compared = 0;
      for (const [name, { diagonal }] of found) {
        for (let i = 0; i < diagonal.length; i += 5, compared++) {
          const wanted = secondDifference(graph, trainer, batch, name, i);
          expect(Math.abs(diagonal[i] - wanted), `${name} ${i}: ${diagonal[i]}, ${wanted}`).toBeLessThan(
            1e-5 + 1e-3 * Math.abs(wanted),
          );
        }
      }
      expect(compared).toBeGreaterThan(20);
      await trainer.close();
    },
  );
});

test("many outputs come to the same in the mean by random mixtures of them", async () => {
  const graph = chain([dense("a", 8), relu, dense("b", 40)]);
  const trainer = await trainerOf(graph);
  const data = samplesFor(40);
  expect(passesOf(trainer, { loss: "mse" })).toBe(16);
  const found = await gaussNewton(trainer, data, { loss: "mse" });
  // Of the last layer the diagonal is 2 x² / 40.
  const inputs = await trainer.features(data, "t2");
  const exact = Array.from({ length: 8 }, (_, i) =>
    inputs.filter((_, at) => at % 8 === i).reduce((sum, x) => sum + (2 * x * x) / 40 / SAMPLES, 0),
  );
  const mean = exact.map((_, i) =>
    found
      .get("b")!
      .diagonal.filter((_, at) => at % 8 === i)
      .reduce((sum, h) => sum + h / 40, 0),
  );
  for (const [i, value] of exact.entries()) expect(mean[i] / value).toBeCloseTo(1, 5);
  // Of the first: the sum over outputs of (2 / 40) w² of the second layer, where its row is not cut off, times x².
  const weights = trainer.weight("b");
  const row = Array.from({ length: 8 }, (_, r) =>
    weights.reduce((sum, w, at) => sum + (at % 8 === r ? (2 * w * w) / 40 : 0), 0),
  );
  const trace = inputs.reduce((sum, y, at) => {
    const image = (data.images as Float32Array).subarray(Math.floor(at / 8) * 60, Math.floor(at / 8 + 1) * 60);
    return sum + (y > 0 ? (row[at % 8] * image.reduce((squares, x) => squares + x * x, 0)) / SAMPLES : 0);
  }, 0);
  const mixed = found.get("a")!.diagonal.reduce((sum, h) => sum + h, 0);
  expect(mixed / trace).toBeGreaterThan(0.85);
  expect(mixed / trace).toBeLessThan(1.15);
  await trainer.close();
});

test("samples are as many as the work allows, one at least", () => {
  const data = { ...samplesFor(4), count: 5_000, images: new Float32Array(5_000 * 60) };
  expect([1e3, 2e8, 7e9, 1e12].map((flops) => affordableSamples(data, flops).count)).toEqual([1_000, 100, 2, 1]);
  expect(affordableSamples(samplesFor(4), 1).count).toBe(SAMPLES);
});

test("rows alone are the same without the diagonal; a signal stops it", async () => {
  const [, graph] = NETS[1];
  const trainer = await trainerOf(graph);
  const data = samplesFor(4);
  const [whole, rows] = [
    await gaussNewton(trainer, data),
    await gaussNewton(trainer, data, CLASSES, { rowsOnly: true }),
  ];
  for (const [name, { rows: wanted }] of whole) {
    expect(rows.get(name)!.rows).toEqual(wanted);
    expect(rows.get(name)!.diagonal).toHaveLength(0);
  }
  const signal = AbortSignal.abort();
  await expect(gaussNewton(trainer, data, CLASSES, { signal })).rejects.toMatchObject({ code: "INTERRUPTED" });
  const surgeon = new Surgeon(trainer, data, (name) => whole.get(name)!.rows, 0.01, signal);
  await expect(surgeon.scores("a")).rejects.toMatchObject({ code: "INTERRUPTED" });
  await trainer.close();
});
