/** Fast modules against the reference, byte for byte and layer by layer, under wasm3 and in V8. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Elements } from "../../host/model/elements.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastParts } from "../../host/fast/parts.js";
import { reportFast } from "../../host/report/fast.js";
import { modelInputs } from "../../host/model/edges.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { packageRoot } from "../../host/node/paths.js";
import { pixelTable } from "../../host/engines/fill-input.js";
import { describeDifference, firstDifference } from "../../host/engines/compare.js";
import { openEngine } from "../../host/node/engines/open.js";
import { randomInput, syntheticModels } from "../support/models.js";

function expectParity(container: Uint8Array, runs: readonly (readonly Elements[])[]): void {
  const wasm = fastModule(container);
  const lean = fastModule(container, "sram");
  const engines = [
    openEngine("reference", container),
    openEngine("v8", wasm),
    openEngine("wasm3", wasm),
    openEngine("wasm3", lean),
  ];
  const expectEqual = (): Elements[] =>
    runs.flatMap((inputs, index) => {
      const difference = firstDifference(engines, inputs);
      expect(difference && describeDifference(difference, index)).toBeUndefined();
      const [results, ...others] = engines.map((engine) => engine.outputs.map((_, output) => engine.result(output)));
      for (const other of others) expect(other).toEqual(results);
      return results;
    });
  const results = expectEqual();
  for (const engine of engines) engine.reset();
  expect(expectEqual()).toEqual(results);
  for (const engine of engines) engine.close();
  expectReport(container, wasm);
  expect(fastParts(lean).codeBytes).toBeLessThanOrEqual(fastParts(wasm).codeBytes);
}

/** What `mote inspect` counts in the stream is what the container's model has. */
function expectReport(container: Uint8Array, wasm: Uint8Array): void {
  const { model } = readContainer(container);
  const parts = fastParts(wasm);
  const layers = reportFast(parts);
  expect(layers.reduce((sum, { streamBytes }) => sum + streamBytes, 0)).toBe(parts.stream.length);
  const nonZeros = model.layers.map((layer) => ("weights" in layer ? layer.weights.filter((w) => w !== 0).length : 0));
  expect(layers.map(({ records, zeros }) => records - zeros)).toEqual(nonZeros);
}

it.each(syntheticModels())("$name", ({ model }) => {
  expectParity(
    writeContainer(model),
    [1, 2, 3].map((seed) => modelInputs(model).map((tensor) => randomInput(model, seed, tensor))),
  );
});

describe("shipped models", () => {
  const { images } = loadMnist().test;

  it.each(["lenet300-paper", "lenet300", "lenet5-paper", "lenet5"])("%s on 300 digits", (name) => {
    const container = new Uint8Array(readFileSync(join(packageRoot, `models/${name}.mote`)));
    const table = pixelTable(openEngine("reference", container).input);
    const digit = (n: number): Elements =>
      Int8Array.from(images.subarray(n * 784, n * 784 + 784), (pixel) => table[pixel]);
    expectParity(
      container,
      Array.from({ length: 300 }, (_, n) => [digit(n)]),
    );
  });
});
