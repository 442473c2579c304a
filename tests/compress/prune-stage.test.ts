/** Pruning by second derivatives, as stages do it. */
import { beforeAll, describe, expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { survivors } from "../../host/compress/prune.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { runStage } from "../../host/compress/stages.js";
import { settleStage, type SettledPrune } from "../../host/compress/settle.js";
import type { Net } from "../../host/model/model.js";
import { lenet300 } from "../../host/train/nets.js";
import { asked, barSamples, left, netBytes, smallNet, stageContext, startedNet } from "../train/support.js";

const samples = barSamples(192, 1);
const others = barSamples(400, 2);
const context = stageContext(samples, {});
const stage: SettledPrune = {
  kind: "prune",
  keep: 0.1,
  score: "magnitude",
  schedule: "one-shot",
  everyEpochs: 0.5,
  power: 1,
  tolerance: 0.02,
  gamma: 1,
  multiplicationBits: 0,
  damping: 0.01,
  epochs: 0,
  lr: 0.002,
  lrEnd: 0,
};
const WEIGHTS = 6 * 9 + 24 * 96 + 4 * 24;

let start: Net;
beforeAll(async () => {
  start = await startedNet(smallNet, samples, 150);
});

const run = (more: Partial<SettledPrune>): Promise<Net> => runStage(start, { ...stage, ...more }, context, samples);

const lossOf = async (net: Net): Promise<number> => (await asked(net, (trainer) => trainer.evaluate(others))).loss;

describe("the score obd", () => {
  test("keeps as many as asked for, and a smaller loss than magnitude does", async () => {
    const [magnitude, obd] = [await run({ keep: 0.3 }), await run({ keep: 0.3, score: "obd" })];
    expect([left(magnitude), left(obd)]).toEqual([Math.round(0.3 * WEIGHTS), Math.round(0.3 * WEIGHTS)]);
    expect(await lossOf(obd)).toBeLessThan(0.7 * (await lossOf(magnitude)));
  });

  test("prunes in the course of a training as well", async () => {
    const net = await run({ score: "obd", schedule: "gradual", keep: 0.1, epochs: 12 });
    expect(left(net)).toBe(Math.round(0.1 * WEIGHTS));
    expect(await lossOf(net)).toBeLessThan(0.3);
  });

  test("is one that recipes may ask for, at once too", () => {
    const stages = [
      { kind: "prune", keep: 0.1, score: "obd", schedule: "one-shot" },
      { kind: "grid" },
      { kind: "calibrate" },
    ];
    const parse = (score: string) =>
      parseRecipe(JSON.stringify({ net: "lenet300", stages: [{ ...stages[0], score }, ...stages.slice(1)] }), "x");
    expect(parse("obd").stages[0]).toMatchObject({ score: "obd", schedule: "one-shot" });
    expect(() => parse("ob")).toThrow(/stages\[0\]\.score: expected one of magnitude, lamp, rate, codec, obd, obs/);
  });
});

describe("the score obs", () => {
  test("leaves as many as asked for, and without training a smaller loss than the others", async () => {
    const wanted = Math.round(0.3 * WEIGHTS);
    const [magnitude, obd, obs] = [
      await run({ keep: 0.3 }),
      await run({ keep: 0.3, score: "obd" }),
      await run({ keep: 0.3, score: "obs" }),
    ];
    expect(left(obs)).toBe(wanted);
    const [most, middle, least] = [await lossOf(magnitude), await lossOf(obd), await lossOf(obs)];
    expect(middle).toBeLessThan(most);
    expect(least).toBeLessThan(middle);
  });

  test("does not look at labels, and does the same on any number of threads", async () => {
    const blank = { ...samples, labels: samples.labels.map(() => 0) };
    const keep = { conv: 20, fc1: 300, fc2: 0.5 };
    const more = { ...stage, score: "obs", keep } as const;
    const one = await runStage(start, more, context, samples);
    const other = await runStage(start, more, { ...stageContext(blank, {}), threads: 2 }, samples);
    expect(netBytes(other)).toEqual(netBytes(one));
    expect(survivors(one.tensors.get("fc1.weight")!.data)).toBe(300);
  });

  test("takes a damping, and none that is out of range", () => {
    const parse = (damping: unknown) => {
      const stages = [{ kind: "prune", keep: 0.1, score: "obs", damping }, { kind: "grid" }, { kind: "calibrate" }];
      return parseRecipe(JSON.stringify({ net: "lenet300", stages }), "x").stages[0];
    };
    expect(parse(0.1)).toMatchObject({ score: "obs", damping: 0.1 });
    for (const wrong of [0, -1, 11, "1", null])
      expect(() => parse(wrong)).toThrow(/stages\[0\]\.damping: expected a number/);
  });
});

describe("thresholds by standard deviations", () => {
  const parse = (keys: object) => {
    const stages = [{ kind: "prune", ...keys }, { kind: "grid" }, { kind: "calibrate" }];
    return checkRecipe(parseRecipe(JSON.stringify({ net: "lenet300", teacher: {}, stages }), "x"), lenet300).stages[0];
  };
  const settled = async (quality: Record<string, number>) =>
    (await settleStage({ ...stage, quality }, start, () => Promise.reject(new Error("nothing is to be measured"))))
      .stage as SettledPrune;

  test("keep what is not below quality × σ of what is left of a layer", async () => {
    const weights = start.tensors.get("fc1.weight")!.data;
    const mean = weights.reduce((sum, w) => sum + w, 0) / weights.length;
    const sigma = Math.sqrt(weights.reduce((sum, w) => sum + (w - mean) ** 2, 0) / weights.length);
    const wanted = weights.filter((w) => Math.abs(w) >= 1.2 * sigma).length;
    const { quality: _quality, ...once } = await settled({ fc1: 1.2, fc2: 0 });
    const net = await run(once);
    expect(survivors(net.tensors.get("fc1.weight")!.data)).toBe(wanted);
    expect(survivors(net.tensors.get("fc2.weight")!.data)).toBe(4 * 24);
    const least = net.tensors
      .get("fc1.weight")!
      .data.reduce((min, w) => (w === 0 ? min : Math.min(min, Math.abs(w))), 9);
    expect(least).toBeGreaterThanOrEqual(1.2 * sigma);
    // Again, as by hand: σ is now that of the survivors.
    const again = (await settleStage({ ...stage, quality: { fc1: 1 } }, net, () => Promise.reject(new Error())))
      .stage as SettledPrune;
    expect((again.keep as Record<string, number>).fc1 * weights.length).toBeLessThan(wanted);
    expect((again.keep as Record<string, number>).fc1).toBeGreaterThan(0);
  });

  test("can take all of a layer", async () => {
    expect(await settled({ fc2: 100 })).toMatchObject({ keep: { conv: 1, fc1: 1, fc2: 0 } });
  });

  test("stand in the place of keep, by patterns too, with magnitude for their score", () => {
    expect(parse({ quality: 1 })).toMatchObject({ quality: { fc1: 1, fc2: 1, fc3: 1 }, score: "magnitude" });
    expect(parse({ quality: { fc1: 2 } })).toMatchObject({ quality: { fc1: 2 } });
    expect(() => parse({ quality: 1, keep: 0.1 })).toThrow(/stages\[0\]\.quality: stands in the place of keep/);
    expect(() => parse({ quality: 1, score: "lamp" })).toThrow(
      /quality: its thresholds are of magnitudes, not of the score lamp/,
    );
    expect(() => parse({ quality: -1 })).toThrow(
      /stages\[0\]\.quality\.\*: expected a number|stages\[0\]\.quality: expected a number/,
    );
    expect(() => parse({ quality: { fc9: 1 } })).toThrow(/stages\[0\]\.quality\.fc9: no such layer/);
    expect(() => parse({})).toThrow(/stages\[0\]\.keep: missing; or sparsity "auto", or quality/);
  });
});

test("a stage's regularization shrinks its weights", async () => {
  const size = ({ tensors }: Net): number => tensors.get("fc1.weight")!.data.reduce((sum, w) => sum + Math.abs(w), 0);
  const plain = await run({ keep: 0.5, epochs: 2 });
  expect(size(await run({ keep: 0.5, epochs: 2, l1: 0.5 }))).toBeLessThan(0.99 * size(plain));
  expect(size(await run({ keep: 0.5, epochs: 2, weightDecay: 5 }))).toBeLessThan(0.99 * size(plain));
});
