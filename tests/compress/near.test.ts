/** A net retrained so that few weights leave the integers that they have in the one that is installed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { integerEvaluation } from "../../host/compress/integer-errors.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import type { Keeper } from "../../host/compress/work-folder.js";
import { runStage } from "../../host/compress/stages.js";
import { writeContainer } from "../../host/container/write.js";
import type { LabelledPictures } from "../../host/data/samples.js";
import { openReference } from "../../host/engines/reference.js";
import type { Net } from "../../host/model/model.js";
import { quantize } from "../../host/quantize/quantize.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../host/train/checkpoint.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { writeUpdate } from "../../host/update/update.js";
import { barSamples, netBytes, smallNet, stageContext, startedNet } from "../train/support.js";

const biasBits = { conv: 8, fc1: 8, fc2: 8 };
const before = barSamples(512, 1);
const schedule = { epochs: 6, lr: 0.003, lrEnd: 0 };
const MOVED = 20;

/** What the device sees now: little contrast. */
const faded = ({ count, images, labels }: LabelledPictures): LabelledPictures => {
  const shared = new Uint8Array(new SharedArrayBuffer(images.length));
  shared.set(images.map((value) => 110 + value * 0.12));
  return { count, images: shared, labels };
};
const now = faded(before);
const unseen = faded(barSamples(512, 2));

async function compressed(start: Net, samples: LabelledPictures): Promise<Net> {
  const context = stageContext(samples, biasBits);
  const step = { conv: 0.3, fc1: 0.5, fc2: 0.3 };
  const grid = await runStage(start, { kind: "grid", ...schedule, step, parts: 4, limit: 20 }, context, samples);
  return runStage(grid, { kind: "calibrate", samples: 256, range: "full" }, context, samples);
}

const containerOf = (net: Net): Uint8Array => writeContainer(quantize(net));
const errorsOf = (net: Net): number => integerEvaluation(openReference(containerOf(net)), unseen).errors!;
const installed = compressed(await startedNet(smallNet, before, 200), before);
const stage = { kind: "near", weights: MOVED, ...schedule, epochs: 30 } as const;

describe("a net near to the one installed", () => {
  it("has as few other weights as were allowed, errs less on what is new, and is a small patch", async () => {
    const old = await installed;
    const net = await runStage(old, stage, stageContext(now, biasBits), now);
    const moved = [...old.tensors].flatMap(([name, { integers }]) => {
      const after = net.tensors.get(name)!;
      if (integers === undefined) return [];
      expect(new Set(after.integers)).toEqual(new Set([...after.integers!].filter((q) => integers.includes(q))));
      return [...integers].filter((q, i) => q !== after.integers![i]);
    });
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.length).toBeLessThanOrEqual(MOVED);
    expect(net.compression).toEqual(old.compression);
    expect(decodeCheckpoint(encodeCheckpoint("a", { net }), "a").net).toEqual(net);

    const free = await compressed(await runStage(old, { kind: "train", ...schedule }, stageContext(now), now), now);
    const patch = (made: Net): number => writeUpdate(containerOf(made), 2, { base: containerOf(old) }).length;
    expect(errorsOf(net)).toBeLessThan(errorsOf(old) / 20);
    expect(patch(net)).toBeLessThan(patch(free) / 9);
  });

  it("is the same wherever it was stopped and gone on with, between its steps too", async () => {
    const start = await installed;
    const short = { ...stage, epochs: 4 };
    const whole = netBytes(await runStage(start, short, stageContext(now, biasBits), now));
    let stops = 0;
    for (let isDone = false; !isDone; stops++) {
      let looks = 0;
      const signal = { addEventListener: () => {}, removeEventListener: () => {} };
      Object.defineProperty(signal, "aborted", { get: () => ++looks > stops });
      let kept: Uint8Array | undefined;
      const save: Keeper["save"] = (state) => (kept = encodeCheckpoint("a", state));
      const context = { ...stageContext(now, biasBits), keeper: { load: () => undefined, save } };
      const stopped = runStage(start, short, { ...context, signal: signal as unknown as AbortSignal }, now);
      isDone = await stopped.then(
        () => true,
        () => false,
      );
      const load: Keeper["load"] = () => (kept === undefined ? undefined : decodeCheckpoint(kept, "a"));
      const resumed = await runStage(start, short, { ...context, keeper: { load, save } }, now);
      expect(netBytes(resumed), `look ${stops}`).toEqual(whole);
    }
    expect(stops).toBeGreaterThan(6);
  });

  it("is made by a recipe that begins with a compressed net", async () => {
    const work = mkdtempSync(join(tmpdir(), "mote-near-"));
    try {
      const recipe = parseRecipe(JSON.stringify({ net: "small", batch: 32, stages: [stage] }), "near.json");
      const options = { recipe, data: { train: now, validation: unseen }, work, threads: 1 };
      const { net, reports } = await runRecipe({ ...options, net: await installed });
      expect(reports.map((report) => report.stage)).toEqual(["given net", "1 near"]);
      const again = await runRecipe({ ...options, net: await installed });
      expect(netBytes(again.net)).toEqual(netBytes(net));
      expect(again.net.tensors.get("conv.weight")!.integers).toEqual(net.tensors.get("conv.weight")!.integers);
      const raw = await startedNet(smallNet, before);
      await expect(runRecipe({ ...options, net: raw })).rejects.toThrow(
        /stages\[0\]\.kind: near begins with a compressed net .*, conv has no integers/,
      );
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });

  it("is another one in the same work folder where the net was calibrated otherwise, its weights the same", async () => {
    const work = mkdtempSync(join(tmpdir(), "mote-near-"));
    try {
      const recipe = parseRecipe(
        JSON.stringify({ net: "small", batch: 32, stages: [{ ...stage, epochs: 1 }] }),
        "near.json",
      );
      const options = { recipe, data: { train: now, validation: unseen }, work, threads: 1 };
      const narrow = await installed;
      const { compression } = narrow;
      const activations = Object.fromEntries(
        Object.entries(compression!.activations).map(([name, { scale, zeroPoint }]) => [
          name,
          { scale: 2 * scale, zeroPoint },
        ]),
      );
      const wide = { ...narrow, compression: { ...compression!, activations } };
      for (const net of [narrow, wide])
        expect((await runRecipe({ ...options, net })).net.compression!.activations).toEqual(
          net.compression!.activations,
        );
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });

  it.each([
    [{ stages: [stage, { kind: "calibrate" }] }, "stages[0]: near stands alone"],
    [{ stages: [{ kind: "train" }, stage] }, "stages[1]: near stands alone"],
    [{ stages: [stage], teacher: {} }, "teacher: not beside near"],
    [{ stages: [stage], pack: { biasBits: 8 } }, "pack.biasBits: not beside near"],
    [{ stages: [{ kind: "near" }] }, "stages[0].weights: "],
    [{ stages: [{ ...stage, weights: 0 }] }, "stages[0].weights: "],
  ])("is refused in a recipe that makes no sense: %j", (keys, message) => {
    expect(() => parseRecipe(JSON.stringify({ net: "small", ...keys }), "near.json")).toThrow(`near.json: ${message}`);
  });
});
