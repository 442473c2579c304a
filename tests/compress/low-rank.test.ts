import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { estimateBytes } from "../../host/compress/estimate.js";
import { integerEvaluation } from "../../host/compress/integer-errors.js";
import { lowRankNet, mostUsefulRank } from "../../host/compress/low-rank.js";
import type { LowRankStage } from "../../host/compress/method-stages.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { lastGraph } from "../../host/compress/split-stages.js";
import { runStage } from "../../host/compress/stages.js";
import { energies, svd } from "../../host/compress/svd.js";
import { writeContainer } from "../../host/container/write.js";
import { openReference } from "../../host/engines/reference.js";
import type { Graph, Net } from "../../host/model/model.js";
import { quantize } from "../../host/quantize/quantize.js";
import { Random } from "../../host/rng.js";
import { lenet300 } from "../../host/train/nets.js";
import { asked, barSamples, smallNet, stageContext, startedNet } from "../train/support.js";

const samples = barSamples(96, 1);
const context = stageContext(samples, {});
let start: Net;
beforeAll(async () => {
  start = await startedNet(smallNet, samples);
});

const logitsOf = (net: Net): Promise<Float32Array> => asked(net, (trainer) => trainer.logits(samples));

const stageOf = (stage: Partial<LowRankStage>): LowRankStage => {
  const text = JSON.stringify({
    net: "lenet300",
    stages: [{ kind: "low-rank", epochs: 0, ...stage }, { kind: "share", bits: 4 }, { kind: "calibrate" }],
  });
  return checkRecipe(parseRecipe(text, "r.json"), smallNet).stages[0] as LowRankStage;
};

describe("singular values", () => {
  test("of any matrix: vectors at right angles, values descending, and their sum is the matrix", () => {
    const side = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(side, side, fc.integer(), fc.integer({ min: 1, max: 9 }), (rows, columns, seed, rank) => {
        const random = new Random(seed);
        // A sum of few products: it may have singular values of 0.
        const a = new Float64Array(rows * columns);
        for (let k = 0; k < rank; k++) {
          const [u, v] = [rows, columns].map((n) => Array.from({ length: n }, () => random.normal()));
          for (let i = 0; i < a.length; i++) a[i] += u[Math.floor(i / columns)] * v[i % columns];
        }
        const { values, left, right } = svd(a, rows, columns);
        const n = Math.min(rows, columns);
        expect(values.length).toBe(n);
        const norm = Math.hypot(...a);
        const dot = (of: Float64Array, i: number, j: number): number => {
          const length = of.length / n;
          return of
            .subarray(i * length, (i + 1) * length)
            .reduce((sum, value, at) => sum + value * of[j * length + at], 0);
        };
        for (let i = 0; i < n; i++) {
          if (i > 0) expect(values[i]).toBeLessThanOrEqual(values[i - 1]);
          // Where a value is next to nothing, so is what its vectors are known to.
          if (values[i] < 1e-9 * norm) continue;
          for (let j = 0; j <= i; j++) {
            expect(dot(left, i, j)).toBeCloseTo(i === j ? 1 : 0, 9);
            expect(dot(right, i, j)).toBeCloseTo(i === j ? 1 : 0, 5);
          }
        }
        for (let r = 0; r < rows; r++)
          for (let c = 0; c < columns; c++) {
            const sum = values.reduce((s, value, i) => s + value * left[i * rows + r] * right[i * columns + c], 0);
            expect(Math.abs(sum - a[r * columns + c])).toBeLessThan(1e-10 * (1 + norm));
          }
      }),
      { numRuns: 100 },
    );
  });

  test("of a known matrix; energies rise to 1", () => {
    const { values } = svd([3, 0, 4, 5], 2, 2);
    expect([...values].map((s) => s * s)).toEqual([expect.closeTo(45), expect.closeTo(5)]);
    expect([...energies(values)]).toEqual([expect.closeTo(0.9), 1]);
    expect([...energies(new Float64Array(2))]).toEqual([1, 1]);
  });
});

describe("a layer of low rank", () => {
  test("at full rank computes the same", async () => {
    const full = await runStage(start, stageOf({ rank: { conv: 6, fc1: 24, fc2: 4 } }), context, samples);
    expect(full.graph.layers.map(({ name }) => name)).toEqual([
      "conv.in",
      "conv.out",
      "pool",
      "fc1.in",
      "fc1.out",
      "relu",
      "fc2.in",
      "fc2.out",
    ]);
    const [a, b] = [await logitsOf(start), await logitsOf(full)];
    a.forEach((value, i) => expect(b[i]).toBeCloseTo(value, 4));
    expect(full.compression!.nominalChannels).toMatchObject({ conv: 6, "conv.in": 6, fc1: 24, "fc1.in": 24 });
  });

  test("is nearest to the matrix at every rank: what is lost are the other singular values", () => {
    const weight = start.tensors.get("fc1.weight")!.data;
    const { values } = svd(weight, 24, 96);
    for (const rank of [1, 5, 20]) {
      const { tensors } = lowRankNet(start, stageOf({ rank: { fc1: rank } }), {});
      const [first, second] = ["fc1.in", "fc1.out"].map((name) => tensors.get(`${name}.weight`)!);
      expect([first.shape, second.shape]).toEqual([
        [rank, 96],
        [24, rank],
      ]);
      let lost = 0;
      for (let r = 0; r < 24; r++)
        for (let c = 0; c < 96; c++) {
          let sum = 0;
          for (let k = 0; k < rank; k++) sum += second.data[r * rank + k] * first.data[k * 96 + c];
          lost += (weight[r * 96 + c] - sum) ** 2;
        }
      expect(lost).toBeCloseTo(
        values.subarray(rank).reduce((sum, s) => sum + s * s, 0),
        3,
      );
    }
  });

  test("by energy has the least rank that keeps so much, and none that saves nothing", () => {
    const { values } = svd(start.tensors.get("fc1.weight")!.data, 24, 96);
    const shares = energies(values);
    for (const energy of [0.1, 0.4, 0.6]) {
      const rank = lowRankNet(start, stageOf({ energy: { fc1: energy } }), {}).tensors.get("fc1.in.bias")!.data.length;
      expect(shares[rank - 1]).toBeGreaterThanOrEqual(energy);
      if (rank > 1) expect(shares[rank - 2]).toBeLessThan(energy);
    }
    const most = lowRankNet(start, stageOf({ energy: 1 as never }), {});
    expect(most.tensors.get("fc1.in.bias")!.data.length).toBe(mostUsefulRank(24, 96));
    expect(mostUsefulRank(24, 96)).toBe(19);
    expect(19 * (24 + 96)).toBeLessThan(24 * 96);
    // 2 × 4 by two of rank 1 has 6 weights; with 12 columns and 4 rows rank 3 would have as many as the one.
    expect([mostUsefulRank(2, 4), mostUsefulRank(4, 12), mostUsefulRank(1, 5)]).toEqual([1, 2, 1]);
  });

  test("by bytes takes what fits and no singular value less", () => {
    const sizes = [700, 1000].map((bytes) => {
      const net = lowRankNet(start, stageOf({ bytes }), {});
      const estimated = estimateBytes(net);
      expect(estimated).toBeLessThanOrEqual(bytes);
      expect(estimated).toBeGreaterThan(bytes - 250);
      return estimated;
    });
    expect(sizes[1]).toBeGreaterThan(sizes[0]);
    expect(() => lowRankNet(start, stageOf({ bytes: 100 }), {})).toThrow(/bytes: expected \d+ or more/);
  });

  test("trains, is pruned and shared by the names of its parts, and runs as integers", async () => {
    const split = await runStage(
      start,
      { ...stageOf({ rank: { conv: 4, fc1: 8 } }), epochs: 8, lr: 0.01 },
      context,
      samples,
    );
    const names = ["conv.in", "conv.out", "fc1.in", "fc1.out", "fc2"];
    expect(lastGraph({ stages: [stageOf({ rank: { conv: 4, fc1: 8 } })] }, smallNet)).toEqual(split.graph);
    const bits = Object.fromEntries(names.map((name) => [name, 4]));
    const shared = await runStage(
      split,
      { kind: "share", bits, init: "linear", epochs: 2, lr: 0.001, lrEnd: 0 },
      context,
      samples,
    );
    const net = await runStage(shared, { kind: "calibrate", samples: 96, range: "error" }, context, samples);
    const engine = openReference(writeContainer(quantize(net)));
    expect(integerEvaluation(engine, samples).errors).toBeLessThan(0.1 * samples.count);
  });
});

test("what no rank makes smaller stays whole under a pattern, and is refused by its name", () => {
  const thin: Graph = {
    name: "thin",
    input: { name: "x", shape: [2, 1, 1] },
    layers: [
      { op: "dense", name: "a", input: "x", output: "a", outFeatures: 2 },
      { op: "dense", name: "b", input: "a", output: "b", outFeatures: 9 },
      { op: "dense", name: "c", input: "b", output: "c", outFeatures: 1 },
    ],
  };
  const check = (rank: unknown) => {
    const stages = [{ kind: "low-rank", rank }, { kind: "share", bits: 4 }, { kind: "calibrate" }];
    return checkRecipe(parseRecipe(JSON.stringify({ net: "lenet300", stages }), "r.json"), thin).stages[0];
  };
  expect(check({ "*": 1 })).toMatchObject({ rank: { b: 1 } });
  expect(Object.keys((check({ "*": 1 }) as LowRankStage).rank!)).toEqual(["b"]);
  expect(() => check({ a: 1 })).toThrow("stages[0].rank.a: no rank makes 2 × 2 weights fewer");
  expect(() => check({ c: 1 })).toThrow("stages[0].rank.c: no rank makes 1 × 9 weights fewer");
});

test("a layer that would take too long is refused by its name", () => {
  const wide = { op: "dense", name: "wide", input: "x", output: "y", outFeatures: 4096 } as const;
  const graph: Graph = { name: "wide", input: { name: "x", shape: [512, 7, 7] }, layers: [wide] };
  const stages = [{ kind: "low-rank" }, { kind: "share", bits: 4 }, { kind: "calibrate" }];
  const recipe = parseRecipe(JSON.stringify({ net: "lenet300", stages }), "r.json");
  expect(() => checkRecipe(recipe, graph)).toThrow(/^stages\[0\].energy.wide: 4096 × 25088 weights take too long/);
});

const recipeOf = (stages: unknown[]) =>
  checkRecipe(
    parseRecipe(JSON.stringify({ net: "lenet300", stages: [...stages, { kind: "calibrate" }] }), "r.json"),
    lenet300,
  );

test("later stages see the layers that there are then", () => {
  const { stages, pack } = checkRecipe(
    parseRecipe(
      JSON.stringify({
        net: "lenet300",
        stages: [
          { kind: "low-rank", rank: { fc1: 20, fc2: 0.1 } },
          { kind: "low-rank", rank: { "fc1.in": 10 } },
          { kind: "share", bits: { "*": 4, "fc1*": 5 } },
          { kind: "calibrate" },
        ],
        pack: { biasBits: 7 },
      }),
      "r.json",
    ),
    lenet300,
  );
  const parts = { "fc1.in.in": 5, "fc1.in.out": 5, "fc1.out": 5, "fc2.in": 4, "fc2.out": 4, fc3: 4 };
  expect(stages[2]).toMatchObject({ bits: parts });
  expect(Object.keys(pack.biasBits)).toEqual(Object.keys(parts));
});

test.each<[unknown[], string]>([
  [[{ kind: "low-rank", rank: { fc1: 301 } }], "stages[0].rank.fc1: expected at most 300, got 301"],
  [[{ kind: "low-rank", rank: 2.5 }], "stages[0].rank: expected a whole number, 1 .. 65535, got 2.5"],
  [[{ kind: "low-rank", rank: 0 }], "stages[0].rank: expected a number"],
  [[{ kind: "low-rank", rank: 4, energy: 0.5 }], "stages[0].energy: expected none beside rank"],
  [[{ kind: "low-rank", rank: 4, bytes: 500 }], "stages[0].bytes: expected none beside rank"],
  [[{ kind: "low-rank", energy: 1.1 }], "stages[0].energy: expected a number"],
  [[{ kind: "low-rank", energy: { "op:conv2d": 0.5 } }], "stages[0].energy.op:conv2d: no such layer"],
  [[{ kind: "low-rank", energy: { fc4: 0.5 } }], "stages[0].energy.fc4: no such layer; there are fc1, fc2, fc3"],
  [[{ kind: "low-rank" }, { kind: "share", bits: { fc1: 4 } }], "stages[1].bits.fc1: no such layer; there are fc1.in"],
  [[{ kind: "share", bits: 4 }, { kind: "low-rank" }], "stages[1]: low-rank cannot follow share"],
])("%j is refused", (stages, message) => {
  const all = stages.some((stage) => (stage as { kind: string }).kind === "share")
    ? stages
    : [...stages, { kind: "share", bits: 4 }];
  expect(() => recipeOf(all)).toThrow(message);
});
