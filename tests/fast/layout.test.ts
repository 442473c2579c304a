/** The packer without the kernels: what it lays out gives what the reference gives, in plain loops. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as layout from "../../assembly/fast/layout.js";
import type { Elements } from "../../host/model/elements.js";
import { fastProgram } from "../../host/fast/memory.js";
import { layerStreams } from "../../host/fast/ops.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import { packageRoot } from "../../host/node/paths.js";
import { modelInputs } from "../../host/model/edges.js";
import { freshStates, runLayers } from "../../host/engines/ops-i8.js";
import { buildModel, randomInput, syntheticModels } from "../support/models.js";
import { interpretRuns } from "./interpret.js";

const programOf = (model: QModel) => fastProgram(readContainer(writeContainer(model)));

/** Two runs, since states go on from one to the next. */
function expectEqual(model: QModel): void {
  const runs = [1, 2].map((seed) => modelInputs(model).map((tensor) => randomInput(model, seed, tensor)));
  const states = freshStates(model);
  const expected = runs.map((inputs) => {
    const outputs: Elements[] = [];
    runLayers(model, inputs, states, (_, output) => outputs.push(output));
    return outputs;
  });
  expect(interpretRuns(programOf(model), runs)).toEqual(expected);
}

it.each(syntheticModels())("$name", ({ model }) => expectEqual(model));

it.each(["lenet300-paper", "lenet300", "lenet5-paper", "lenet5"])("%s, as shipped", (name) => {
  const { model } = readContainer(new Uint8Array(readFileSync(join(packageRoot, `models/${name}.mote`))));
  expectEqual(model);
});

describe("which convolutions go block by block", () => {
  const conv = { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.5, out: 2 } as const;
  it.each([
    ["8 × 4 places", [1, 6, 10], {}, layout.KIND_CONV_BLOCKS],
    ["7 × 4 places", [1, 6, 9], {}, layout.KIND_CONV_PLACES],
    ["8 × 3 places", [1, 5, 10], {}, layout.KIND_CONV_PLACES],
    ["8 × 4 places under a pool", [1, 6, 10], { pool: { size: 2, stride: 2 } }, layout.KIND_CONV_BLOCKS],
    ["8 × 8 places under a pool", [1, 10, 10], { pool: { size: 2, stride: 2 } }, layout.KIND_CONV_POOLED],
    ["8 × 7 places under a pool", [1, 9, 10], { pool: { size: 2, stride: 2 } }, layout.KIND_CONV_BLOCKS],
    ["11 × 9 places under a pool", [1, 11, 13], { pool: { size: 2, stride: 2 } }, layout.KIND_CONV_POOLED],
    ["9 × 5 places under a pool", [1, 7, 11], { pool: { size: 2, stride: 2 } }, layout.KIND_CONV_BLOCKS],
    ["a stride of 2", [1, 20, 20], { stride: 2 }, layout.KIND_CONV_PLACES],
    ["a stride of 2 down", [1, 20, 20], { stride: [2, 1] }, layout.KIND_CONV_PLACES],
    ["a stride of 2 across", [1, 20, 20], { stride: [1, 2] }, layout.KIND_CONV_PLACES],
    ["a pool of 2 down", [1, 20, 20], { pool: { size: [2, 1], stride: [2, 1] } }, layout.KIND_CONV_PLACES],
    ["a pool of 2 across", [1, 20, 20], { pool: { size: [1, 2], stride: [1, 2] } }, layout.KIND_CONV_PLACES],
    ["every other place", [1, 20, 20], { pool: { size: 1, stride: 2 } }, layout.KIND_CONV_PLACES],
    ["a pool that overlaps down", [1, 20, 20], { pool: { size: 2, stride: [1, 2] } }, layout.KIND_CONV_PLACES],
    ["pads of its own", [1, 20, 20], { pad: [0, 1] }, layout.KIND_CONV_BLOCKS],
    ["a pool of 3", [1, 20, 20], { pool: { size: 3, stride: 3 } }, layout.KIND_CONV_PLACES],
    ["a pool that overlaps", [1, 20, 20], { pool: { size: 2, stride: 1 } }, layout.KIND_CONV_PLACES],
  ] as const)("%s", (_name, shape, spec, kind) => {
    const model = buildModel(1, shape, [{ ...conv, ...spec }]);
    expect(layerStreams(model, model.layers[0], 0)[0].kind).toBe(kind);
    expectEqual(model);
  });
});
