import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bake, specialize } from "../../host/node/module/bake.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { leb128 } from "../../host/module/leb128.js";
import { checkModule } from "../../host/module/module-check.js";
import { CODE_SECTION, readSections, writeModule, type WasmReader } from "../../host/module/sections.js";
import { sealModule } from "../../host/module/seal.js";
import { writeContainer } from "../../host/container/write.js";
import { MoteError } from "../../host/errors.js";
import { MODEL_NAMES } from "../../host/node/firmware/models.js";
import { builtFile, packageRoot } from "../../host/node/paths.js";
import { Wasm3Runtime } from "../../host/node/wasm3/runtime.js";
import { EXTREME, HOSTILE } from "../fuzz/hostile-modules.js";
import { syntheticModels } from "../support/models.js";

const imports = { "mote.read": { signature: "i(iii)", call: () => 0 } };

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof MoteError) return error.message;
    throw error;
  }
  return "";
}

describe("what wasm3 may see", () => {
  it.each(HOSTILE.map(({ name, says, wasm }) => [name, says, wasm] as const))("is not %s", (_, says, wasm) => {
    expect(refusal(() => checkModule(wasm))).toContain(says);
    expect(refusal(() => new Wasm3Runtime(wasm, { imports }))).toContain(says);
  });

  it.each(EXTREME)("is as many %s as the rules allow", (_, wasm) => {
    const runtime = new Wasm3Runtime(wasm, { imports });
    expect(runtime.memoryBytes).toBe(65536);
    runtime.close();
  });

  it("is the core and all that is packed from a model", () => {
    checkModule(readFileSync(builtFile("build/core.wasm")));
    const containers = [
      ...MODEL_NAMES.map((name) => readFileSync(join(packageRoot, "models", `${name}.mote`))),
      ...syntheticModels().map(({ model }) => writeContainer(model)),
    ];
    for (const container of containers) {
      checkModule(specialize(container));
      checkModule(bake(container));
    }
    for (const name of MODEL_NAMES) {
      const container = readFileSync(join(packageRoot, "models", `${name}.mote`));
      checkModule(fastModule(container, "speed"));
      checkModule(fastModule(container, "sram"));
    }
  });
});

const script = builtFile("dist/tests/fuzz/modules.js");
const MODULES = 2000;

// In processes of their own, which a mistake would end.
describe("hostile modules", () => {
  it(`${MODULES} of them do the addon no harm, and it runs made ones as V8 does`, { timeout: 300_000 }, () => {
    expect(existsSync(script), "dist/tests/fuzz/modules.js is missing; mend with: node tools/build.mjs host").toBe(
      true,
    );
    const args = [script, "--count", String(MODULES), "--seed", "1"];
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: "" });
    const tally = JSON.parse(stdout) as Record<string, number>;
    expect(tally).toMatchObject({ modules: MODULES, differ: 0 });
    expect(Math.min(tally.ran, tally.compiled - tally.ran)).toBeGreaterThan(100);
  });

  it("end mote run with a line", { timeout: 60_000 }, () => {
    const container = writeContainer(syntheticModels().find(({ name }) => name === "tiny")!.model);
    const folder = mkdtempSync(join(tmpdir(), "mote-modules-"));
    try {
      const path = join(folder, "deep.wasm");
      writeFileSync(path, withNestedBlocks(bake(container), 60_000));
      const args = [join(packageRoot, "tools", "mote.mjs"), "run", path, "--data", "mnist:test:1"];
      const env = { ...process.env, MOTE_SKIP_BUILD: "1" };
      const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
      expect({ status, signal }).toEqual({ status: 1, signal: null });
      expect(stderr).toMatch(/has more than 20 blocks within each other \(byte \d+\)\n$/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** The module with so many blocks, empty and within each other, in front of its first function's code. */
function withNestedBlocks(wasm: Uint8Array, count: number): Uint8Array {
  const inFirst = (functions: WasmReader): Uint8Array => {
    const howMany = leb128(functions.number());
    const body = functions.slice();
    const whole = body.rest();
    for (let groups = body.number(); groups > 0; groups--) {
      body.number();
      body.byte();
    }
    const locals = whole.subarray(0, body.position);
    const blocks = [...Array<number[]>(count).fill([0x02, 0x40]).flat(), ...Array<number>(count).fill(0x0b)];
    const fresh = [...locals, ...blocks, ...body.rest()];
    return Uint8Array.from([...howMany, ...leb128(fresh.length), ...fresh, ...functions.rest()]);
  };
  const sections = [...readSections(wasm)].map(({ id, section }) => ({
    id,
    content: id === CODE_SECTION ? inFirst(section) : section.rest(),
  }));
  return sealModule(writeModule(sections));
}
