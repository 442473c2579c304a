import { expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { largestFree, leastPower, powersOf, toPower } from "../../host/compress/inq.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { runStage } from "../../host/compress/stages.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { lenet300 } from "../../host/train/nets.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, smallNet, stageContext } from "../train/support.js";

test("bits are a number of powers, which int8 has seven of", () => {
  expect([2, 3, 4, 5].map(powersOf)).toEqual([1, 2, 4, 7]);
});

test("the largest power is the one that the largest weight is nearest to", () => {
  expect(leastPower(Float32Array.of(0.1, -0.76), 1)).toBe(1);
  expect(leastPower(Float32Array.of(0.1, -0.74), 1)).toBe(0.5);
  expect(leastPower(Float32Array.of(0.1, -0.74), 4)).toBe(0.5 / 8);
  expect(leastPower(new Float32Array(3), 4)).toBe(1);
});

test("a weight goes to the nearest power, half-way up", () => {
  const of = (w: number): number => toPower(w, 0.25, 4);
  expect([0, 0.12, 0.125, 0.37, 0.375, 0.74, 0.75, 1.49, 1.5, 9].map(of)).toEqual([0, 0, 1, 1, 2, 2, 4, 4, 8, 8]);
  expect(of(-0.8)).toBe(-4);
});

test("the largest of those that are free go first", () => {
  expect(largestFree(Float32Array.of(0.5, 0, -2, 1, -1), Uint8Array.of(0, 0, 0, 1, 0), 2)).toEqual([2, 4]);
  expect(largestFree(Float32Array.of(1, -1), new Uint8Array(2), 1)).toEqual([0]);
});

test("the stage leaves powers of two and 0, and has trained what was free", async () => {
  const samples = barSamples(96, 1);
  const context = stageContext(samples, {});
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
  const start = trainer.toNet();
  await trainer.close();
  const bits = { conv: 3, fc1: 4, fc2: 5 };
  const run = (epochs: number) => runStage(start, { kind: "inq", bits, epochs, lr: 0.01, lrEnd: 0 }, context, samples);
  const [still, trained] = [await run(0), await run(6)];
  for (const [name, width] of Object.entries(bits)) {
    const before = start.tensors.get(`${name}.weight`)!.data;
    const step = leastPower(before, powersOf(width));
    const { data, integers } = trained.tensors.get(`${name}.weight`)!;
    expect(trained.compression!.weightScale[name]).toBe(step);
    expect(data).toEqual(Float32Array.from(integers!, (q) => q * step));
    const powers = [...Array(powersOf(width)).keys()].map((k) => 2 ** k);
    for (const q of new Set(integers!.map(Math.abs))) expect([0, ...powers]).toContain(q);
    const { integers: nearest } = still.tensors.get(`${name}.weight`)!;
    expect(nearest).toEqual(Int8Array.from(before, (w) => toPower(w, step, powersOf(width))));
    // The larger half is as it was at first.
    const first = largestFree(before, new Uint8Array(before.length), Math.floor(before.length / 2));
    expect(first.every((i) => integers![i] === nearest![i])).toBe(true);
    expect(integers).not.toEqual(nearest);
  }
  expect(await run(6)).toEqual(trained);
});

test.each<[unknown[], string]>([
  [[{ kind: "inq", bits: 6 }], "stages[0].bits: expected a whole number, 2 .. 5, got 6"],
  [[{ kind: "inq", bits: { fc1: 4 } }], "stages[0].bits.fc2: missing"],
  [[{ kind: "inq" }, { kind: "rdoq" }], "stages[1].step: earlier stages have brought all its layers"],
])("%j is refused", (stages, message) => {
  const text = JSON.stringify({ net: "lenet300", stages: [...stages, { kind: "calibrate" }] });
  expect(() => checkRecipe(parseRecipe(text, "r.json"), lenet300)).toThrow(message);
});
