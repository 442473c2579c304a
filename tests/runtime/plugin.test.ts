/** The hosts of examples/plugin, which know docs/plugin.md and nothing else, answer what our engines do. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MoteError } from "../../host/errors.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { packageRoot } from "../../host/node/paths.js";
import type { Optimization } from "../../host/fast/optimization.js";
import { compareWithHost } from "../../tools/verify-host.js";
import { named } from "../firmware/support/native.js";

const folder = join(packageRoot, "examples/plugin");
const golden = join(packageRoot, "tests/golden");
/** A state, several inputs and outputs, borders, a scale for each row, a container that is decoded before it is packed. */
const models = ["streaming", "branches", "gates", "padded", "per-channel", "small-residual"].map(
  (name) => `${name}.mote`,
);
const scratch = mkdtempSync(join(tmpdir(), "mote-plugin-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** @param steps of a stream @returns models that were compared; of those that have no fast module, none */
async function compareAll(
  host: string,
  names: readonly string[],
  optimize: Optimization,
  steps?: number,
): Promise<string[]> {
  const compared: string[] = [];
  for (const name of names) {
    const path = join(golden, name);
    const flags = { random: 3, seed: 1, optimize, ...(steps && { steps }) };
    const outcome = await compareWithHost(path, host, flags).catch((error: unknown) => {
      if (error instanceof MoteError && error.code === "UNSUPPORTED" && optimize === "speed") return undefined;
      throw error;
    });
    if (outcome === undefined) continue;
    expect(outcome.difference, name).toBeUndefined();
    compared.push(name);
  }
  return compared;
}

/** States go on within a stream, and begin anew with the next one. */
async function expectStreams(host: string): Promise<void> {
  for (const optimize of ["size", "speed"] as const) {
    for (const steps of [1, 2]) expect(await compareAll(host, ["streaming.mote"], optimize, steps)).toHaveLength(1);
  }
}

describe("examples/plugin/host.mjs", () => {
  const host = `${process.execPath} ${join(folder, "host.mjs")}`;

  it("runs packed and fast modules", async () => {
    expect(await compareAll(host, models, "size")).toEqual(models);
    expect((await compareAll(host, models, "speed")).length).toBeGreaterThanOrEqual(4);
  });

  it("resets states before each stream", () => expectStreams(host));

  it("that does not is found out", async () => {
    const path = join(golden, "streaming.mote");
    const deaf = join(scratch, "deaf.mjs");
    const text = readFileSync(join(folder, "host.mjs"), "utf8");
    writeFileSync(deaf, text.replace(/^.*finish\("reset".*$/m, ""));
    const flags = { random: 3, seed: 1, optimize: "size", steps: 1 } as const;
    const { difference } = await compareWithHost(path, `${process.execPath} ${deaf}`, flags);
    expect(difference).toMatch(/^input 1, output \d, element \d+ is -?\d+, expected -?\d+$/);
  });

  it("says what is wrong with its files", () => {
    const wasm = join(scratch, "not.wasm");
    writeFileSync(wasm, "not a module");
    const files = [wasm, wasm, join(scratch, "out.bin")];
    expect(spawnSync(process.execPath, [join(folder, "host.mjs"), ...files]).status).not.toBe(0);
    expect(spawnSync(process.execPath, [join(folder, "host.mjs")], { encoding: "utf8" }).stderr).toContain("usage");
  });
});

const lacking = missingTools(["cc", "make"]);
describe.skipIf(lacking.length > 0)(named("examples/plugin/host.c", lacking), () => {
  const host = join(scratch, "host");

  beforeAll(() => {
    const { status, stderr } = spawnSync("make", ["-s", "-C", folder, `BUILD=${scratch}`, "CFLAGS=-O1"], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
  });

  it("runs packed and fast modules", async () => {
    expect(await compareAll(host, models, "size")).toEqual(models);
    expect((await compareAll(host, models, "speed")).length).toBeGreaterThanOrEqual(4);
  });

  it("resets states before each stream", () => expectStreams(host));

  it("refuses a module of another version, and inputs of another length", () => {
    const packed = join(packageRoot, "models/lenet5.mote");
    const [wasm, inputs] = [join(scratch, "lenet5.wasm"), join(scratch, "inputs.bin")];
    const mote = join(packageRoot, "tools/mote.mjs");
    spawnSync(process.execPath, [mote, "pack", packed, "-o", wasm], { env: { ...process.env, MOTE_SKIP_BUILD: "1" } });
    writeFileSync(inputs, new Uint8Array(783));
    const short = spawnSync(host, [wasm, inputs, join(scratch, "out.bin")], { encoding: "utf8" });
    expect([short.status, short.stderr]).toEqual([1, `host: ${inputs}: is not of so many runs of all inputs\n`]);
    writeFileSync(wasm, readFileSync(wasm).subarray(0, 900));
    expect(spawnSync(host, [wasm, inputs, join(scratch, "out.bin")]).status).toBe(1);
  });
});

const hasWasmtime = spawnSync("python3", ["-c", "import wasmtime"], { stdio: "ignore" }).status === 0;
describe.skipIf(!hasWasmtime)(
  `examples/plugin/host.py${hasWasmtime ? "" : " (skipped, Python has no wasmtime: pip install wasmtime)"}`,
  () => {
    it("runs packed and fast modules", async () => {
      const host = `python3 ${join(folder, "host.py")}`;
      expect(await compareAll(host, models, "size")).toEqual(models);
      expect((await compareAll(host, models, "speed")).length).toBeGreaterThanOrEqual(4);
      await expectStreams(host);
    });
  },
);
