/**
 * The folder of an export: written as a whole or not at all, and only where nothing of anybody else's is lost. A former export is known by
 * its list, `mote-export.json`: all that is in the folder stands in the list, with the checksum it still has.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { crc32 } from "../../container/crc32.js";
import { MoteError } from "../../errors.js";
import { describeSystemError } from "../write-file.js";

const LIST_FILE = "mote-export.json";

interface ExportList {
  readonly madeBy: string;
  /** CRC-32 of each file, by its path below the folder. */
  readonly files: Readonly<Record<string, number>>;
}

/**
 * Writes `files` to a folder beside `folder`, then gives it the name. Folders above are made.
 * @param files by their paths below the folder
 * @returns the paths of all that is in the folder
 * @throws MoteError ARGUMENT for a folder that is the current one or above it; FILE for what is no folder, for one that holds what is not of a
 *   former export or was changed since, and when writing fails: then everything is as it was
 */
export function replaceExport(folder: string, files: ReadonlyMap<string, Uint8Array>): string[] {
  if (folder === "") throw new MoteError("ARGUMENT", '--export "": expected the name of a folder');
  const list: ExportList = {
    madeBy: "npm run firmware -- --export",
    files: Object.fromEntries([...files].map(([name, bytes]) => [name, crc32(bytes)])),
  };
  const all = new Map([...files, [LIST_FILE, Buffer.from(JSON.stringify(list, undefined, 2) + "\n")]]);
  try {
    const place = existsSync(folder) ? realpathSync(folder) : resolve(folder);
    expectOurs(folder, place);
    writeBeside(place, all);
  } catch (error) {
    if (error instanceof MoteError) throw error;
    throw new MoteError("FILE", `${folder}: cannot be written: ${describeSystemError(error)}`, { cause: error });
  }
  return [...all.keys()];
}

const EXPECTED = "expected a new or empty folder, or a former export with nothing added or changed";

/** Throws unless `place` is free, empty or a former export. */
function expectOurs(folder: string, place: string): void {
  if (relative(place, process.cwd()).split(sep)[0] !== "..") {
    throw new MoteError(
      "ARGUMENT",
      `--export ${folder}: is the current folder or holds it, expected a folder of its own`,
    );
  }
  if (!existsSync(place)) return;
  if (!statSync(place).isDirectory()) throw new MoteError("FILE", `${folder}: is a file, ${EXPECTED}`);
  if (readdirSync(place).length === 0) return;
  const former = readList(join(place, LIST_FILE));
  if (former === undefined) throw new MoteError("FILE", `${folder}: holds files of something else, ${EXPECTED}`);
  for (const entry of readdirSync(place, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(place, path);
    if (name === LIST_FILE) continue;
    if (!entry.isFile() || !Object.hasOwn(former.files, name)) {
      throw new MoteError("FILE", `${folder}: ${name} is not of the former export, ${EXPECTED}`);
    }
    if (crc32(readFileSync(path)) !== former.files[name]) {
      throw new MoteError("FILE", `${folder}: ${name} was changed since it was exported, ${EXPECTED}`);
    }
  }
}

function readList(path: string): ExportList | undefined {
  try {
    const list = JSON.parse(readFileSync(path, "utf8")) as ExportList | null;
    return typeof list?.files === "object" && list.files !== null ? list : undefined;
  } catch {
    return undefined;
  }
}

function writeBeside(place: string, files: ReadonlyMap<string, Uint8Array>): void {
  const sibling = (ending: string): string => join(dirname(place), `.${basename(place)}.${process.pid}.${ending}`);
  const [fresh, old] = [sibling("tmp"), sibling("old")];
  let made = fresh;
  while (!existsSync(dirname(made))) made = dirname(made);
  try {
    makeFolder(fresh);
    for (const [name, bytes] of files) {
      makeFolder(dirname(join(fresh, name)));
      writeFileSync(join(fresh, name), bytes, { flush: true });
    }
    if (!existsSync(place)) return renameSync(fresh, place);
    renameSync(place, old);
    try {
      renameSync(fresh, place);
    } catch (error) {
      renameSync(old, place);
      throw error;
    }
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    throw error;
  }
  rmSync(old, { recursive: true, force: true });
}

/** As mkdirSync with `recursive`, which never returns from a path below /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}
