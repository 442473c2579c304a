/** Pruning by second derivatives, as stages do it. */
import { beforeAll, describe, expect, test } from "vitest";
import { survivors } from "../../host/compress/prune.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { runStage } from "../../host/compress/stages.js";
import type { SettledPrune } from "../../host/compress/settle.js";
import type { Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, netBytes, smallNet, stageContext } from "../train/support.js";

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
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
  await trainer.train({ data: samples, steps: 150, firstStep: 0, lr: () => 0.003, weightDecay: 0 });
  start = trainer.toNet();
  await trainer.close();
});

const run = (more: Partial<SettledPrune>): Promise<Net> => runStage(start, { ...stage, ...more }, context, samples);

async function lossOf(net: Net): Promise<number> {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
  trainer.load(net);
  const { loss } = await trainer.evaluate(others);
  await trainer.close();
  return loss;
}

const left = ({ tensors }: Net): number =>
  ["conv", "fc1", "fc2"].reduce((sum, name) => sum + survivors(tensors.get(`${name}.weight`)!.data), 0);

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
