/** Packed modules: one for each synthetic model, run in V8 without any host. */
import { describe, expect, test } from "vitest";
import { bake } from "../../host/container/bake.js";
import { bakedContainer } from "../../host/container/baked.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { openReference } from "../../host/runtime/reference.js";
import { instantiateV8 } from "../../host/runtime/v8.js";
import { openCore } from "../../host/runtime/wasm.js";
import { leNets, randomInput, syntheticModels } from "../support/models.js";

describe.each(syntheticModels())("$name", ({ model }) => {
  const container = writeContainer(model);

  test("gives what the reference gives, layer by layer", () => {
    const wasm = bake(container);
    const engine = openCore("v8", instantiateV8, { wasm, container, packed: true, ...readContainer(container) });
    const input = randomInput(model, 3);
    const expected: Int8Array[] = [];
    openReference(container, {}).run(input, (_, output) => expected.push(output));
    const layers: Int8Array[] = [];
    engine.run(input, (_, values) => layers.push(values));
    expect(layers).toEqual(expected);
  });

  test("holds its container", () => {
    const wasm = bake(container);
    const baked = bakedContainer(wasm);
    expect(baked.container).toEqual(container);
    expect(baked.planBytes).toBe(planTotal(readContainer(container).plan, true));
    expect(baked.codeBytes).toBe(wasm.length - container.length);
  });
});

test("is at most 4,608 bytes without the model for LeNets", () => {
  for (const { name, model } of leNets()) {
    const { codeBytes } = bakedContainer(bake(writeContainer(model)));
    console.log(name, codeBytes);
    expect(codeBytes).toBeLessThanOrEqual(4608);
  }
});
