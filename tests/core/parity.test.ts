/** The built core in V8 against the reference, on every synthetic model, however its memory is laid out and its work is sliced. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Elements } from "../../host/model/elements.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { builtFile } from "../../host/node/paths.js";
import type { EngineOptions } from "../../host/engines/engine.js";
import { openReference } from "../../host/engines/reference.js";
import { instantiateV8 } from "../../host/engines/v8.js";
import { openCore } from "../../host/engines/wasm.js";
import { givenTensors, outputOf } from "../../host/model/edges.js";
import { randomInputs, syntheticModels } from "../support/models.js";

const wasm = new Uint8Array(readFileSync(builtFile("build/core.wasm")));

function openV8(container: Uint8Array, options: EngineOptions) {
  return openCore("v8", instantiateV8, { wasm, container, packed: false, ...readContainer(container) }, options);
}

describe.each(syntheticModels())("$name", ({ model }) => {
  const container = writeContainer(model);
  const inputs = randomInputs(model, 1);
  const reference = openReference(container, {});
  // Of two runs, since states go on from one to the next.
  const expected = [0, 1].map(() => {
    const layers: Elements[] = [];
    reference.run(inputs, (_, output) => layers.push(output));
    return layers;
  });

  test.each([
    { resident: false, budget: 65536 },
    { resident: true, budget: 65536 },
    { resident: false, budget: 1 },
    { resident: true, budget: 100 },
    { resident: false, budget: 2 ** 31 - 1 },
  ])("resident $resident, budget $budget", (options) => {
    const engine = openV8(container, options);
    for (const ofRun of expected) {
      const layers: Elements[] = [];
      const output = engine.run(inputs, (_, values) => layers.push(values));
      expect(layers).toEqual(ofRun);
      expect(output).toEqual(ofRun[outputOf(model) - givenTensors(model)]);
    }
  });
});
