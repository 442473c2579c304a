/** What host/fast/cost.ts says that kernels take, beside what the emulated Cortex-M4 counts. */
import { describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { chooseStreams } from "../../host/fast/choice.js";
import { layerStreams } from "../../host/fast/ops.js";
import { fastParts } from "../../host/fast/parts.js";
import type { Shape } from "../../host/model/model.js";
import { randomRuns } from "../../host/node/data/runs.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { BOARDS, toolsOf } from "../../host/node/firmware/boards.js";
import { firmwareInputs, inputSizes } from "../../host/node/firmware/inputs.js";
import { measure } from "../../host/node/firmware/measure.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { reportFast } from "../../host/report/fast.js";
import { buildModel, type LayerSpec } from "../support/models.js";
import { named } from "./support/native.js";

const board = BOARDS.find(({ name }) => name === "netduinoplus2")!;
const lacking = missingTools(toolsOf([board], ["aot"]));

const full = { weights: "any", density: 1 } as const;
const conv = { op: "conv2d", kernel: [1, 1], ...full } as const;

/** Each a chain whose first layer is short, since its first slice is counted elsewhere; without borders, which are counted with layers. */
const chains: readonly (readonly [name: string, shape: Shape, layers: LayerSpec[], kernels: string[]])[] = [
  [
    "convolutions",
    [1, 16, 16],
    [
      { ...conv, out: 8 },
      { ...conv, out: 16 },
      { ...conv, kernel: [3, 3], out: 32, stride: 2 },
      { ...conv, out: 64 },
      { ...conv, out: 40 },
      { ...conv, kernel: [3, 3], out: 32, density: 0.1 },
      { ...conv, out: 64, density: 0.2 },
    ],
    [...Array<string>(5).fill("conv2d by two filters"), "conv2d by gaps", "conv2d by gaps"],
  ],
  [
    "depthwise and dense layers",
    [4, 40, 40],
    [
      { ...conv, kernel: [3, 3], out: 4, groups: 4, stride: 2 },
      { ...conv, kernel: [3, 3], out: 4, groups: 4 },
      { ...conv, kernel: [5, 5], out: 4, groups: 4 },
      { op: "avgpool", kernel: 4, stride: 4 },
      { op: "dense", out: 400, ...full },
      { op: "dense", out: 40, ...full },
      { op: "dense", out: 100, ...full, density: 0.1 },
    ],
    [...Array<string>(3).fill("conv2d by channels"), "avgpool", "dense by six rows", "dense by six rows", "dense"],
  ],
];

describe.skipIf(lacking.length > 0)(named("on an emulated Cortex-M4, ahead of time", lacking), () => {
  it.each(chains)(
    "%s take what is said of them, within a quarter",
    async (name, shape, specs, kernels) => {
      const container = writeContainer(buildModel(21, shape, specs));
      expect(reportFast(fastParts(fastModule(container))).map(({ kernel }) => kernel)).toEqual(kernels);
      const { model } = readContainer(container);
      const said = chooseStreams(model.layers.map((layer, index) => layerStreams(model, layer, index)));
      const inputs = firmwareInputs(inputSizes(container), randomRuns(1, 1), 1);
      const measured = await measure({ board, engine: "aot", optimize: "speed", model: { name, container } }, inputs);
      expect(measured.logitsEqual).toBe(true);
      const ratios = measured.instructionsPerLayer.map((count, layer) => said[layer].instructions / count).slice(1);
      for (const ratio of ratios) {
        expect(ratio, ratios.map((one) => one.toFixed(2)).join(" ")).toBeGreaterThan(0.75);
        expect(ratio, ratios.map((one) => one.toFixed(2)).join(" ")).toBeLessThan(1.25);
      }
    },
    120_000,
  );
});
