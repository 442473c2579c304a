/** Kernels, plain loops over what the packer lays out, and reference, on the same inputs. */
import { expect } from "vitest";
import type { Elements } from "../../host/model/elements.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastProgram, type FastLayout } from "../../host/fast/memory.js";
import { fastParts } from "../../host/fast/parts.js";
import { reportFast, type FastLayerReport } from "../../host/report/fast.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { runLayers } from "../../host/engines/ops-i8.js";
import { openEngine } from "../../host/node/engines/open.js";
import type { QModel } from "../../host/model/model.js";
import { interpretRuns } from "./interpret.js";

/** @param runs of each the inputs of a model without states */
export function expectEqualRuns(
  model: QModel,
  runs: readonly (readonly Int8Array[])[],
  layout: FastLayout = {},
): FastLayerReport[] {
  const container = writeContainer(model);
  const program = fastProgram(readContainer(container), layout);
  const wasm = fastModule(program);
  const expected = runs.map((inputs) => {
    const outputs: Elements[] = [];
    runLayers(model, inputs, new Map(), (_, output) => outputs.push(output));
    return outputs;
  });
  expect(interpretRuns(program, runs)).toEqual(expected);
  for (const engine of [openEngine("v8", wasm), openEngine("wasm3", wasm)]) {
    const outputs = runs.map((inputs) => {
      const seen: Elements[] = [];
      engine.run(inputs, (layer, output) => (seen[layer] = output.slice()));
      return seen;
    });
    expect(outputs, engine.name).toEqual(expected);
    engine.close();
  }
  return reportFast(fastParts(wasm));
}

/** Of a model with one input. */
export const expectEqual = (model: QModel, inputs: readonly Int8Array[], layout: FastLayout = {}): FastLayerReport[] =>
  expectEqualRuns(
    model,
    inputs.map((input) => [input]),
    layout,
  );
