/** 16-bit activations: the core that is compiled for them, in both interpreters and packed, beside the reference. */
import { describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { planTotal } from "../../host/container/plan.js";
import { writeContainer } from "../../host/container/write.js";
import { describeDifference, firstDifference } from "../../host/engines/compare.js";
import type { EngineName, EngineOptions } from "../../host/engines/engine.js";
import { bake } from "../../host/node/module/bake.js";
import { openEngine } from "../../host/node/engines/open.js";
import { wideInputs, wideModels } from "../support/wide.js";

const ENGINES: readonly EngineName[] = ["reference", "v8", "wasm3"];

describe.each(wideModels())("$name", ({ model }) => {
  const container = writeContainer(model);
  const inputs = [0, 1, 2].map((seed) => wideInputs(model, seed));

  function expectParity(file: Uint8Array, options: EngineOptions = {}): void {
    const engines = ENGINES.map((name) => openEngine(name, file, options));
    inputs.forEach((input, index) => {
      const difference = firstDifference(engines, input);
      expect(difference && describeDifference(difference, index)).toBeUndefined();
    });
    for (const engine of engines) engine.close();
  }

  it("reads back as it was written", () => {
    const read = readContainer(container);
    expect(read.model).toEqual(model);
    expect(writeContainer(read.model)).toEqual(container);
  });

  it("reference = V8 = wasm3, the model behind the window", () => expectParity(container));

  it("the same in slices of one piece of work", () => expectParity(container, { budget: 1 }));

  it("the same with the model in linear memory, and packed into a .wasm", () => {
    expectParity(container, { resident: true });
    expectParity(bake(container));
  });

  it("the same in a small container", () => {
    const small = writeContainer(model, { container: "small" });
    expect(readContainer(small).model.layers).toEqual(model.layers);
    expectParity(small);
  });

  it("takes what its plan says, and not a byte less", () => {
    const bytes = planTotal(readContainer(container).plan);
    const engine = openEngine("wasm3", container, { memoryLimit: bytes });
    expect(engine.linearMemoryBytes).toBe(bytes);
    engine.run(inputs[0]);
    engine.close();
    expect(() => openEngine("wasm3", container, { memoryLimit: bytes - 1 })).toThrow(/the limit is/);
  });
});
