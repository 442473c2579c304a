import { describe, expect, test } from "vitest";
import { parseRecipe } from "../../host/compress/recipe.js";
import { runStage, type StageContext } from "../../host/compress/stages.js";
import type { SettledStage } from "../../host/compress/settle.js";
import type { Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import type { Checkpoint } from "../../host/train/checkpoint.js";
import { roundToFixedPoint, type FixedPoint, type FixedRounding } from "../../host/train/fixed-point.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, netBytes, smallNet, stageContext } from "../train/support.js";

const format = (integerBits: number, fractionBits: number, rounding: FixedRounding): FixedPoint => {
  return { integerBits, fractionBits, rounding };
};

describe("numbers of fixed point", () => {
  test("to the nearest, half-way up, cut at the ends", () => {
    const values = Float32Array.of(0.1, 0.125, -0.125, 0.37, 1.6, 2.5, -2.5, NaN);
    roundToFixedPoint(values, format(2, 2, "nearest"));
    expect([...values]).toEqual([0, 0.25, 0, 0.25, 1.5, 1.75, -2, NaN]);
  });

  test("drawn: one of the two neighbours, unbiased, numbers that fit stay; the same for the same seed", () => {
    const count = 4_000;
    for (const w of [0.3, -0.05, 0.7, -1.9]) {
      const values = new Float32Array(count).fill(w);
      roundToFixedPoint(values, format(2, 3, "stochastic"), 5, 6);
      const below = Math.floor(w * 8) / 8;
      expect(new Set(values)).toEqual(new Set([below, below + 0.125]));
      // Five standard deviations, of at most half a unit each.
      expect(Math.abs(values.reduce((sum, v) => sum + v, 0) / count - w)).toBeLessThan((5 * 0.0625) / Math.sqrt(count));
      const [again, other] = [new Float32Array(count).fill(w), new Float32Array(count).fill(w)];
      roundToFixedPoint(again, format(2, 3, "stochastic"), 5, 6);
      roundToFixedPoint(other, format(2, 3, "stochastic"), 5, 7);
      expect(again).toEqual(values);
      expect(other).not.toEqual(values);
    }
    const exact = Float32Array.of(-2, -0.125, 0, 0.875, 1.875);
    const kept = exact.slice();
    roundToFixedPoint(kept, format(2, 3, "stochastic"), 1);
    expect(kept).toEqual(exact);
  });
});

const samples = barSamples(96, 1);
const context = stageContext(samples, {});
const stage = (fractionBits: number, rounding: FixedRounding, epochs = 20): SettledStage => ({
  kind: "fixed-point",
  ...format(4, fractionBits, rounding),
  init: "scratch",
  epochs,
  lr: 0.004,
  lrEnd: 0.001,
});
const fresh = async (): Promise<Net> => {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
  const net = trainer.toNet();
  await trainer.close();
  return net;
};
async function errorOf(net: Net): Promise<number> {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: net.graph, seed: 1, threads: 1, batch: 32 });
  trainer.load(net);
  const { error } = await trainer.evaluate(samples);
  await trainer.close();
  return error;
}

test("all weights and biases are numbers of fixed point; where the nearest loses every step, drawing learns", async () => {
  const start = await fresh();
  // A step moves a weight by at most about 0.004, half a unit of 6 bits is 0.0078.
  const [nearest, drawn] = [
    await runStage(start, stage(6, "nearest"), context, samples),
    await runStage(start, stage(6, "stochastic"), context, samples),
  ];
  const still = await runStage(start, stage(6, "nearest", 0), context, samples);
  for (const { tensors } of [nearest, drawn, still])
    for (const { data } of tensors.values()) for (const value of data) expect(value * 64).toBe(Math.round(value * 64));
  expect(await errorOf(nearest)).toBeGreaterThan(0.3);
  expect(await errorOf(drawn)).toBeLessThan(0.1);
});

test("activations and gradients are rounded too, alike on any number of threads", async () => {
  const train = async (fixedPoint: FixedPoint | undefined, threads = 1): Promise<Net> => {
    const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads, batch: 32 });
    const lr = (): number => 0.001;
    await trainer.train({
      data: samples,
      steps: 3,
      firstStep: 0,
      lr,
      weightDecay: 0,
      ...(fixedPoint && { fixedPoint }),
    });
    const net = trainer.toNet();
    await trainer.close();
    return net;
  };
  const plain = netBytes(await train(undefined));
  expect(netBytes(await train(format(4, 4, "stochastic"))).equals(plain)).toBe(false);
  const one = netBytes(await train(format(4, 8, "stochastic")));
  expect(netBytes(await train(format(4, 8, "stochastic"), 2)).equals(one)).toBe(true);
  // No gradient is as large as half a unit: nothing learns.
  const frozen = await train(format(16, 1, "nearest"));
  expect(netBytes(frozen).equals(netBytes(await fresh()))).toBe(true);
});

test("stopped and gone on with: the same bytes", async () => {
  const start = await fresh();
  const whole = await runStage(start, stage(10, "stochastic", 6), context, samples);
  let state: Checkpoint | undefined;
  const stop = new AbortController();
  const keeper: StageContext["keeper"] = { load: () => state, save: (kept) => void (state = kept) };
  const onProgress = (done: number): void => {
    if (done === 8) stop.abort();
  };
  const stopped = runStage(
    start,
    stage(10, "stochastic", 6),
    { ...context, keeper, signal: stop.signal, onProgress },
    samples,
  );
  await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
  const resumed = await runStage(start, stage(10, "stochastic", 6), { ...context, keeper }, samples);
  expect(netBytes(resumed).equals(netBytes(whole))).toBe(true);
});

test("drawn anew, a net keeps the channels that it was designed with", async () => {
  const units = await runStage(await fresh(), { kind: "narrow", units: { fc1: 10 } }, context, samples);
  const anew = await runStage(units, stage(6, "nearest", 0), context, samples);
  expect(anew.graph.layers.find(({ name }) => name === "fc1")).toMatchObject({ outFeatures: 10 });
  expect(anew.compression!.nominalChannels).toEqual(units.compression!.nominalChannels);
  expect(anew.compression!.nominalChannels).toMatchObject({ fc1: 24 });
});

test.each<[unknown, string]>([
  [{ integerBits: 4, fractionBits: 21 }, "stages[0].fractionBits: expected at most 20 beside 4 integerBits, got 21"],
  [{ fractionBits: 24 }, "stages[0].fractionBits: expected a whole number, 1 .. 23, got 24"],
  [{ fractionBits: 2.5 }, "stages[0].fractionBits: expected a whole number"],
  [{ integerBits: 0 }, "stages[0].integerBits: expected a whole number, 1 .. 16, got 0"],
  [{ rounding: "down" }, "stages[0].rounding: expected one of nearest, stochastic"],
  [{ bits: 16 }, "stages[0].bits: unknown key"],
])("%j is refused", (given, message) => {
  const stages = [{ kind: "fixed-point", ...(given as object) }, { kind: "share" }, { kind: "calibrate" }];
  expect(() => parseRecipe(JSON.stringify({ net: "lenet300", stages }), "r.json")).toThrow(message);
});
