/** The trainer on nets that branch: normalization, several results, tasks other than classes. */
import { afterEach, describe, expect, test } from "vitest";
import { sharedFloats, type Samples } from "../../host/data/samples.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Trainer, type TrainerOptions, type TrainJob } from "../../host/train/trainer.js";
import { autoencoder, autoencoderSamples, severalBars, tinyMobilenet, tinyResnet } from "./graph-nets.js";
import { forward } from "./reference.js";
import { barSamples, netBytes } from "./support.js";

const data = barSamples(256, 1);
const open: Trainer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((trainer) => trainer.close()));
});

async function makeTrainer(options: Partial<TrainerOptions> = {}): Promise<Trainer> {
  const made = { runtime: nodeRuntime, graph: tinyResnet, seed: 5, threads: 1, batch: 64, shards: 2, ...options };
  const trainer = await Trainer.create(made);
  open.push(trainer);
  return trainer;
}

const job = (changes: Partial<TrainJob> = {}): TrainJob => ({
  data,
  steps: 4,
  firstStep: 0,
  lr: () => 0.01,
  weightDecay: 0.01,
  ...changes,
});

describe.each([tinyResnet, tinyMobilenet])("$name", (graph) => {
  test("learns", async () => {
    const trainer = await makeTrainer({ graph });
    const { loss: first } = await trainer.train(job({ steps: 2 }));
    await trainer.train(job({ steps: 44, firstStep: 2 }));
    const { loss: last } = await trainer.train(job({ steps: 4, firstStep: 46 }));
    expect(first).toBeGreaterThan(1);
    const measured = await trainer.evaluate(data);
    expect(last).toBeLessThan(first / 3);
    expect(measured.loss).toBeLessThan(first / 3);
    expect(measured).toMatchObject({ metric: "accuracy", value: 1 - measured.errors / 256 });
    expect(measured.errors).toBeLessThan(20);
  });

  test("one thread and two give the same bytes, and so does a run that was interrupted", async () => {
    const [one, two, first] = await Promise.all([1, 2, 2].map((threads) => makeTrainer({ graph, threads })));
    await one.train(job());
    await two.train(job());
    expect(netBytes(two.toNet()).equals(netBytes(one.toNet()))).toBe(true);
    await first.train(job({ steps: 3 }));
    const second = await makeTrainer({ graph });
    second.load(first.toNet());
    second.restoreOptimizer(first.optimizerState());
    await second.train(job({ steps: 1, firstStep: 3 }));
    expect(netBytes(second.toNet()).equals(netBytes(one.toNet()))).toBe(true);
  });

  test("in use, tensors are those of a plain net with the statistics that it keeps", async () => {
    const trainer = await makeTrainer({ graph });
    await trainer.train(job({ steps: 3 }));
    const { tensors } = trainer.toNet();
    const parameters = new Map([...tensors].map(([name, tensor]) => [name, Float64Array.from(tensor.data)]));
    const one = barSamples(1, 8);
    const expected = forward(
      graph,
      parameters,
      Float64Array.from(one.images, (p) => p / 255),
    );
    await trainer.activations(one, (tensor, values) => {
      expected.get(tensor)!.forEach((value, i) => expect(values[i], tensor).toBeCloseTo(value, 4));
    });
  });
});

test("masks, frozen weights and shared values go with depthwise layers too", async () => {
  const trainer = await makeTrainer({ graph: tinyMobilenet });
  const count = trainer.weight("deep-conv").length;
  const flags = (n: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => (i % n === 0 ? 1 : 0));
  const mask = flags(2);
  trainer.setMask("deep-conv", mask);
  trainer.setFrozen("deep-conv", flags(6));
  const centroids = Float32Array.of(-0.2, 0.2);
  const assignment = Int32Array.from({ length: count }, (_, i) => (i % 4 === 0 ? -1 : (i >> 1) % 2));
  trainer.setSharing("deep-conv", { assignment, centroids });
  const before = Float32Array.from(trainer.weight("deep-conv"));
  await trainer.train(job());
  trainer.weight("deep-conv").forEach((w, i) => {
    if (mask[i] === 0) expect(w).toBe(0);
    else if (i % 6 === 0) expect(w).toBe(before[i]);
    else if (assignment[i] >= 0) expect(w).toBe(centroids[assignment[i]]);
    else expect(w).not.toBe(before[i]);
  });
});

test("a step's operations are two for each product of three passes, by group", async () => {
  const trainer = await makeTrainer({ graph: tinyMobilenet });
  const stem = 6 * 9 * 64;
  const others = (18 * 6 + 18 * 9 + 6 * 18) * 64 + 18 * 18 + 4 * 24;
  expect(trainer.stepFlops).toBe(2 * 64 * (2 * stem + 3 * others));
});

test("weights start as He before a normalization and relu6, as Glorot before a sum", async () => {
  const trainer = await makeTrainer({ graph: tinyMobilenet });
  const spread = (layer: string): number => Math.max(...trainer.weight(layer).map(Math.abs));
  expect(spread("wide-conv")).toBeCloseTo(Math.sqrt(6 / 6), 1);
  expect(spread("narrow-conv")).toBeCloseTo(Math.sqrt(6 / (18 + 6)), 1);
});

test("kept statistics move by a tenth to the mean of the shards' own", async () => {
  const trainer = await makeTrainer();
  const before = trainer.toNet();
  const convolved: number[][] = [];
  // 64 samples are a batch: one epoch's order does not matter to a mean over all of them.
  const batch = barSamples(64, 3);
  await trainer.activations(batch, (tensor, values) => {
    if (tensor === "stem-conv") convolved.push([...values]);
  });
  await trainer.train(job({ data: batch, steps: 1 }));
  const after = trainer.toNet();
  const perChannel = convolved.map((values) => values.length / 8);
  const means = Array.from({ length: 8 }, (_, c) => {
    const values = convolved.flatMap((all, k) => all.slice(c * perChannel[k], (c + 1) * perChannel[k]));
    return values.reduce((a, b) => a + b, 0) / values.length;
  });
  expect([...before.tensors.get("stem.mean")!.data]).toEqual(means.map(() => 0));
  after.tensors.get("stem.mean")!.data.forEach((mean, c) => expect(mean).toBeCloseTo(0.1 * means[c], 6));
  expect(after.tensors.get("stem.variance")!.data.every((variance) => variance > 0.89 && variance < 1.2)).toBe(true);
});

describe("other tasks", () => {
  test("an autoencoder with a second result learns squares", async () => {
    const trainer = await makeTrainer({ graph: autoencoder });
    const samples = autoencoderSamples(256, 1);
    const task = { loss: "mse" } as const;
    const before = await trainer.evaluate(samples, task);
    await trainer.train(job({ data: samples, task, steps: 60 }));
    const after = await trainer.evaluate(samples, task);
    expect(after).toMatchObject({ metric: "mse", error: after.value, loss: after.value });
    expect(after.value).toBeLessThan(before.value / 3);
    const outputs = await trainer.outputs(samples);
    expect(outputs).toHaveLength(256 * 68);
    const squares = outputs.reduce((sum, y, i) => sum + (y - samples.targets![i]) ** 2, 0);
    expect(after.value).toBeCloseTo(squares / outputs.length, 5);
  });

  test("several labels a sample", async () => {
    const trainer = await makeTrainer({ graph: tinyMobilenet });
    const samples = severalBars(256, 1);
    const task = { loss: "sigmoid" } as const;
    const before = await trainer.evaluate(samples, task);
    await trainer.train(job({ data: samples, task, steps: 40 }));
    const after = await trainer.evaluate(samples, task);
    expect(after).toMatchObject({ metric: "auc", error: 1 - after.value });
    expect(after.errors).toBeUndefined();
    expect(before.value).toBeLessThan(0.8);
    expect(after.value).toBeGreaterThan(0.9);
    const named = await trainer.evaluate(samples, { loss: "sigmoid", metric: "f1" });
    expect(named.metric).toBe("f1");
  });

  test("a class that counts nothing is not learnt", async () => {
    const trainer = await makeTrainer();
    await trainer.train(job({ task: { loss: "softmax", classWeights: [1, 1, 1, 0] }, steps: 30 }));
    const logits = await trainer.logits(data);
    const found = Array.from({ length: data.count }, (_, n) => {
      const row = logits.subarray(4 * n, 4 * n + 4);
      return row.indexOf(Math.max(...row));
    });
    expect(found).not.toContain(3);
  });

  test("what the loss does not depend on stays as it is, whatever was trained before", async () => {
    const trainer = await makeTrainer({ graph: autoencoder });
    const samples = { ...autoencoderSamples(64, 1), labels: new Uint8Array(64) };
    await trainer.train(job({ data: samples, task: { loss: "mse" } }));
    trainer.resetOptimizer();
    const classes = Float32Array.from(trainer.weight("classes"));
    const code = Float32Array.from(trainer.weight("code"));
    await trainer.train(job({ data: samples, weightDecay: 0 }));
    expect(trainer.weight("classes")).toEqual(classes);
    expect(trainer.weight("code")).not.toEqual(code);
  });

  test("features draw a student to its teacher", async () => {
    const teacher = await makeTrainer({ seed: 9 });
    const student = await makeTrainer();
    const samples: Samples = { ...data, features: await teacher.features(data, "pool") };
    const distance = async (): Promise<number> => {
      const features = await student.features(data, "pool");
      return features.reduce((sum, value, i) => sum + (value - samples.features![i]) ** 2, 0);
    };
    const before = await distance();
    const distill = { alpha: 0, temperature: 1, features: { tensor: "pool", weight: 10 } };
    await student.train(job({ data: samples, distill, steps: 40 }));
    expect(await distance()).toBeLessThan(before / 2);
  });
});

test("what does not suit the task is named", async () => {
  const trainer = await makeTrainer({ graph: autoencoder });
  const samples = autoencoderSamples(64, 1);
  const train = (changes: Partial<TrainJob>): Promise<unknown> =>
    trainer.train(job({ data: samples, task: { loss: "mse" }, ...changes }));
  const { targets, ...bare } = samples;
  await expect(train({ data: bare })).rejects.toThrow("samples: no targets, expected 68 numbers for each sample");
  await expect(train({ data: { ...bare, targets: targets!.subarray(1) } })).rejects.toThrow(
    "samples: 4351 targets, expected 68 for each of 64 samples",
  );
  await expect(train({ task: { loss: "sigmoid" } })).rejects.toThrow(/target \d+ of sample \d+ is .*, expected 0 .. 1/);
  await expect(train({ task: { loss: "mse", metric: "auc" } })).rejects.toThrow(
    "metric auc does not suit loss mse; mse do",
  );
  await expect(train({ task: { loss: "mse", classWeights: [1] } })).rejects.toThrow(
    "class weights: 1 of them, the net has 68 values",
  );
  const features = (tensor: string) => ({ alpha: 0, temperature: 1, features: { tensor, weight: 1 } });
  await expect(train({ distill: features("pool") })).rejects.toThrow("the net has no tensor named pool");
  await expect(train({ distill: features("image") })).rejects.toThrow("no layer before image is trained");
  const few = { ...samples, features: sharedFloats(7) };
  await expect(train({ data: few, distill: features("code") })).rejects.toThrow("expected 12 teacher features of code");
});
