/** Hostile files of every kind that is read: what is read of them, or an error that says what is wrong. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { builtFile } from "../../host/node/paths.js";
import { FILE_TARGETS, fileAt, fileOutcome } from "./files.js";

/** ONNX and TFLite models have tests of their own, of more. */
const NAMES = Object.keys(FILE_TARGETS).filter((name) => name !== "onnx" && name !== "tflite");
const MUTATIONS = 1500;

describe.each(NAMES)("%s", (name) => {
  const target = FILE_TARGETS[name];
  const seeds = target.seeds();

  it("starts from files that are read", () => {
    expect(seeds.map((seed) => fileOutcome(target, seed))).toEqual(seeds.map(() => "read"));
  });

  it(`${MUTATIONS} mutations are read or refused`, () => {
    const outcomes = new Map<string, number>();
    for (let index = 0; index < MUTATIONS; index++) {
      const outcome = fileOutcome(target, fileAt(target, seeds, 3, index));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    for (const code of outcomes.keys()) expect(["read", "FORMAT", "UNSUPPORTED", "MISMATCH"]).toContain(code);
    expect(outcomes.get("FORMAT")).toBeGreaterThan(MUTATIONS / 20);
  });
});

describe("npm run fuzz", () => {
  const scratch = mkdtempSync(join(tmpdir(), "mote-fuzz-"));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const fuzz = (...args: string[]) =>
    spawnSync(process.execPath, [builtFile("dist/tests/fuzz/fuzz.js"), "--seed", "3", "--save", scratch, ...args], {
      encoding: "utf8",
    });

  it("takes a target by its name", () => {
    const { status, stdout } = fuzz("--target", "png", "--count", "200");
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^fuzz: seed 3: 200 mutations in .*, 0 findings$/m)]);
    const unknown = fuzz("--target", "gif");
    expect([unknown.status, unknown.stderr]).toEqual([
      2,
      expect.stringContaining("--target gif: expected container, onnx"),
    ]);
  });

  it("makes the same file from the same numbers", () => {
    const { png } = FILE_TARGETS;
    expect(fileAt(png, png.seeds(), 5, 9)).toEqual(fileAt(png, png.seeds(), 5, 9));
    expect(fileAt(png, png.seeds(), 5, 9)).not.toEqual(fileAt(png, png.seeds(), 5, 10));
  });
});
