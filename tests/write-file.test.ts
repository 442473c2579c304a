import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MoteError } from "../host/errors.js";
import { writeFileAtomic } from "../host/write-file.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-write-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function failure(action: () => void): MoteError {
  try {
    action();
  } catch (error) {
    if (error instanceof MoteError) return error;
    throw error;
  }
  throw new Error("expected a MoteError");
}

describe("writeFileAtomic", () => {
  it("writes bytes and text, replaces a file, makes folders, leaves no other name", () => {
    const path = join(folder, "a/b/model.mote");
    writeFileAtomic(path, Uint8Array.of(1, 2, 3));
    expect([...readFileSync(path)]).toEqual([1, 2, 3]);
    writeFileAtomic(path, "naïve");
    expect(readFileSync(path, "utf8")).toBe("naïve");
    writeFileAtomic(path, new Uint8Array());
    expect(readFileSync(path)).toHaveLength(0);
    expect(readdirSync(join(folder, "a/b"))).toEqual(["model.mote"]);
  });

  it("names the path and the reason when the name is taken by a folder, and removes its temporary file", () => {
    mkdirSync(join(folder, "model.mote"));
    const error = failure(() => writeFileAtomic(join(folder, "model.mote"), "x"));
    expect(error.code).toBe("FILE");
    expect(error.message).toMatch(/model\.mote: cannot be written: it is a folder$/);
    expect(readdirSync(folder)).toEqual(["model.mote"]);
  });

  it("names the path when a part of it is no folder", () => {
    writeFileSync(join(folder, "file"), "");
    const error = failure(() => writeFileAtomic(join(folder, "file/model.mote"), "x"));
    expect(error.message).toMatch(/file\/model\.mote: cannot be written: /);
  });

  it("names the path when it may not write there", () => {
    chmodSync(folder, 0o500);
    const isRoot = process.geteuid!() === 0;
    if (isRoot) process.seteuid!(65534); // root may write anywhere
    try {
      const error = failure(() => writeFileAtomic(join(folder, "model.mote"), "x"));
      expect(error.message).toMatch(/model\.mote: cannot be written: permission denied$/);
    } finally {
      if (isRoot) process.seteuid!(0);
      chmodSync(folder, 0o700);
    }
  });
});
