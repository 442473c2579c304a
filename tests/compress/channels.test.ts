import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Channels, prunableOf } from "../../host/compress/channels.js";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { removeDeadUnits } from "../../host/compress/dead-units.js";
import { channelsByTensor } from "../../host/compress/narrow.js";
import { parseRecipe, type ChannelsStage, type Recipe } from "../../host/compress/recipe.js";
import { runStage } from "../../host/compress/stages.js";
import { netWithout, unitsOf } from "../../host/compress/units.js";
import { sharedBytes, type Samples } from "../../host/data/samples.js";
import { runNet } from "../../host/engines/ops-f32.js";
import { resultsOf } from "../../host/model/edges.js";
import type { FloatTensor, Graph, Net } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Random } from "../../host/rng.js";
import { Trainer } from "../../host/train/trainer.js";
import { branched, randomGraph, randomSparseNet } from "../support/random-graphs.js";
import { stageContext } from "../train/support.js";

const price = { gamma: 1, multiplicationBits: 0, power: 1, score: "magnitude" } as const;

function recipe(keep: unknown, more: object = {}): Recipe {
  const channels = { kind: "channels", keep, epochs: 1, lr: 0.001, ...more };
  const rest = [{ kind: "grid", step: { "*": 0.5 } }, { kind: "calibrate" }];
  return parseRecipe(JSON.stringify({ net: "branched.json", stages: [channels, ...rest] }), "x.json");
}

/** A net whose weights are multiplied by a mask each. */
function masked(net: Net, masks: ReadonlyMap<string, Uint8Array>): Net {
  const tensors = new Map<string, FloatTensor>(net.tensors);
  for (const [layer, mask] of masks) {
    const { shape, data } = net.tensors.get(`${layer}.weight`)!;
    tensors.set(`${layer}.weight`, { shape, data: data.map((w, i) => w * mask[i]) });
  }
  return { ...net, tensors };
}

/** The largest difference of results, in the largest value of them. */
function difference(net: Net, other: Net, seed: number): number {
  const random = new Random(seed, 6);
  const [channels, height, width] = net.graph.input.shape;
  const input = Float32Array.from({ length: channels * height * width }, () => random.normal());
  const [a, b] = [runNet(net, input), runNet(other, input)];
  return Math.max(
    ...resultsOf(net.graph).map((name) => {
      const most = a.get(name)!.reduce((max, v) => Math.max(max, Math.abs(v)), 1);
      return a.get(name)!.reduce((max, v, i) => Math.max(max, Math.abs(v - b.get(name)![i])), 0) / most;
    }),
  );
}

describe("whole channels", () => {
  test("a net without them gives what the masked one gives", () => {
    let removed = 0;
    fc.assert(
      fc.property(randomGraph, fc.nat(1000), fc.constantFrom(0.3, 0.6, 3), (graph, seed, keep) => {
        const net = randomSparseNet(graph, seed, 1);
        if (unitsOf(graph).fixed.every((flag) => flag === 1)) return;
        const all = new Channels(graph, keep);
        const layers = prunableOf(net);
        const gone = all.gone(layers, 1, price);
        const pruned = masked(net, all.masks(layers, gone));
        expect(difference(pruned, netWithout(net, all.units, gone), seed)).toBeLessThan(1e-6);
        expect(difference(pruned, removeDeadUnits(pruned), seed)).toBeLessThan(1e-4);
        if (gone.includes(1)) removed++;
      }),
      { numRuns: 120, seed: 9 },
    );
    expect(removed).toBeGreaterThan(25);
  });

  test.each([
    [0.5, { stem: 3, second: 3, sum: 3, filter: 3, gate: 3, gated: 3, first: 3, mix: 2, both: 5, classes: 3 }],
    // The layers tied to one go with it; the others keep theirs.
    [{ filter: 0.5 }, { stem: 3, second: 3, sum: 3, filter: 3, first: 5, mix: 4 }],
    [{ mix: 3 }, { stem: 6, first: 5, mix: 3, both: 8 }],
    // The least is for all.
    [
      { stem: 5, second: 2, "op:dense": 1, first: 0.1 },
      { stem: 2, gate: 2, first: 1, mix: 4, classes: 3 },
    ],
  ])("keep %j", (keep, channels) => {
    const net = randomSparseNet(branched, 3, 1);
    const stage = checkRecipe(recipe(keep), branched).stages[0] as ChannelsStage;
    const all = new Channels(branched, stage.keep);
    const gone = all.gone(prunableOf(net), 1, price);
    expect(channelsByTensor(netWithout(net, all.units, gone).graph)).toMatchObject(channels);
  });

  test("those with the largest weights stay, made and read", () => {
    const net = randomSparseNet(branched, 4, 1);
    for (const [name, { data }] of net.tensors) if (name.endsWith(".weight")) data.fill(0.01);
    const large = (layer: string, first: number, count: number): void =>
      void net.tensors.get(`${layer}.weight`)!.data.fill(1, first, first + count);
    large("mix", 6, 6);
    large("first", 54, 54);
    const all = new Channels(branched, { mix: 1, first: 2 });
    // Nothing makes channel 3 of first, but the classes read it: they read 64 elements each of mix's 4, then of its.
    large("classes", 7 * 64, 64);
    const gone = all.gone(prunableOf(net), 1, price);
    const staying = (tensor: string): number[] =>
      [...all.units.of.get(tensor)!.entries()].filter(([, unit]) => gone[unit] === 0).map(([channel]) => channel);
    expect(staying("first")).toEqual([1, 3]);
    expect(staying("stem")).toHaveLength(6);
  });

  test.each([
    [{ classes: 0.5 }, {}, "stages[0].keep: selects only layers whose units stay: channels of results, states, crops"],
    [{ third: 0.5 }, {}, "stages[0].keep.third: no such layer"],
    [0.5, { score: "rate", schedule: "one-shot" }, "stages[0].score: rate needs the gradients of a gradual schedule"],
    [0.5, { score: "lamp" }, "stages[0].score: expected one of magnitude, rate"],
  ])("keep %j, %j is refused", (keep, more, message) => {
    expect(() => checkRecipe(recipe(keep, more), branched)).toThrow(message);
  });
});

/** Two classes: bright above or below. */
function halves(count: number): Samples & { readonly labels: Uint8Array; readonly images: Uint8Array } {
  const random = new Random(1);
  const [images, labels] = [sharedBytes(count * 36), sharedBytes(count)];
  for (let i = 0; i < count; i++) {
    labels[i] = random.integer(2);
    for (let p = 0; p < 36; p++) images[i * 36 + p] = random.integer(80) + (p < 18 === (labels[i] === 0) ? 120 : 0);
  }
  return { count, images, labels };
}

const chain: Graph = {
  name: "chain",
  input: { name: "image", shape: [1, 6, 6] },
  layers: [
    {
      op: "conv2d",
      name: "a",
      input: "image",
      output: "a",
      outChannels: 8,
      kernel: [3, 3],
      stride: 1,
      pad: 0,
      groups: 1,
    },
    { op: "relu", name: "bent", input: "a", output: "bent" },
    { op: "dense", name: "b", input: "bent", output: "b", outFeatures: 8 },
    { op: "relu", name: "bent-b", input: "b", output: "bent-b" },
    { op: "dense", name: "c", input: "bent-b", output: "c", outFeatures: 2 },
  ],
};

describe("the stage", () => {
  test.each([
    ["one-shot", "magnitude"],
    ["gradual", "rate"],
  ])("%s by %s: narrower layers that still tell the classes apart", async (schedule, score) => {
    const train = halves(256);
    const context = stageContext(train);
    const trainer = await Trainer.create({ runtime: nodeRuntime, graph: chain, seed: 1, threads: 1, batch: 32 });
    const start = trainer.toNet();
    await trainer.close();
    const [stage] = checkRecipe(recipe({ a: 0.5, b: 3 }, { schedule, score, epochs: 4, lr: 0.01 }), chain).stages;
    const net = await runStage(start, stage as ChannelsStage, context, train);
    expect(channelsByTensor(net.graph)).toMatchObject({ a: 4, b: 3, c: 2 });
    expect(net.tensors.get("b.weight")!.shape).toEqual([3, 64]);
    expect(net.compression!.nominalChannels).toMatchObject({ a: 8, b: 8 });
    let wrong = 0;
    for (let i = 0; i < 64; i++) {
      const scores = runNet(
        net,
        Float32Array.from(train.images.subarray(i * 36, i * 36 + 36), (v) => v / 255),
      ).get("c")!;
      if (scores[0] > scores[1] !== (train.labels[i] === 0)) wrong++;
    }
    expect(wrong).toBeLessThan(8);
  });
});
