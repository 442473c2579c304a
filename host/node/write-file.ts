/** Output files: a regular file is there whole or not at all, a link stays a link, a device or FIFO is written to as it is. */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { MoteError } from "../errors.js";

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the disk",
  EDQUOT: "disk quota exceeded",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  ENOENT: "no such file or folder",
  ENAMETOOLONG: "the name is too long",
  EFBIG: "the file is too large for this file system",
  EMFILE: "too many open files",
  ELOOP: "its symbolic links form a loop",
  ENXIO: "it is a socket or FIFO that nobody reads",
  EPIPE: "its reader has gone",
  EBADF: "it is not open for writing",
};

/** How long a FIFO may wait for its reader: a blocking open could not be ended by Ctrl-C. */
const READER_WAIT_MS = 10_000;
const RETRY_MS = 20;

/** A system error as words: "no space left on the disk" for ENOSPC. */
export function describeSystemError(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== undefined && code in REASONS) return REASONS[code];
  return error instanceof Error ? error.message : String(error);
}

/**
 * Writes `bytes` to where `path` leads, symbolic links followed. A regular file, or a new one, is written under a temporary name
 * beside it, flushed to the disk and renamed: a reader sees the old file or the whole new one, also after a crash or on a full disk;
 * it keeps the old one's permissions. Anything else, such as a FIFO, /dev/stdout or /dev/null, gets the bytes themselves. The folder
 * of `path` is made if it is missing, none of a link's is.
 * @throws MoteError FILE that names the path and the reason; no part of a regular file is left behind
 */
export function writeFileAtomic(path: string, bytes: Uint8Array | string): void {
  const data = typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes;
  try {
    fs.mkdirSync(dirname(path), { recursive: true });
    const target = followLinks(path);
    if (typeof target === "number") {
      writeAll(target, data);
      return;
    }
    const old = fs.statSync(target, { throwIfNoEntry: false });
    if (old === undefined || old.isFile()) replaceFile(target, data, old);
    else writeThrough(target, data, old.isFIFO());
  } catch (error) {
    throw new MoteError("FILE", `${path}: cannot be written: ${describeSystemError(error)}`, { cause: error });
  }
}

/** Whether what is written to `path` comes out at this process's own stdout, as with /dev/stdout. */
export function isStdout(path: string): boolean {
  try {
    return followLinks(path) === 1;
  } catch {
    return false; // Writing will say what is wrong with it.
  }
}

/**
 * @returns the file that `path` stands for, there or not yet, or the number of an open descriptor of ours: /dev/stdout leads to a
 *   name like /proc/self/fd/1, which links to no path where descriptor 1 is a pipe or a socket
 */
function followLinks(path: string): string | number {
  fs.statSync(path, { throwIfNoEntry: false }); // Ends at a loop.
  for (;;) {
    const folder = fs.realpathSync(dirname(path));
    const name = basename(path);
    if ((folder === `/proc/${process.pid}/fd` || folder === "/dev/fd") && /^\d+$/.test(name)) return Number(name);
    const named = join(folder, name);
    if (fs.lstatSync(named, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return named;
    path = resolve(folder, fs.readlinkSync(named));
  }
}

function replaceFile(path: string, data: Uint8Array, old: fs.Stats | undefined): void {
  // A rename would replace a write-protected file: opening it asks for leave.
  if (old !== undefined) fs.closeSync(fs.openSync(path, "r+"));
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`);
  let file: number | undefined;
  let made = false;
  try {
    file = fs.openSync(temporary, "w");
    made = true;
    if (old !== undefined) keepOwner(file, old);
    writeAll(file, data);
    fs.fsyncSync(file);
    const open = file;
    file = undefined;
    fs.closeSync(open);
    fs.renameSync(temporary, path);
  } catch (error) {
    if (file !== undefined) quietly(() => fs.closeSync(file!));
    // A leftover would be hidden and carry the process id.
    if (made) quietly(() => fs.unlinkSync(temporary));
    throw error;
  }
}

function keepOwner(file: number, { uid, gid, mode }: fs.Stats): void {
  // Others than root cannot give files away.
  if (process.geteuid?.() === 0) quietly(() => fs.fchownSync(file, uid, gid));
  fs.fchmodSync(file, mode & 0o7777);
}

function writeThrough(path: string, data: Uint8Array, isFifo: boolean): void {
  const file = isFifo ? openFifo(path) : fs.openSync(path, "w");
  try {
    writeAll(file, data);
  } finally {
    quietly(() => fs.closeSync(file));
  }
}

/** @throws ENXIO when no reader comes */
function openFifo(path: string): number {
  const end = performance.now() + READER_WAIT_MS;
  for (;;) {
    try {
      return fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO" || performance.now() > end) throw error;
      sleep(RETRY_MS);
    }
  }
}

/** A pipe that does not block answers EAGAIN while it is full. */
function writeAll(file: number, data: Uint8Array): void {
  for (let offset = 0; offset < data.length;) {
    try {
      offset += fs.writeSync(file, data, offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      sleep(RETRY_MS);
    }
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** The first error is the one to report. */
function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // As above.
  }
}
