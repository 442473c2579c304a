/** Optimal Brain Surgeon of layers whose error is exactly quadratic, beside all that could be done. */
import { describe, expect, test } from "vitest";
import { inverseFactor, solvePositive } from "../../host/compress/cholesky.js";
import { obsScores, operate, Surgeon, type Surgery } from "../../host/compress/obs.js";
import { patchesOf } from "../../host/compress/patches.js";
import { survivors } from "../../host/compress/prune.js";
import type { Graph } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Random } from "../../host/rng.js";
import { Trainer } from "../../host/train/trainer.js";

const DAMPING = 1e-9;

/** Second moments of inputs that have much to do with each other, and of the bias's 1. */
function momentsOf(columns: number, seed: number): Float64Array {
  const random = new Random(seed);
  const size = columns + 1;
  const moments = new Float64Array(size * size);
  for (let n = 0; n < 200; n++) {
    const common = random.normal();
    const x = Float64Array.from({ length: size }, (_, i) => (i === columns ? 1 : common + random.normal() + i / 4));
    for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) moments[i * size + j] += (x[i] * x[j]) / 200;
  }
  return moments;
}

function surgeryOf(rows: number, columns: number, seed: number): Surgery {
  const random = new Random(seed, 1);
  const draw = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal());
  const importance = Float64Array.from({ length: rows }, (_, row) => 1 + row);
  return { layer: "a", weights: draw(rows * columns), bias: draw(rows), moments: momentsOf(columns, seed), importance };
}

const rowOf = ({ weights, bias }: Surgery, row: number): number[] => {
  const columns = weights.length / bias.length;
  return [...weights.subarray(row * columns, (row + 1) * columns), bias[row]];
};

/** Of a row against what it was: the quadratic form of the difference. */
function errorOf(moments: Float64Array, before: readonly number[], after: readonly number[]): number {
  const d = before.map((w, i) => after[i] - w);
  return d.reduce((sum, a, i) => sum + d.reduce((inner, b, j) => inner + a * b * moments[i * d.length + j], 0), 0);
}

/** The least error that a row can have with these weights at 0: coordinate descent, which ends at the only minimum. */
function bestError(moments: Float64Array, before: readonly number[], gone: ReadonlySet<number>): number {
  const n = before.length;
  const after = before.map((w, i) => (gone.has(i) ? 0 : w));
  for (let turn = 0; turn < 3000; turn++) {
    for (let i = 0; i < n; i++) {
      if (gone.has(i)) continue;
      let slope = 0;
      for (let j = 0; j < n; j++) slope += moments[i * n + j] * (after[j] - before[j]);
      after[i] -= slope / moments[i * n + i];
    }
  }
  return errorOf(moments, before, after);
}

describe("Cholesky's factors", () => {
  test("VᵀV is the inverse, and V upper", () => {
    const size = 7;
    const matrix = momentsOf(size - 1, 3);
    const factor = matrix.slice();
    expect(inverseFactor(factor, size)).toBe(true);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        if (j < i) expect(factor[i * size + j]).toBe(0);
        let product = 0;
        for (let k = 0; k < size; k++)
          for (let l = 0; l < size; l++) product += factor[l * size + i] * factor[l * size + k] * matrix[k * size + j];
        expect(product).toBeCloseTo(i === j ? 1 : 0, 8);
      }
    }
  });

  test("a system is solved, and one that is not positive refused", () => {
    const x = Float64Array.of(4, 1);
    expect(solvePositive(Float64Array.of(2, 1, 1, 3), 2, x)).toBe(true);
    expect([...x].map((v) => Math.round(v * 1e9) / 1e9)).toEqual([2.2, -0.4]);
    expect(solvePositive(Float64Array.of(1, 2, 2, 1), 2, x)).toBe(false);
    expect(inverseFactor(Float64Array.of(1, 2, 2, 1), 2)).toBe(false);
  });
});

test("too little damping is refused by the layer's name", () => {
  const surgery = surgeryOf(2, 3, 1);
  surgery.moments.fill(1);
  expect(() => obsScores(surgery, 0)).toThrow("damping: expected more for what a reads, got 0");
});

describe("a layer of exactly quadratic error", () => {
  test.each([1, 2, 3, 4, 5, 6])(
    "one weight less is the best one, and the others the best there are: seed %i",
    (seed) => {
      const surgery = surgeryOf(2, 6, seed);
      const before = [rowOf(surgery, 0), rowOf(surgery, 1)];
      const costs = Array.from({ length: 12 }, (_, at) => {
        const row = Math.floor(at / 6);
        return surgery.importance[row] * bestError(surgery.moments, before[row], new Set([at % 6]));
      });
      const scores = obsScores(surgery, DAMPING);
      for (const [at, cost] of costs.entries()) expect(2 * scores[at]).toBeCloseTo(cost, 4);
      operate(surgery, 11, DAMPING);
      const least = costs.indexOf(Math.min(...costs));
      expect([...surgery.weights].map((w, at) => (w === 0 ? at : -1)).filter((at) => at >= 0)).toEqual([least]);
      const row = Math.floor(least / 6);
      const error = errorOf(surgery.moments, before[row], rowOf(surgery, row));
      expect(surgery.importance[row] * error).toBeCloseTo(costs[least], 5);
      expect(rowOf(surgery, 1 - row)).toEqual(before[1 - row]);
    },
  );

  test.each([2, 4, 6, 9, 15, 18])(
    "with %i of 18 weights left each row has the least error that these allow",
    (keep) => {
      const surgery = surgeryOf(2, 9, keep);
      const before = [rowOf(surgery, 0), rowOf(surgery, 1)];
      operate(surgery, keep, DAMPING);
      expect(survivors(surgery.weights)).toBe(keep);
      for (const [row, old] of before.entries()) {
        const now = rowOf(surgery, row);
        const gone = new Set(now.flatMap((w, i) => (w === 0 ? [i] : [])));
        expect(errorOf(surgery.moments, old, now)).toBeCloseTo(bestError(surgery.moments, old, gone), 4);
      }
    },
  );

  test("of inputs that have nothing to do with each other the best weights stay as they are", () => {
    const surgery = surgeryOf(3, 8, 1);
    surgery.moments.fill(0);
    for (let i = 0; i < 9; i++) surgery.moments[i * 9 + i] = i === 8 ? 1 : 1 + i;
    const before = surgery.weights.slice();
    const costs = [...before].map((w, at) => w * w * (1 + (at % 8)) * (1 + Math.floor(at / 8)));
    const kept = new Set(
      costs
        .map((_, at) => at)
        .sort((a, b) => costs[b] - costs[a])
        .slice(0, 10),
    );
    operate(surgery, 10, DAMPING);
    for (const [at, w] of surgery.weights.entries()) expect(w).toBeCloseTo(kept.has(at) ? before[at] : 0, 5);
  });

  test("what is gone stays, and what reads nothing goes first", () => {
    const surgery = surgeryOf(2, 6, 1);
    surgery.weights[3] = 0;
    for (let i = 0; i < 7; i++) surgery.moments[2 * 7 + i] = surgery.moments[i * 7 + 2] = 0;
    const scores = obsScores(surgery, DAMPING);
    expect(scores[3]).toBe(0);
    expect(scores[2]).toBeGreaterThan(0);
    operate(surgery, 9, DAMPING);
    expect(surgery.weights[3]).toBe(0);
    expect([surgery.weights[2], surgery.weights[8]]).toEqual([0, 0]);
    expect(survivors(surgery.weights)).toBe(9);
  });
});

const graph: Graph = {
  name: "tiny",
  input: { name: "t0", shape: [4, 6, 5] },
  layers: [
    {
      op: "conv2d",
      name: "a",
      input: "t0",
      output: "t1",
      outChannels: 6,
      kernel: [3, 2],
      stride: 2,
      pad: 1,
      groups: 2,
    },
    { op: "relu", name: "r", input: "t1", output: "t2" },
    { op: "dense", name: "b", input: "t2", output: "t3", outFeatures: 5 },
  ],
};

test("patches are what the weights are multiplied with", async () => {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph, seed: 1, threads: 1, batch: 32 });
  const random = new Random(2);
  const images = Float32Array.from({ length: 3 * 120 }, () => random.normal());
  const reading = { scale: [1, 1, 1, 1], offset: [0, 0, 0, 0] };
  const samples = { count: 3, images, reading };
  const { rows, columns, positions, groups, unfold } = patchesOf(graph).get("a")!;
  expect([rows, columns, groups]).toEqual([6, 12, 2]);
  const outputs = await trainer.features(samples, "t1");
  const patch = new Float32Array(columns * positions);
  for (let n = 0; n < 3; n++) {
    for (let row = 0; row < rows; row++) {
      unfold(images.subarray(n * 120, (n + 1) * 120), 1, 0, Math.floor((row * groups) / rows), patch);
      for (let p = 0; p < positions; p++) {
        let sum = 0;
        for (let c = 0; c < columns; c++) sum += trainer.weight("a")[row * columns + c] * patch[c * positions + p];
        expect(sum).toBeCloseTo(outputs[(n * rows + row) * positions + p], 4);
      }
    }
  }
  await trainer.close();
});

test("a convolution's outputs change less than without making up for what goes", async () => {
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph, seed: 1, threads: 1, batch: 32 });
  const random = new Random(3);
  const count = 100;
  // Neighbours are much alike, as in pictures.
  const images = new Float32Array(count * 120);
  for (let i = 0; i < images.length; i++) images[i] = 0.8 * (i % 5 === 0 ? 0 : images[i - 1]) + random.normal();
  const samples = { count, images, reading: { scale: [1, 1, 1, 1], offset: [0, 0, 0, 0] } };
  const before = await trainer.features(samples, "t1");
  const weights = trainer.weight("a").slice();
  const distance = async (): Promise<number> => {
    const now = await trainer.features(samples, "t1");
    return now.reduce((sum, y, i) => sum + (y - before[i]) ** 2, 0) / before.length;
  };
  const surgeon = new Surgeon(trainer, samples, () => new Float64Array(6).fill(1), 1e-6);
  await surgeon.operate("a", 36);
  const mask = trainer.weight("a").map((w) => (w === 0 ? 0 : 1));
  expect(survivors(mask)).toBe(36);
  const operated = await distance();
  trainer.weight("a").set(weights.map((w, i) => w * mask[i]));
  trainer.bias("a").fill(0);
  expect(operated).toBeLessThan(0.7 * (await distance()));
  await trainer.close();
});
