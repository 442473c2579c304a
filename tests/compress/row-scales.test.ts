/** A grid stage whose rows have steps of their own, from training to the container. */
import { expect, test } from "vitest";
import { estimateBytes } from "../../host/compress/estimate.js";
import { runStage } from "../../host/compress/stages.js";
import { netOf } from "../../host/compress/units.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { Graph } from "../../host/model/model.js";
import { tensorShapes } from "../../host/model/shapes.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { own } from "../../host/own.js";
import { quantize } from "../../host/quantize/quantize.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../host/train/checkpoint.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, smallNet, stageContext, startedNet } from "../train/support.js";

const samples = barSamples(96, 1);
const biasBits = { conv: 8, fc1: 8, fc2: 8 };
const context = stageContext(samples, biasBits);

test.each(["layer", "row"] as const)("by %s: integers, scales, bytes and what a checkpoint keeps", async (scales) => {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
  const start = trainer.toNet();
  await trainer.close();
  const step = { conv: 0.5, fc1: 0.5, fc2: 0.5 };
  const schedule = { epochs: 3, lr: 0.002, lrEnd: 0 };
  const grid = await runStage(start, { kind: "grid", ...schedule, step, parts: 2, limit: 6, scales }, context, samples);
  const net = await runStage(grid, { kind: "calibrate", samples: 96, range: "full" }, context, samples);

  const { weightScale } = net.compression!;
  for (const [name, rows] of [
    ["conv", 6],
    ["fc1", 24],
    ["fc2", 4],
  ] as const) {
    const given = weightScale[name];
    const each = typeof given === "number" ? [given] : given;
    expect(each.length).toBe(scales === "row" ? rows : 1);
    if (scales === "row") expect(new Set(each).size).toBeGreaterThan(1);
    const { data, integers } = net.tensors.get(`${name}.weight`)!;
    const columns = data.length / rows;
    expect(data).toEqual(
      Float32Array.from(integers!, (q, i) => q * each[scales === "row" ? Math.floor(i / columns) : 0]),
    );
    expect(Math.max(...integers!.map(Math.abs))).toBeLessThanOrEqual(6);
  }
  expect(decodeCheckpoint(encodeCheckpoint("a", { net }), "a").net).toEqual(net);

  const container = writeContainer(quantize(net));
  expect(Math.abs(container.length - estimateBytes(net, biasBits))).toBeLessThan(30);
  expect(readContainer(container).layers.map(({ section }) => section?.perChannel)).toEqual(
    [1, 2, 3].map(() => scales === "row"),
  );
});

test.each(["layer", "row"] as const)(
  "by %s: a layer named as what every object has is one like any other",
  async (scales) => {
    /** Of `smallNet` with its first layer so named, rounded, without the first channel of that layer; and that net's container. */
    const made = async (first: string): Promise<{ scale: unknown; container: Uint8Array }> => {
      const graph = JSON.parse(JSON.stringify(smallNet).replaceAll('"conv"', JSON.stringify(first))) as Graph;
      const each = <T>(value: T): Record<string, T> =>
        Object.fromEntries([first, "fc1", "fc2"].map((name) => [name, value]));
      const around = stageContext(samples, each(8));
      const schedule = { epochs: 1, lr: 0.002, lrEnd: 0 };
      const stage = { kind: "grid", ...schedule, step: each(0.5), parts: 2, limit: 6, scales } as const;
      const grid = await runStage(await startedNet(graph, samples), stage, around, samples);
      const shapes = tensorShapes(graph);
      const kept = (tensor: string): number[] =>
        Array.from({ length: shapes.get(tensor)![0] }, (_, channel) => channel).filter(
          (channel) => channel > 0 || (tensor !== first && tensor !== "pool"),
        );
      const narrow = netOf(grid, kept);
      const net = await runStage(narrow, { kind: "calibrate", samples: 96, range: "full" }, around, samples);
      return { scale: own(net.compression!.weightScale, first), container: writeContainer(quantize(net)) };
    };
    const usual = await made("conv");
    expect([usual.scale].flat()).toHaveLength(scales === "row" ? 5 : 1);
    for (const name of ["__proto__", "constructor"]) expect(await made(name)).toEqual(usual);
  },
);
