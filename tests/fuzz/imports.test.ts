import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { builtFile } from "../../host/node/paths.js";
import { hostileModel, importOutcome, importSeeds, largeModels } from "./imports.js";

const MUTATIONS = 3_000;
const HEAP_MIB = 96;
const script = builtFile("dist/tests/fuzz/imports.js");

/** In a process of its own, which ends where the heap does or after a while. */
function run(...args: string[]): string {
  expect(existsSync(script), "dist/tests/fuzz/imports.js is missing; mend with: node tools/build.mjs host").toBe(true);
  const node = [`--max-old-space-size=${HEAP_MIB}`, script, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, node, { encoding: "utf8", timeout: 110_000 });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

it("starts from models that are shown", () => {
  expect(importSeeds().map(importOutcome)).toEqual(importSeeds().map(() => "shown"));
});

it("makes the same case from the same numbers", () => {
  const seeds = importSeeds();
  expect(hostileModel(seeds, 1, 17)).toEqual(hostileModel(importSeeds(), 1, 17));
  expect(hostileModel(seeds, 1, 17)).not.toEqual(hostileModel(seeds, 2, 17));
});

it(`answers ${MUTATIONS} hostile ONNX models with a graph or an error that is documented`, () => {
  const { cases, shown, FORMAT, findings } = JSON.parse(run("--count", String(MUTATIONS), "--seed", "1")) as Record<
    string,
    number
  >;
  expect({ cases, findings }).toEqual({ cases: MUTATIONS, findings: undefined });
  // Where all were refused at once, or none, little would be tested.
  expect(Math.min(shown, FORMAT)).toBeGreaterThan(MUTATIONS / 10);
});

it(`takes less than ${HEAP_MIB} MiB of heap for files that ask for all they can`, () => {
  const lines = run("--large").trim().split("\n");
  expect(lines).toEqual(largeModels().map(({ name }) => `${name}: shown`));
});
