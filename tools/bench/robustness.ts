/** What the shipped models make of digits that are moved, turned, noisy or lit otherwise: raw tensors, nothing cleaned before. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pickSamples } from "../../host/data/data-set.js";
import { robustness } from "../../host/engines/robustness.js";
import { fastestEngine } from "../../host/engines/open.js";
import { loadDataSpec } from "../../host/node/data/inputs.js";
import { openEngine } from "../../host/node/engines/open.js";
import { packageRoot } from "../../host/node/paths.js";
import { atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { shippedModel } from "./models.js";

/** Without --full, one digit in so many. */
const QUICK_STRIDE = 10;
/** lenet5 as it is, and trained for such digits (recipes/lenet5-robust.json). */
const LENET5 = ["lenet5", "lenet5-robust"];
const MODELS = [...LENET5, "lenet5-paper", "lenet300"];
const ROBUST = join(packageRoot, "recipes/lenet5-robust.mote");

/** Of LeNet-5; error in percent of the 10,000 test digits. */
const LIMITS: Readonly<Record<string, number>> = {
  clean: 0.65,
  shift2: 1.2,
  noise25: 1,
  noise50: 2.5,
  background40: 1.5,
};
const MAX_BYTES = 3_000;

export const robustnessGroup: Group = {
  name: "robustness",
  summary: `test error of raw, distorted digits, one in ${QUICK_STRIDE}; --full: of 10,000, beside the targets`,
  measure: measureRobustness,
};

async function measureRobustness({ full, note }: BenchOptions): Promise<Figure[]> {
  const test = loadDataSpec("mnist:test");
  const picked = Array.from({ length: Math.ceil(test.count / QUICK_STRIDE) }, (_, i) => i * QUICK_STRIDE);
  const set = full
    ? test
    : { ...pickSamples(test, picked), labels: test.labels.filter((_, i) => i % QUICK_STRIDE === 0) };
  const figures: Figure[] = [];
  for (const model of MODELS) {
    const isLenet5 = LENET5.includes(model);
    const file = model === "lenet5-robust" ? readFileSync(ROBUST) : shippedModel(model);
    const engine = openEngine(fastestEngine(), file);
    try {
      const errors = await robustness(engine, set, {
        onDistortion: (done, total) => note(`${model}: ${done} of ${total} distortions`),
      });
      if (isLenet5)
        figures.push(atMost(`robust.${model}.bytes`, `${model}.mote, all bytes`, file.length, "B", MAX_BYTES));
      for (const { id, name, errorPercent } of errors) {
        // A part of the digits is easier or harder than all: it meets no target.
        const limit = full && isLenet5 ? LIMITS[id] : undefined;
        figures.push(atMost(`robust.${model}.${id}`, `${model}, ${name}: error`, rounded(errorPercent), "%", limit));
      }
    } finally {
      engine.close();
    }
  }
  return figures;
}
