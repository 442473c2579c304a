/** Biases that lose the bits that no validation sample needs. */
import { describe, expect, test } from "vitest";
import { coarseBiases } from "../../host/compress/biases.js";
import { runStage } from "../../host/compress/stages.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { Net } from "../../host/model/model.js";
import { isWeighted } from "../../host/ops/index.js";
import { quantize, roundedBias } from "../../host/quantize/quantize.js";
import { weightedLayers } from "../../host/compress/integer-stages.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import type { Samples } from "../../host/data/samples.js";
import type { Evaluation } from "../../host/train/metrics.js";
import { Trainer } from "../../host/train/trainer.js";
import { barSamples, fileKeeper, netBytes, smallNet, startedNet, stageContext } from "../train/support.js";

const samples = barSamples(160, 1);
const validation = barSamples(200, 2);
const context = { ...stageContext(samples, { conv: 8, fc1: 8, fc2: 8 }), validation };

const calibrate = (trained: Net): Promise<Net> =>
  runStage(trained, { kind: "calibrate", samples: 96, range: "full" }, context, samples);

async function trainedNet(): Promise<Net> {
  const start = await startedNet(smallNet, samples, 30);
  const step = { conv: 0.3, fc1: 0.3, fc2: 0.3 };
  const grid = { kind: "grid", epochs: 4, lr: 0.002, lrEnd: 0, step, parts: 2, limit: 20, scales: "layer" } as const;
  return runStage(start, grid, context, samples);
}

const trained = await trainedNet();
const net = await calibrate(trained);

/** No training, and errors may not rise. */
const plain = { kind: "biases", tolerance: 0, epochs: 0, lr: 0, lrEnd: 0 } as const;

/** The net with each layer's biases rounded to so many bits. */
function roundedTo(biasBits: Readonly<Record<string, number>>): Net {
  const tensors = new Map(net.tensors);
  for (const layer of weightedLayers(net.graph)) {
    const name = `${layer.name}.bias`;
    tensors.set(name, { ...tensors.get(name)!, data: roundedBias(net, layer, biasBits[layer.name]) });
  }
  return { ...net, tensors };
}

async function evaluated(one: Net, by: Samples): Promise<Evaluation> {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph: smallNet, seed: 1, threads: 1, batch: 32 });
  try {
    trainer.load(one);
    return await trainer.evaluate(by);
  } finally {
    await trainer.close();
  }
}

/** Share of the validation samples that are wrong when biases have so many bits. */
const errorWith = async (biasBits: Readonly<Record<string, number>>): Promise<number> =>
  (await evaluated(roundedTo(biasBits), validation)).error;

test("rounds as the integer model does", () => {
  for (const bits of [2, 5, 8]) {
    const biasBits = { conv: bits, fc1: bits, fc2: bits };
    const compression = { ...net.compression!, biasBits };
    const layers = quantize({ ...net, compression }).layers.filter(isWeighted);
    weightedLayers(net.graph).forEach((layer, i) => {
      const unit =
        net.compression!.activations[layer.input].scale * (net.compression!.weightScale[layer.name] as number);
      const rounded = roundedBias(net, layer, bits);
      expect([...rounded].map((bias) => Math.round(bias / unit))).toEqual([...layers[i].bias]);
    });
  }
});

test("has no bit that could go, and errs no more", async () => {
  const seen: number[] = [];
  const onProgress = (done: number, total: number): void => void (expect(total).toBe(3 * 6), seen.push(done));
  const coarse = await runStage(net, plain, { ...context, onProgress }, samples);
  expect(seen[0]).toBe(0);
  expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b));
  expect(coarse.tensors).toEqual(net.tensors);
  const bits = coarse.compression!.biasBits!;
  const before = await errorWith(net.compression!.biasBits!);
  expect(await errorWith(bits)).toBeLessThanOrEqual(before);
  const bytes = (one: Net): number => writeContainer(quantize(one), { codec: "arithmetic" }).length;
  expect(bytes(coarse)).toBeLessThan(bytes(net));
  const sections = readContainer(writeContainer(quantize(coarse))).layers.map(({ section }) => section);
  expect(sections.flatMap((section) => (section ? [section.biasBits] : []))).toEqual(
    weightedLayers(smallNet).map(({ name }) => expect.toSatisfy((found: number) => found <= bits[name])),
  );
});

/** Nothing but the last layer's biases tells classes apart: the second is the largest, by a 50th. */
function decidedNet(): Promise<Net> {
  const weight = trained.tensors.get("fc2.weight")!;
  const bias = trained.tensors.get("fc2.bias")!;
  const tensors = new Map(trained.tensors)
    .set("fc2.weight", { ...weight, data: weight.data.map(() => 0), integers: weight.integers!.map(() => 0) })
    .set("fc2.bias", { ...bias, data: Float32Array.of(0.98, 1, 0, 0) });
  return calibrate({ ...trained, tensors });
}

const judging = { ...context, validation: { ...validation, labels: validation.labels.map(() => 1) } };

test("keeps the bits that decide, unless errors are allowed", async () => {
  const decided = await decidedNet();
  const bitsAt = async (tolerance: number): Promise<unknown> =>
    (await coarseBiases(decided, { ...plain, tolerance }, judging)).compression!.biasBits;
  // Of multiples of a power of two below 1/50, 50 to 100 make a 1.
  expect(await bitsAt(0)).toEqual({ conv: 2, fc1: 2, fc2: expect.toSatisfy((bits) => bits === 7 || bits === 8) });
  expect(await bitsAt(100)).toEqual({ conv: 2, fc1: 2, fc2: 2 });
});

describe("with epochs", () => {
  const learning = { ...plain, epochs: 8, lr: 0.02, lrEnd: 0.0001 };
  const bits = { conv: 3, fc1: 3, fc2: 3 };
  const coarse = { ...net, compression: { ...net.compression!, biasBits: bits } };
  const fixing = { ...context, fixed: Object.keys(bits), validation: samples };

  test("biases learn what the others' rounding costs, on multiples of one power of two", async () => {
    const learnt = await runStage(coarse, learning, fixing, samples);
    const { biasBits } = learnt.compression!;
    for (const layer of weightedLayers(smallNet)) {
      const weight = `${layer.name}.weight`;
      expect(learnt.tensors.get(weight)).toEqual(net.tensors.get(weight));
      expect(learnt.tensors.get(`${layer.name}.bias`)!.data).toEqual(roundedBias(learnt, layer, biasBits![layer.name]));
    }
    const { loss } = await evaluated(learnt, samples);
    expect(loss).toBeLessThan((await evaluated(roundedTo(biasBits!), samples)).loss);
  });

  test("without a rate they are rounded, and that is all", async () => {
    const decided = await decidedNet();
    const still = { ...learning, lr: 0, lrEnd: 0 };
    const { tensors, compression } = await coarseBiases(decided, still, { ...judging, fixed: fixing.fixed });
    const integers = (from: Net["tensors"]): Int32Array[] =>
      quantize({ graph: smallNet, tensors: from, compression: compression! })
        .layers.filter(isWeighted)
        .map(({ bias }) => bias);
    expect(integers(tensors)).toEqual(integers(decided.tensors));
  });

  test("a stage that was stopped goes on to the same bytes", async () => {
    const whole = netBytes(await runStage(coarse, learning, fixing, samples));
    for (const stopAt of [7, 20]) {
      const keeper = fileKeeper();
      const stop = new AbortController();
      const onProgress = (done: number, _: number, loss?: number): void =>
        void (loss !== undefined && done === stopAt && stop.abort());
      const stopped = runStage(coarse, learning, { ...fixing, keeper, signal: stop.signal, onProgress }, samples);
      await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
      expect(keeper.load()).toBeDefined();
      expect(netBytes(await runStage(coarse, learning, { ...fixing, keeper }, samples))).toEqual(whole);
    }
  });
});

test("stops when told to", async () => {
  const judging = { ...context, signal: AbortSignal.abort() };
  await expect(coarseBiases(net, plain, judging)).rejects.toMatchObject({
    code: "INTERRUPTED",
  });
});

test("leaves thresholds of steps alone", async () => {
  const [conv, pool, fc1, , fc2] = smallNet.layers;
  const step = { op: "map", name: "step", function: "step", input: "fc1", output: "relu" } as const;
  const stepped = { ...trained, graph: { ...smallNet, layers: [conv, pool, fc1, step, fc2] } };
  const coarse = await coarseBiases(await calibrate(stepped), { ...plain, tolerance: 100 }, context);
  expect(coarse.compression!.biasBits).toEqual({ conv: 2, fc1: 8, fc2: 2 });
});
