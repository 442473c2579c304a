import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { integerEvaluation } from "../../host/compress/integer-errors.js";
import type { PqStage } from "../../host/compress/method-stages.js";
import { productBytes, productCodebooks } from "../../host/compress/product.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { runStage, type StageContext } from "../../host/compress/stages.js";
import { writeContainer } from "../../host/container/write.js";
import { openReference } from "../../host/engines/reference.js";
import type { Graph, Net } from "../../host/model/model.js";
import { quantize } from "../../host/quantize/quantize.js";
import { Random } from "../../host/rng.js";
import type { Checkpoint } from "../../host/train/checkpoint.js";
import { barSamples, netBytes, smallNet, stageContext, startedNet } from "../train/support.js";

const sides = { rows: fc.integer({ min: 1, max: 12 }), columns: fc.integer({ min: 1, max: 11 }) };
const codebook = fc.record({
  ...sides,
  width: fc.integer({ min: 1, max: 5 }),
  k: fc.integer({ min: 1, max: 6 }),
  seed: fc.nat(),
});

function draw(rows: number, columns: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: rows * columns }, () => (random.integer(5) === 0 ? 0 : random.normal()));
}

const valuesOf = (weights: Float32Array, rows: number, width: number, k: number, seed: number): Float32Array => {
  const { elements, assignment } = productCodebooks(weights, rows, width, k, seed);
  return Float32Array.from(assignment, (of) => (of < 0 ? 0 : elements[of]));
};

describe("codebooks", () => {
  test("of each sub-space have at most k sub-vectors; pruned weights stay 0", () => {
    fc.assert(
      fc.property(codebook, ({ rows, columns, width, k, seed }) => {
        const weights = draw(rows, columns, seed);
        const { elements, assignment } = productCodebooks(weights, rows, width, k, seed);
        const count = Math.min(k, rows);
        expect(elements).toHaveLength(columns * count);
        for (let first = 0; first < columns; first += width) {
          for (let row = 0; row < rows; row++) {
            const at = [...Array(Math.min(width, columns - first)).keys()].map((i) => row * columns + first + i);
            // All elements of a sub-vector are of one centroid, each of its own column.
            const codes = new Set(at.filter((i) => weights[i] !== 0).map((i) => assignment[i] % count));
            expect(codes.size).toBeLessThanOrEqual(1);
            for (const i of at)
              expect(weights[i] === 0 ? assignment[i] : Math.floor(assignment[i] / count)).toBe(
                weights[i] === 0 ? -1 : i % columns,
              );
          }
        }
      }),
    );
  });

  test("with as many centroids as rows keep the weights, and the same seed finds the same", () => {
    fc.assert(
      fc.property(codebook, ({ rows, columns, width, seed }) => {
        const weights = draw(rows, columns, seed);
        expect(valuesOf(weights, rows, width, rows, seed)).toEqual(weights);
        expect(valuesOf(weights, rows, width, 2, seed)).toEqual(valuesOf(weights, rows, width, 2, seed));
      }),
    );
  });

  test("find rows that are near to each other", () => {
    const random = new Random(3);
    const groups = [draw(1, 8, 7), draw(1, 8, 8), draw(1, 8, 9)].map((row) => row.map((w) => 10 * w + 1));
    const weights = new Float32Array(60 * 8);
    for (let row = 0; row < 60; row++)
      weights.set(
        groups[row % 3].map((w) => w + 0.001 * random.normal()),
        row * 8,
      );
    for (const seed of [1, 2, 3, 4]) {
      const values = valuesOf(weights, 60, 4, 8, seed);
      const error = values.reduce((sum, w, i) => sum + (w - weights[i]) ** 2, 0);
      expect(error).toBeLessThan(60 * 8 * 1e-5);
    }
  });
});

describe("bytes", () => {
  test("are those of codebooks and of codes at their entropy", () => {
    // Two sub-spaces of two columns: one of two sub-vectors, evenly, one of a single one.
    const integers = Int8Array.of(1, 2, 5, 5, 3, 4, 5, 5, 1, 2, 5, 5, 3, 4, 5, 5);
    expect(productBytes(integers, 4, 2)).toBe(Math.ceil(2 * 2 + 4 / 8 + 2));
    // 1, 2, 3 and 4 twice each, 5 eight times.
    expect(productBytes(integers, 4, "shared")).toBe(5 + (8 * 3 + 8 * 1) / 8);
    expect(productBytes(Int8Array.of(1, 2, 2), 1, "shared")).toBe(3);
    // What is left of a row is a narrower sub-space.
    expect(productBytes(Int8Array.of(1, 2, 3), 1, 2)).toBe(3);
  });
});

describe("the stage", () => {
  const samples = barSamples(96, 1);
  const context = stageContext(samples);
  let start: Net;
  beforeAll(async () => {
    start = await startedNet(smallNet, samples, 100);
  });
  const stageOf = (keys: object, graph: Graph = smallNet): PqStage => {
    const text = JSON.stringify({ net: "lenet300", stages: [{ kind: "pq", ...keys }, { kind: "calibrate" }] });
    return checkRecipe(parseRecipe(text, "r.json"), graph).stages[0] as PqStage;
  };

  test("leaves so few sub-vectors at the same columns, learns, and packs to what the reference runs", async () => {
    const stage = stageOf({ centroids: 4, width: 3, epochs: 10, lr: 0.003 });
    const run = (epochs: number): Promise<Net> => runStage(start, { ...stage, epochs }, context, samples);
    const errorOf = async (net: Net): Promise<number> => {
      const calibrated = await runStage(net, { kind: "calibrate", samples: 96, range: "full" }, context, samples);
      const engine = openReference(writeContainer(quantize(calibrated)));
      return integerEvaluation(engine, samples, undefined).loss;
    };
    const [found, learned] = [await run(0), await run(10)];
    expect(await errorOf(learned)).toBeLessThan(0.7 * (await errorOf(found)));
    for (const { name } of [smallNet.layers[0], smallNet.layers[2], smallNet.layers[4]]) {
      const { integers, shape, data } = learned.tensors.get(`${name}.weight`)!;
      const columns = data.length / shape[0];
      for (let first = 0; first < columns; first += 3) {
        const seen = new Set(
          Array.from({ length: shape[0] }, (_, row) =>
            integers!.subarray(row * columns + first, Math.min(row * columns + first + 3, (row + 1) * columns)).join(),
          ),
        );
        expect(seen.size).toBeLessThanOrEqual(4);
      }
    }
  });

  test("stopped and gone on with: the same bytes", async () => {
    const stage = stageOf({ epochs: 4 });
    const whole = await runStage(start, stage, context, samples);
    let state: Checkpoint | undefined;
    const stop = new AbortController();
    const keeper: StageContext["keeper"] = { load: () => state, save: (kept) => void (state = kept) };
    const onProgress = (done: number): void => {
      if (done === 6) stop.abort();
    };
    const stopped = runStage(start, stage, { ...context, keeper, signal: stop.signal, onProgress }, samples);
    await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    const resumed = await runStage(start, stage, { ...context, keeper }, samples);
    expect(netBytes(resumed).equals(netBytes(whole))).toBe(true);
  });

  const wide: Graph = {
    name: "wide",
    input: { name: "x", shape: [8192, 1, 1] },
    layers: [{ op: "dense", name: "fc", input: "x", output: "fc", outFeatures: 4096 }],
  };
  test.each([
    [{ centroids: 1 }, smallNet, "stages[0].centroids: expected a whole number, 2 .. 256, got 1"],
    [{ centroids: { fc1: 4 } }, smallNet, "stages[0].centroids.conv: missing"],
    [{ centroids: { fc9: 4, "*": 4 } }, smallNet, "stages[0].centroids.fc9: no such layer"],
    [{ width: 1 }, smallNet, "stages[0].width: expected a whole number, 2 .. 64, got 1"],
    [{ bits: 4 }, smallNet, "stages[0].bits: unknown key"],
    [{ centroids: 256 }, wide, "stages[0].centroids.fc: 256 centroids of 33554432 weights take too long to find"],
  ])("%j is refused with the place", (keys, graph, message) => {
    expect(() => stageOf(keys, graph)).toThrow(message);
  });
});
