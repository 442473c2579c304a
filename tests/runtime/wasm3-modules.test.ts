import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bake, specialize } from "../../host/node/module/bake.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { checkModule } from "../../host/module/module-check.js";
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
    const runtime = new Wasm3Runtime(wasm, { imports, stackBytes: 768 });
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
  let position = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[position++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  const long = (value: number): number[] =>
    [0, 7, 14, 21, 28].map((s) => ((value / 2 ** s) & 0x7f) | (s < 28 ? 0x80 : 0));
  for (;;) {
    const start = position;
    const id = wasm[position++];
    const end = number() + position;
    if (id !== 10) {
      position = end;
      continue;
    }
    const functions = number();
    const length = number();
    const body = wasm.subarray(position, position + length);
    for (let groups = number(); groups > 0; groups--) position += 2; // fewer than 128 of a type
    const locals = wasm.subarray(body.byteOffset, position);
    const code = wasm.subarray(position, body.byteOffset + length);
    const blocks = [...Array<number[]>(count).fill([0x02, 0x40]).flat(), ...Array<number>(count).fill(0x0b)];
    const fresh = [...locals, ...blocks, ...code];
    const content = [
      ...long(functions),
      ...long(fresh.length),
      ...fresh,
      ...wasm.subarray(body.byteOffset + length, end),
    ];
    return sealModule(
      Uint8Array.from([...wasm.subarray(0, start), id, ...long(content.length), ...content, ...wasm.subarray(end)]),
    );
  }
}
