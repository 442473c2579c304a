/** Pruning by second derivatives, as stages do it. */
import { beforeAll, describe, expect, test } from "vitest";
import { survivors } from "../../host/compress/prune.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { runStage } from "../../host/compress/stages.js";
import type { SettledPrune } from "../../host/compress/settle.js";
import type { Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, smallNet, stageContext } from "../train/support.js";

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
    expect(() => parse("ob")).toThrow(/stages\[0\]\.score: expected one of magnitude, lamp, rate, codec, obd/);
  });
});
