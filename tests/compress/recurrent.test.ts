/** Nets with states from samples to a model: trained through time, pruned, packed, the same on every engine. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkRun } from "../../host/compress/run-recipe.js";
import { estimateBytes } from "../../host/compress/estimate.js";
import { foldBiases, removeDeadUnits } from "../../host/compress/dead-units.js";
import { survivors } from "../../host/compress/prune.js";
import { headFor } from "../../host/compress/recipe-head.js";
import { parseRecipe, type Recipe } from "../../host/compress/recipe.js";
import { trainingEpochs } from "../../host/compress/search.js";
import { readContainer } from "../../host/container/read.js";
import type { Samples } from "../../host/data/samples.js";
import { withEnds } from "../../host/data/training-set.js";
import { ENGINE_NAMES } from "../../host/engines/open.js";
import { runNet } from "../../host/engines/ops-f32.js";
import { statesOf } from "../../host/model/edges.js";
import type { FloatTensor, Graph, Net } from "../../host/model/model.js";
import { measureIntegers, packed } from "../../host/node/compress/integer-model.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { openEngine } from "../../host/node/engines/open.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { scaleGroups } from "../../host/quantize/calibrate.js";
import type { Augmentation } from "../../host/train/augment.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../host/train/checkpoint.js";
import type { Dropout } from "../../host/train/dropout.js";
import { netEnds } from "../../host/train/net-ends.js";
import { Trainer } from "../../host/train/trainer.js";
import { gru, lstm, windowed } from "../train/recurrent-nets.js";
import { asked, barSamples, netBytes, startedNet } from "../train/support.js";

/** Rows of the bars' pictures. */
const SIZES = { features: 8, units: 10, steps: 8, classes: 4 };
const data = { train: barSamples(768, 1), validation: barSamples(256, 2) };
const untrained = (graph: Graph): Net => ({ graph, tensors: new Map<string, FloatTensor>() });
const recipeOf = (stages: readonly object[]): Recipe =>
  parseRecipe(
    JSON.stringify({
      net: "net.json",
      batch: 32,
      teacher: { epochs: 12, lr: 0.01, augment: 0, weightDecay: 0 },
      augment: 0,
      stages,
    }),
    "test.json",
  );

const pruned = recipeOf([
  { kind: "prune", score: "magnitude", keep: 0.25, epochs: 3, lr: 0.005, lrEnd: 0.005 },
  { kind: "train", epochs: 5, lr: 0.005 },
  { kind: "share", bits: 4, epochs: 2, lr: 0.002 },
  { kind: "dead-units" },
  { kind: "calibrate" },
]);

let work: string;
beforeAll(() => (work = mkdtempSync(join(tmpdir(), "mote-recurrent-"))));
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe.each([
  ["LSTM", lstm(SIZES), 2],
  ["GRU", gru(SIZES), 1],
  ["a net of windows over steps", windowed(SIZES), 2],
] as const)("%s", (_name, graph, states) => {
  let net: Net;
  let error: number;
  beforeAll(async () => {
    const run = await runRecipe({ recipe: pruned, data, net: untrained(graph), work, threads: 2 });
    net = run.net;
    error = run.reports.at(-1)!.error;
  });

  test("learns, pruned to a quarter and on few values, what the rows of pictures have", () => {
    const weights = [...net.tensors].filter(([name]) => name.endsWith(".weight"));
    const left = weights.reduce((sum, [, { data: values }]) => sum + survivors(values), 0);
    const all = weights.reduce((sum, [, { data: values }]) => sum + values.length, 0);
    expect(left / all).toBeLessThan(0.26);
    for (const [, { integers }] of weights) expect(new Set(integers).size).toBeLessThanOrEqual(17);
    expect(error).toBeLessThan(5);
  });

  test("packed it keeps its states, and errs as the float net does", () => {
    const container = packed(net);
    const { model } = readContainer(container);
    expect(statesOf(model).length).toBe(states);
    // What is joined with a state of its scale takes a copy of it, and no table of 256 bytes for that.
    const tables = model.layers.filter(({ op, inputs }) => op === "lut" && statesOf(model).includes(inputs[0]));
    expect(tables).toEqual([]);
    expect(Math.abs(measureIntegers(container, data.validation, undefined).error - error)).toBeLessThan(3);
  });

  test("its results are those of the float net, but for some steps of their scale", async () => {
    const engine = openEngine("reference", packed(net));
    const { scale, zeroPoint } = engine.output;
    const { compression: _compression, ...floats } = net;
    const logits = await asked(floats, (trainer) => trainer.logits(data.validation));
    const errors: number[] = [];
    for (let n = 0; n < 64; n++) {
      engine.reset();
      const sample = Int8Array.from(data.validation.images.subarray(n * 64, (n + 1) * 64), (pixel) => pixel - 128);
      for (let at = 0; at < 64; at += 8) engine.run(sample.subarray(at, at + 8));
      engine.result(0).forEach((q, c) => {
        // What is below the range of logits that can win is cut off.
        if (q > -128 && q < 127) errors.push(Math.abs(q - zeroPoint - logits[n * 4 + c] / scale));
      });
    }
    engine.close();
    expect(errors.length).toBeGreaterThan(64);
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(6);
  });

  test("bytes less 128 are read the same in each step", () => {
    const { images } = data.validation;
    const signed: Samples = {
      ...data.validation,
      images: Int8Array.from(images, (pixel) => pixel - 128),
      reading: { scale: [1 / 255], offset: [128 / 255] },
    };
    const container = packed(net);
    expect(measureIntegers(container, signed, undefined)).toEqual(
      measureIntegers(container, data.validation, undefined),
    );
  });

  test("is estimated at about its bytes", () => {
    const bits = Object.fromEntries(Object.keys(net.compression!.weightScale).map((name) => [name, 12]));
    const bytes = packed({ ...net, compression: { ...net.compression!, biasBits: bits } }).length;
    expect(Math.abs(estimateBytes(net, bits) - bytes)).toBeLessThan(0.05 * bytes);
  });

  test("each step of a sample has the same results on every engine", () => {
    const container = packed(net);
    const stream = Int8Array.from(data.validation.images.subarray(0, 4 * 64), (pixel) => pixel - 128);
    const engines = [
      ...ENGINE_NAMES.map((name) => openEngine(name, container)),
      openEngine("wasm3", fastModule(container)),
    ];
    const results = engines.map((engine) => {
      const found: number[] = [];
      for (let at = 0; at < stream.length; at += SIZES.features) {
        if (at % 64 === 0) engine.reset();
        found.push(...engine.run(stream.subarray(at, at + SIZES.features)));
      }
      engine.close();
      return found;
    });
    expect(new Set(results[0]).size).toBeGreaterThan(20);
    for (const found of results) expect(found).toEqual(results[0]);
  });

  test("the trainer gives what plain loops give, after the last step", async () => {
    const trainer = await Trainer.create({ runtime: nodeRuntime, graph: net.graph, seed: 1, threads: 1, batch: 32 });
    const { compression: _compression, ...floats } = net;
    trainer.load(floats);
    const logits = await trainer.logits(data.validation);
    await trainer.close();
    for (const n of [0, 7, 255]) {
      const pixels = Float32Array.from(data.validation.images.subarray(n * 64, (n + 1) * 64), (pixel) => pixel / 255);
      const expected = runNet(net, pixels).get("logits")!;
      expected.forEach((value, c) => expect(logits[n * 4 + c]).toBeCloseTo(value, 3));
    }
  });

  test("calibration sees what is made in every step", async () => {
    const seen = new Map<string, number>();
    const { compression: _compression, ...floats } = net;
    await asked(floats, (trainer) =>
      trainer.activations(data.validation, (tensor) => seen.set(tensor, (seen.get(tensor) ?? 0) + 1)),
    );
    const chunks = seen.get("logits")!;
    expect([seen.get("x"), seen.get("hidden")]).toEqual([8 * chunks, 8 * chunks]);
  });

  test("a checkpoint has states and steps", () => {
    const read = decodeCheckpoint(encodeCheckpoint("a", { net }), "a").net;
    expect(read.graph).toEqual(net.graph);
    expect(netBytes(read)).toEqual(netBytes(net));
  });
});

test("weights do not depend on the number of threads, with dropout too", async () => {
  const graph = lstm(SIZES);
  const trained = async (threads: number, dropout: Dropout = {}): Promise<Buffer> => {
    const trainer = await Trainer.create({ runtime: nodeRuntime, graph, seed: 3, threads, batch: 32 });
    await trainer.train({ data: data.train, steps: 6, firstStep: 0, lr: () => 0.01, weightDecay: 0.01, dropout });
    const bytes = netBytes(trainer.toNet());
    await trainer.close();
    return bytes;
  };
  const plain = await trained(1);
  expect(await trained(2)).toEqual(plain);
  const dropped = await trained(1, { gates: 0.5 });
  expect(await trained(2, { gates: 0.5 })).toEqual(dropped);
  expect(dropped.equals(plain)).toBe(false);
});

test("units that die behind the states go, and what is left computes the same", async () => {
  const graph: Graph = {
    ...lstm(SIZES),
    layers: [
      ...lstm(SIZES).layers.slice(0, -1),
      { op: "dense", name: "wide", input: "hidden", output: "wide", outFeatures: 6 },
      { op: "relu", name: "relu", input: "wide", output: "relu" },
      { op: "dense", name: "logits", input: "relu", output: "logits", outFeatures: 4 },
    ],
  };
  const net = await startedNet(graph, data.train, 4);
  const columns = SIZES.units;
  net.tensors.get("wide.weight")!.data.fill(0, 2 * columns, 3 * columns);
  // Of a gate as well: its rows stay, since a crop reads them by their numbers.
  net.tensors.get("gates.weight")!.data.fill(0, 0, 18);
  const live = removeDeadUnits(foldBiases(net));
  expect(live.tensors.get("wide.weight")!.shape).toEqual([5, 10]);
  expect(live.tensors.get("gates.weight")!.shape).toEqual([40, 18]);
  const input = Float32Array.from({ length: 64 }, (_, i) => ((i * 37) % 100) / 100);
  const [expected, found] = [net, live].map((one) => runNet(one, input).get("logits")!);
  found.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
});

describe("scales", () => {
  test("a state has that of its source, which decides it", () => {
    const groups = scaleGroups(lstm(SIZES)).map(({ tensors, deciders }) => [tensors.join(" "), deciders.join(" ")]);
    expect(groups).toContainEqual(["c cell", "c cell"]);
    expect(groups.find(([tensors]) => tensors.startsWith("h "))).toEqual(["h xh hidden", "xh hidden"]);
  });

  test("the input of a step before keeps the input's, and is copied to what it is joined with", () => {
    const delayed: Graph = {
      name: "delayed",
      input: { name: "x", shape: [3, 1, 1] },
      states: [
        { tensor: "prev", shape: [3, 1, 1], source: "now" },
        { tensor: "h", shape: [4, 1, 1], source: "hidden" },
      ],
      steps: 4,
      layers: [
        { op: "crop", name: "now", input: "x", output: "now", channel: 0, channels: 3 },
        { op: "concat", name: "both", inputs: ["prev", "h"], output: "both" },
        { op: "dense", name: "sum", input: "both", output: "sum", outFeatures: 4 },
        { op: "map", name: "hidden", input: "sum", output: "hidden", function: "tanh" },
        { op: "dense", name: "y", input: "hidden", output: "y", outFeatures: 2 },
      ],
    };
    const groups = scaleGroups(delayed).map(({ tensors, role }) => [role, tensors.toSorted().join(" ")]);
    expect(groups).toEqual([
      ["input", "now prev x"],
      ["hidden", "both h hidden"],
      ["hidden", "sum"],
      ["result", "y"],
    ]);
  });

  test("a window over the input keeps the input's, one over what is made that of what is made", () => {
    const groups = scaleGroups(windowed(SIZES)).map(({ tensors, role }) => [role, tensors.toSorted().join(" ")]);
    expect(groups).toEqual([
      ["input", "latest seen x"],
      ["hidden", "all hidden kept"],
      ["hidden", "conv"],
      ["result", "logits"],
    ]);
  });

  test("a result that goes on as a state is not one of which only the winner matters", () => {
    const graph: Graph = {
      name: "tally",
      input: { name: "x", shape: [3, 1, 1] },
      states: [{ tensor: "h", shape: [3, 1, 1], source: "sum" }],
      steps: 2,
      layers: [{ op: "add", name: "sum", inputs: ["x", "h"], output: "sum" }],
    };
    expect(scaleGroups(graph).map(({ role }) => role)).toEqual(["input", "hidden"]);
  });
});

describe("a recipe is refused before it is run that", () => {
  const check = (stage: object): unknown =>
    checkRun({
      recipe: recipeOf([stage, { kind: "share", bits: 4 }, { kind: "calibrate" }]),
      data,
      net: untrained(lstm(SIZES)),
    });
  test.each([
    [{ kind: "prune", score: "obd", keep: 0.5, epochs: 1 }, "stages[0].score: obd is not for a net with states"],
    [{ kind: "prune", score: "obs", keep: 0.5, epochs: 1 }, "stages[0].score: obs is not for a net with states"],
    [{ kind: "channels", keep: { gates: 0.5 }, epochs: 1 }, "stages[0].keep: selects only layers whose units stay"],
    [
      { kind: "narrow", units: { gates: 8 } },
      "units.gates: the layer's units stay: channels of results, states, crops",
    ],
    [
      { kind: "binarize", rounding: { gates: "deterministic" }, epochs: 1 },
      "a batch normalization is not trained in a net with states",
    ],
  ])("has %j", (stage, message) => {
    expect(() => check(stage)).toThrow(message);
  });
});

test("a minute is half as many epochs of twice the steps", () => {
  const epochs = (steps: number): number => trainingEpochs({ minutes: 1 }, lstm({ ...SIZES, steps }), 1000);
  expect(epochs(4) / epochs(8)).toBe(2);
});

describe("data", () => {
  const graph = lstm(SIZES);
  test("a sample has a row a step", () => {
    expect(netEnds(graph, { loss: "softmax" }).shape).toEqual([1, 8, 8]);
  });

  test("how bytes are read is said once of a sample, and of each value of a step in the model", () => {
    const preprocessing = { layout: "planar", colours: "none", mean: [10], std: [4] } as const;
    const told = withEnds(graph, { preprocessing });
    expect(told.ends!.preprocessing!.mean).toEqual(Array.from({ length: 8 }, () => 10));
    expect(netEnds(told, { loss: "softmax" }).usual).toEqual(preprocessing);
    const uneven = {
      ...told,
      ends: { preprocessing: { ...told.ends!.preprocessing!, std: [4, 4, 5, 4, 4, 4, 4, 4] } },
    };
    expect(() => netEnds(uneven, { loss: "softmax" })).toThrow(
      "lstm: std 4 and 5, expected one for all values of a step",
    );
  });

  test("is changed along its steps, where a step is longer than they are many", async () => {
    const wide = lstm({ ...SIZES, features: 16, steps: 4 });
    const netOf = async (augment: Augmentation): Promise<Buffer> => {
      const trainer = await Trainer.create({ runtime: nodeRuntime, graph: wide, seed: 1, threads: 1, batch: 32 });
      try {
        const settings = { steps: 2, firstStep: 0, lr: () => 0.003, weightDecay: 0 };
        await trainer.train({ data: data.train, ...settings, augment });
        return netBytes(trainer.toNet());
      } finally {
        await trainer.close();
      }
    };
    const masked = { kind: "spectrogram", timeMask: 2 } as const;
    const net = await netOf(masked);
    expect(net.equals(await netOf({ ...masked, timeAxis: "height" }))).toBe(true);
    expect(net.equals(await netOf({ ...masked, timeAxis: "width" }))).toBe(false);
  });

  test("is no picture that a search changes, nor copies", () => {
    const given = {
      net: "net.json",
      given: untrained(graph),
      data: { train: "bars.npz" },
      train: data.train,
      task: undefined,
      seed: 1,
    };
    const head = headFor({ ...given, budget: { epochs: 1 }, augment: undefined });
    expect(head).toMatchObject({ augment: 0, bank: { copies: 1 } });
  });

  test("of too few steps is refused", async () => {
    const short: Samples = { ...data.train, images: data.train.images.subarray(0, 768 * 56) };
    await expect(startedNet(graph, short, 1)).rejects.toThrow(
      "samples: expected 768 images of [1,8,8], got 43008 values",
    );
  });
});
