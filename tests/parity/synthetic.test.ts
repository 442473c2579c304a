import { describe, expect, it } from "vitest";
import type { Elements } from "../../host/model/elements.js";
import { bake } from "../../host/node/module/bake.js";
import { readContainer } from "../../host/container/read.js";
import { planTotal } from "../../host/container/plan.js";
import { writeContainer } from "../../host/container/write.js";
import { describeDifference, firstDifference } from "../../host/engines/compare.js";
import type { Engine, EngineOptions } from "../../host/engines/engine.js";
import { ENGINE_NAMES } from "../../host/engines/open.js";
import { openEngine } from "../../host/node/engines/open.js";
import { randomInputs, syntheticModels } from "../support/models.js";

/** Inputs a model and setting. */
const INPUTS = 3;
const CORE_ENGINES = ["v8", "wasm3"] as const;

/** @param file a container, or a packed module */
function expectParity(file: Uint8Array, inputs: readonly (readonly Elements[])[], options: EngineOptions): void {
  const engines = ENGINE_NAMES.map((name) => openEngine(name, file, options));
  inputs.forEach((input, index) => {
    const difference = firstDifference(engines, input);
    expect(difference && describeDifference(difference, index)).toBeUndefined();
  });
  for (const engine of engines) engine.close();
}

/** States begin again, so that the order of runs does not matter. */
function runAnew(engine: Engine, inputs: readonly Elements[]): Elements {
  engine.reset();
  return engine.run(inputs);
}

describe.each(syntheticModels())("$name", ({ model }) => {
  const container = writeContainer(model);
  const inputs = Array.from({ length: INPUTS }, (_, seed) => randomInputs(model, seed));
  const { plan } = readContainer(container);

  it("reference = V8 = wasm3, the model behind the window", () => expectParity(container, inputs, {}));

  it("reference = V8 = wasm3, the model in linear memory", () => expectParity(container, inputs, { resident: true }));

  it("reference = V8 = wasm3, packed into a .wasm", () => expectParity(bake(container), inputs, {}));

  it("gives the same in slices of any size", () => {
    const expected = openEngine("reference", container).run(inputs[0]);
    const small = model.layers.reduce((sum, layer) => sum + ("weights" in layer ? layer.weights.length : 0), 0) < 3000;
    for (const name of CORE_ENGINES) {
      for (const budget of [...(small ? [1, 2, 3] : []), 97, 10_007, 2 ** 31 - 1]) {
        const engine = openEngine(name, container, { budget });
        expect(engine.run(inputs[0]), `${name}, budget ${budget}`).toEqual(expected);
        engine.close();
      }
    }
  });

  it("runs again and again, also interleaved with another instance", () => {
    for (const name of CORE_ENGINES) {
      const [one, other] = [openEngine(name, container), openEngine(name, container, { resident: true })];
      const first = inputs.map((input) => runAnew(one, input));
      expect(inputs.map((input) => runAnew(other, input))).toEqual(first);
      expect(inputs.toReversed().map((input) => runAnew(one, input))).toEqual(first.toReversed());
      one.close();
      other.close();
    }
  });

  it("takes what its plan says, and not a byte less", () => {
    for (const name of CORE_ENGINES) {
      for (const resident of [false, true]) {
        const bytes = planTotal(plan, resident) + (resident ? container.length + 8 : 0);
        const engine = openEngine(name, container, { resident, memoryLimit: bytes });
        expect(engine.linearMemoryBytes).toBe(bytes);
        engine.close();
        expect(() => openEngine(name, container, { resident, memoryLimit: bytes - 1 })).toThrow(
          /plan takes .* the limit is/,
        );
      }
    }
  });

  it("counts the model bytes it reads", () => {
    for (const name of CORE_ENGINES) {
      const windowed = openEngine(name, container);
      expect(windowed.bytesRead).toBeGreaterThanOrEqual(container.length); // at least once, for the checksum
      const loaded = windowed.bytesRead;
      windowed.run(inputs[0]);
      const once = windowed.bytesRead - loaded;
      windowed.run(inputs[1]);
      expect(windowed.bytesRead - loaded).toBe(2 * once);
      const resident = openEngine(name, container, { resident: true });
      resident.run(inputs[0]);
      expect(resident.bytesRead).toBe(container.length);
      windowed.close();
      resident.close();
    }
  });
});
