import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { PruneStage } from "../../host/compress/recipe.js";
import { sharedBytes, type LabelledPictures } from "../../host/data/samples.js";
import type { Graph, Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import {
  encodeExperiment,
  EXPERIMENTS,
  extentOf,
  parseExperiment,
  trialsOf,
  type ExperimentRecord,
} from "../../host/report/experiment.js";
import { experimentPart } from "../../host/report/parts/experiment.js";
import { fixedBytes, runExperiment, type ExperimentOptions } from "../../host/report/run-experiment.js";
import { Random } from "../../host/rng.js";
import type { Checkpoint } from "../../host/train/checkpoint.js";
import { lenet5 } from "../../host/train/nets.js";
import { Trainer } from "../../host/train/trainer.js";
import type { WorkFolder } from "../../host/compress/work-folder.js";

/** Two classes, told apart by where it is bright. */
function halves(count: number, seed: number): LabelledPictures {
  const random = new Random(seed);
  const [images, labels] = [sharedBytes(count * 784), sharedBytes(count)];
  for (let i = 0; i < count; i++) {
    labels[i] = random.integer(2);
    for (let p = 0; p < 784; p++) images[i * 784 + p] = random.integer(60) + (p < 392 === (labels[i] === 0) ? 150 : 0);
  }
  return { count, images, labels };
}

function memoryFolder(): WorkFolder {
  const finished = new Map<string, Checkpoint>();
  const files = new Map<string, Uint8Array>();
  return {
    path: "memory",
    isBehind: false,
    read: (name) => finished.get(name),
    finish: (name, result) => void finished.set(name, result),
    keeper: () => ({ load: () => undefined, save: () => undefined }),
    readBytes: (name) => files.get(name),
    writeBytes: (name, bytes) => void files.set(name, bytes),
  };
}

/** Small, by a name that recipes take. */
const graph: Graph = {
  name: "lenet300",
  input: { name: "image", shape: [1, 28, 28] },
  layers: [
    { op: "dense", name: "fc1", input: "image", output: "fc1", outFeatures: 6 },
    { op: "relu", name: "relu1", input: "fc1", output: "relu1" },
    { op: "dense", name: "fc2", input: "relu1", output: "logits", outFeatures: 10 },
  ],
};
const PARAMETERS = 784 * 6 + 6 + 60 + 10;

let folder: WorkFolder;
let from: Net;
beforeAll(async () => {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph, seed: 1, threads: 1 });
  from = trainer.toNet();
  await trainer.close();
});
beforeEach(() => {
  folder = memoryFolder();
});
const run = (more: Partial<ExperimentOptions> = {}): Promise<ExperimentRecord> =>
  runExperiment({
    runtime: nodeRuntime,
    experiment: "bits",
    graph,
    from,
    data: { name: "halves", train: halves(64, 1), validation: halves(32, 2) },
    isQuick: true,
    folder,
    threads: 1,
    ...more,
  });

describe("an experiment", () => {
  test.each(EXPERIMENTS.filter((name) => name !== "scores" && name !== "retraining"))(
    "%s: trials differ in what they vary, and those of a seed share their first stages",
    (name) => {
      for (const isQuick of [false, true]) {
        const trials = trialsOf(name, lenet5, isQuick);
        const keys = trials.map(({ recipe: _recipe, stages: _stages, ...settings }) => JSON.stringify(settings));
        expect(new Set(keys).size).toBe(trials.length);
        expect(trials[0]).toMatchObject({ method: "none", stages: 0 });
        for (const { recipe, stages, method, keep, convBits, denseBits, lambda } of trials.slice(1)) {
          expect(recipe.stages.slice(0, stages).map(({ kind }) => kind)).toEqual([
            ...(keep === null ? [] : [method === "svd" ? "low-rank" : "prune"]),
            ...(convBits === null ? [] : [method === "inq" ? "inq" : "share"]),
            ...(lambda === undefined ? [] : ["rdoq"]),
          ]);
          const share = recipe.stages[stages - 1];
          if (share.kind === "rdoq") expect(share.lambda).toBe(lambda);
          if (share.kind !== "share" && share.kind !== "inq") continue;
          expect(share.bits).toEqual({ conv1: convBits, conv2: convBits, fc1: denseBits, fc2: denseBits });
        }
      }
    },
  );

  test.each([
    ["scores", [0.5, 0.3, 0.2, 0.1, 0.05], ["magnitude", "lamp", "obd", "obs"]],
    ["retraining", [0.3, 0.1, 0.05, 0.03], ["l2", "l1", "l1-retrained", "l2-retrained", "l2-iterative", "l2-dropout"]],
  ] as const)("%s: prunes as far by each method, and no share is part of it", (name, keeps, methods) => {
    const [dense, ...trials] = trialsOf(name, lenet5, false);
    expect(dense).toMatchObject({ method: "none", stages: 0, keep: null });
    expect(trials.map(({ method, keep }) => [method, keep])).toEqual(
      methods.flatMap((method) => keeps.map((keep) => [method, keep])),
    );
    for (const { recipe, stages, method, keep } of trials) {
      const done = recipe.stages.slice(0, stages);
      const last = done.at(-1) as PruneStage;
      expect(last).toMatchObject({ kind: "prune", schedule: "one-shot", keep });
      expect(last.score).toBe(name === "scores" ? method : "magnitude");
      expect(last.epochs > 0).toBe(/retrained|iterative|dropout/.test(method));
      expect(last.dropout).toEqual(method === "l2-dropout" ? { "op:dense": 0.5 } : undefined);
      expect(last.l1 !== undefined).toBe(method === "l1-retrained");
      expect(done.length).toBe(
        method.startsWith("l1")
          ? 2
          : /iterative|dropout/.test(method)
            ? (keeps as readonly number[]).indexOf(keep!) + 1
            : 1,
      );
    }
  });

  test.each(["scores", "retraining"] as const)(
    "%s runs, and is drawn with a curve for each method",
    async (experiment) => {
      const record = await run({ experiment });
      const { blocks } = experimentPart(record);
      const [picture] = blocks.filter(({ kind }) => kind === "picture");
      const methods = new Set(record.trials.map(({ method }) => method)).size - 1;
      expect(JSON.stringify(picture).match(/class=.{1,2}curve /g)).toHaveLength(methods);
      expect(parseExperiment(new TextDecoder().decode(encodeExperiment(record)), "x")).toEqual(record);
    },
  );

  test("keeps what is done, and goes on from there to the same record", async () => {
    const stop = new AbortController();
    const begun: number[] = [];
    const onTrial = (_: unknown, index: number): void => {
      begun.push(index);
      if (index === 4) stop.abort();
    };
    await expect(run({ signal: stop.signal, onTrial })).rejects.toMatchObject({ code: "INTERRUPTED" });
    const resumed = await run({ onTrial: (_, index) => void begun.push(index) });
    // The net that was given is measured again: another one may be given.
    expect(begun.filter((index) => index < 4)).toEqual([0, 1, 2, 3, 0]);
    expect(resumed.trials.length).toBe(trialsOf("bits", graph, true).length);
    expect(parseExperiment(new TextDecoder().decode(encodeExperiment(resumed)), "x")).toEqual(resumed);
    folder = memoryFolder();
    expect(await run()).toEqual(resumed);

    const { id, blocks, data } = experimentPart(resumed);
    // Both in one report do not write the same files.
    expect(experimentPart({ ...resumed, isQuick: false }).id).not.toBe(id);
    const means = blocks.find((block) => block.kind === "table")!;
    const bytes = resumed.trials.filter(({ denseBits }) => denseBits === 2).map((trial) => trial.bytes);
    expect(means.rows.at(-1)![5]).toBe((bytes[0] + bytes[1]) / 2);
    expect(means.rows[0].slice(5, 7)).toEqual([4 * PARAMETERS, 100]);
    expect(data![0]).toMatchObject({
      rows: resumed.trials.map(({ seed, error }) => expect.arrayContaining([seed, error])),
    });
  });

  test("rdoq: bytes by codec 3 shrink with λ, and k-means is drawn beside", async () => {
    const record = await run({ experiment: "rdoq" });
    const of = (lambda: number): number[] =>
      record.trials.filter((one) => one.lambda === lambda).map(({ codedBytes }) => codedBytes);
    const [{ lambdas, seeds }] = [extentOf(true)];
    expect(lambdas.length).toBe(2);
    for (const [at] of seeds.entries()) expect(of(lambdas[1])[at]).toBeLessThan(of(lambdas[0])[at]);
    expect(parseExperiment(new TextDecoder().decode(encodeExperiment(record)), "x")).toEqual(record);
    const { blocks } = experimentPart(record);
    const means = blocks.find((block) => block.kind === "table")!;
    expect(means.rows.filter((row) => row.at(-1) === lambdas[1]).map((row) => row.at(-2))).toEqual([
      (of(lambdas[1])[0] + of(lambdas[1])[1]) / 2,
    ]);
    const picture = JSON.stringify(blocks[0]);
    for (const name of ["k-means", "INQ", "rate-distortion"]) expect(picture).toContain(name);
  });

  test("bytes at fixed widths: all weights, or those that are left behind indices", () => {
    const one: Graph = {
      name: "one",
      input: { name: "in", shape: [64, 1, 1] },
      layers: [{ op: "dense", name: "fc", input: "in", output: "out", outFeatures: 2 }],
    };
    const netOf = (data: Float32Array): Net => {
      const bias = { shape: [2], data: new Float32Array(2) };
      return {
        graph: one,
        tensors: new Map([
          ["fc.weight", { shape: [2, 64], data }],
          ["fc.bias", bias],
        ]),
      };
    };
    const full = netOf(new Float32Array(128).fill(1));
    const sparse = netOf(Float32Array.from({ length: 128 }, (_, at) => (at % 8 === 0 ? 1 : 0)));
    const none = { convBits: null, denseBits: null };
    expect(fixedBytes(full, none)).toBe((128 * 32 + 64) / 8);
    expect(fixedBytes(full, { ...none, denseBits: 2 })).toBe((128 * 2 + 4 * 8 + 64) / 8);
    // 16 weights, each 7 zeros behind the one before.
    expect(fixedBytes(sparse, none)).toBe((16 * (32 + 3) + 64) / 8);
    expect(fixedBytes(sparse, { ...none, denseBits: 2 })).toBe((16 * (2 + 3) + 4 * 8 + 64) / 8);
  });
});

const trial = {
  method: "both",
  seed: 1,
  keep: 0.1,
  convBits: 4,
  denseBits: 4,
  init: "linear",
  result: "r",
  error: 1,
  bytes: 2,
  codedBytes: 1,
};
const whole = {
  kind: "mote experiment",
  version: 1,
  experiment: "rates",
  net: "n",
  data: "d",
  isQuick: true,
  denseBytes: 9,
  trials: [trial],
};
test.each<[unknown, string]>([
  [{ kind: "mote run" }, "no record of an experiment"],
  [{ ...whole, experiment: "luck" }, "experiment: expected one of rates, bits, inits, rdoq"],
  [{ ...whole, denseBytes: 0 }, "denseBytes: expected a number above 0"],
  [{ ...whole, trials: {} }, "trials: expected a list"],
  [{ ...whole, trials: [null] }, "trials[0]: expected an object"],
  [{ ...whole, trials: [{ ...trial, method: "magic" }] }, "trials[0].method: expected one of none"],
  [{ ...whole, trials: [{ ...trial, error: null }] }, "trials[0].error: expected a number"],
  [{ ...whole, trials: [{ ...trial, keep: "all" }] }, "trials[0].keep"],
  [{ ...whole, trials: [{ ...trial, init: "<svg>" }] }, "trials[0].init"],
  [{ ...whole, trials: [{ ...trial, lambda: -1 }] }, "trials[0].lambda: expected a number of 0 or more"],
])("a hostile record is refused: %#", (value, message) => {
  expect(() => parseExperiment(JSON.stringify(value), "e.json")).toThrow(message);
  expect(parseExperiment(JSON.stringify(whole), "e.json").trials).toEqual([trial]);
});
