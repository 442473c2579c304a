/** Files that are there whole or not at all. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MoteError } from "./errors.js";

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
};

/** A system error as words: "no space left on the disk" for ENOSPC. */
export function describeSystemError(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== undefined && code in REASONS) return REASONS[code];
  return error instanceof Error ? error.message : String(error);
}

/**
 * Writes `bytes` to a temporary name beside `path`, flushes them to the disk and renames: a reader sees the old file or the whole
 * new one, also after a crash or on a full disk. The folder is made if it is missing.
 * @throws MoteError FILE that names the path and the reason; nothing is left behind
 */
export function writeFileAtomic(path: string, bytes: Uint8Array | string): void {
  const data = typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes;
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  let file: number | undefined;
  let made = false;
  try {
    mkdirSync(dirname(path), { recursive: true });
    file = openSync(temporary, "w");
    made = true;
    for (let offset = 0; offset < data.length;) offset += writeSync(file, data, offset);
    fsyncSync(file);
    const open = file;
    file = undefined;
    closeSync(open);
    renameSync(temporary, path);
  } catch (error) {
    if (file !== undefined) closeQuietly(file);
    if (made) unlinkQuietly(temporary);
    throw new MoteError("FILE", `${path}: cannot be written: ${describeSystemError(error)}`, { cause: error });
  }
}

function closeQuietly(file: number): void {
  try {
    closeSync(file);
  } catch {
    // The first error is the one to report.
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // As above; a leftover is hidden and carries the process id.
  }
}
