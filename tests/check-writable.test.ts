import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkWritable } from "../host/node/check-writable.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-writable-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("checkWritable", () => {
  it("passes what can be written, and leaves everything as it was", () => {
    writeFileSync(join(folder, "old"), "kept");
    for (const name of ["old", "new", "a/b/new", "/dev/null"]) checkWritable(join(folder, name), 1000);
    checkWritable("/dev/null");
    expect(readdirSync(folder)).toEqual(["old"]);
    expect(readFileSync(join(folder, "old"), "utf8")).toBe("kept");
  });

  it("refuses a folder, and a file below a file", () => {
    mkdirSync(join(folder, "taken"));
    expect(() => checkWritable(join(folder, "taken"))).toThrow(/taken: cannot be written: it is a folder$/);
    writeFileSync(join(folder, "file"), "");
    expect(() => checkWritable(join(folder, "file/below"))).toThrow(/below: cannot be written: a part of the path/);
  });

  it("refuses a name that is too long", () => {
    expect(() => checkWritable(join(folder, "x".repeat(300)))).toThrow(/cannot be written: the name is too long$/);
  });

  it("refuses a folder or a file without permission", () => {
    writeFileSync(join(folder, "file"), "");
    chmodSync(join(folder, "file"), 0o400);
    const isRoot = process.geteuid!() === 0;
    if (isRoot) process.seteuid!(65534); // root may write anywhere
    try {
      if (!isRoot) chmodSync(folder, 0o500);
      for (const name of ["file", "new", "a/b"]) {
        expect(() => checkWritable(join(folder, name)), name).toThrow(/cannot be written: permission denied$/);
      }
    } finally {
      if (isRoot) process.seteuid!(0);
      chmodSync(folder, 0o700);
    }
  });
});
