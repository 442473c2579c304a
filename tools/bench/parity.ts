/** Whether every engine gives the same bytes, layer by layer, on the shipped models. */
import { fastModule } from "../../host/node/fast/fast-module.js";
import { loadDataSpec } from "../../host/node/data/inputs.js";
import { pixelTable } from "../../host/engines/fill-input.js";
import { firstDifference } from "../../host/engines/compare.js";
import { ENGINE_NAMES, MODULE_ENGINES } from "../../host/engines/open.js";
import { openEngine } from "../../host/node/engines/open.js";
import type { BenchOptions, Figure, Group } from "./figure.js";
import { SHIPPED_MODELS, shippedModel } from "./models.js";

const QUICK_DIGITS = 100;

export const parityGroup: Group = {
  name: "parity",
  summary: `reference = V8 = wasm3 = SIMD, container and fast module, layer by layer, on ${QUICK_DIGITS} digits; --full: on 10,000`,
  measure: measureParity,
};

async function measureParity({ full, note }: BenchOptions): Promise<Figure[]> {
  const digits = loadDataSpec(full ? "mnist:test" : `mnist:test:${QUICK_DIGITS}`);
  const figures: Figure[] = [];
  for (const { name } of SHIPPED_MODELS) {
    const file = shippedModel(name);
    const fast = fastModule(file);
    const engines = [
      ...ENGINE_NAMES.map((engine) => openEngine(engine, file)),
      ...MODULE_ENGINES.map((engine) => openEngine(engine, fast)),
    ];
    const table = pixelTable(engines[0].input);
    const size = digits.images.length / digits.count;
    const input = new Int8Array(size);
    let equal = 0;
    let noted = 0;
    for (let n = 0; n < digits.count; n++) {
      for (let i = 0; i < size; i++) input[i] = table[digits.images[n * size + i]];
      if (firstDifference(engines, input) === undefined) equal++;
      if (performance.now() - noted < 1000) continue;
      note(`${name}: ${n + 1} of ${digits.count} digits on ${engines.length} engines`);
      await new Promise((resolve) => setImmediate(resolve));
      noted = performance.now();
    }
    for (const engine of engines) engine.close();
    figures.push({
      id: `parity.${name}`,
      name: `${name}, digits equal on ${ENGINE_NAMES.join(", ")}, and as a fast module on ${MODULE_ENGINES.join(", ")}`,
      value: equal,
      unit: `of ${digits.count}`,
      target: "all",
      met: equal === digits.count,
    });
  }
  return figures;
}
