import binaryen from "binaryen";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  CONTROL_MODEL_BYTES,
  CONTROL_MODEL_PTR,
  CONTROL_LAYER_COUNT,
  CONTROL_OUTPUT_TENSOR,
  CONTROL_TENSOR_COUNT,
  CONTROL_TENSORS_PTR,
  CONTROL_VERSION,
  INTERFACE_VERSION,
  MODEL_SLACK_BYTES,
  PLAN_BASE,
  TENSOR_ENTRY_BYTES,
  TENSOR_IS_END,
} from "../../assembly/abi.js";
import { bake } from "../../host/node/module/bake.js";
import { packageRoot } from "../../host/node/paths.js";
import { planTotal } from "../../host/container/plan.js";
import { readContainer } from "../../host/container/read.js";
import { sealModule } from "../../host/module/seal.js";
import { writeContainer } from "../../host/container/write.js";
import { leNets, syntheticModels } from "../support/models.js";
import { npyOf } from "../support/npy.js";
import { expectOneLine, lastJson, mote, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const modelNamed = (name: string) =>
  [...leNets(), ...syntheticModels()].find((candidate) => candidate.name === name)!.model;
const lenet = writeContainer(modelNamed("narrow lenet5-like"));
let path = "";

beforeAll(() => {
  path = scratch.path("lenet.mote");
  writeFileSync(path, lenet);
  writeFileSync(scratch.path("lenet.wasm"), bake(lenet));
  writeFileSync(scratch.path("impostor.wasm"), impostor());
});

/** A module that passes for a packed one and carries a model, but says 5 whatever it is given: [1, 1, 1] in and out. */
function impostor(): Uint8Array {
  const container = writeContainer(modelNamed("one dense output"));
  const { model, plan } = readContainer(container);
  const [elements] = model.tensors[0].shape;
  const address = planTotal(plan, true);
  const words = new DataView(new ArrayBuffer(address));
  const put = (at: number, value: number): void => words.setUint32(at, value, true);
  put(CONTROL_MODEL_PTR, address);
  put(CONTROL_MODEL_BYTES, container.length);
  put(CONTROL_TENSORS_PTR, PLAN_BASE);
  put(CONTROL_TENSOR_COUNT, 2);
  put(CONTROL_LAYER_COUNT, 1);
  put(CONTROL_OUTPUT_TENSOR, 1);
  put(CONTROL_VERSION, INTERFACE_VERSION);
  const arena = PLAN_BASE + 2 * TENSOR_ENTRY_BYTES;
  [arena, elements, 1, 1, 1, 1, 0, TENSOR_IS_END].forEach((value, i) => put(PLAN_BASE + 4 * i, value));
  [arena + 8, 1, 1, 1, 1, 1, 0, TENSOR_IS_END].forEach((value, i) =>
    put(PLAN_BASE + TENSOR_ENTRY_BYTES + 4 * i, value),
  );
  put(arena + 8, 5);
  const module = binaryen.parseText(`(module
    (func (export "open") (param i32) (result i32) (i32.const 1))
    (func (export "start") (result i32) (i32.const 1))
    (func (export "reset") (result i32) (i32.const 0))
    (func (export "step") (param i32) (result i32) (i32.const 0)))`);
  const data = (offset: number, bytes: Uint8Array) => ({
    name: `at${offset}`,
    offset: module.i32.const(offset),
    data: bytes,
    passive: false,
  });
  module.setMemory(1, 1, "memory", [data(0, new Uint8Array(words.buffer)), data(address, container)]);
  const bytes = module.emitBinary();
  module.dispose();
  expect(address + container.length + MODEL_SLACK_BYTES).toBeLessThan(65_536);
  return sealModule(bytes);
}

describe("mote verify", () => {
  it("compares all engines on random inputs, or on digits", async () => {
    const random = await mote(["verify", path, "--random", "5"]);
    expect(random.code).toBe(0);
    expect(random.stdout).toBe(`${path}: 5 inputs (random, seed 1): wasm3 = v8 = simd = reference, every layer\n`);
    const digits = await mote(["verify", path, "--data", "mnist:test:5", "--resident", "--budget", "1000", "--json"]);
    expect(digits.code).toBe(0);
    expect(lastJson(digits)).toEqual({
      model: path,
      engines: ["wasm3", "v8", "simd", "reference"],
      inputs: 5,
      steps: 1,
      source: "mnist:test",
      equal: true,
      difference: null,
    });
  });

  it("takes a packed .wasm", async () => {
    const outcome = await mote(["verify", scratch.path("lenet.wasm"), "--random", "3"]);
    expect(outcome.stdout).toContain("3 inputs (random, seed 1): wasm3 = v8 = simd = reference, every layer");
  });

  it("says where engines first differ, and fails", async () => {
    const outcome = await mote(["verify", scratch.path("impostor.wasm"), "--random", "3", "--json"]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /^mote: .*impostor\.wasm: engines differ at input 0, layer 0, element 0: wasm3 5, v8 5, simd -?\d+, reference -?\d+\n$/,
    );
    expect(lastJson(outcome)).toMatchObject({
      equal: false,
      difference: { input: 0, layer: 0, element: 0, values: { wasm3: 5, v8: 5 } },
    });
  });

  it("runs a model of several inputs and states on random ones, and as a fast module, and knows no data set for it", async () => {
    const several = scratch.path("streaming.mote");
    writeFileSync(several, writeContainer(modelNamed("streaming")));
    for (const optimize of ["size", "speed"]) {
      const random = await mote(["verify", several, "--random", "4", "--optimize", optimize]);
      expect(random.stdout).toContain("4 inputs (random, seed 1): wasm3 = v8 = simd = reference, every layer");
    }
    const digits = await mote(["verify", several, "--data", "mnist:test:5"]);
    expect([digits.code, digits.stderr]).toEqual([
      1,
      "mote: the model takes 2 inputs, mnist:test has one; expected --random\n",
    ]);
  });

  it("takes samples of a file", async () => {
    const samples = scratch.path("samples.npy");
    writeFileSync(samples, npyOf(new Float32Array(3 * 784).fill(0.5), 3, 28, 28));
    const outcome = await mote(["verify", path, "--data", `${samples}:2`, "--json"]);
    expect(lastJson(outcome)).toMatchObject({ inputs: 2, source: "samples.npy", equal: true });
  });

  it("refuses digits for a model that takes something else, and a limit that is too small", async () => {
    const other = scratch.path("other.mote");
    writeFileSync(other, writeContainer(modelNamed("padded")));
    const digits = await mote(["verify", other, "--data", "mnist:test:5"]);
    expect(digits.code).toBe(1);
    expect(digits.stderr).toMatch(/^mote: the model takes images of \[2, 7, 5\] or \[7, 5, 2\], got \[1, 28, 28\]\n$/);
    const limited = await mote(["verify", path, "--limit", "1000"]);
    expect(limited.code).toBe(1);
    expect(limited.stderr).toMatch(
      /^mote: .*lenet\.mote: wasm3: the memory plan takes \d+ bytes, the limit is 1000\n$/,
    );
    expect((await mote(["verify", path, "--random", "none"])).code).toBe(2);
  });

  it("takes no flags of a net beside its model", async () => {
    for (const flags of [
      ["--snr", "10"],
      ["--tolerance", "1"],
      ["--shape", "x=1"],
      ["--expected", "x"],
    ])
      expectOneLine(
        await mote(["verify", path, "--random", "1", ...flags]),
        new RegExp(`${flags[0]}: expected the net and its model$`),
        2,
      );
  });
});

describe("mote verify --host", () => {
  const host = (text: string): string => {
    const file = scratch.path("host.mjs");
    writeFileSync(
      file,
      `import { copyFileSync, readFileSync, writeFileSync } from "node:fs";\nconst [module, inputs, outputs] = process.argv.slice(2);\n${text}\n`,
    );
    return `${process.execPath} ${file}`;
  };
  const verify = (command: string, ...flags: string[]) =>
    mote(["verify", path, "--host", command, "--random", "3", ...flags]);

  it("says that a host answers as ours do", async () => {
    const command = `${process.execPath} ${join(packageRoot, "examples/plugin/host.mjs")}`;
    const outcome = await verify(command, "--json");
    expect(outcome.code).toBe(0);
    expect(lastJson(outcome)).toMatchObject({ host: command, inputs: 3, steps: 1, equal: true });
    expect(outcome.stderr).toContain("3 inputs (random, seed 1)");
    expect((await verify(command, "--optimize", "speed")).code).toBe(0);
  });

  it("says where it answers otherwise", async () => {
    const outcome = await verify(host("writeFileSync(outputs, new Uint8Array(30).fill(1));"));
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/input \d, output 0, element \d is 1, expected -?\d+/);
    const short = await verify(host("writeFileSync(outputs, new Uint8Array(29));"));
    expect(short.stderr).toContain("29 bytes of outputs, expected 30: 10 for each of 3 runs");
  });

  it.each([
    ["fails", () => host("process.exit(3);"), "ended with exit code 3"],
    ["writes nothing", () => host(""), "wrote no outputs"],
    ["is not there", () => "no-such-command-here", "ENOENT"],
  ])("names a host that %s", async (_, command, why) => {
    const outcome = await verify(command());
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain(why);
  });

  it("takes no flags of our engines, and none of nets", async () => {
    for (const flags of [
      ["--budget", "5"],
      ["--snr", "10"],
      ["--tolerance", "1"],
      ["--shape", "x=1"],
      ["--expected", "x"],
    ])
      expectOneLine(await verify("true", ...flags), new RegExp(`${flags[0]}: not with --host, expected a model$`), 2);
  });

  it("refuses an empty command, and more runs than memory has room for, before it runs anything", async () => {
    for (const empty of ["", " "]) {
      const outcome = await mote(["verify", "no-such.mote", "--host", empty, "--random", "2147483647"]);
      expectOneLine(outcome, /--host: expected a command$/, 2);
    }
    const room = Math.floor(2 ** 28 / (784 + 10));
    for (const count of [room + 1, 2 ** 31 - 1])
      expectOneLine(
        await mote(["verify", path, "--host", "true", "--random", String(count)]),
        /--host: [\d,]+ runs have [\d,]+ bytes of inputs and outputs, expected at most 268,435,456; .*--random N, or --data/,
      );
  });
});
