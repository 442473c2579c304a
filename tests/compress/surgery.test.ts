import { describe, expect, test } from "vitest";
import { survivors } from "../../host/compress/prune.js";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { parseRecipe, type SurgeryStage } from "../../host/compress/recipe.js";
import { runStage } from "../../host/compress/stages.js";
import {
  close,
  cutAndSplice,
  isOperating,
  setAside,
  setThresholds,
  type Patient,
} from "../../host/compress/surgery.js";
import { MoteError } from "../../host/errors.js";
import type { Net } from "../../host/model/model.js";
import { encodeCheckpoint, type Checkpoint } from "../../host/train/checkpoint.js";
import { lenet300 } from "../../host/train/nets.js";
import { asked, barSamples, fileKeeper, left, netBytes, smallNet, stageContext, startedNet } from "../train/support.js";

const patient = (values: readonly number[], threshold = 0): Patient => ({
  name: "a",
  weights: Float32Array.from(values),
  hidden: new Float32Array(values.length),
  mask: Uint8Array.from(values, (w) => (w === 0 ? 0 : 1)),
  isOpen: Uint8Array.from(values, (w) => (w === 0 ? 0 : 1)),
  threshold: Float32Array.of(threshold),
});

describe("surgery of a layer", () => {
  test("cuts below the lower threshold only, and splices in above the upper one", () => {
    const one = patient([0.8, -0.95, 1.05, 1.2, 0], 1);
    expect(cutAndSplice(one, 0.1)).toEqual({ cut: 1, spliced: 0 });
    expect([...one.mask]).toEqual([0, 1, 1, 1, 0]);
    expect([one.weights[0], one.hidden[0]]).toEqual([0, Math.fround(0.8)]);
    // What a step of training adds to a weight that is cut is kept aside.
    one.weights[0] = 0.25;
    one.weights[4] = 9;
    setAside(one);
    expect([one.weights[0], one.hidden[0]]).toEqual([0, Math.fround(1.05)]);
    expect(cutAndSplice(one, 0.1)).toEqual({ cut: 0, spliced: 0 });
    one.weights[0] = 0.1;
    setAside(one);
    expect(cutAndSplice(one, 0.1)).toEqual({ cut: 0, spliced: 1 });
    expect([one.weights[0], one.hidden[0], one.mask[0]]).toEqual([Math.fround(1.15), 0, 1]);
    // What was 0 before stays out.
    expect(one.mask[4]).toBe(0);
  });

  test("thresholds lie at the last weight that is kept, of all layers together or of each", () => {
    const layers = [patient([1, 2, 3, 4]), { ...patient([5, 6]), name: "b" }];
    setThresholds(layers, 3, "magnitude", 1, 1);
    expect(layers.map(({ threshold }) => threshold[0])).toEqual([4, 0]);
    setThresholds(layers, { a: 0.5, b: 1 }, "magnitude", 1, 1);
    expect(layers.map(({ threshold }) => threshold[0])).toEqual([3, 0]);
    setThresholds(layers, 2, "magnitude", 1, 1);
    expect(layers.map(({ threshold }) => threshold[0])).toEqual([Math.fround(3e38), 0]);
    setThresholds(layers, 3, "magnitude", 0, 1);
    expect(layers.map(({ threshold }) => threshold[0])).toEqual([0, 0]);
  });

  test("ends at the wanted number, with the best of what is in and out", () => {
    const one = patient([3, -0.5, 1, 0.2, 0], 1);
    cutAndSplice(one, 0.1);
    one.hidden[3] = -2;
    close([one], 3, "magnitude");
    expect([...one.weights]).toEqual([3, 0, 1, -2, 0]);
    expect([...one.mask]).toEqual([1, 0, 1, 1, 0]);
    expect(survivors(one.hidden)).toBe(0);
  });

  test("operates ever less often", () => {
    const share = (u: number): number =>
      Array.from({ length: 4000 }, (_, step) => Number(isOperating(1, step, u, 3))).reduce((a, b) => a + b, 0) / 4000;
    expect(share(0)).toBe(1);
    expect(share(0.5)).toBeCloseTo(0.4, 1);
    expect(share(1)).toBeCloseTo(0.25, 1);
  });
});

describe("the stage", () => {
  const samples = barSamples(192, 1);
  const others = barSamples(400, 2);
  const context = stageContext(samples, {});
  const WEIGHTS = 6 * 9 + 24 * 96 + 4 * 24;
  const stage: SurgeryStage = {
    kind: "surgery",
    keep: 0.02,
    score: "magnitude",
    schedule: "one-shot",
    everyEpochs: 0.5,
    power: 1,
    margin: 0.1,
    decay: 1,
    until: 0.8,
    epochs: 20,
    lr: 0.005,
    lrEnd: 0,
  };
  const errorOf = async (net: Net): Promise<number> => (await asked(net, (trainer) => trainer.evaluate(others))).loss;

  test("restores what was wrongly cut: after a bad start it does better than pruning, with as many weights", async () => {
    // Weights say nothing yet when the masks are first made.
    const start = await startedNet(smallNet, samples, 2);
    const operated = await runStage(start, stage, context, samples);
    const pruned = await runStage(
      start,
      { ...stage, kind: "prune", tolerance: 0, gamma: 1, multiplicationBits: 0, damping: 0.01 },
      context,
      samples,
    );
    expect([left(operated), left(pruned)]).toEqual([Math.round(0.02 * WEIGHTS), Math.round(0.02 * WEIGHTS)]);
    expect(await errorOf(operated)).toBeLessThan(0.9 * (await errorOf(pruned)));
  });

  test("does not bring back what an earlier stage has pruned", async () => {
    const start = await startedNet(smallNet, samples, 60);
    const weight = start.tensors.get("fc1.weight")!;
    weight.data.fill(0, 0, 1000);
    const net = await runStage(
      start,
      { ...stage, keep: { conv: 30, fc1: 400, fc2: 0.5 }, schedule: "gradual" },
      context,
      samples,
    );
    const fc1 = net.tensors.get("fc1.weight")!.data;
    expect(survivors(fc1.subarray(0, 1000))).toBe(0);
    expect(survivors(fc1)).toBe(400);
  });

  test("goes on from where it was stopped to the same bytes", async () => {
    const start = await startedNet(smallNet, samples, 60);
    const short = { ...stage, keep: 0.05, epochs: 3 };
    const whole = await runStage(start, short, context, samples);
    for (const stopAt of [3, 8, 13, 14]) {
      const keeper = fileKeeper();
      const controller = new AbortController();
      const onProgress = (done: number): void => void (done === stopAt && controller.abort());
      const run = runStage(start, short, { ...context, keeper, signal: controller.signal, onProgress }, samples);
      await expect(run).rejects.toMatchObject({ code: "INTERRUPTED" } satisfies Partial<MoteError>);
      expect(keeper.load()).toBeDefined();
      expect(netBytes(await runStage(start, short, { ...context, keeper }, samples)), `stopped at ${stopAt}`).toEqual(
        netBytes(whole),
      );
    }
  });

  test("keeps its state as a file where it cuts a layer whole", async () => {
    const start = await startedNet(smallNet, samples, 60);
    let saves = 0;
    const save = (saved: Checkpoint): void => void (saves += Math.sign(encodeCheckpoint("state", saved).length));
    const keep = { conv: 1e-9, fc1: 400, fc2: 0.5 };
    await runStage(
      start,
      { ...stage, keep, epochs: 3 },
      { ...context, keeper: { load: () => undefined, save } },
      samples,
    );
    expect(saves).toBeGreaterThan(0);
  });
});

test.each<[Record<string, unknown>, string]>([
  [{}, "stages[0].keep: expected a number"],
  [{ keep: 0 }, "stages[0].keep: expected a number"],
  [{ keep: 0.1, margin: 1 }, "stages[0].margin: expected a number, 0 .. 0.9, got 1"],
  [{ keep: 0.1, until: 0 }, "stages[0].until: expected a number, 0.01 .. 1, got 0"],
  [{ keep: 0.1, decay: -1 }, "stages[0].decay: expected a number"],
  [{ keep: 0.1, score: "rate" }, "stages[0].score: expected one of magnitude, lamp"],
  [{ keep: { fc1: 3 } }, "stages[0].keep.fc2: missing"],
  [{ keep: { fc1: 3, fc9: 1 } }, "stages[0].keep.fc9: no such layer"],
  [{ keep: 0.1, tolerance: 1 }, "stages[0].tolerance: unknown key"],
])("%j is refused", (keys, message) => {
  const stages = [{ kind: "surgery", ...keys }, { kind: "grid" }, { kind: "calibrate" }];
  const text = JSON.stringify({ net: "lenet300", stages });
  expect(() => checkRecipe(parseRecipe(text, "r.json"), lenet300)).toThrow(message);
});

test("surgery cannot follow what fixes the weights", () => {
  const stages = [{ kind: "grid" }, { kind: "surgery", keep: 0.1 }, { kind: "calibrate" }];
  const text = JSON.stringify({ net: "lenet300", stages });
  expect(() => parseRecipe(text, "r.json")).toThrow("stages[1]: surgery cannot follow grid");
});
