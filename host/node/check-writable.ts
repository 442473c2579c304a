import { accessSync, constants, existsSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { MoteError } from "../errors.js";
import { describeSystemError } from "./write-file.js";

/**
 * Finds out before the work whether its result could be written now, and leaves nothing behind: where the folder is not there yet, what
 * will hold it is tried.
 * @param bytes room that must be left there
 * @throws MoteError FILE that names the path and the reason
 */
export function checkWritable(path: string, bytes = 0): void {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    // A device or a FIFO takes the bytes themselves.
    if (there !== undefined && !there.isFile() && !there.isDirectory()) return;
    if (there?.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    if (there !== undefined) accessSync(path, constants.W_OK);
    let folder = dirname(there === undefined ? resolve(path) : realpathSync(path));
    while (!existsSync(folder)) folder = dirname(folder);
    const probe = join(folder, `.${basename(path)}.${process.pid}.tmp`);
    try {
      writeFileSync(probe, new Uint8Array(bytes));
    } finally {
      rmSync(probe, { force: true });
    }
  } catch (error) {
    throw new MoteError("FILE", `${path}: cannot be written: ${describeSystemError(error)}`, { cause: error });
  }
}
