import { describe, it } from "vitest";
import { missingTools } from "../../host/node/firmware/tools.js";
import { randomInputs, syntheticModels } from "../support/models.js";
import { expected, runChips, WAYS } from "./support.js";

const MODELS = syntheticModels();
const missing = missingTools(["gcc"]);
const skipped = missing.length > 0 ? ` (skipped: no ${missing.join(", ")}; apt-get install gcc)` : "";

describe.skipIf(missing.length > 0)(`C of its own under sanitizers${skipped}`, () => {
  for (const { goal, flags, of } of WAYS) {
    for (const { name, model } of MODELS) {
      if (!of(model)) continue;
      it.concurrent(`${goal} ${flags.join(" ")}: ${name}`, async ({ expect }) => {
        const runs = [1, 2, 3].map((seed) => randomInputs(model, seed));
        const nets = [{ model, runs }];
        expect(await runChips(nets, goal, flags)).toEqual(nets.map(expected));
      });
    }
  }
});
