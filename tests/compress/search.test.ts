import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { candidatesFor } from "../../host/compress/candidates.js";
import { narrowGraph } from "../../host/compress/narrow.js";
import { parseRecipe, type Recipe } from "../../host/compress/recipe.js";
import { planSearch, searchRecipe, type SearchOptions, type Trial } from "../../host/compress/search.js";
import { writeContainer } from "../../host/container/write.js";
import { sharedBytes, type Samples } from "../../host/data/samples.js";
import type { Graph, Net } from "../../host/model/model.js";
import { tensorShapes } from "../../host/model/shapes.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { quantize } from "../../host/quantize/quantize.js";
import { Random } from "../../host/rng.js";

/** 390 weights. */
const graph: Graph = {
  name: "quadrants",
  input: { name: "image", shape: [1, 4, 4] },
  layers: [
    {
      op: "conv2d",
      name: "conv",
      input: "image",
      output: "conv",
      outChannels: 6,
      kernel: [3, 3],
      stride: 1,
      pad: 1,
      groups: 1,
    },
    { op: "relu", name: "relu1", input: "conv", output: "relu1" },
    { op: "maxpool", name: "pool", input: "relu1", output: "pool", kernel: 2, stride: 2 },
    { op: "dense", name: "fc1", input: "pool", output: "fc1", outFeatures: 12 },
    { op: "relu", name: "relu2", input: "fc1", output: "relu2" },
    { op: "dense", name: "fc2", input: "relu2", output: "logits", outFeatures: 4 },
  ],
};

/** Which quarter of a picture is brighter than the noise, not always by much. */
function quadrants(count: number, seed: number): Samples {
  const random = new Random(seed);
  const images = sharedBytes(count * 16);
  const labels = sharedBytes(count);
  for (let i = 0; i < count; i++) {
    labels[i] = random.integer(4);
    for (let p = 0; p < 16; p++) {
      const isBright = (p >> 3) * 2 + ((p >> 1) & 1) === labels[i];
      images[i * 16 + p] = random.integer(120) + (isBright ? 40 + random.integer(60) : 0);
    }
  }
  return { count, images, labels };
}

const data = { train: quadrants(512, 1), validation: quadrants(256, 2) };
const head = { net: "quadrants.onnx", batch: 32, seed: 1, bank: { copies: 1 }, distill: {} };
let folder: string;
let net: Net;

const run = (recipe: Recipe, work: string, rest: { steps?: number; signal?: AbortSignal } = {}) =>
  runRecipe({ recipe, net, data, work: join(folder, work), threads: 1, ...rest });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-search-"));
  const teacher = { epochs: 12, lr: 0.01 };
  const stages = [{ kind: "grid", step: 1 }, { kind: "calibrate" }];
  const recipe = parseRecipe(JSON.stringify({ net: "graph.json", batch: 32, teacher, stages }), "r.json");
  net = { graph, tensors: new Map() };
  net = (await run(recipe, "teacher", { steps: 1 })).net;
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pack = (result: Net): Uint8Array => writeContainer(quantize(result));

function options(goal: SearchOptions["goal"], work: string, rest: Partial<SearchOptions> = {}): SearchOptions {
  return {
    runtime: nodeRuntime,
    threads: 1,
    data,
    goal,
    head,
    budget: { epochs: 30 },
    pack,
    run: (recipe, steps) => run(recipe, work, steps === undefined ? {} : { steps }),
    ...rest,
  };
}

/** Two layers whose sum a depthwise convolution reads, and one that makes the results. */
const tied: Graph = {
  name: "tied",
  input: { name: "image", shape: [1, 6, 6] },
  layers: [
    conv("a", "image", 16),
    conv("b", "a", 16),
    { op: "add", name: "sum", inputs: ["a", "b"], output: "sum" },
    { ...conv("c", "sum", 16), groups: 16 },
    { op: "dense", name: "fc", input: "c", output: "fc", outFeatures: 4 },
  ],
};

function conv(name: string, input: string, outChannels: number): Graph["layers"][number] & { readonly op: "conv2d" } {
  return { op: "conv2d", name, input, output: name, outChannels, kernel: [3, 3], stride: 1, pad: 1, groups: 1 };
}

test("layers that are tied are narrowed by the first of them, once few weights are left", () => {
  const names = (keep: number): string[] => candidatesFor(tied, keep, false, false, () => true).map(({ name }) => name);
  // Of 4,896 weights.
  expect(names(1000)).toEqual(["even", "finer", "coarser"]);
  expect(names(200)).toEqual(["narrow 25 %", "narrow 15 %", "channels 25 %", "even"]);
  const [narrow, , channels] = candidatesFor(tied, 200, false, false, () => true);
  expect(Object.keys(narrow.units!)).toEqual(["a"]);
  expect(channels).toMatchObject({ channels: { a: narrow.units!.a / 16 } });
  const shapes = tensorShapes(narrowGraph(tied, narrow.units!));
  expect(["a", "b", "sum", "c"].map((name) => shapes.get(name)![0])).toEqual(Array(4).fill(narrow.units!.a));
  // The weights of the narrow net that it is for, and of the next wider one.
  const weightsOf = (a: number): number => 9 * a + 9 * a * a + 9 * a + 4 * 36 * a;
  expect(weightsOf(narrow.units!.a)).toBeLessThanOrEqual(200 / 0.25);
  expect(weightsOf(narrow.units!.a + 1)).toBeGreaterThan(200 / 0.25);
});

describe("the search for a recipe", () => {
  test("a size: what comes out is no larger, the best of what was tried, and its recipe gives it again", async () => {
    const shown: Trial[] = [];
    const goal = { bytes: 260 };
    const {
      best,
      net: result,
      trials,
      teacherError,
    } = await searchRecipe(options(goal, "size", { onTrial: (trial) => shown.push(trial) }));
    expect(shown).toEqual(trials);
    expect(pack(result).length).toBe(best.figures.bytes);
    expect(best.figures.bytes).toBeLessThanOrEqual(260);
    // Of 390 weights as bytes alone; a search that gave too much away would stay far below.
    expect(best.figures.bytes).toBeGreaterThan(200);
    const errors = trials.filter(({ isWithin }) => isWithin).map(({ error }) => error);
    expect(best.error).toBe(Math.min(...errors));
    expect(best.error).toBeLessThan(teacherError + 8);
    // Three grids, the better two of them, the best.
    expect(trials.slice(0, 3).map(({ candidate }) => candidate)).toEqual(["even", "finer", "coarser"]);
    expect(trials.slice(0, 6).map(({ epochs }) => epochs / trials[0].epochs)).toEqual(
      [1, 1, 1, 2, 2, 6].map((n) => expect.closeTo(n, 1)),
    );
    const [finest, , coarsest] = [trials[1], trials[0], trials[2]].map(({ keep }) => keep);
    expect(finest).toBeLessThan(coarsest);

    const again = await run(parseRecipe(JSON.stringify(best.recipe), "best.json"), "again");
    expect(pack(again.net)).toEqual(pack(result));
  }, 60_000);

  test("stopped and run again: the same result, without what was done", async () => {
    const abort = new AbortController();
    let trials = 0;
    const goal = { bytes: 230 };
    const stopped = searchRecipe(
      options(goal, "stopped", {
        onTrial: () => {
          if (++trials === 2) abort.abort();
        },
        run: (recipe, steps) => run(recipe, "stopped", { signal: abort.signal, ...(steps !== undefined && { steps }) }),
      }),
    );
    await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    const before = readdirSync(join(folder, "stopped"));
    let seconds = 0;
    const resumed = await searchRecipe(
      options(goal, "stopped", {
        run: async (recipe, steps) => {
          const result = await run(recipe, "stopped", steps === undefined ? {} : { steps });
          if (trials++ < 4) seconds += result.reports.reduce((sum, report) => sum + report.seconds, 0);
          return result;
        },
      }),
    );
    // The net that was given, and two recipes that were through.
    expect(seconds).toBe(0);
    expect(readdirSync(join(folder, "stopped"))).toEqual(
      expect.arrayContaining(before.filter((name) => !name.includes(".partial"))),
    );
    const whole = await searchRecipe(options(goal, "whole"));
    expect(pack(resumed.net)).toEqual(pack(whole.net));
    expect(resumed.trials).toEqual(whole.trials);
  }, 60_000);

  test("a size out of reach is said, with what came nearest", async () => {
    await expect(searchRecipe(options({ bytes: 60 }, "small", { budget: { epochs: 3 } }))).rejects.toMatchObject({
      code: "RECIPE",
      message: expect.stringMatching(/^the goal was not reached; nearest were \d+ bytes/),
    });
  }, 60_000);

  test("a loss of accuracy: the smallest that errs no more", async () => {
    const { best, trials, teacherError } = await searchRecipe(options({ maxDrop: 4 }, "drop"));
    expect(best.error).toBeLessThanOrEqual(teacherError + 4);
    const within = trials.filter(({ error }) => error <= teacherError + 4);
    expect(best.figures.bytes).toBe(Math.min(...within.map(({ figures }) => figures.bytes)));
    // 390 weights.
    expect(best.figures.bytes).toBeLessThan(250);
  }, 60_000);

  test("a loss of mean squared error: percent of the given net's, and said as what it is", async () => {
    const task = { loss: "mse" as const };
    const asNumbers = ({ labels: _labels, ...samples }: Samples, classes: ArrayLike<number>): Samples => {
      const targets = new Float32Array(new SharedArrayBuffer(16 * samples.count));
      for (let i = 0; i < samples.count; i++) targets[4 * i + classes[i]] = 1;
      return { ...samples, targets };
    };
    const numbers = {
      train: asNumbers(data.train, data.train.labels!),
      validation: asNumbers(data.validation, data.validation.labels!),
    };
    const teacher = { epochs: 12, lr: 0.01 };
    const { bank: _bank, distill: _distill, ...plain } = head;
    const given = { graph, tensors: new Map() };
    const numeric = (goal: SearchOptions["goal"]): SearchOptions => ({
      ...options(goal, "numbers", { data: numbers, head: { ...plain, task, teacher }, budget: { epochs: 12 } }),
      run: (recipe, steps) =>
        runRecipe({
          recipe,
          net: given,
          data: numbers,
          work: join(folder, "numbers"),
          threads: 1,
          ...(steps !== undefined && { steps }),
        }),
    });
    const { best, trials, teacherError, metric } = await searchRecipe(numeric({ maxDrop: 50 }));
    expect(metric).toBe("mse");
    expect(best.error).toBeLessThanOrEqual(1.5 * teacherError);
    expect(trials.map(({ isWithin }) => isWithin)).toEqual(trials.map(({ error }) => error <= 1.5 * teacherError));
    expect(trials.some(({ isWithin }) => !isWithin)).toBe(true);
    await expect(searchRecipe(numeric({ bytes: 20 }))).rejects.toThrow(
      /^the goal was not reached; nearest were .* instructions, 0\.\d+ mean squared error \(/,
    );
  }, 60_000);

  test("instructions: weights go until the packer counts little enough", async () => {
    const instructions = 9000;
    const { best, trials } = await searchRecipe(options({ instructions }, "instructions", { budget: { epochs: 6 } }));
    expect(best.figures.instructions).toBeLessThanOrEqual(instructions);
    // The layer of sixteen places a weight goes first.
    const frugal = trials.find(({ candidate }) => candidate === "less work")!;
    expect(frugal.recipe.stages).toContainEqual(expect.objectContaining({ kind: "prune", multiplicationBits: 3 }));
    expect(frugal.keep).toBeGreaterThan(trials[0].keep);
  }, 60_000);

  test("memory: units go where no pruning does", async () => {
    const { best, trials } = await searchRecipe(options({ ram: 800 }, "memory", { budget: { epochs: 6 } }));
    expect(best.figures.ram).toBeLessThanOrEqual(800);
    // Begun anew with few units, and the given net without most of its own.
    const firsts = trials.slice(0, 3).map(({ candidate, recipe }) => [candidate, (recipe.stages as object[])[0]]);
    const units = { conv: expect.any(Number), fc1: expect.any(Number) };
    expect(firsts).toEqual([
      ["narrow 25 %", { kind: "narrow", units }],
      ["narrow 15 %", { kind: "narrow", units }],
      ["channels 25 %", expect.objectContaining({ kind: "channels", keep: units })],
    ]);
    expect(trials[2].figures.ram).toBeLessThanOrEqual(800);
  }, 60_000);

  test("what would be run first, without running it", async () => {
    const { first, epochs } = await planSearch(options({ bytes: 260 }, "plan"));
    expect(first.map(({ candidate }) => candidate)).toEqual(["even", "finer", "coarser"]);
    expect(epochs).toBe(30);
    expect(readdirSync(join(folder, "plan")).filter((name) => name.startsWith("stage-"))).toEqual([]);
  });

  test("a goal is needed", async () => {
    await expect(searchRecipe(options({}, "none"))).rejects.toMatchObject({ code: "ARGUMENT" });
  });
});
