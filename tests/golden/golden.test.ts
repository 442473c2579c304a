/**
 * These exact bytes for these models, and from the bytes what an independent decoder in Python makes of them. To make them anew after
 * a change of the format or the encoder:
 *   UPDATE_GOLDEN=1 npx vitest run tests/golden; python3 tests/golden/decode.py
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CONTROL_MODEL_BYTES, STATUS_BUSY, STATUS_DONE, STATUS_PLAN } from "../../assembly/abi.js";
import { CRC_START } from "../../assembly/format.js";
import { crc32 } from "../../host/container/crc32.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { activationBits, elementsFor } from "../../host/model/elements.js";
import { statesOf } from "../../host/model/edges.js";
import { tensorBytes } from "../../host/model/geometry.js";
import { builtFile } from "../../host/node/paths.js";
import type { Engine } from "../../host/engines/engine.js";
import { ENGINE_NAMES } from "../../host/engines/open.js";
import { openEngine } from "../../host/node/engines/open.js";
import { instantiateV8 } from "../../host/engines/v8.js";
import type { CoreInstance } from "../../host/engines/driver.js";
import { openCore, type Instantiate } from "../../host/engines/wasm.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import { goldenModels } from "./models.js";

interface GoldenRun {
  readonly inputs: readonly (readonly number[])[];
  readonly layers: readonly (readonly number[])[];
}

const core = new Uint8Array(readFileSync(builtFile("build/core.wasm")));
const core16 = new Uint8Array(readFileSync(builtFile("build/core16.wasm")));

if (process.env.UPDATE_GOLDEN === "1") {
  for (const { path, bytes } of goldenModels()) writeFileAtomic(`${path}.mote`, bytes);
}

describe.each(goldenModels())("$name", ({ path, model, bytes: expected }) => {
  const bytes = new Uint8Array(readFileSync(`${path}.mote`));
  const isWide = activationBits(model) === 16;
  const runs = JSON.parse(readFileSync(`${path}.json`, "utf8")) as GoldenRun[];

  test("is written as these bytes", () => {
    expect(Buffer.from(expected).toString("hex")).toBe(Buffer.from(bytes).toString("hex"));
    const read = readContainer(bytes).model;
    expect(read.layers).toEqual(model.layers);
    expect(read.labels).toEqual(model.labels);
  });

  /** @param before each run */
  const expectOutputs = (engine: Engine, before = (): void => {}): void => {
    for (const { inputs, layers } of runs) {
      const seen: number[][] = [];
      before();
      engine.run(
        inputs.map((input) => elementsFor(model.tensors[0], input)),
        (layer, output) => (seen[layer] = [...output]),
      );
      expect(seen, engine.name).toEqual(layers);
    }
    engine.close();
  };

  test("gives the outputs of tests/golden/decode.py, layer by layer", () => {
    expect(runs.length).toBe(3);
    for (const name of ENGINE_NAMES.filter((one) => !isWide || one !== "simd")) expectOutputs(openEngine(name, bytes));
    expectOutputs(openEngine("v8", bytes, { resident: true }));
    if (!isWide) expectOutputs(openEngine("v8", fastModule(bytes)));
  });

  test("gives them whatever stands in the arena before, but for the states: borders are the core's to fill", () => {
    const { plan } = readContainer(bytes);
    let instance: CoreInstance | undefined;
    const instantiate: Instantiate = (...args) => (instance = instantiateV8(...args));
    const engine = openCore("v8", instantiate, { wasm: isWide ? core16 : core, container: bytes, packed: false, model, plan });
    const arena = planTotal(plan) - plan.arena;
    const states = statesOf(model).map((tensor) => {
      const begin = plan.offsets[tensor];
      return { begin, end: begin + tensorBytes(model.tensors[tensor]) };
    });
    const isGarbage = (at: number): boolean => !states.some(({ begin, end }) => at >= begin && at < end);
    expectOutputs(engine, () => {
      for (let at = 0; at < plan.arena; at++) if (isGarbage(at)) instance!.write(arena + at, Uint8Array.of(0x5a));
    });
  });
});

test("a symbol of value 0 takes a record like any other, or the plan is too small", () => {
  const { bytes } = goldenModels().find(({ name }) => name === "zero values")!;
  const small = bytes.slice();
  small[CRC_START + 5]--; // behind ops, codecs, two counts and the window
  new DataView(small.buffer).setUint32(CRC_START - 4, crc32(small.subarray(CRC_START)), true);
  expect(() => readContainer(small)).toThrow(/layer 0 needs \d+ bytes of scratch, the memory plan grants \d+/);

  const instance = instantiateV8(core, 65536, (offset, target, length) => {
    instance.write(target, small.subarray(offset, offset + length));
    return 0;
  });
  instance.write(CONTROL_MODEL_BYTES, Uint8Array.of(small.length, 0, 0, 0));
  const finish = (begun: number): number => {
    let status = begun;
    while (status === STATUS_BUSY) status = instance.step(1000);
    return status;
  };
  expect(finish(instance.open(65536))).toBe(STATUS_DONE);
  expect(finish(instance.start())).toBe(STATUS_PLAN);
  instance.close();
});
