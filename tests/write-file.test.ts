import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MoteError } from "../host/errors.js";
import { writeFileAtomic } from "../host/node/write-file.js";

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

describe("writeFileAtomic through links", () => {
  it("replaces the file behind a link, whatever way leads there, and the link stays", () => {
    mkdirSync(join(folder, "far/deep"), { recursive: true });
    writeFileSync(join(folder, "far/real.mote"), "old");
    symlinkSync("far/deep", join(folder, "near")); // .. behind it is far, not the folder
    symlinkSync("../real.mote", join(folder, "far/deep/second"));
    symlinkSync("near/second", join(folder, "first"));
    writeFileAtomic(join(folder, "first"), "new");
    expect(readFileSync(join(folder, "far/real.mote"), "utf8")).toBe("new");
    expect(readlinkSync(join(folder, "first"))).toBe("near/second");
    expect(readlinkSync(join(folder, "far/deep/second"))).toBe("../real.mote");
    expect(readdirSync(join(folder, "far")).sort()).toEqual(["deep", "real.mote"]);
    expect(readdirSync(folder).sort()).toEqual(["far", "first", "near"]);
  });

  it("makes the file that a dangling link names", () => {
    symlinkSync("yet.mote", join(folder, "link"));
    writeFileAtomic(join(folder, "link"), "new");
    expect(readFileSync(join(folder, "yet.mote"), "utf8")).toBe("new");
    expect(lstatSync(join(folder, "link")).isSymbolicLink()).toBe(true);
    symlinkSync("nowhere/yet.mote", join(folder, "lost"));
    expect(failure(() => writeFileAtomic(join(folder, "lost"), "new")).message).toMatch(
      /\/lost: .*no such file or folder$/,
    );
    expect(readdirSync(folder).sort()).toEqual(["link", "lost", "yet.mote"]);
  });

  it("says that links form a loop", () => {
    symlinkSync("b", join(folder, "a"));
    symlinkSync("a", join(folder, "b"));
    expect(failure(() => writeFileAtomic(join(folder, "a"), "x")).message).toMatch(
      /\/a: cannot be written: its symbolic links form a loop$/,
    );
    expect(readdirSync(folder).sort()).toEqual(["a", "b"]);
  });
});

describe("writeFileAtomic over what is there", () => {
  it.each([0o600, 0o644, 0o755, 0o666])("keeps mode %o", (mode) => {
    const path = join(folder, "tool");
    writeFileSync(path, "old");
    chmodSync(path, mode);
    writeFileAtomic(path, "new");
    expect(statSync(path).mode & 0o7777).toBe(mode);
    expect(readFileSync(path, "utf8")).toBe("new");
  });

  it.runIf(process.geteuid!() === 0)("keeps the owner, when root writes", () => {
    const path = join(folder, "theirs");
    writeFileSync(path, "old");
    execFileSync("chown", ["1234:4321", path]);
    writeFileAtomic(path, "new");
    expect([statSync(path).uid, statSync(path).gid]).toEqual([1234, 4321]);
  });

  it("does not replace a file that is write-protected", () => {
    const path = join(folder, "kept");
    writeFileSync(path, "old");
    chmodSync(path, 0o444);
    const isRoot = process.geteuid!() === 0;
    chmodSync(folder, 0o777);
    if (isRoot) process.seteuid!(65534);
    try {
      expect(failure(() => writeFileAtomic(path, "new")).message).toMatch(/permission denied$/);
    } finally {
      if (isRoot) process.seteuid!(0);
    }
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["kept"]);
  });
});

describe("writeFileAtomic to what is no regular file", () => {
  it("feeds a FIFO, also one whose reader comes late and is slow, and leaves it a FIFO", async () => {
    const [fifo, copy] = [join(folder, "fifo"), join(folder, "copy")];
    execFileSync("mkfifo", [fifo]);
    const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251); // more than a pipe holds
    const reader = spawn("sh", ["-c", 'sleep 0.3; (sleep 0.3; cat) < "$0" > "$1"', fifo, copy]);
    const ended = new Promise((resolve) => reader.on("close", resolve));
    writeFileAtomic(fifo, bytes);
    expect(await ended).toBe(0);
    expect(Buffer.compare(readFileSync(copy), bytes)).toBe(0);
    expect(lstatSync(fifo).isFIFO()).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(["copy", "fifo"]);
  });

  it("says that a FIFO's reader has gone", async () => {
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    const reader = spawn("sh", ["-c", 'head -c 10 < "$0"', fifo]);
    const ended = new Promise((resolve) => reader.on("close", resolve));
    expect(failure(() => writeFileAtomic(fifo, new Uint8Array(1_000_000))).message).toMatch(/its reader has gone$/);
    await ended;
  });

  it("writes to /dev/null and leaves it there; /dev/full has no space", () => {
    const before = lstatSync("/dev/null");
    writeFileAtomic("/dev/null", "x");
    const after = lstatSync("/dev/null");
    expect([after.ino, after.rdev, after.mode]).toEqual([before.ino, before.rdev, before.mode]);
    const error = failure(() => writeFileAtomic("/dev/full", "x"));
    expect([error.code, error.message]).toEqual(["FILE", "/dev/full: cannot be written: no space left on the disk"]);
    expect(lstatSync("/dev/full").isCharacterDevice()).toBe(true);
  });
});
