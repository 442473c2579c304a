import { beforeAll, describe, expect, test } from "vitest";
import { cabac } from "../../host/codecs/cabac.js";
import { weightStatistics } from "../../host/codecs/statistics.js";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { gridStep, toGrid } from "../../host/compress/grid.js";
import { fisherDiagonal, rdoq, type RdoqLayer } from "../../host/compress/rdoq.js";
import { parseRecipe, type RdoqStage } from "../../host/compress/recipe.js";
import { runStage } from "../../host/compress/stages.js";
import type { Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Random } from "../../host/rng.js";
import { lenet300 } from "../../host/train/nets.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, smallNet, stageContext } from "../train/support.js";

/** Weights of a layer of ten rows, of which one in three is left. */
function layerOf(seed: number, columns = 60): RdoqLayer {
  const random = new Random(seed);
  const uniform = (): number => random.integer(1 << 16) / (1 << 16);
  const weights = Float32Array.from({ length: 10 * columns }, () =>
    uniform() < 2 / 3 ? 0 : (uniform() + uniform() + uniform() - 1.5) * 2,
  );
  return { weights, fisher: weights.map(() => uniform() ** 4), step: 0.3 };
}

const codedBits = (integers: Int8Array): number => {
  const statistics = weightStatistics(integers, 10, integers.length / 10);
  return cabac.candidates(integers, statistics)[0].bits;
};

describe("rate-distortion quantization", () => {
  const layers = [layerOf(1), layerOf(2, 90)];
  const cost = (integers: readonly Int8Array[]): number =>
    layers.reduce(
      (sum, { weights, fisher, step }, l) =>
        sum + weights.reduce((all, w, i) => all + fisher[i] * (w - integers[l][i] * step) ** 2, 0),
      0,
    );

  test("goes to the nearest points where bits are for free", () => {
    const nearest = layers.map(({ weights, step }) => Int8Array.from(weights, (w) => toGrid(w, step, 127)));
    expect(rdoq(layers, 0, 127)).toEqual(nearest);
    expect(Math.max(...rdoq(layers, 0, 3)[0])).toBe(3);
  });

  test("takes fewer bits for more error the more they cost, in the end none", () => {
    const results = [0, 0.01, 0.03, 0.1, 0.3, 1, 3].map((lambda) => rdoq(layers, lambda, 127));
    const bits = results.map((integers) => integers.reduce((sum, layer) => sum + codedBits(layer), 0));
    const costs = results.map(cost);
    for (let i = 1; i < results.length; i++) {
      expect(bits[i]).toBeLessThanOrEqual(bits[i - 1]);
      expect(costs[i]).toBeGreaterThanOrEqual(costs[i - 1]);
    }
    expect(bits.at(-1)).toBeLessThan(bits[0] / 3);
    expect(rdoq(layers, 1e6, 127).every((layer) => layer.every((q) => q === 0))).toBe(true);
  });

  test("never goes beyond the nearest point, and leaves what is pruned", () => {
    rdoq(layers, 0.2, 127).forEach((integers, l) => {
      const { weights, step } = layers[l];
      integers.forEach((q, i) => {
        expect(Math.abs(q)).toBeLessThanOrEqual(Math.abs(toGrid(weights[i], step, 127)));
        expect(q * weights[i]).toBeGreaterThanOrEqual(0);
      });
    });
  });

  test("spares weights that matter", () => {
    const [layer] = layers;
    const matters = layer.weights.map((_, i) => (i % 2 === 0 ? 100 : 1));
    const [integers] = rdoq([{ ...layer, fisher: matters }], 0.3, 127);
    const left = [0, 0];
    integers.forEach((q, i) => (left[i % 2] += q === 0 ? 0 : 1));
    expect(left[0]).toBeGreaterThan(2 * left[1]);
  });

  test("does without gradients, and with nothing to quantize", () => {
    const flat = layers.map((layer) => ({ ...layer, fisher: new Float32Array(layer.weights.length) }));
    const ones = layers.map((layer) => ({ ...layer, fisher: layer.fisher.map(() => 7) }));
    expect(rdoq(flat, 0.1, 127)).toEqual(rdoq(ones, 0.1, 127));
    expect(rdoq([{ ...layers[0], weights: new Float32Array(600) }], 0.1, 127)[0].every((q) => q === 0)).toBe(true);
  });
});

describe("the stage", () => {
  const samples = barSamples(96, 1);
  const context = stageContext(samples, {});
  const step = { conv: 0.5, fc1: 0.5, fc2: 0.5 };
  const stage = { kind: "rdoq", step, lambda: 0.1, limit: 6, epochs: 0, lr: 0, lrEnd: 0 } as const;
  let start: Net;
  beforeAll(async () => {
    const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
    await trainer.train({ data: samples, steps: 20, firstStep: 0, lr: () => 0.003, weightDecay: 0 });
    start = trainer.toNet();
    await trainer.close();
  });
  const run = (more: Partial<RdoqStage<number>> = {}, threads = 1): Promise<Net> =>
    runStage(start, { ...stage, ...more }, { ...context, threads }, samples);

  test("brings weights to integers and leaves the biases, on any number of threads alike", async () => {
    const net = await run();
    for (const name of Object.keys(step)) {
      const { data, integers } = net.tensors.get(`${name}.weight`)!;
      const before = start.tensors.get(`${name}.weight`)!.data;
      const scale = net.compression!.weightScale[name] as number;
      expect(scale).toBe(gridStep(before, 0.5));
      expect(data).toEqual(Float32Array.from(integers!, (q) => q * scale));
      expect(integers!.some((q, i) => q !== toGrid(before[i], scale, 6))).toBe(true);
      expect(net.tensors.get(`${name}.bias`)!.data).toEqual(start.tensors.get(`${name}.bias`)!.data);
    }
    expect(await run({}, 2)).toEqual(net);
  });

  test("trains the biases afterwards, and the weights no more", async () => {
    const [still, trained] = [await run(), await run({ epochs: 2, lr: 0.01 })];
    for (const name of Object.keys(step)) {
      expect(trained.tensors.get(`${name}.weight`)).toEqual(still.tensors.get(`${name}.weight`));
      expect(trained.tensors.get(`${name}.bias`)).not.toEqual(still.tensors.get(`${name}.bias`));
    }
  });

  test("judges by squared gradients over all batches, and stops when told", async () => {
    const options = { runtime: nodeRuntime, samples, batch: 32, threads: 1 };
    const fisher = await fisherDiagonal(start, ["fc2"], options);
    const one = fisher.get("fc2")!;
    expect([...fisher.keys()]).toEqual(["fc2"]);
    expect(one.length).toBe(start.tensors.get("fc2.weight")!.data.length);
    // Three batches, each by itself: the second moment of the first step is a thousandth of its squared gradient.
    const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 0, threads: 1, batch: 32 });
    const sum = new Float64Array(one.length);
    for (let batch = 0; batch < 3; batch++) {
      trainer.load(start);
      await trainer.train({ data: samples, steps: 1, firstStep: batch, lr: () => 0, weightDecay: 0 });
      trainer.secondMoment("fc2").forEach((moment, i) => (sum[i] += moment / 3));
    }
    await trainer.close();
    expect(one).toEqual(Float32Array.from(sum));
    const signal = AbortSignal.abort();
    await expect(fisherDiagonal(start, ["fc2"], { ...options, signal })).rejects.toMatchObject({ code: "INTERRUPTED" });
  });
});

describe("a recipe", () => {
  const check = (...stages: unknown[]) =>
    checkRecipe(
      parseRecipe(JSON.stringify({ net: "lenet300", stages: [...stages, { kind: "calibrate" }] }), "r.json"),
      lenet300,
    );

  test("may quantize some layers so and share the others", () => {
    const { stages } = check({ kind: "rdoq", step: { fc1: 0.4 } }, { kind: "share", bits: 4 });
    expect(stages[0]).toEqual({
      kind: "rdoq",
      step: { fc1: 0.4 },
      tolerance: 0.02,
      lambda: 0.02,
      limit: 127,
      epochs: 1,
      lr: 0.001,
      lrEnd: 0,
    });
    expect(stages[1]).toMatchObject({ bits: { fc2: 4, fc3: 4 } });
  });

  test.each<[unknown[], string]>([
    [[{ kind: "rdoq", lambda: -1 }], "stages[0].lambda: expected a number, 0 .. 1000000, got -1"],
    [[{ kind: "rdoq", lamda: 1 }], "stages[0].lamda: unknown key"],
    [[{ kind: "rdoq", step: { fc1: 0.5, fc2: 0.5 } }], "stages[0].step.fc3: missing"],
    [
      [
        { kind: "rdoq", step: 0.5 },
        { kind: "prune", keep: 0.1 },
      ],
      "stages[1]: prune cannot follow rdoq",
    ],
    [[{ kind: "rdoq", limit: 128 }], "stages[0].limit: expected a whole number, 1 .. 127"],
    [
      [{ kind: "prune", keep: 0.1 }],
      "stages: one share, grid, rdoq, inq, binary-connect, binarize, levels, pq stage must bring",
    ],
  ])("%j is refused", (stages, message) => {
    expect(() => check(...stages)).toThrow(message);
  });
});
