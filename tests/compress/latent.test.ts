import { gridStep } from "../../host/compress/grid.js";
import { beforeAll, describe, expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { integerEvaluation } from "../../host/compress/integer-errors.js";
import { binaryLatent, LEVELS, levelLatent, levelUnit, toLevel, type Levels } from "../../host/compress/latent.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { runStage, type StageContext } from "../../host/compress/stages.js";
import type { SettledStage } from "../../host/compress/settle.js";
import { writeContainer } from "../../host/container/write.js";
import { openReference } from "../../host/engines/reference.js";
import type { Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { quantize } from "../../host/quantize/quantize.js";
import { Random } from "../../host/rng.js";
import type { Checkpoint } from "../../host/train/checkpoint.js";
import { lenet300 } from "../../host/train/nets.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, netBytes, smallNet, stageContext, startedNet } from "../train/support.js";

const samples = barSamples(96, 1);
const context = stageContext(samples, {});
let start: Net;
beforeAll(async () => {
  start = await startedNet(smallNet, samples, 60, 0.005);
});

const normals = (count: number, seed: number): Float32Array => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => 0.1 * random.normal());
};

describe("two values", () => {
  test("by the sign, pruned weights staying 0", () => {
    const into = new Float32Array(4);
    binaryLatent(Float32Array.of(0.01, -2, 0, 0.5), 0.5, "deterministic").show(into, 0);
    expect([...into]).toEqual([0.5, -0.5, 0, 0.5]);
  });

  test("drawn: unbiased within the range, its ends certain, and the same for the same seed and step", () => {
    const scale = 0.5;
    const values = Float32Array.of(-0.5, -0.3, 0.1, 0.4, 0.5, 9);
    const latent = binaryLatent(values, scale, "stochastic", 7);
    const [sums, into] = [new Float64Array(6), new Float32Array(6)];
    const draws = 20_000;
    for (let step = 0; step < draws; step++) {
      latent.show(into, step);
      expect(into.every((w) => Math.abs(w) === scale)).toBe(true);
      into.forEach((w, i) => (sums[i] += w));
    }
    // Five standard deviations of a mean of so many draws.
    const bound = (5 * scale) / Math.sqrt(draws);
    for (let i = 0; i < 5; i++) expect(Math.abs(sums[i] / draws - values[i])).toBeLessThan(bound);
    expect([sums[0], sums[4], sums[5]]).toEqual([-scale * draws, scale * draws, scale * draws]);
    const [one, other] = [new Float32Array(6), new Float32Array(6)];
    const differs = (a: typeof latent, b: typeof latent, [s, t]: [number, number]): boolean =>
      Array.from({ length: 20 }).some((_, i) => {
        a.show(one, s + i);
        b.show(other, t + i);
        return one.join() !== other.join();
      });
    expect(differs(latent, binaryLatent(values, scale, "stochastic", 7), [3, 3])).toBe(false);
    expect(differs(latent, binaryLatent(values, scale, "stochastic", 8), [3, 3])).toBe(true);
    expect(differs(latent, latent, [3, 30])).toBe(true);
  });

  test("real weights are cut to the range", () => {
    const values = Float32Array.of(-3, 0.2, 3);
    binaryLatent(values, 0.5, "deterministic").limit!();
    expect([...values]).toEqual([-0.5, Math.fround(0.2), 0.5]);
  });
});

describe("few values", () => {
  test.each(LEVELS)("%i: each weight goes to the nearest", (levels) => {
    const all = levels === 3 ? [-1, 0, 1] : Array.from({ length: levels }, (_, i) => 2 * i + 1 - levels);
    expect(all.length).toBe(levels);
    for (const w of normals(500, levels)) {
      const q = toLevel(w, 0.05, levels);
      expect(all).toContain(q);
      for (const other of all) expect(Math.abs(w - 0.05 * q)).toBeLessThanOrEqual(Math.abs(w - 0.05 * other) + 1e-9);
    }
    expect(toLevel(0, 0.05, levels)).toBe(0);
  });

  test.each(LEVELS)("%i: the unit has about the least squared error", (levels) => {
    const weights = normals(4000, 3);
    const errorAt = (unit: number): number =>
      weights.reduce((sum, w) => sum + (w - unit * toLevel(w, unit, levels)) ** 2, 0);
    const unit = levelUnit(weights, levels, "fit");
    for (const factor of [0.8, 0.9, 1.1, 1.25]) expect(errorAt(unit)).toBeLessThan(errorAt(unit * factor));
    expect(levelUnit(weights, levels, "mean")).toBe(gridStep(weights, 1));
  });

  test("a row's unit is its own, the layer's where it has no weights", () => {
    const values = Float32Array.of(0.1, -0.1, 0, 0, 0.4, 0.4, 0.001, -0.001);
    const latent = levelLatent(values, 3, "mean", 4);
    const mean = levelUnit(values, 3, "mean");
    expect([...latent.units()]).toEqual([0.1, mean, 0.4, mean / 8].map(Math.fround));
    const into = new Float32Array(8);
    latent.show(into, 0);
    expect([...into]).toEqual([0.1, -0.1, 0, 0, 0.4, 0.4, 0, 0].map(Math.fround));
    expect(levelUnit(new Float32Array(3), 3, "fit")).toBeGreaterThan(0);
  });
});

const schedule = { epochs: 12, lr: 0.01, lrEnd: 0 };
const names = ["conv", "fc1", "fc2"];
const forAll = <T>(value: T): Record<string, T> => Object.fromEntries(names.map((name) => [name, value]));
const levelStage = (levels: Levels, scales: "layer" | "row" = "layer"): SettledStage => ({
  kind: "levels",
  levels: forAll(levels),
  scale: "fit",
  scales,
  ...schedule,
});
const binaryStage = (rounding: "deterministic" | "stochastic"): SettledStage => ({
  kind: "binary-connect",
  rounding: forAll(rounding),
  ...schedule,
});

describe.each<[string, SettledStage, number[]]>([
  ["binary-connect, deterministic", binaryStage("deterministic"), [-1, 1]],
  ["binary-connect, stochastic", binaryStage("stochastic"), [-1, 1]],
  ["two levels", levelStage(2), [-1, 1]],
  ["ternary", levelStage(3), [-1, 0, 1]],
  ["four levels", levelStage(4), [-3, -1, 1, 3]],
  ["ternary, a unit a row", levelStage(3, "row"), [-1, 0, 1]],
])("%s", (_, stage, values) => {
  test("leaves its values alone, has learnt, and runs as integers", async () => {
    const net = await runStage(start, stage, context, samples);
    for (const name of names) {
      const { integers, data } = net.tensors.get(`${name}.weight`)!;
      expect([...new Set(integers!)].sort((a, b) => a - b)).toEqual(values);
      const scale = net.compression!.weightScale[name];
      const columns = data.length / net.tensors.get(`${name}.bias`)!.data.length;
      const scaleOf = (i: number): number => (typeof scale === "object" ? scale[Math.floor(i / columns)] : scale);
      expect(data).toEqual(Float32Array.from(integers!, (q, i) => q * scaleOf(i)));
    }
    const untrained = await runStage(start, { ...stage, epochs: 0 } as SettledStage, context, samples);
    expect(netBytes(untrained).equals(netBytes(net))).toBe(false);
    const model = await runStage(net, { kind: "calibrate", samples: 96, range: "error" }, context, samples);
    const container = writeContainer(quantize(model));
    expect(integerEvaluation(openReference(container), samples).errors).toBeLessThan(0.1 * samples.count);
    expect(netBytes(await runStage(start, stage, context, samples)).equals(netBytes(net))).toBe(true);
  });
});

test("stopped after an epoch and gone on with: the same bytes", async () => {
  for (const stage of [binaryStage("stochastic"), levelStage(3)]) {
    const whole = await runStage(start, stage, context, samples);
    let state: Checkpoint | undefined;
    const stop = new AbortController();
    const keeper: StageContext["keeper"] = { load: () => state, save: (kept) => void (state = kept) };
    const onProgress = (done: number): void => {
      if (done === 17) stop.abort();
    };
    const stopped = runStage(start, stage, { ...context, keeper, signal: stop.signal, onProgress }, samples);
    await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(state!.progress!.step).toBe(17);
    const resumed = await runStage(start, stage, { ...context, keeper }, samples);
    expect(netBytes(resumed).equals(netBytes(whole))).toBe(true);
  }
});

test("a binary net takes about a bit a weight in the file", async () => {
  const random = new Random(1);
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: lenet300, seed: 1, threads: 1 });
  const { graph, tensors } = trainer.toNet();
  await trainer.close();
  const weightScale = Object.fromEntries(graph.layers.map(({ name }) => [name, 0.05]));
  const integers = new Map(
    [...tensors].map(([name, { shape, data }]) => {
      const signs = Int8Array.from(data, () => 2 * random.integer(2) - 1);
      return [
        name,
        name.endsWith(".weight")
          ? { shape, data: Float32Array.from(signs, (q) => q * 0.05), integers: signs }
          : { shape, data },
      ];
    }),
  );
  const activations = Object.fromEntries(
    ["image", ...graph.layers.map(({ output }) => output)].map((name) => [name, { scale: 0.1, zeroPoint: 0 }]),
  );
  const compression = { nominalChannels: {}, weightScale, activations };
  const bytes = writeContainer(quantize({ graph, tensors: integers, compression })).length;
  expect((8 * bytes) / 266_200).toBeLessThan(1.1);
});

test.each<[unknown[], string]>([
  [[{ kind: "binary-connect", rounding: "up" }], "stages[0].rounding: expected one of deterministic, stochastic"],
  [[{ kind: "binary-connect", rounding: { fc1: "stochastic" } }], "stages[0].rounding.fc2: missing"],
  [[{ kind: "binary-connect", rounding: { fc4: "stochastic" } }], "stages[0].rounding.fc4: no such layer"],
  [[{ kind: "levels", levels: 5 }], "stages[0].levels: expected one of 2, 3, 4, 8, 16, got 5"],
  [[{ kind: "levels", scale: "mean", levels: 4 }], 'stages[0].scale: expected "fit" beside 4 levels'],
  [[{ kind: "levels", levels: { fc1: 3 } }], "stages[0].levels.fc2: missing"],
  [[{ kind: "levels" }, { kind: "binary-connect" }], "stages[1].rounding: earlier stages have brought all its layers"],
  [[{ kind: "levels" }, { kind: "train" }], "stages[1]: train cannot follow levels, which fixes the weights"],
])("%j is refused", (stages, message) => {
  const text = JSON.stringify({ net: "lenet300", stages: [...stages, { kind: "calibrate" }] });
  expect(() => checkRecipe(parseRecipe(text, "r.json"), lenet300)).toThrow(message);
});

test("layers may have stages of their own", () => {
  const stages = [
    { kind: "levels", levels: { fc1: 3 }, scale: "mean" },
    { kind: "binary-connect", rounding: { fc2: "stochastic" } },
    { kind: "share" },
    { kind: "calibrate" },
  ];
  const checked = checkRecipe(parseRecipe(JSON.stringify({ net: "lenet300", stages }), "r.json"), lenet300);
  expect(checked.stages[2]).toMatchObject({ bits: { fc3: "auto" } });
});
