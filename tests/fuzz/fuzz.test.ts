import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { containerBits } from "../../host/data/file-kind.js";
import { builtFile } from "../../host/node/paths.js";
import { caseAt, CASES_FOLDER, loadCases } from "./cases.js";
import { checkCase } from "./check.js";
import { makeCorpus } from "./corpus.js";
import { coreMachines, v8Machines, wasm3Machines } from "./machine.js";

const MUTATIONS = 50_000;
const WASM3_MUTATIONS = 2_000;
const inV8 = coreMachines(v8Machines);
const underWasm3 = coreMachines(wasm3Machines);

describe("cases that once went wrong", () => {
  for (const { name, finding, fuzzCase } of loadCases()) {
    // None takes a tenth of it; a slice without an end in sight would take more.
    it(`${name}: ${finding}`, { timeout: 5_000 }, () => {
      checkCase(inV8, fuzzCase);
      checkCase(underWasm3, fuzzCase);
    });
  }
  it("are looked for", () => expect(existsSync(CASES_FOLDER)).toBe(true));
});

it("starts from containers that the cores run", () => {
  const seeds = makeCorpus();
  for (const bits of [8, 16]) {
    expect(seeds.filter((seed) => containerBits(seed.bytes) === bits).length).toBeGreaterThan(15);
  }
  for (const { name, bytes } of seeds) {
    const circumstances = {
      memoryBytes: 65_536,
      modelPtr: 0,
      failAt: -1,
      swapAt: -1,
      swapped: new Uint8Array(0),
      budget: 1 << 16,
    };
    const bits = containerBits(bytes);
    expect(checkCase(inV8, { bytes, bits, how: name, ...circumstances }).reached, name).toBe("ran");
  }
});

it("makes the same case from the same numbers", () => {
  const seeds = makeCorpus();
  expect(caseAt(seeds, 1, 17)).toEqual(caseAt(makeCorpus(), 1, 17));
  expect(caseAt(seeds, 1, 17)).not.toEqual(caseAt(seeds, 2, 17));
});

// In a process of its own, which a watchdog ends when a case hangs.
it(`keeps its promises for ${MUTATIONS} hostile containers in V8`, { timeout: 400_000 }, () => {
  const script = builtFile("dist/tests/fuzz/fuzz.js");
  expect(existsSync(script), "dist/tests/fuzz/fuzz.js is missing; mend with: node tools/build.mjs host").toBe(true);
  const folder = mkdtempSync(join(tmpdir(), "mote-fuzz-"));
  const args = [script, "--count", String(MUTATIONS), "--seed", "1", "--save", folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 390_000 });
  console.log(stdout.trim());
  expect(stderr.split("\n").filter((line) => line.includes("case "))).toEqual([]);
  expect(stdout).toContain(`${MUTATIONS} mutations in`);
  expect(status).toBe(0);
});

it(`keeps them for ${WASM3_MUTATIONS} under wasm3, where an access beyond the limit traps`, () => {
  const seeds = makeCorpus();
  for (let index = 0; index < WASM3_MUTATIONS; index++) {
    const fuzzCase = caseAt(seeds, 2, index);
    const result = checkCase(underWasm3, fuzzCase);
    expect(result, `case ${index}: ${fuzzCase.how}`).toEqual(checkCase(inV8, fuzzCase));
  }
});
