/** Packed modules: each synthetic model as one, run in V8 without any host. */
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { describe, expect, test } from "vitest";
import {
  CONTROL_LAYERS_DONE,
  CONTROL_OUTPUT_TENSOR,
  CONTROL_WORK,
  STATUS_BUSY,
  STATUS_CRC,
  STATUS_DONE,
  STATUS_MEMORY,
  STATUS_STATE,
} from "../../assembly/abi.js";
import type { Elements } from "../../host/model/elements.js";
import { bake } from "../../host/node/module/bake.js";
import { bake as bakeWith } from "../../host/module/bake.js";
import { bakedContainer } from "../../host/module/baked.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { MoteError } from "../../host/errors.js";
import { builtFile } from "../../host/node/paths.js";
import { openEngine } from "../../host/node/engines/open.js";
import { openReference } from "../../host/engines/reference.js";
import { instantiateV8 } from "../../host/engines/v8.js";
import { openCore } from "../../host/engines/wasm.js";
import { buildModel, leNets, randomInputs, syntheticModels } from "../support/models.js";

interface Exports {
  readonly memory: WebAssembly.Memory;
  open(memoryBytes: number): number;
  start(): number;
  step(budget: number): number;
  reset(): number;
}

function instantiate(wasm: Uint8Array): Exports {
  const module = new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
  return new WebAssembly.Instance(module).exports as unknown as Exports;
}

function load(exports: Exports, memoryBytes: number): number {
  let status = exports.open(memoryBytes);
  while (status === STATUS_BUSY) status = exports.step(1000);
  return status;
}

function isMvp(wasm: Uint8Array): boolean {
  const read = binaryen.readBinary as (data: Uint8Array, features: number) => binaryen.Module;
  const module = read(wasm, binaryen.Features.MVP);
  try {
    return module.validate() === 1;
  } finally {
    module.dispose();
  }
}

const tiny = syntheticModels().find(({ name }) => name === "tiny")!.model;

test.each(syntheticModels())("$name: gives what the reference gives, layer by layer", ({ model }) => {
  const container = writeContainer(model);
  const wasm = bake(container);
  const parsed = readContainer(container);
  const engine = openCore("v8", instantiateV8, { wasm, container, packed: true, ...parsed });
  const reference = openReference(container, {});
  // States, if there are any, begin anew with a reset, and go on with the run behind it.
  for (const seed of [3, 4, 3]) {
    if (seed === 4) for (const each of [reference, engine]) each.reset();
    const expected: Elements[] = [];
    const layers: Elements[] = [];
    reference.run(randomInputs(model, seed), (_, output) => expected.push(output));
    engine.run(randomInputs(model, seed), (_, output) => layers.push(output));
    expect(layers).toEqual(expected);
    for (const index of model.outputs.keys()) expect(engine.result(index)).toEqual(reference.result(index));
  }

  const baked = bakedContainer(wasm);
  expect(baked.container).toEqual(container);
  expect(baked.planBytes).toBe(planTotal(parsed.plan, true));
  expect(baked.codeBytes).toBe(wasm.length - baked.resident.length);
});

describe("a packed module", () => {
  const wasm = bake(writeContainer(tiny));

  test("is the same each time", () => {
    expect(bake(writeContainer(tiny))).toEqual(wasm);
  });

  test("has no imports, five exports, one page and MVP features only", () => {
    const module = new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
    expect(WebAssembly.Module.imports(module)).toEqual([]);
    expect(
      WebAssembly.Module.exports(module)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(["memory", "open", "reset", "start", "step"]);
    expect(WebAssembly.Module.customSections(module, "name")).toEqual([]);
    const { memory } = instantiate(wasm);
    expect(memory.buffer.byteLength).toBe(65536);
    expect(() => memory.grow(1)).toThrow();
    expect(isMvp(wasm)).toBe(true);
  });

  test("takes more pages for a larger model", () => {
    const model = buildModel(1, [1, 200, 200], [{ op: "dense", out: 2, density: 0.9, weights: "any" }]);
    const large = bake(writeContainer(model));
    const bytes = instantiate(large).memory.buffer.byteLength;
    const { planBytes, container } = bakedContainer(large);
    expect(bytes).toBe(Math.ceil((planBytes + container.length + 8) / 65536) * 65536);
    expect(bytes).toBeGreaterThan(65536);
  });

  test("is at most 4,608 bytes without the model for LeNets", () => {
    for (const { model } of leNets()) {
      expect(bakedContainer(bake(writeContainer(model))).codeBytes).toBeLessThanOrEqual(4608);
    }
  });

  test("notices a damaged model", () => {
    const { container } = bakedContainer(wasm);
    for (const at of [9, container.length >> 1, container.length - 1]) {
      const damaged = wasm.slice();
      damaged[container.byteOffset - wasm.byteOffset + at] ^= 4;
      expect(load(instantiate(damaged), 65536)).toBe(STATUS_CRC);
    }
  });

  test("notices too little memory", () => {
    const { planBytes, container } = bakedContainer(wasm);
    const neededBytes = planBytes + container.length + 8;
    expect(load(instantiate(wasm), neededBytes)).toBe(0);
    expect(load(instantiate(wasm), neededBytes - 1)).toBe(STATUS_MEMORY);
  });

  test("says the model's output and the work of a run, whenever it has been opened", () => {
    const container = writeContainer(tiny);
    const core = openEngine("v8", container);
    const { memory, ...exports } = instantiate(wasm);
    const word = (address: number): number => new DataView(memory.buffer).getUint32(address, true);
    for (let round = 0; round < 2; round++) {
      expect(load({ memory, ...exports }, 65536)).toBe(0);
      expect(word(CONTROL_OUTPUT_TENSOR)).toBe(tiny.layers.at(-1)!.output);
      expect(word(CONTROL_WORK)).toBe(core.work);
      // Opened again in the middle of a run, when the word names the first layer's.
      exports.start();
      while (word(CONTROL_LAYERS_DONE) === 0) exports.step(1);
      expect(word(CONTROL_OUTPUT_TENSOR)).toBe(tiny.layers[0].output);
    }
    expect(core.work).toBeGreaterThan(0);
  });

  test("does not start or reset before it is open, nor reset in a run", () => {
    const exports = instantiate(wasm);
    expect(exports.start()).toBe(STATUS_STATE);
    expect(exports.step(1)).toBe(STATUS_STATE);
    expect(exports.reset()).toBe(STATUS_STATE);
    expect(load(exports, 65536)).toBe(STATUS_DONE);
    expect(exports.reset()).toBe(STATUS_DONE);
    exports.start();
    expect(exports.reset()).toBe(STATUS_STATE);
  });
});

test("a bad container is not packed", () => {
  const container = writeContainer(tiny);
  container[20] ^= 1;
  expect(() => bake(container)).toThrow(MoteError);
});

test("a core without the functions that packing looks for is refused", () => {
  const core = new Uint8Array(readFileSync(builtFile("build/core.wasm")));
  expect(() => bakeWith(writeContainer(tiny), core)).toThrow(/the core has no function/);
});

describe("finding the model", () => {
  const wasm = bake(writeContainer(tiny));
  const format = expect.objectContaining({ code: "FORMAT" });

  test("fails on other modules", () => {
    const core = new Uint8Array(readFileSync(builtFile("build/core.wasm")));
    const others = [new Uint8Array(0), Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), writeContainer(tiny), core];
    for (const other of others) expect(() => bakedContainer(other)).toThrow(format);
  });

  test("fails on a module cut off anywhere", () => {
    for (let length = 0; length < wasm.length; length++) {
      expect(() => bakedContainer(wasm.subarray(0, length))).toThrow(format);
    }
  });

  test("finds the model or fails, whatever byte is changed", () => {
    for (let at = 0; at < wasm.length; at++) {
      const changed = wasm.slice();
      changed[at] ^= 0xff;
      try {
        bakedContainer(changed);
      } catch (error) {
        expect(error).toEqual(format);
      }
    }
  });
});
