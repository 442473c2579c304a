import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { compareInitialisations } from "../../host/compress/compare-init.js";
import { dataDigest } from "../../host/compress/digest.js";
import { integerEvaluation } from "../../host/compress/integer-errors.js";
import { parseRecipe, type Recipe } from "../../host/compress/recipe.js";
import { workNames } from "../../host/compress/run-recipe.js";
import { runRecipe, type RunOptions } from "../../host/node/compress/run-recipe.js";
import { survivors } from "../../host/compress/prune.js";
import { writeContainer } from "../../host/container/write.js";
import { sharedBytes, type LabelledPictures, type Samples } from "../../host/data/samples.js";
import type { Graph, Layer, Net } from "../../host/model/model.js";
import { openReference } from "../../host/engines/reference.js";
import { quantize } from "../../host/quantize/quantize.js";
import { Random } from "../../host/rng.js";
import { readCheckpoint, writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { asked } from "../train/support.js";

/** Of a layer whose weights are its integers times its scale. */
function largestInteger({ tensors, compression }: Net, layer: string): number {
  const { data, integers } = tensors.get(`${layer}.weight`)!;
  const scale = compression!.weightScale[layer] as number;
  expect(Float32Array.from(integers!, (q) => q * scale)).toEqual(data);
  return integers!.reduce((most, q) => Math.max(most, Math.abs(q)), 0);
}

/** Ten easy classes: a bright 6 × 6 square at one of ten places, on noise. */
function squares(count: number, seed: number): LabelledPictures {
  const random = new Random(seed);
  const images = sharedBytes(count * 784);
  const labels = sharedBytes(count);
  for (let i = 0; i < count; i++) {
    const label = random.integer(10);
    labels[i] = label;
    for (let p = 0; p < 784; p++) images[i * 784 + p] = random.integer(60);
    const top = label < 5 ? 4 : 18;
    const left = 1 + (label % 5) * 5;
    for (let y = 0; y < 6; y++)
      for (let x = 0; x < 5; x++) images[i * 784 + (top + y) * 28 + left + x] = 180 + random.integer(70);
  }
  return { count, images, labels };
}

const integerErrors = (container: Uint8Array, samples: Samples): number =>
  integerEvaluation(openReference(container), samples).errors!;

const data = { train: squares(512, 1), validation: squares(128, 2) };
const rest = { net: "lenet300", batch: 32, teacher: { epochs: 2, lr: 0.002, augment: 0.1, weightDecay: 0.01 } };
const small = {
  ...rest,
  bank: { copies: 2, augment: 0.1 },
  distill: { alpha: 0.5, temperature: 2 },
  stages: [
    { kind: "narrow", units: { fc1: 12, fc2: 8 } },
    { kind: "train", epochs: 12, lr: 0.003 },
    { kind: "prune", score: "rate", schedule: "gradual", keep: 400, epochs: 6, lr: 0.002, lrEnd: 0.002 },
    { kind: "grid", epochs: 8, lr: 0.002, step: { fc1: 0.5, fc2: 0.5, fc3: 0.5 }, parts: 5, limit: 8 },
    { kind: "dead-units" },
    { kind: "calibrate", samples: 64 },
  ],
  pack: { biasBits: { fc1: 8, fc2: 8, fc3: 8 } },
};
const paper = {
  ...rest,
  stages: [
    { kind: "prune", schedule: "one-shot", keep: { fc1: 0.08, fc2: 0.09, fc3: 0.26 }, epochs: 1, lr: 0.001, lrEnd: 0 },
    { kind: "share", bits: { fc1: 3, fc2: 3, fc3: 3 }, epochs: 1, lr: 0.0005 },
    { kind: "calibrate", samples: 64 },
  ],
};
const recipeOf = (value: unknown): Recipe => parseRecipe(JSON.stringify(value), "test.json");

let work: string;
beforeEach(() => (work = mkdtempSync(join(tmpdir(), "mote-compress-"))));
afterEach(() => rmSync(work, { recursive: true, force: true }));

const run = (value: unknown, options: Partial<RunOptions> = {}) =>
  runRecipe({ recipe: recipeOf(value), data, work, threads: 1, ...options });
const bytesOf = (net: Net) =>
  [...net.tensors].map(([name, { data: d }]) => [
    name,
    Buffer.from(d.buffer, d.byteOffset, d.byteLength).toString("hex"),
  ]);

describe("a teacher that is another net than the recipe's", () => {
  const hidden = { op: "dense", name: "a", input: "image", output: "a", outFeatures: 8 } as const;
  const graph: Graph = {
    name: "small",
    input: { name: "image", shape: [1, 28, 28] },
    layers: [
      hidden,
      { op: "relu", name: "relu", input: "a", output: "b" },
      { op: "dense", name: "c", input: "b", output: "logits", outFeatures: 10 },
    ],
  };
  const net = { graph, tensors: new Map() };
  const stages = [
    { kind: "train", epochs: 8, lr: 0.003 },
    { kind: "grid", epochs: 2, lr: 0.002, step: 0.5, parts: 2 },
    { kind: "calibrate", samples: 64 },
  ];
  const taught = { ...small, net: "small.json", teacher: { ...small.teacher, net: "lenet300" }, stages, pack: {} };

  test("is trained as its own recipe would, labels the bank, and leaves the recipe's net as it is", async () => {
    const origin = { data: await dataDigest(data) };
    const names = await workNames(recipeOf(taught), { ...origin, net });
    const own = await workNames(recipeOf(small), origin);
    expect(names.slice(0, 2)).toEqual(own.slice(0, 2));
    const { net: _net, ...alone } = taught.teacher;
    const others = await workNames(recipeOf({ ...taught, teacher: alone }), { ...origin, net });
    expect(names.filter((name) => others.includes(name))).toEqual([]);

    const { net: made, reports } = await run(taught, { net });
    expect(reports.map(({ stage }) => stage)).toEqual(["teacher", "1 train", "2 grid", "3 calibrate"]);
    expect(reports.map(({ weights }) => weights)).toEqual([266_200, 6352, 6352, 6352]);
    // One that answers by chance errs on 90.
    expect(reports.at(-1)!.validationErrorPercent).toBeLessThan(30);
    expect(made.graph).toEqual(graph);
    const { reports: first } = await run(small);
    expect([first[0].seconds, first[0].validationErrors]).toEqual([0, reports[0].validationErrors]);
  });

  test("stopped in its training, in the student's, and gone on with: the same bytes", async () => {
    const whole = await run(taught, { net });
    const other = join(work, "other");
    for (const stopAt of ["teacher", "1 train"]) {
      const abort = new AbortController();
      const onProgress = (label: string): void => void (label === stopAt && abort.abort());
      const stopped = run(taught, { net, work: other, signal: abort.signal, onProgress });
      await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    }
    expect(bytesOf((await run(taught, { net, work: other })).net)).toEqual(bytesOf(whole.net));
  });

  test("several of them: each as if it were alone, and the mean of their logits, also when stopped in the second", async () => {
    const origin = { data: await dataDigest(data), net };
    const both = { ...taught, teacher: { ...taught.teacher, members: 2, seed: 4 } };
    const members = [4, 5].map((seed) => ({ ...taught, teacher: { ...taught.teacher, seed } }));
    const [names, ...alone] = await Promise.all(
      [both, ...members].map((recipe) => workNames(recipeOf(recipe), origin)),
    );
    expect(names).toHaveLength(alone[0].length);
    expect(names.filter((name) => alone.flat().includes(name))).toEqual([]);

    const abort = new AbortController();
    const stopped = run(both, {
      net,
      signal: abort.signal,
      onProgress: (_, done, total) => void (2 * done > total && abort.abort()),
    });
    await expect(stopped).rejects.toThrow(/^stopped in teacher; .* holds all that was done/);
    expect(readdirSync(work)).toEqual([`${alone[0][0]}.safetensors`, `${alone[1][0]}.partial.safetensors`].toSorted());
    const { reports } = await run(both, { net });
    expect(reports[0]).toMatchObject({ stage: "teacher", weights: 2 * 266_200 + 10 });
    const trained = [];
    for (const recipe of members) {
      const { reports: kept } = await run(recipe, { net });
      expect(kept[0].seconds).toBe(0);
      trained.push(readCheckpoint(join(work, `${alone[trained.length][0]}.safetensors`)).net);
    }
    const logits = (of: Net): Promise<Float32Array> => asked(of, (trainer) => trainer.logits(data.validation));
    const [first, second] = [await logits(trained[0]), await logits(trained[1])];
    const mean = await logits(readCheckpoint(join(work, `${names[0]}.safetensors`)).net);
    const apart = mean.map((value, i) => Math.abs(value - (first[i] + second[i]) / 2));
    expect(Math.max(...apart)).toBeLessThan(1e-5);
    expect(Math.max(...first.map((value, i) => Math.abs(value - second[i])))).toBeGreaterThan(0.1);

    await expect(
      run({ ...both, teacher: { ...both.teacher, epochs: 0 } }, { net, teacher: trained[0] }),
    ).rejects.toThrow("teacher.members: lenet300 is trained, expected 1; several begin with noise");
  });

  test("a trained one stays as it is without epochs, and a trained student goes on from what it has learnt", async () => {
    const teacher = (await run(small)).net;
    const still = { ...taught, teacher: { net: "teacher.safetensors", epochs: 0 } };
    const { net: student, reports } = await run(still, { net, teacher });
    const errors = reports[0].validationErrors;
    expect(errors).toBe((await run({ ...still, seed: 2 }, { net, teacher })).reports[0].validationErrors);
    const untouched = [{ ...stages[0], epochs: 0 }, ...stages.slice(1)];
    const { reports: further } = await run({ ...still, stages: untouched }, { net: student, teacher });
    expect(further[0].validationErrors).toBe(errors);
    expect(further[1].validationErrors).toBe(reports.at(-1)!.validationErrors);
  });

  test("one that takes other samples, or gives other results, is refused", async () => {
    const shaped = (shape: Graph["input"]["shape"], outFeatures: number): Net => {
      const input = { name: "image", shape };
      return { graph: { ...graph, input, layers: [{ ...hidden, outFeatures }] }, tensors: new Map() };
    };
    const other = { ...taught, teacher: { ...taught.teacher, net: "other.json" } };
    await expect(run(other, { net, teacher: shaped([1, 16, 16], 10) })).rejects.toMatchObject({
      code: "MISMATCH",
      message:
        "teacher.net: small takes samples of 1 × 16 × 16, gives 10 values, expected samples of 1 × 28 × 28, gives 10 values",
    });
    await expect(run(other, { net, teacher: shaped([1, 28, 28], 9) })).rejects.toThrow("gives 9 values, expected");
    expect(readdirSync(work)).toEqual([]);
  });
});

describe("recipes from digits to integers", () => {
  test("narrow, prune, grid: few small integers that still tell the classes apart", async () => {
    const { net, reports } = await run(small);
    expect(reports.map((r) => r.stage)).toEqual([
      "teacher",
      "1 narrow",
      "2 train",
      "3 prune",
      "4 grid",
      "5 dead-units",
      "6 calibrate",
    ]);
    expect(reports[3].nonZeros).toBe(400);
    expect(reports.at(-1)!.validationErrorPercent).toBeLessThan(5);
    expect(reports.at(-1)!.estimatedBytes).toBeLessThan(1200);
    const { compression } = net;
    expect(compression!.nominalChannels).toMatchObject({ fc1: 300, fc2: 100, logits: 10 });
    for (const name of ["fc1", "fc2", "fc3"]) expect(largestInteger(net, name)).toBeLessThanOrEqual(8);
    const container = writeContainer(quantize(net));
    expect(Math.abs(reports.at(-1)!.estimatedBytes - container.length)).toBeLessThan(20);
    const floatErrors = reports.at(-1)!.validationErrors!;
    expect(Math.abs(integerErrors(container, data.validation) - floatErrors)).toBeLessThanOrEqual(2);
  });

  test("stopped in the middle and run again: the same bytes as in one go, and nothing half-written", async () => {
    const whole = await run(small);
    const other = mkdtempSync(join(tmpdir(), "mote-compress-"));
    try {
      for (const stopAt of ["teacher", "3 prune", "4 grid"]) {
        const abort = new AbortController();
        const stopped = run(small, {
          work: other,
          signal: abort.signal,
          onProgress: (label) => {
            if (label === stopAt) abort.abort();
          },
        });
        await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
        expect(readdirSync(other).filter((name) => name.endsWith(".tmp"))).toEqual([]);
      }
      const resumed = await run(small, { work: other });
      expect(bytesOf(resumed.net)).toEqual(bytesOf(whole.net));
      expect(resumed.net.compression).toEqual(whole.net.compression);
      expect(resumed.reports[2].seconds).toBe(0);
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  test("a bank that is stopped goes on with the copy at hand, and says how far it is", async () => {
    const three = { ...small, bank: { copies: 3, augment: 0.1 } };
    const [, name] = await workNames(recipeOf(three), { data: await dataDigest(data) });
    const bankOf = (folder: string): Buffer => readFileSync(join(folder, name));
    const other = join(work, "other");
    const whole = await run(three, { work: other });
    const seen: number[] = [];
    const told = (abort?: AbortController) => (label: string, done: number, total: number) => {
      if (label !== "bank") return;
      expect(total).toBe(3 * 512);
      seen.push(done);
      if (done > 512) abort?.abort();
    };
    const abort = new AbortController();
    const stopped = run(three, { signal: abort.signal, onProgress: told(abort) });
    await expect(stopped).rejects.toThrow(/^stopped in bank; .* holds all that was done/);
    expect(seen).toEqual([512, 1024]);
    const part = bankOf(work);
    expect(part.equals(bankOf(other).subarray(0, part.length))).toBe(true);
    expect(part).toHaveLength(1024 * 10 * 4);
    // Of what is there nothing is made anew.
    writeFileSync(join(work, name), Buffer.concat([Buffer.alloc(4), part.subarray(4)]));
    const { net } = await run(three, { onProgress: told() });
    expect(seen.slice(2)).toEqual([512, 1024, 1536]);
    expect(bankOf(work).equals(Buffer.concat([Buffer.alloc(4), bankOf(other).subarray(4)]))).toBe(true);
    expect(bytesOf(net)).not.toEqual(bytesOf(whole.net));
    // One that is too long is another's.
    writeFileSync(join(work, name), Buffer.alloc(3 * 512 * 10 * 4 + 1));
    for (const made of readdirSync(work)) if (made.startsWith("stage-")) rmSync(join(work, made));
    expect(bytesOf((await run(three)).net)).toEqual(bytesOf(whole.net));
  });

  test("as many of its results as are asked for, by names that recipes with the same beginning share", async () => {
    const later = {
      ...small,
      stages: [...small.stages.slice(0, 2), { ...small.stages[2], keep: 300 }, ...small.stages.slice(3)],
    };
    const origin = { data: await dataDigest(data) };
    const [names, others] = [await workNames(recipeOf(small), origin), await workNames(recipeOf(later), origin)];
    expect(names.map((name) => name.split("-")[0])).toEqual(["teacher", "bank", ...small.stages.map(() => "stage")]);
    expect(names.map((name, i) => name === others[i])).toEqual([true, true, true, true, false, false, false, false]);
    expect(
      (await workNames(recipeOf({ ...small, seed: 2 }), origin)).map((name, i) => name === names[i]).indexOf(false),
    ).toBe(2);
    // Bits of biases are settled when the net is calibrated: what is trained before is kept when they change.
    const finer = await workNames(recipeOf({ ...small, pack: { biasBits: 9 } }), origin);
    const calibrated = small.stages.findIndex(({ kind }) => kind === "calibrate");
    expect(finer.map((name, i) => name === names[i]).indexOf(false)).toBe(2 + calibrated);
    // Nor do those change that come before a layer is split.
    const before = small.stages.slice(0, 2);
    const split = [
      ...before,
      { kind: "low-rank", rank: { fc1: 5 } },
      { kind: "share", bits: 3 },
      { kind: "calibrate" },
    ];
    expect((await workNames(recipeOf({ ...small, stages: split, pack: {} }), origin)).slice(0, 4)).toEqual(
      names.slice(0, 4),
    );
    const made = () => readdirSync(work).map((name) => name.replace(".safetensors", ""));
    for (const steps of [1, 2, 4]) {
      const { reports } = await run(small, { steps });
      expect(made().toSorted()).toEqual(names.slice(0, steps).toSorted());
      expect(reports.length).toBe([0, 1, 1, 2, 3][steps]);
    }
  });

  /** Each stage that trains, and all that it may hold when it is stopped: masks, frozen weights, codebooks, a bank. */
  const everything = {
    ...small,
    stages: [
      small.stages[0],
      { kind: "train", epochs: 3, lr: 0.003 },
      { kind: "prune", score: "rate", schedule: "gradual", keep: 900, epochs: 2, everyEpochs: 0.4, lr: 0.002 },
      { kind: "prune", schedule: "one-shot", keep: 0.05, epochs: 1.3, lr: 0.002 },
      { kind: "grid", epochs: 2, lr: 0.002, step: { fc1: 0.5, fc3: 0.5 }, parts: 5, limit: 8 },
      { kind: "share", epochs: 1.5, lr: 0.001, bits: { fc2: 3 } },
      { kind: "dead-units" },
      { kind: "calibrate", samples: 64 },
    ],
  };

  /** Asks to stop at the `limit`-th look at it. Every piece of training looks three times; at the third, one step of it is done. */
  function stopAt(limit: number): AbortSignal {
    let looks = 0;
    const signal = { addEventListener: () => {}, removeEventListener: () => {} };
    Object.defineProperty(signal, "aborted", { get: () => ++looks >= limit });
    return signal as unknown as AbortSignal;
  }

  test("stopped again and again, at ends of epochs and within them: the same bytes as in one go", async () => {
    const whole = await run(everything);
    const other = mkdtempSync(join(tmpdir(), "mote-compress-"));
    try {
      const stages = new Map<string, number>();
      let resumed: Awaited<ReturnType<typeof run>> | undefined;
      for (let stops = 0; resumed === undefined; stops++) {
        expect(stops).toBeLessThan(100);
        let first: string | undefined;
        try {
          resumed = await run(everything, {
            work: other,
            // A piece and a step, a piece, two pieces and a step, …
            signal: stopAt([6, 4, 9, 7, 12][stops % 5]),
            onProgress: (label, done) => {
              // What is shown first goes on from where the run before was stopped, but that a bank's pictures are made anew.
              if (label !== first && label !== "bank") expect(done).toBeGreaterThan(stages.get(label) ?? 0);
              first = label;
              stages.set(label, done);
            },
          });
        } catch (error) {
          expect(error).toMatchObject({
            code: "INTERRUPTED",
            message: expect.stringContaining("holds all that was done"),
          });
          expect(readdirSync(other).filter((name) => name.endsWith(".tmp"))).toEqual([]);
          const partial = readdirSync(other).filter((name) => name.includes(".partial"));
          expect(partial).toHaveLength((error as Error).message.startsWith("stopped in bank") ? 0 : 1);
        }
      }
      expect([...stages.keys()]).toEqual(["teacher", "bank", "2 train", "3 prune", "4 prune", "5 grid", "6 share"]);
      expect(bytesOf(resumed.net)).toEqual(bytesOf(whole.net));
      expect(resumed.net.compression).toEqual(whole.net.compression);
      expect(readdirSync(other).sort()).toEqual(readdirSync(work).sort());
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  test("stopped where L1 has made weights 0 and inputs are dropped: the same bytes as in one go", async () => {
    const train = { kind: "train", epochs: 4, lr: 0.003, l1: 1, dropout: 0.5 };
    const recipe = { ...everything, stages: [everything.stages[0], train, ...everything.stages.slice(-4)] };
    const whole = await run(recipe);
    const other = mkdtempSync(join(tmpdir(), "mote-compress-"));
    try {
      const abort = new AbortController();
      const onProgress = (label: string, done: number): void => {
        if (label === "2 train" && done === 32) abort.abort();
      };
      const stopped = run(recipe, { work: other, signal: abort.signal, onProgress });
      await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
      const resumed = await run(recipe, { work: other });
      expect(bytesOf(resumed.net)).toEqual(bytesOf(whole.net));
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  test("a run that ends without a chance to save goes on from the last whole epoch", async () => {
    const whole = await run(everything);
    const other = mkdtempSync(join(tmpdir(), "mote-compress-"));
    try {
      const crashed = run(everything, {
        work: other,
        onProgress: (label, done) => {
          if (label === "2 train" && done === 48) throw new Error("power cut");
        },
      });
      await expect(crashed).rejects.toThrow("power cut");
      const [partial] = readdirSync(other).filter((name) => name.includes(".partial"));
      expect(readCheckpoint(join(other, partial)).progress).toEqual({ piece: 0, step: 32 });
      const resumed = await run(everything, { work: other });
      expect(bytesOf(resumed.net)).toEqual(bytesOf(whole.net));
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  test("a work folder that takes nothing for a while: the run goes on, and catches up", async () => {
    const whole = await run(everything);
    for (const mends of [true, false]) {
      const parent = mkdtempSync(join(tmpdir(), "mote-compress-"));
      const other = join(parent, "work");
      try {
        const problems: string[] = [];
        let blocked = false;
        const { net } = await run(everything, {
          work: other,
          onProgress: (label) => {
            // A file where the folder is to be made: nothing can be written then, also by root.
            if (label === "teacher" && !blocked) {
              writeFileSync(other, "");
              blocked = true;
            }
            if (label === "6 share" && mends && blocked) {
              rmSync(other, { force: true, recursive: true });
              blocked = false;
            }
          },
          onWorkProblem: (reason) => problems.push(reason),
        });
        expect(bytesOf(net)).toEqual(bytesOf(whole.net));
        expect(problems).toEqual([expect.stringMatching(/teacher-.*: cannot be written: /)]);
        // All but the logits, which can be made anew.
        const expected = readdirSync(work).filter((name) => !name.startsWith("bank"));
        if (mends) expect(readdirSync(other).sort()).toEqual(expected.sort());
      } finally {
        rmSync(parent, { recursive: true, force: true });
      }
    }
  });

  test("stopped while the work folder takes nothing, it says that work is lost", async () => {
    const blocked = join(work, "work");
    const abort = new AbortController();
    const stopped = run(everything, {
      work: blocked,
      signal: abort.signal,
      onProgress: () => {
        writeFileSync(blocked, "");
        abort.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({
      code: "INTERRUPTED",
      message: expect.stringMatching(/^stopped in teacher; .*work could not take all that was done: the rest is lost$/),
    });
  });

  test("a state of another stage is refused, not trained on", async () => {
    await expect(run(everything, { signal: stopAt(24) })).rejects.toMatchObject({ code: "INTERRUPTED" });
    const [partial] = readdirSync(work).filter((name) => name.includes(".partial"));
    const { net, optimizer, progress } = readCheckpoint(join(work, partial));
    expect(progress).toHaveProperty("piece");
    for (const wrong of [{}, { ...progress, step: 1e6 }, { ...progress, step: "x" }, { ...progress, piece: 1000 }]) {
      writeCheckpoint(join(work, partial), { net, ...(optimizer && { optimizer }), progress: wrong });
      await expect(run(everything)).rejects.toMatchObject({
        code: "MISMATCH",
        message: expect.stringContaining("the state of a stopped stage in the work folder"),
      });
    }
  });

  test("biases of 8 bits where the recipe says nothing of a layer", async () => {
    const stages = [
      small.stages[0],
      { kind: "grid", step: { fc1: 1, fc2: 1, fc3: 1 }, epochs: 0, lr: 0, parts: 1 },
      { kind: "calibrate", samples: 64 },
    ];
    const bits = async (pack: unknown) => (await run({ ...rest, stages, pack })).net.compression!.biasBits;
    expect(await bits({})).toEqual({ fc1: 8, fc2: 8, fc3: 8 });
    expect(await bits({ biasBits: { fc2: 32 } })).toEqual({ fc1: 8, fc2: 32, fc3: 8 });
  });

  test("the loss of a stage that diverges names the stage, and nothing is kept of it", async () => {
    const stages = [{ kind: "train", epochs: 1, lr: 1 }, ...paper.stages.slice(1)];
    const given = await run(paper);
    const from: Net = { ...given.net };
    for (const tensor of from.tensors.values()) tensor.data.forEach((value, i) => (tensor.data[i] = value * 1e25));
    const before = readdirSync(work);
    await expect(run({ net: "lenet300", batch: 32, stages }, { from })).rejects.toMatchObject({
      code: "DIVERGED",
      message: expect.stringMatching(/^1 train: step 1: the loss is no longer finite/),
    });
    expect(readdirSync(work)).toEqual(before);
  });

  test("padding that no container takes is found before anything is trained", async () => {
    const conv = { op: "conv2d", outChannels: 1, kernel: [3, 3], stride: 1, pad: 16, groups: 1 } as const;
    const graph: Graph = {
      name: "lenet300",
      input: { name: "image", shape: [1, 28, 28] },
      layers: [
        { ...conv, name: "wide", input: "image", output: "wide" },
        { op: "dense", name: "fc1", input: "wide", output: "fc1", outFeatures: 10 },
      ],
    };
    const recipe = { net: "lenet300", teacher: small.teacher, stages: [{ kind: "grid" }, { kind: "calibrate" }] };
    await expect(run(recipe, { net: { graph, tensors: new Map() } })).rejects.toThrow(
      "wide: pads by 16, expected 0 … 15",
    );
  });

  test("labels that are no classes, and a net of one class, are refused before anything is trained", async () => {
    const labels = data.validation.labels.slice();
    labels[3] = 10;
    const wrong = { ...data, validation: { ...data.validation, labels } };
    await expect(run(small, { data: wrong })).rejects.toThrow(
      "validation: the label of sample 3 is 10, expected 0 .. 9",
    );
    const { net } = await run({
      ...paper,
      stages: paper.stages.map((s) => ({ ...s, epochs: undefined, ...(s.kind === "calibrate" ? {} : { epochs: 0 }) })),
    });
    const graph: Graph = {
      ...net.graph,
      layers: net.graph.layers.map((layer) => (layer.name === "fc3" ? { ...layer, outFeatures: 1 } : layer) as Layer),
    };
    const before = readdirSync(work);
    await expect(run(paper, { from: { ...net, graph } })).rejects.toThrow("fc3: the net has one output, expected two");
    expect(readdirSync(work)).toEqual(before);
    const container = writeContainer(quantize(net));
    const ten = { ...data.validation, labels };
    expect(() => integerErrors(container, ten)).toThrow(
      "the label of sample 3 is 10, expected 0 .. 9, one of 10 classes",
    );
  });

  test("Deep Compression's stages: 8 % left, at most 2^bits values a layer, from a net that is given", async () => {
    const given = await run({
      ...paper,
      stages: [paper.stages[0], { ...paper.stages[1], epochs: 0 }, paper.stages[2]],
    });
    const { stages, net, batch } = paper;
    const { net: shared, reports } = await run({ net, batch, stages }, { from: given.net });
    expect(reports[0].stage).toBe("given net");
    for (const [name, fraction] of Object.entries({ fc1: 0.08, fc2: 0.09, fc3: 0.26 })) {
      const { data: weights } = shared.tensors.get(`${name}.weight`)!;
      expect(survivors(weights)).toBeLessThanOrEqual(Math.ceil(fraction * weights.length));
      expect(new Set(weights).size).toBeLessThanOrEqual(9);
    }
    expect(reports.at(-1)!.validationErrorPercent).toBeLessThan(5);
    const compared = await compareInitialisations(nodeRuntime, given.net, 2, 1, data.validation);
    expect(compared.map((c) => c.init)).toEqual(["forgy", "density", "linear"]);
    expect(compared.every((c) => c.layers.every((layer) => layer.centroids <= 8 && layer.meanSquaredError >= 0))).toBe(
      true,
    );
  });

  test("a grid for some layers, codebooks for the rest: the first stand still while the others learn", async () => {
    const mixed = (epochs: number) => ({
      ...paper,
      stages: [
        { ...paper.stages[0] },
        { kind: "grid", step: { fc2: 0.5, fc3: 0.5 }, epochs: 2, lr: 0.001, parts: 4, limit: 7 },
        { kind: "share", bits: { fc1: 3 }, epochs, lr: 0.0005 },
        paper.stages[2],
      ],
    });
    const { net } = await run(mixed(1));
    const { net: untrained } = await run(mixed(0));
    const weights = ({ tensors }: Net, name: string) => tensors.get(`${name}.weight`)!.data;
    for (const name of ["fc2", "fc3"]) {
      expect(weights(net, name)).toEqual(weights(untrained, name));
      expect(largestInteger(net, name)).toBeLessThanOrEqual(7);
    }
    expect(largestInteger(net, "fc1")).toBeLessThanOrEqual(127);
    expect(weights(net, "fc1")).not.toEqual(weights(untrained, "fc1"));
    expect(new Set(weights(net, "fc1")).size).toBeLessThanOrEqual(9);
    const errors = integerErrors(writeContainer(quantize(net)), data.validation);
    expect(errors).toBeLessThan(0.05 * data.validation.count);
  });

  test("a recipe for another net, or without a net to start from", async () => {
    const { stages } = paper;
    await expect(run({ net: "lenet300", stages })).rejects.toMatchObject({
      code: "RECIPE",
      message: expect.stringContaining("teacher: missing"),
    });
    const given: Net = {
      graph: { name: "other", input: { name: "x", shape: [1, 1, 1] }, layers: [] },
      tensors: new Map(),
    };
    await expect(run(paper, { from: given })).rejects.toMatchObject({ code: "MISMATCH" });
  });

  test("step or bits for a layer that is not there, for one twice, for one never", async () => {
    const grid = { kind: "grid", step: { fc1: 0.5 }, epochs: 0, lr: 0 };
    const twice = { ...paper, stages: [grid, ...paper.stages.slice(1)] };
    await expect(run(twice)).rejects.toThrow("bits.fc1: an earlier stage has brought this layer to its integers");
    const wrong = { ...paper, stages: [{ ...paper.stages[1], bits: { fc1: 3, fc2: 3 } }, paper.stages[2]] };
    await expect(run(wrong)).rejects.toThrow("bits.fc3: missing");
    const unknown = {
      ...paper,
      stages: [{ ...paper.stages[1], bits: { fc1: 3, fc2: 3, fc3: 3, conv1: 3 } }, paper.stages[2]],
    };
    await expect(run(unknown)).rejects.toThrow("bits.conv1: no such layer; there are fc1, fc2, fc3");
    // Found before anything is trained.
    expect(readdirSync(work)).toEqual([]);
  });
});
