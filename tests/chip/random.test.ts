import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { missingTools } from "../../host/node/firmware/tools.js";
import { randomInputs } from "../support/models.js";
import { randomModel } from "../support/random-models.js";
import { expected, runChips, WAYS } from "./support.js";

/** More by MOTE_NETS, and others by MOTE_SEED. */
const NETS = Number(process.env["MOTE_NETS"] ?? 24);
const SEED = Number(process.env["MOTE_SEED"] ?? 1);
const RUNS = [1, 2, 3];

const missing = missingTools(["gcc", "g++"]);
const skipped = missing.length > 0 ? ` (skipped: no ${missing.join(", ")}; apt-get install g++)` : "";

describe.skipIf(missing.length > 0)(`C of its own of ${NETS} nets made by chance${skipped}`, () => {
  const models = fc.sample(randomModel(8), { numRuns: NETS, seed: SEED });
  const nets = models.map((model) => ({ model, runs: RUNS.map((seed) => randomInputs(model, seed)) }));
  it.each(WAYS)("gives the reference's outputs for $goal $flags", async ({ goal, flags, of }) => {
    const taken = nets.filter(({ model }) => of(model));
    const got = await runChips(taken, goal, flags, true);
    taken.forEach((net, index) => {
      const { layers } = net.model;
      expect(got[index], `net ${nets.indexOf(net)} of seed ${SEED}: ${layers.map(({ op }) => op).join(", ")}`).toEqual(
        expected(net, index),
      );
    });
  });
});
