import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { modelBits } from "../../host/codecs/weight-prices.js";
import { orderableGroups, reorder } from "../../host/compress/reorder.js";
import { unitsOf } from "../../host/compress/units.js";
import { prunableShapes } from "../../host/compress/prune.js";
import { writeContainer } from "../../host/container/write.js";
import { openReference } from "../../host/engines/reference.js";
import { namedNet } from "../../host/train/nets.js";
import type { Graph, Net } from "../../host/model/model.js";
import { quantize } from "../../host/quantize/quantize.js";
import { Random } from "../../host/rng.js";
import { compressedNet } from "../support/nets.js";
import { randomGraph } from "../support/random-graphs.js";

const separable = JSON.parse(readFileSync("recipes/nets/separable.json", "utf8")) as Graph;

/** Rows are full or almost empty by chance. */
function sparseNet(graph: Graph, seed: number): Net {
  const net = compressedNet(graph, seed);
  const random = new Random(seed, 1);
  for (const { data, integers, shape } of net.tensors.values()) {
    if (integers === undefined) continue;
    const columns = data.length / shape[0];
    for (let row = 0; row < shape[0]; row++) {
      const share = [3, 30, 90][random.integer(3)];
      for (let at = row * columns; at < (row + 1) * columns; at++)
        if (random.integer(100) >= share) data[at] = integers[at] = 0;
    }
  }
  return net;
}

const bitsOf = ({ graph, tensors }: Net): number =>
  prunableShapes(graph).reduce(
    (sum, { name, rows, kernel }) => sum + modelBits(tensors.get(`${name}.weight`)!.integers!, rows, kernel),
    0,
  );

function outputsOf(net: Net, seed: number): Int8Array[] {
  const engine = openReference(writeContainer(quantize(net)));
  const random = new Random(seed, 2);
  return [0, 1, 2].map(() => {
    const [channels, height, width] = engine.input.shape;
    engine.reset();
    engine.run(Int8Array.from({ length: channels * height * width }, () => random.integer(256) - 128));
    return Int8Array.from(engine.outputs.flatMap((_, index) => [...engine.result(index)]));
  });
}

describe("reorder", () => {
  it.each([
    ["a net of separable convolutions", separable],
    ["lenet300", namedNet("lenet300")],
  ])("takes fewer bits, and gives the same outputs: %s", async (_, graph) => {
    const net = sparseNet(graph, 1);
    const ordered = await reorder(net, { tries: graph === separable ? 20 : 4, seed: 1 });
    expect(bitsOf(ordered)).toBeLessThan(bitsOf(net));
    expect(outputsOf(ordered, 3)).toEqual(outputsOf(net, 3));
  });

  it("gives the same order for the same seed", async () => {
    const net = sparseNet(separable, 2);
    const [once, again] = [await reorder(net, { tries: 4, seed: 7 }), await reorder(net, { tries: 4, seed: 7 })];
    expect([...again.tensors]).toEqual([...once.tensors]);
  });

  it("says how far it is, and can be stopped", async () => {
    const abort = new AbortController();
    const seen: number[] = [];
    const stopped = reorder(sparseNet(namedNet("lenet300"), 1), {
      tries: 100,
      seed: 1,
      signal: abort.signal,
      onProgress: (done, total) => {
        expect(total).toBe(100);
        if (seen.push(done) === 2) abort.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(seen).toHaveLength(2);
    expect(seen[0]).toBeGreaterThan(0);
    expect(seen[1]).toBeGreaterThan(seen[0]);
  });

  it("leaves the outputs of nets with sums, gates and joined channels alone", async () => {
    await fc.assert(
      fc.asyncProperty(randomGraph, fc.nat(1000), async (graph, seed) => {
        fc.pre(graph.layers.every(({ op }) => op !== "batchnorm"));
        const net = sparseNet(graph, seed);
        // Where all is 0 there is no scale.
        fc.pre(Object.values(net.compression!.activations).every(({ scale }) => scale > 0));
        expect(outputsOf(await reorder(net, { tries: 5, seed }), seed)).toEqual(outputsOf(net, seed));
      }),
      { numRuns: 15 },
    );
  });
});

describe("orderableGroups", () => {
  it("has what works on each channel in the group of what makes it, and neither input nor results", () => {
    expect(orderableGroups(unitsOf(separable)).map(({ tensors, count }) => [count, ...tensors])).toEqual([
      [8, "conv", "relu1", "depth1"],
      [8, "point1", "relu2", "pool1", "depth2"],
      [12, "point2", "relu3", "pool2", "depth3"],
      [13, "point3", "relu4", "last", "relu5"],
    ]);
  });
});
