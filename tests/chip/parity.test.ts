import { describe, it } from "vitest";
import { CHIP_GOALS } from "../../host/chip/goal.js";
import { freshStates, runLayers } from "../../host/engines/ops-i8.js";
import { takesRows } from "../../host/chip/memory.js";
import { outputsOf } from "../../host/model/edges.js";
import type { QModel } from "../../host/model/model.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { randomInputs, syntheticModels } from "../support/models.js";
import { runChip } from "./support.js";

const MODELS = syntheticModels();
const missing = missingTools(["gcc"]);
const skipped = missing.length > 0 ? ` (skipped: no ${missing.join(", ")}; apt-get install gcc)` : "";

function expected(model: QModel, runs: readonly (readonly Int8Array[])[]): Int8Array[][] {
  const states = freshStates(model);
  return runs.map((inputs) => {
    const tensors = runLayers(model, inputs, states);
    return outputsOf(model).map((tensor) => tensors.get(tensor)!.slice());
  });
}

describe.skipIf(missing.length > 0)(`C of its own under sanitizers${skipped}`, () => {
  for (const goal of CHIP_GOALS) {
    for (const { name, model } of MODELS) {
      if (goal === "ram" && !takesRows(model)) continue;
      it.concurrent(`${goal}: ${name}`, async ({ expect }) => {
        const runs = [1, 2, 3].map((seed) => randomInputs(model, seed));
        const { outputs, selfTest } = await runChip(model, goal, runs);
        expect(outputs).toEqual(expected(model, runs));
        expect(selfTest).toBe("net: self-test passed");
      });
    }
  }
});
