import { afterEach, describe, expect, test } from "vitest";
import { sharedFloats, type Samples } from "../../host/data/samples.js";
import type { Graph, Layer, Net } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Trainer, type TrainerOptions, type TrainingRuntime, type TrainJob } from "../../host/train/trainer.js";
import { forward } from "./reference.js";
import { barSamples, netBytes, smallNet } from "./support.js";

const data = barSamples(500, 1);
const open: Trainer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((trainer) => trainer.close()));
});

async function makeTrainer(options: Partial<TrainerOptions> = {}): Promise<Trainer> {
  const trainer = await Trainer.create({
    runtime: nodeRuntime,
    graph: smallNet,
    seed: 5,
    threads: 1,
    batch: 64,
    ...options,
  });
  open.push(trainer);
  return trainer;
}

const job = (changes: Partial<TrainJob> = {}): TrainJob => ({
  data,
  steps: 20,
  firstStep: 0,
  lr: (step) => 0.01 / (1 + step / 100),
  weightDecay: 0.01,
  ...changes,
});

const everyNth = (count: number, n: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => (i % n === 0 ? 1 : 0));

describe("training", () => {
  test("learns, and evaluate counts what is wrong", async () => {
    const trainer = await makeTrainer();
    const before = await trainer.evaluate(data);
    const { loss, steps } = await trainer.train(job({ steps: 150 }));
    const after = await trainer.evaluate(data);
    expect(steps).toBe(150);
    expect(before.errors).toBeGreaterThan(200);
    expect(after.errors).toBeLessThan(10);
    expect(after.loss).toBeLessThan(loss);
  });

  test("the other seed gives another net, the same seed the same", async () => {
    const [a, b, c] = await Promise.all([makeTrainer(), makeTrainer(), makeTrainer({ seed: 6 })]);
    for (const trainer of [a, b, c]) await trainer.train(job({ augment: 1 }));
    expect(netBytes(a.toNet()).equals(netBytes(b.toNet()))).toBe(true);
    expect(netBytes(a.toNet()).equals(netBytes(c.toNet()))).toBe(false);
  });

  test("the loss reported is the mean over the steps, shown in parts that add up", async () => {
    const trainer = await makeTrainer();
    const seen: [done: number, loss: number][] = [];
    const { loss } = await trainer.train(job({ onProgress: (done, _, mean) => seen.push([done, mean]) }));
    let sum = 0;
    let last = 0;
    for (const [done, mean] of seen) {
      sum += mean * (done - last);
      last = done;
    }
    expect(last).toBe(20);
    expect(sum / 20).toBeCloseTo(loss, 10);
  });

  test("a signal stops after a step, and what was done counts", async () => {
    const abort = new AbortController();
    const whole = await makeTrainer();
    const stopped = await makeTrainer();
    setTimeout(() => abort.abort(), 5);
    const { steps } = await stopped.train(job({ steps: 100_000, signal: abort.signal }));
    expect(steps).toBeGreaterThan(0);
    expect(steps).toBeLessThan(100_000);
    await whole.train(job({ steps }));
    expect(netBytes(stopped.toNet()).equals(netBytes(whole.toNet()))).toBe(true);
    expect(await stopped.train(job({ signal: abort.signal }))).toEqual({ loss: 0, steps: 0 });
  });

  test.each([1, 2])("layers that the loss does not depend on stay as they are, on %d threads", async (threads) => {
    const side: Layer = { op: "dense", name: "side", input: "relu", output: "side", outFeatures: 3 };
    const graph = { ...smallNet, layers: [...smallNet.layers, side], outputs: ["logits", "side"] };
    const trainer = await makeTrainer({ graph, threads });
    const before = trainer.toNet().tensors;
    await trainer.train(job({ weightDecay: 0.5, l1: 0.1 }));
    const after = trainer.toNet().tensors;
    for (const name of ["side.weight", "side.bias"]) expect(after.get(name)).toEqual(before.get(name));
    expect(after.get("fc2.weight")).not.toEqual(before.get("fc2.weight"));
  });

  test("learning rate 0 changes nothing", async () => {
    const trainer = await makeTrainer();
    const before = netBytes(trainer.toNet());
    await trainer.train(job({ lr: () => 0 }));
    expect(netBytes(trainer.toNet()).equals(before)).toBe(true);
  });
});

describe("threads", () => {
  test("1, 2, 3 and 4 threads give the same bytes, dense and sparse layers, shared weights, logits", async () => {
    const results: string[] = [];
    for (const threads of [1, 2, 3, 4]) {
      const trainer = await makeTrainer({ threads });
      expect(trainer.threads).toBe(threads);
      trainer.setMask("fc1", everyNth(trainer.weight("fc1").length, 5));
      const assignment = Int32Array.from(trainer.weight("fc2"), (_, i) => (i % 7) - 1);
      trainer.setSharing("fc2", { assignment, centroids: Float32Array.of(-0.3, -0.1, 0.1, 0.2, 0.3, 0.4) });
      await trainer.train(job({ augment: { distort: 0.5, blur: 1, contrast: 0.2, background: 30, noise: 30 } }));
      const logits = await trainer.logits(data);
      results.push(Buffer.concat([netBytes(trainer.toNet()), Buffer.from(logits.buffer.slice(0))]).toString("base64"));
    }
    expect(new Set(results).size).toBe(1);
  });

  test("four threads give the same bytes each time where shared and free weights stand side by side", async () => {
    const results = new Set<string>();
    for (let run = 0; run < 20; run++) {
      const trainer = await makeTrainer({ threads: run === 0 ? 1 : 4 });
      const assignment = Int32Array.from(trainer.weight("fc2"), (_, i) => (i % 7) - 1);
      trainer.setSharing("fc2", { assignment, centroids: Float32Array.of(-0.3, -0.1, 0.1, 0.2, 0.3, 0.4) });
      await trainer.train(job({ steps: 60 }));
      results.add(netBytes(trainer.toNet()).toString("base64"));
      await trainer.close();
    }
    expect(results.size).toBe(1);
  });

  test("a signal stops all threads at the same step", async () => {
    const trainer = await makeTrainer({ threads: 2 });
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    const { steps } = await trainer.train(job({ steps: 1_000_000, signal: abort.signal }));
    const alone = await makeTrainer();
    await alone.train(job({ steps }));
    expect(netBytes(trainer.toNet()).equals(netBytes(alone.toNet()))).toBe(true);
  });

  test("a thread that fails ends the job with its error, and others with it", async () => {
    const trainer = await makeTrainer({ threads: 2 });
    const broken = { ...data, images: { length: data.images.length, buffer: data.images.buffer } as never };
    await expect(trainer.train(job({ data: broken }))).rejects.toThrow();
    expect((await trainer.train(job())).steps).toBe(20);
  });

  test("a thread that comes to the barrier after another has failed does not wait for it", async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const startThreads: TrainingRuntime["startThreads"] = (setups) =>
      nodeRuntime.startThreads(setups.map((setup) => (setup.thread === 1 ? { ...setup, memory } : setup)));
    const trainer = await makeTrainer({ threads: 2, runtime: { ...nodeRuntime, startThreads } });
    await expect(trainer.train(job())).rejects.toThrow(/typed array/);
  });

  test("a thread that has ended fails the next job and does not keep it waiting", async () => {
    const startThreads: TrainingRuntime["startThreads"] = async (setups) => {
      const threads = await nodeRuntime.startThreads(setups);
      await threads[1].close();
      return threads;
    };
    const trainer = await makeTrainer({ threads: 2, runtime: { ...nodeRuntime, startThreads } });
    await expect(trainer.train(job())).rejects.toThrow("a training thread has ended");
  });
});

describe("resuming", () => {
  test.each([1, 2])("with %d threads ends with the same bytes as going through", async (threads) => {
    const whole = await makeTrainer();
    await whole.train(job({ steps: 30, augment: 1 }));
    const first = await makeTrainer({ threads });
    await first.train(job({ steps: 13, augment: 1 }));
    const second = await makeTrainer({ threads, seed: 5 });
    second.load(first.toNet());
    second.restoreOptimizer(first.optimizerState());
    await second.train(job({ steps: 17, firstStep: 13, augment: 1 }));
    expect(netBytes(second.toNet()).equals(netBytes(whole.toNet()))).toBe(true);
  });

  test("an optimizer state of another net is refused", async () => {
    const trainer = await makeTrainer();
    const { updates, tensors } = trainer.optimizerState();
    const fewer = new Map(tensors);
    fewer.delete("fc1.bias.m");
    expect(() => trainer.restoreOptimizer({ updates, tensors: fewer })).toThrow(/fc1\.bias\.m/);
  });
});

describe("masks", () => {
  for (const [kernels, n] of [
    ["dense", 2],
    ["sparse", 4],
  ] as const) {
    test(`pruned weights are 0 and stay 0 (${kernels} kernels)`, async () => {
      const trainer = await makeTrainer();
      const mask = everyNth(trainer.weight("fc1").length, n);
      trainer.setMask("fc1", mask);
      const before = Float32Array.from(trainer.weight("fc1"));
      await trainer.train(job());
      const after = trainer.weight("fc1");
      expect(after.every((w, i) => (mask[i] === 0 ? w === 0 : w !== before[i]))).toBe(true);
      expect(trainer.secondMoment("fc1").every((v, i) => mask[i] === 1 || v === 0)).toBe(true);
    });
  }

  test("sparse kernels train like dense ones", async () => {
    // The same mask in both; one layer has a few more survivors, frozen at 0, which makes its kernels the dense ones.
    const sparse = await makeTrainer();
    const dense = await makeTrainer();
    const count = sparse.weight("fc1").length;
    const mask = everyNth(count, 4);
    sparse.setMask("fc1", mask);
    dense.setMask("fc1", mask);
    dense.setMask("fc1", new Uint8Array(count).fill(1));
    dense.setFrozen(
      "fc1",
      mask.map((kept) => 1 - kept),
    );
    await sparse.train(job());
    await dense.train(job());
    for (const layer of ["conv", "fc1", "fc2"]) {
      const other = dense.weight(layer);
      sparse.weight(layer).forEach((w, i) => expect(Math.abs(w - other[i])).toBeLessThan(1e-4));
    }
  });

  test("a mask can shrink, grow and go", async () => {
    const trainer = await makeTrainer();
    const count = trainer.weight("fc1").length;
    for (const n of [3, 20, 4]) {
      trainer.setMask("fc1", everyNth(count, n));
      await trainer.train(job({ steps: 2 }));
      const survivors = trainer.weight("fc1").filter((w) => w !== 0).length;
      expect(survivors).toBeLessThanOrEqual(Math.ceil(count / n));
    }
    trainer.setMask("fc1", null);
    await trainer.train(job({ steps: 2 }));
    // Units that the small masks left dead for good keep their zeros.
    expect(trainer.weight("fc1").filter((w) => w !== 0).length).toBeGreaterThan(count / 2);
  });
});

describe("frozen parameters", () => {
  for (const sparse of [false, true]) {
    test(`are not updated but take part${sparse ? " (sparse kernels)" : ""}`, async () => {
      const trainer = await makeTrainer();
      const count = trainer.weight("fc1").length;
      if (sparse) trainer.setMask("fc1", everyNth(count, 4));
      trainer.setFrozen("fc1", everyNth(count, 8));
      trainer.setFrozenBias("fc1", everyNth(24, 2));
      trainer.bias("fc1").fill(0.25);
      const weights = Float32Array.from(trainer.weight("fc1"));
      const logits = await trainer.logits(data);
      await trainer.train(job());
      expect(trainer.weight("fc1").every((w, i) => i % 8 !== 0 || w === weights[i])).toBe(true);
      expect(trainer.weight("fc1")[4]).not.toBe(weights[4]);
      expect(trainer.bias("fc1").every((b, i) => i % 2 === 1 || b === 0.25)).toBe(true);
      expect(trainer.bias("fc1").filter((b) => b !== 0.25).length).toBeGreaterThan(6);
      trainer.weight("fc1")[0] += 1;
      expect(await trainer.logits(data)).not.toEqual(logits);
    });
  }
});

describe("shared weights", () => {
  /** After one step Adam's first moment is a tenth of the gradient. */
  const gradientIn = (trainer: Trainer, name: string): Float32Array =>
    trainer
      .optimizerState()
      .tensors.get(`${name}.m`)!
      .data.map((m) => m / 0.1);

  /** Of fc1 without sharing, in the first step. */
  async function gradientOf(weights: Float32Array): Promise<Float32Array> {
    const trainer = await makeTrainer();
    trainer.weight("fc1").set(weights);
    await trainer.train(job({ steps: 1 }));
    return gradientIn(trainer, "fc1.weight");
  }

  for (const sparse of [false, true]) {
    test(`a centroid moves by the sum of its members' gradients${sparse ? " (sparse kernels)" : ""}`, async () => {
      const trainer = await makeTrainer();
      const count = trainer.weight("fc1").length;
      const mask = sparse ? everyNth(count, 4) : null;
      trainer.setMask("fc1", mask);
      // Cluster 2 has no members; every fifth weight is its own; every eleventh is frozen.
      const assignment = Int32Array.from({ length: count }, (_, i) => (i % 5 === 0 ? -1 : [0, 1, 3][i % 3]));
      const frozen = everyNth(count, 11);
      trainer.setFrozen("fc1", frozen);
      const centroids = Float32Array.of(-0.1, 0.05, 9, 0.2);
      trainer.setSharing("fc1", { assignment, centroids });
      const start = Float32Array.from(trainer.weight("fc1"));
      start.forEach((w, i) => {
        const isShared = assignment[i] >= 0 && frozen[i] === 0 && mask?.[i] !== 0;
        if (isShared) expect(w).toBe(centroids[assignment[i]]);
      });
      const gradient = await gradientOf(start);
      const sums = [0, 0, 0, 0];
      gradient.forEach((g, i) => {
        if (assignment[i] >= 0 && frozen[i] === 0 && mask?.[i] !== 0) sums[assignment[i]] += g;
      });
      const before = Float32Array.from(centroids);
      await trainer.train(job({ steps: 1, lr: () => 0.01, weightDecay: 0 }));
      const [centroidGradient, weightGradient] = ["fc1.centroid", "fc1.weight"].map((name) =>
        gradientIn(trainer, name),
      );
      sums.forEach((sum, k) => expect(centroidGradient[k]).toBeCloseTo(sum, 4));
      // Adam's first step is the learning rate against the gradient's sign.
      centroids.forEach((c, k) => expect(c).toBeCloseTo(before[k] - 0.01 * Math.sign(sums[k]), 4));
      expect(centroids[2]).toBe(9);
      trainer.weight("fc1").forEach((w, i) => {
        if (mask?.[i] === 0) expect(w).toBe(0);
        else if (frozen[i] === 1) expect(w).toBe(start[i]);
        else if (assignment[i] >= 0) expect(w).toBe(centroids[assignment[i]]);
        else expect(weightGradient[i]).toBeCloseTo(gradient[i], 4);
      });
    });
  }

  test("Adam keeps the moments of centroids through a resume", async () => {
    const assignment = Int32Array.from({ length: 24 * 96 }, (_, i) => i % 9);
    const lr = (): number => 1e-4;
    const centroids = (): Float32Array => Float32Array.from({ length: 9 }, (_, k) => (k - 4) / 20);
    const whole = await makeTrainer();
    whole.setSharing("fc1", { assignment, centroids: centroids() });
    await whole.train(job({ steps: 20, lr }));
    const first = await makeTrainer();
    const sharing = { assignment, centroids: centroids() };
    first.setSharing("fc1", sharing);
    await first.train(job({ steps: 8, lr }));
    const second = await makeTrainer();
    second.load(first.toNet());
    second.setSharing("fc1", sharing);
    second.restoreOptimizer(first.optimizerState());
    await second.train(job({ steps: 12, firstStep: 8, lr }));
    expect(netBytes(second.toNet()).equals(netBytes(whole.toNet()))).toBe(true);
    second.setSharing("fc1", null);
    await second.train(job({ steps: 1, firstStep: 20, lr }));
    expect(new Set(second.weight("fc1")).size).toBeGreaterThan(9);
  });

  test("assignments that do not fit are refused", async () => {
    const trainer = await makeTrainer();
    const centroids = Float32Array.of(0, 1);
    expect(() => trainer.setSharing("fc2", { assignment: new Int32Array(3), centroids })).toThrow(RangeError);
    expect(() => trainer.setSharing("fc2", { assignment: new Int32Array(96).fill(2), centroids })).toThrow(
      /centroid 2/,
    );
  });
});

describe("the optimizer", () => {
  /** Trains fc2's biases alone: four parameters, whose gradients a plain loop over the logits gives. */
  async function biasPath(steps: number, lr: number): Promise<{ engine: number[]; gradients: number[][] }> {
    const trainer = await makeTrainer({ batch: 512, shards: 4 });
    const all = { ...barSamples(512, 3) };
    for (const layer of ["conv", "fc1", "fc2"]) {
      trainer.setFrozen(layer, new Uint8Array(trainer.weight(layer).length).fill(1));
      if (layer !== "fc2") trainer.setFrozenBias(layer, new Uint8Array(trainer.bias(layer).length).fill(1));
    }
    const gradients: number[][] = [];
    for (let step = 0; step < steps; step++) {
      const logits = await trainer.logits(all);
      const gradient = [0, 0, 0, 0];
      for (let n = 0; n < all.count; n++) {
        const z = Array.from(logits.subarray(4 * n, 4 * n + 4), Math.exp);
        const sum = z.reduce((a, b) => a + b, 0);
        z.forEach((e, c) => (gradient[c] += (e / sum - (all.labels[n] === c ? 1 : 0)) / all.count));
      }
      gradients.push(gradient);
      await trainer.train(job({ data: all, steps: 1, firstStep: step, lr: () => lr, weightDecay: 0 }));
    }
    return { engine: [...trainer.bias("fc2")], gradients };
  }

  test("Adam as Kingma and Ba have it", async () => {
    const { engine, gradients } = await biasPath(4, 0.02);
    const w = [0, 0, 0, 0];
    const m = [0, 0, 0, 0];
    const v = [0, 0, 0, 0];
    gradients.forEach((gradient, t) =>
      gradient.forEach((g, i) => {
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        w[i] -= (0.02 * (m[i] / (1 - 0.9 ** (t + 1)))) / (Math.sqrt(v[i] / (1 - 0.999 ** (t + 1))) + 1e-8);
      }),
    );
    engine.forEach((value, i) => expect(value).toBeCloseTo(w[i], 5));
  });

  for (const sparse of [false, true]) {
    test(`weight decay is decoupled, and spares biases${sparse ? " (sparse kernels)" : ""}`, async () => {
      const trainer = await makeTrainer();
      if (sparse) trainer.setMask("fc1", everyNth(trainer.weight("fc1").length, 4));
      // With the output layer at 0 no gradient reaches fc1: decay is all that moves it.
      trainer.weight("fc2").fill(0);
      trainer.setFrozen("fc2", new Uint8Array(96).fill(1));
      trainer.bias("fc1").fill(0.5);
      const before = Float32Array.from(trainer.weight("fc1"));
      await trainer.train(job({ steps: 3, lr: () => 0.1, weightDecay: 0.2 }));
      trainer.weight("fc1").forEach((w, i) => expect(w).toBeCloseTo(before[i] * 0.98 ** 3, 6));
      expect(trainer.bias("fc1").every((b) => b === 0.5)).toBe(true);
    });

    test(`L1 takes as much off every magnitude, down to 0, and spares biases${sparse ? " (sparse kernels)" : ""}`, async () => {
      const trainer = await makeTrainer();
      if (sparse) trainer.setMask("fc1", everyNth(trainer.weight("fc1").length, 4));
      trainer.weight("fc2").fill(0);
      trainer.setFrozen("fc2", new Uint8Array(96).fill(1));
      trainer.bias("fc1").fill(-0.5);
      const before = Float32Array.from(trainer.weight("fc1"));
      await trainer.train(job({ steps: 3, lr: () => 0.1, weightDecay: 0, l1: 0.2 }));
      const shrunk = (w: number): number => Math.sign(w) * Math.max(0, Math.abs(w) - 0.06);
      trainer.weight("fc1").forEach((w, i) => expect(w).toBeCloseTo(shrunk(before[i]), 6));
      expect(trainer.weight("fc1").filter((w) => w === 0).length).toBeGreaterThan(before.filter((w) => w === 0).length);
      expect(trainer.bias("fc1").every((b) => b === -0.5)).toBe(true);
    });
  }
});

describe("distillation", () => {
  test("draws the student to its teacher, without labels", async () => {
    const teacher = await makeTrainer();
    await teacher.train(job({ steps: 150 }));
    const labelled: Samples = { ...data, labels: new Uint8Array(data.count), logits: await teacher.logits(data) };
    const student = await makeTrainer({ seed: 99 });
    await student.train(job({ data: labelled, steps: 150, distill: { alpha: 1, temperature: 3 } }));
    expect((await student.evaluate(data)).errors).toBeLessThan(15);
  });

  test("needs logits of the right size", async () => {
    const trainer = await makeTrainer();
    const distill = { alpha: 1, temperature: 2 };
    await expect(trainer.train(job({ distill }))).rejects.toThrow(RangeError);
    const wrong = { ...data, logits: sharedFloats(7) };
    await expect(trainer.train(job({ data: wrong, distill }))).rejects.toThrow(RangeError);
  });
});

describe("inference", () => {
  test("activations are those of a plain net, for any number of samples", async () => {
    const trainer = await makeTrainer();
    const net = trainer.toNet();
    const parameters = new Map([...net.tensors].map(([name, { data: values }]) => [name, Float64Array.from(values)]));
    const few = barSamples(21, 8);
    const logits = await trainer.logits(few);
    let at = 0;
    const names: string[] = [];
    await trainer.activations(few, (tensor, values, n) => {
      if (tensor === "image") names.length = 0;
      names.push(tensor);
      for (let s = 0; s < n; s++) {
        const image = few.images.subarray((at + s) * 64, (at + s + 1) * 64);
        const expected = forward(
          smallNet,
          parameters,
          Float64Array.from(image, (p) => p / 255),
        ).get(tensor)!;
        expected.forEach((value, i) => expect(values[i * n + s]).toBeCloseTo(value, 4));
        if (tensor === "logits") expected.forEach((value, c) => expect(logits[(at + s) * 4 + c]).toBeCloseTo(value, 4));
      }
      if (tensor === "logits") at += n;
    });
    expect(at).toBe(21);
    expect(names).toEqual(["image", "conv", "pool", "fc1", "relu", "logits"]);
  });

  test("no samples, no errors", async () => {
    const trainer = await makeTrainer();
    expect(await trainer.evaluate(barSamples(0, 1))).toMatchObject({ errors: 0, loss: 0 });
  });
});

describe("what does not fit", () => {
  test("a net of other shapes is refused and nothing is changed", async () => {
    const trainer = await makeTrainer();
    const before = netBytes(trainer.toNet());
    const net = trainer.toNet();
    const broken = (name: string, shape: number[] | null): Net => {
      const tensors = new Map(net.tensors);
      if (shape === null) tensors.delete(name);
      else tensors.set(name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
      return { ...net, tensors };
    };
    expect(() => trainer.load(broken("fc1.weight", [24, 95]))).toThrow(
      /fc1\.weight: expected shape \[24,96\], got \[24,95\]/,
    );
    expect(() => trainer.load(broken("fc2.bias", null))).toThrow(/fc2\.bias is missing/);
    expect(() => trainer.load(broken("fc9.bias", [1]))).toThrow(/fc9\.bias belongs to no layer/);
    expect(netBytes(trainer.toNet()).equals(before)).toBe(true);
  });

  test("graphs that cannot be", async () => {
    const idle: Graph = {
      ...smallNet,
      layers: [...smallNet.layers.slice(0, 4), { ...smallNet.layers[4], input: "pool" } as never],
    };
    await expect(makeTrainer({ graph: idle })).rejects.toThrow(/small\/relu: its output "relu" is read by no layer/);
    const weightless: Graph = { ...smallNet, layers: [{ ...smallNet.layers[1], input: "image" } as never] };
    await expect(makeTrainer({ graph: weightless })).rejects.toThrow(/small: no layer has weights to train/);
    await expect(makeTrainer({ graph: { ...smallNet, layers: [] } })).rejects.toThrow(/at least one layer/);
    const deep = { ...smallNet.layers[1], kernel: 9 } as never;
    await expect(makeTrainer({ graph: { ...smallNet, layers: [smallNet.layers[0], deep] } })).rejects.toThrow(
      /kernel 9/,
    );
  });

  test("a net whose tensors take more memory than there can be is refused before its tables are made", async () => {
    const shape = [1, 1 << 15, 1 << 15] as const;
    const graph: Graph = { ...smallNet, input: { name: "image", shape }, layers: smallNet.layers.slice(0, 1) };
    await expect(makeTrainer({ graph, batch: 32 })).rejects.toMatchObject({
      code: "MEMORY",
      message:
        "small: its tensors, 32 samples a step on 1 threads, take 425,984 MiB, expected at most 4,096 MiB; fewer of either take less",
    });
  });

  test("a label that is no class, in training and in measuring", async () => {
    const trainer = await makeTrainer();
    const before = netBytes(trainer.toNet());
    const labels = data.labels.slice();
    labels[499] = 4;
    const message = "the label of sample 499 is 4, expected 0 .. 3, one of 4 classes";
    await expect(trainer.train(job({ data: { ...data, labels } }))).rejects.toThrow(message);
    await expect(trainer.evaluate({ ...data, labels })).rejects.toThrow(message);
    await expect(trainer.evaluate({ ...data, labels: labels.subarray(1) })).rejects.toThrow(
      "samples: 499 labels for 500 samples",
    );
    expect(netBytes(trainer.toNet()).equals(before)).toBe(true);
  });

  test("no samples to train on", async () => {
    const trainer = await makeTrainer();
    await expect(trainer.train(job({ data: barSamples(0, 1) }))).rejects.toMatchObject({
      code: "MISMATCH",
      message: "samples: there are none, expected some to train on",
    });
  });

  test("samples without labels, and readings that do not suit them", async () => {
    const trainer = await makeTrainer();
    const { count, images } = data;
    await expect(trainer.train(job({ data: { count, images } }))).rejects.toThrow(
      "samples: no labels, expected a class for each sample",
    );
    const reading = { scale: [1, 2], offset: [0, 0] };
    await expect(trainer.logits({ ...data, reading })).rejects.toThrow(
      "samples: read with 2 scales or offsets, expected one for each of 1 channels",
    );
  });

  test("batches, threads, layers, images and flags", async () => {
    await expect(makeTrainer({ batch: 40 })).rejects.toThrow(RangeError);
    await expect(makeTrainer({ threads: 0 })).rejects.toThrow(RangeError);
    const trainer = await makeTrainer();
    expect(() => trainer.weight("pool")).toThrow(/no layer with weights named pool/);
    expect(() => trainer.setMask("fc2", new Uint8Array(5))).toThrow(/expected a mask of 96 bytes/);
    const short = { ...data, count: data.count + 1 };
    await expect(trainer.train(job({ data: short }))).rejects.toThrow(RangeError);
    await expect(trainer.logits(short)).rejects.toThrow(RangeError);
    const first = trainer.train(job());
    await expect(trainer.logits(data)).rejects.toThrow(/one job at a time/);
    await first;
  });
});

describe("training that diverges", () => {
  test.each([1, 4])("stops at the first loss that is not finite, on %i threads", async (threads) => {
    const trainer = await makeTrainer({ threads });
    await expect(trainer.train(job({ steps: 5, lr: () => 1e-3 }))).resolves.toMatchObject({ steps: 5 });
    // Adam moves each weight by about the rate, and products of such weights are beyond float32.
    const lost = trainer.train(job({ steps: 1000, firstStep: 5, lr: () => 1e30 }));
    await expect(lost).rejects.toMatchObject({
      code: "DIVERGED",
      message: "step 8: the loss is no longer finite; a lower learning rate than its 1e+30 usually helps",
    });
  });

  test("sees weights that a relu hides from the loss", async () => {
    const trainer = await makeTrainer();
    trainer.bias("fc1").fill(NaN);
    await expect(trainer.train(job({ steps: 1 }))).rejects.toMatchObject({
      code: "DIVERGED",
      message: expect.stringContaining("step 1: weights are no longer finite"),
    });
  });
});

test("random weights follow He before a relu and Glorot elsewhere", async () => {
  const trainer = await makeTrainer();
  const spread = (values: Float32Array): number => Math.max(...values.map(Math.abs));
  expect(spread(trainer.weight("fc1"))).toBeCloseTo(Math.sqrt(6 / 96), 2);
  expect(spread(trainer.weight("fc2"))).toBeCloseTo(Math.sqrt(6 / 28), 1);
  expect(trainer.bias("fc1").every((b) => b === 0)).toBe(true);
  const mean = trainer.weight("fc1").reduce((a, b) => a + b, 0) / 2304;
  expect(Math.abs(mean)).toBeLessThan(0.02);
  expect(new Random(1).nextU32()).not.toBe(new Random(2).nextU32());
});
