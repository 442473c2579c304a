/** Several starts, the best of which goes on. */
import { expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { parseRecipe, type StartsStage } from "../../host/compress/recipe.js";
import { runStage, type StageContext } from "../../host/compress/stages.js";
import type { Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { lenet300 } from "../../host/train/nets.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, fileKeeper, netBytes, smallNet, stageContext, startedNet } from "../train/support.js";

const samples = barSamples(160, 1);
const context: StageContext = {
  ...stageContext(samples, { conv: 8, fc1: 8, fc2: 8 }),
  seed: 2,
  validation: barSamples(200, 2),
};
const stageOf = (starts: number): StartsStage => ({ kind: "starts", starts, epochs: 2, lr: 0.003, lrEnd: 0.0001 });
const given = await startedNet(smallNet, samples, 20);

const runOf = (starts: number, net = given): Promise<Net> => runStage(net, stageOf(starts), context, samples);

async function lossOf(net: Net): Promise<number> {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
  try {
    trainer.load(net);
    return (await trainer.evaluate(context.validation)).loss;
  } finally {
    await trainer.close();
  }
}

test("goes on with the one of the least loss: more of them never end worse", async () => {
  const losses: number[] = [];
  for (let starts = 2; starts <= 6; starts++) losses.push(await lossOf(await runOf(starts)));
  expect(losses).toEqual(losses.toSorted((a, b) => b - a));
  expect(new Set(losses).size).toBeGreaterThan(1);
  expect(new Set(losses).size).toBeLessThan(losses.length);
});

test("forgets what the net has learnt before", async () => {
  const untrained = await startedNet(smallNet, samples);
  expect(netBytes(await runOf(2, untrained))).toEqual(netBytes(await runOf(2)));
});

test("goes on from where it was stopped to the same bytes", async () => {
  const whole = netBytes(await runOf(5));
  // In the first, where that ends, and in the last, behind the best.
  for (const stopAt of [5, 10, 45]) {
    const keeper = fileKeeper();
    const stop = new AbortController();
    const onProgress = (done: number): void => void (done === stopAt && stop.abort());
    const stopped = runStage(given, stageOf(5), { ...context, keeper, signal: stop.signal, onProgress }, samples);
    await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(netBytes(await runStage(given, stageOf(5), { ...context, keeper }, samples))).toEqual(whole);
  }
});

test("comes first, or behind a stage that draws a net anew", () => {
  const rest = [{ kind: "grid", step: 0.5 }, { kind: "calibrate" }];
  const check = (...stages: object[]): unknown =>
    checkRecipe(
      parseRecipe(JSON.stringify({ net: "lenet300", data: { train: "mnist" }, teacher: {}, stages }), "r.json"),
      lenet300,
    ).stages[0];
  expect(check({ kind: "starts" }, ...rest)).toEqual({ kind: "starts", starts: 8, epochs: 5, lr: 0.001, lrEnd: 0 });
  expect(() => check({ kind: "narrow", units: 0.5 }, { kind: "starts" }, ...rest)).not.toThrow();
  expect(() => check({ kind: "train" }, { kind: "starts" }, ...rest)).toThrow(
    "r.json: stages[1]: starts must come first, or right behind narrow",
  );
});
