/**
 * These exact bytes for these models, and from the bytes what an independent decoder in Python makes of them. To make them anew after
 * a change of the format or the encoder:
 *   UPDATE_GOLDEN=1 npx vitest run tests/golden; python3 tests/golden/decode.py
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { openReference } from "../../host/runtime/reference.js";
import { writeFileAtomic } from "../../host/write-file.js";
import { goldenModels } from "./models.js";

interface GoldenRun {
  readonly input: readonly number[];
  readonly layers: readonly (readonly number[])[];
}

if (process.env.UPDATE_GOLDEN === "1") {
  for (const { path, model } of goldenModels()) writeFileAtomic(`${path}.mote`, writeContainer(model));
}

describe.each(goldenModels())("$name", ({ path, model }) => {
  const bytes = new Uint8Array(readFileSync(`${path}.mote`));
  const runs = JSON.parse(readFileSync(`${path}.json`, "utf8")) as GoldenRun[];

  test("is written as these bytes", () => {
    expect(Buffer.from(writeContainer(model)).toString("hex")).toBe(Buffer.from(bytes).toString("hex"));
    const read = readContainer(bytes).model;
    expect(read.layers).toEqual(model.layers);
    expect(read.labels).toEqual(model.labels);
  });

  test("gives the outputs of tests/golden/decode.py, layer by layer", () => {
    expect(runs.length).toBe(3);
    const engine = openReference(bytes);
    for (const { input, layers } of runs) {
      const seen: number[][] = [];
      engine.run(Int8Array.from(input), (layer, output) => (seen[layer] = [...output]));
      expect(seen).toEqual(layers);
    }
  });
});
