/** A grid stage whose rows have steps of their own, from training to the container. */
import { expect, test } from "vitest";
import { estimateBytes } from "../../host/compress/estimate.js";
import { runStage } from "../../host/compress/stages.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { quantize } from "../../host/quantize/quantize.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../host/train/checkpoint.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, smallNet, stageContext } from "../train/support.js";

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
