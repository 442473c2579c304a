import { describe, it } from "vitest";
import { chipSource } from "../../host/chip/chip-source.js";
import type { ChipGoal } from "../../host/chip/goal.js";
import { chipMemory, takesRows } from "../../host/chip/memory.js";
import { freshStates, runLayers } from "../../host/engines/ops-i8.js";
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

/** What is compiled, of which models: all parts' kernels run on this machine. */
const WAYS: readonly {
  readonly goal: ChipGoal;
  readonly flags: readonly string[];
  readonly of: (model: QModel) => boolean;
}[] = [
  { goal: "flash", flags: [], of: () => true },
  { goal: "speed", flags: [], of: () => true },
  {
    goal: "speed",
    flags: ["-DMOTE_LANES"],
    of: (model) => chipSource(model, "speed", "net").source.includes("MOTE_LANES"),
  },
  { goal: "ram", flags: [], of: takesRows },
  {
    goal: "ram",
    flags: ["-DMOTE_NO_MULTIPLIER"],
    of: (model) => takesRows(model) && chipMemory(model, true, []).chain.length > 0,
  },
];

describe.skipIf(missing.length > 0)(`C of its own under sanitizers${skipped}`, () => {
  for (const { goal, flags, of } of WAYS) {
    for (const { name, model } of MODELS) {
      if (!of(model)) continue;
      it.concurrent(`${goal} ${flags.join(" ")}: ${name}`, async ({ expect }) => {
        const runs = [1, 2, 3].map((seed) => randomInputs(model, seed));
        const { outputs, selfTest } = await runChip(model, goal, runs, flags);
        expect(outputs).toEqual(expected(model, runs));
        expect(selfTest).toBe("net: self-test passed");
      });
    }
  }
});
