import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { parseRecipe, type PruneStage } from "../../host/compress/recipe.js";
import { runStage, type StageContext } from "../../host/compress/stages.js";
import { trainTeacher } from "../../host/compress/teacher.js";
import type { Graph, Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import type { Checkpoint } from "../../host/train/checkpoint.js";
import { dropValues, rateOf, type Dropout } from "../../host/train/dropout.js";
import { lenet300, lenet5 } from "../../host/train/nets.js";
import { Trainer, type TrainJob } from "../../host/train/trainer.js";
import { checkGradients } from "./gradient-check.js";
import { asked, barSamples, netBytes, smallNet, stageContext, startedNet } from "./support.js";

const samples = barSamples(96, 1);

describe("values", () => {
  const rates = fc.double({ min: 0, max: 0.95, noNaN: true });
  test("are 0 or divided by what stays, the same for a seed, of gradients too", () => {
    fc.assert(
      fc.property(
        rates,
        fc.integer(),
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true })),
        (rate, seed, all) => {
          const [values, ones] = [Float32Array.from(all), new Float32Array(all.length).fill(1)];
          dropValues(values, rate, seed, 3);
          dropValues(ones, rate, seed, 3);
          const factor = Math.fround(1 / (1 - rate));
          ones.forEach((one, i) => {
            expect([0, factor]).toContain(one);
            expect(values[i]).toBe(one === 0 ? 0 : Math.fround(Math.fround(all[i]) / (1 - rate)));
          });
        },
      ),
    );
  });

  test.each([0, 0.1, 0.5, 0.9])("with a rate of %d keep their mean", (rate) => {
    const ones = new Float32Array(100_000).fill(1);
    dropValues(ones, rate, 1, 2);
    expect(ones.filter((one) => one === 0).length / ones.length).toBeCloseTo(rate, 2);
    expect(ones.reduce((sum, one) => sum + one, 0) / ones.length).toBeCloseTo(1, 1);
  });
});

test("a rate falls with the root of the connections that are left, as Han et al. have it", () => {
  expect(rateOf(0.5, 100, 100)).toBe(0.5);
  expect(rateOf(0.5, 25, 100)).toBe(0.25);
  expect(rateOf(0.5, 0, 100)).toBe(0);
});

/** What is dropped has another reader, which comes before or behind, and was made by a pool, which looks at what it has made. */
const branched: Graph = {
  name: "branched",
  input: { name: "image", shape: [1, 8, 8] },
  layers: [
    ...smallNet.layers.slice(0, 2),
    { op: "dense", name: "first", input: "pool", output: "first", outFeatures: 7 },
    { op: "dense", name: "plain", input: "pool", output: "plain", outFeatures: 7 },
    { op: "dense", name: "last", input: "pool", output: "last", outFeatures: 7 },
    { op: "add", name: "sum", inputs: ["first", "plain"], output: "sum" },
    { op: "mul", name: "product", inputs: ["sum", "last"], output: "product" },
    { op: "dense", name: "fc", input: "product", output: "logits", outFeatures: 4 },
  ],
};

describe("gradients", () => {
  const dropout = { first: 0.5, last: 0.3, fc: 0.2 };
  test("of what is dropped and of what is not", () =>
    checkGradients({ graph: branched, batch: 32, shards: 2, dropout }));
  test("by sparse kernels", () => checkGradients({ graph: branched, batch: 16, shards: 1, dropout, sparse: true }));
  test("of a net's input", () => checkGradients({ graph: lenet300, batch: 8, shards: 1, dropout: { fc1: 0.2 } }));
});

describe("training", () => {
  const train = async (threads: number, dropout?: Dropout): Promise<Net> => {
    const trainer = await Trainer.create({
      runtime: nodeRuntime,
      graph: smallNet,
      seed: 1,
      threads,
      batch: 64,
      shards: 4,
    });
    try {
      const job: TrainJob = { data: samples, steps: 20, firstStep: 0, lr: () => 0.003, weightDecay: 0 };
      await trainer.train({ ...job, ...(dropout && { dropout }) });
      return trainer.toNet();
    } finally {
      await trainer.close();
    }
  };

  test("is the same on any number of threads, and another one than without", async () => {
    const one = netBytes(await train(1, { fc1: 0.3, fc2: 0.5 }));
    expect(netBytes(await train(3, { fc1: 0.3, fc2: 0.5 })).equals(one)).toBe(true);
    expect(netBytes(await train(1)).equals(one)).toBe(false);
    expect(netBytes(await train(1, { fc1: 0 })).equals(netBytes(await train(1)))).toBe(true);
  });

  test("drops nothing where a net is asked", async () => {
    const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
    await trainer.train({
      data: samples,
      steps: 1,
      firstStep: 0,
      lr: () => 0.001,
      weightDecay: 0,
      dropout: { fc1: 0.9, fc2: 0.9 },
    });
    const logits = await trainer.logits(samples);
    const plain = await asked(trainer.toNet(), (fresh) => fresh.logits(samples));
    await trainer.close();
    expect(logits).toEqual(plain);
  });
});

test("a teacher learns with its whole rate", async () => {
  const settings = { epochs: 4, lr: 0.003, lrEnd: 0.003, seed: 1, augment: 0, weightDecay: 0 };
  const keeper = { load: () => undefined, save: () => {} };
  const options = { runtime: nodeRuntime, graph: smallNet, batch: 32, threads: 1, train: samples, keeper };
  const dropout = { fc2: 0.5 };
  const taught = await trainTeacher({ ...options, settings: { ...settings, dropout } });
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
  await trainer.train({ data: samples, steps: 12, firstStep: 0, lr: () => 0.003, weightDecay: 0, dropout });
  expect(netBytes(trainer.toNet()).equals(netBytes(taught))).toBe(true);
  await trainer.close();
  expect(netBytes(await trainTeacher({ ...options, settings })).equals(netBytes(taught))).toBe(false);
});

describe("recipes", () => {
  const settled = (graph: Graph, dropout: unknown, kind = "train"): unknown => {
    const stage = { kind, dropout, ...(kind === "prune" && { keep: 0.5 }) };
    const text = JSON.stringify({
      net: "lenet300",
      teacher: { dropout },
      stages: [stage, { kind: "share", bits: 4 }, { kind: "calibrate" }],
    });
    const { stages, teacher } = checkRecipe(parseRecipe(text, "r.json"), graph);
    const { dropout: found } = stages[0] as PruneStage;
    expect(teacher!.dropout).toEqual(found);
    return found;
  };

  test("one rate is for dense layers that read what others have made; a name is for any dense layer", () => {
    expect(settled(lenet300, 0.5)).toEqual({ fc2: 0.5, fc3: 0.5 });
    expect(settled(lenet5, 0.5, "prune")).toEqual({ fc1: 0.5, fc2: 0.5 });
    expect(settled(lenet300, { fc1: 0.2, "*": 0.5 })).toEqual({ fc1: 0.2, fc2: 0.5, fc3: 0.5 });
    expect(settled(lenet300, undefined)).toBeUndefined();
  });

  test.each([
    [lenet5, { conv1: 0.5 }, "stages[0].dropout.conv1: is a conv2d layer, expected a dense one"],
    [lenet5, { "op:conv2d": 0.5 }, "stages[0].dropout: selects no dense layer that reads what others have made"],
    [lenet5, { fc9: 0.5 }, "stages[0].dropout.fc9: no such layer"],
    [lenet5, 1, "expected a number, 0 .. 0.95, got 1"],
    [lenet5, { fc1: "0.5" }, "expected a number, 0 .. 0.95"],
  ])("%# are refused with the place", (graph, dropout, message) => {
    expect(() => settled(graph, dropout)).toThrow(message);
  });
});

describe("stages", () => {
  let start: Net;
  beforeAll(async () => {
    start = await startedNet(smallNet, samples);
  });
  const context = stageContext(samples, {});
  const stage = (keep: number, rate?: number): PruneStage & { readonly keep: number } => {
    const text = JSON.stringify({
      net: "lenet300",
      stages: [
        { kind: "prune", keep, schedule: "one-shot", epochs: 4, ...(rate !== undefined && { dropout: { fc1: rate } }) },
        { kind: "share", bits: 4 },
        { kind: "calibrate" },
      ],
    });
    return checkRecipe(parseRecipe(text, "r.json"), smallNet).stages[0] as never;
  };
  const run = (keep: number, rate?: number, changed: Partial<StageContext> = {}): Promise<Net> =>
    runStage(start, stage(keep, rate) as never, { ...context, ...changed }, samples);

  test("retrain with the rate that goes with what is left", async () => {
    const pruned = await run(0.1, 0.4);
    const weight = pruned.tensors.get("fc1.weight")!.data;
    const left = weight.filter((w) => w !== 0).length;
    expect(left).toBeLessThan(weight.length / 2);
    const cut = await runStage(start, { ...stage(0.1), epochs: 0 } as never, context, samples);
    const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
    trainer.load(cut);
    for (const name of ["conv", "fc1", "fc2"])
      trainer.setMask(
        name,
        Uint8Array.from(trainer.weight(name), (w) => Number(w !== 0)),
      );
    // As a stage does, whose next layer's bias does its work.
    trainer.setFrozenBias("conv", new Uint8Array(6).fill(1));
    await trainer.train({
      data: samples,
      steps: 12,
      firstStep: 0,
      lr: () => 0.001,
      weightDecay: 0,
      dropout: { fc1: rateOf(0.4, left, weight.length) },
    });
    const expected = trainer.weight("fc1").slice();
    await trainer.close();
    expect(weight).toEqual(expected);
    expect(netBytes(await run(0.1)).equals(netBytes(pruned))).toBe(false);
  });

  test("stopped and gone on with: the same bytes", async () => {
    const whole = await run(0.3, 0.5);
    let state: Checkpoint | undefined;
    const stop = new AbortController();
    const keeper: StageContext["keeper"] = { load: () => state, save: (kept) => void (state = kept) };
    const onProgress = (done: number): void => {
      if (done === 6) stop.abort();
    };
    await expect(run(0.3, 0.5, { keeper, signal: stop.signal, onProgress })).rejects.toMatchObject({
      code: "INTERRUPTED",
    });
    expect(netBytes(await run(0.3, 0.5, { keeper })).equals(netBytes(whole))).toBe(true);
  });
});
