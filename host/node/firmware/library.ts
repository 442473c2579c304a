/**
 * Puts the C library together as a folder that any build system takes: our sources, wasm3's, and one small file around each of wasm3's
 * that sets its options. wasm3 comes from npm or from WASM3_DIR; nothing of it is kept in the repository.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MoteError } from "../../errors.js";
import { dependencyFolder, packageRoot } from "../paths.js";
import { writeFileAtomic } from "../write-file.js";

/** The library's own files, metadata for the build systems included. */
export const LIBRARY_FOLDER = join(packageRoot, "firmware-examples", "common");

/** Where wasm3's sources are in the tool's package, which brings them along. */
const WASM3_FOLDER = join(packageRoot, "wasm3");

/** The folder of wasm3's m3_env.c: WASM3_DIR, its source/ folder, the package's own, or that of the sources npm installed. */
export function wasm3Folder(): string {
  const given = process.env.WASM3_DIR;
  if (given !== undefined && given !== "") {
    const folder = [given, join(given, "source")].find((path) => existsSync(join(path, "m3_env.c")));
    if (folder !== undefined) return folder;
    throw new MoteError("ENGINE", `no m3_env.c in WASM3_DIR=${given} or its source/ folder`);
  }
  const folder = [WASM3_FOLDER, join(dependencyFolder("react-native-webassembly"), "cpp")].find((path) =>
    existsSync(join(path, "m3_env.c")),
  );
  if (folder !== undefined) return folder;
  throw new MoteError("ENGINE", "wasm3's C sources are missing; mend with: npm ci");
}

/** Whether a file of wasm3's is of its interpreter, without its WASI, libc and tracing bindings. */
export function isInterpreter(name: string): boolean {
  return /^(m3_(?!api_)\w+\.[ch]|wasm3(_defs)?\.h)$/.test(name);
}

/** The file that compiles wasm3's `name` with the library's settings. m3_core.c wants to be the first to include wasm3.h. */
function wrapper(name: string): string {
  const settings = name === "m3_core.c" ? "mote-wasm3.h" : "mote-ops.h";
  return `/* Compiles wasm3's ${name} with the library's settings. */\n#include "${settings}"\n#include "wasm3/${name}"\n`;
}

/** wasm3's licence, which npm's package leaves out: the same as ours, by other people. */
export function wasm3Licence(): string {
  const ours = readFileSync(join(packageRoot, "LICENSE"), "utf8");
  const theirs = "Copyright (c) 2019 Steven Massey, Volodymyr Shymanskyy";
  return (
    "wasm3, the WebAssembly interpreter, unchanged: m3_*.c, m3_*.h, wasm3.h, wasm3_defs.h.\n\n" +
    ours.replace(/^Copyright .*$/m, theirs)
  );
}

export interface LibraryFiles {
  /** Every file, by its path below the library's folder. */
  readonly content: ReadonlyMap<string, Uint8Array>;
  /** The library's C files, and those around wasm3's, by name. */
  readonly own: readonly string[];
  readonly wasm3: readonly string[];
}

/** @throws MoteError ENGINE where wasm3's sources are missing */
export function libraryFiles(): LibraryFiles {
  const sources = wasm3Folder();
  const interpreter = readdirSync(sources).filter(isInterpreter).sort();
  const wrappers = new Map(
    interpreter.filter((name) => name.endsWith(".c")).map((name) => [name.replace(/^m3_/, "wasm3-"), wrapper(name)]),
  );
  const ours = listFiles(LIBRARY_FOLDER);
  const content = new Map<string, Uint8Array>([
    ...ours.map((name) => [name, readFileSync(join(LIBRARY_FOLDER, name))] as const),
    ...interpreter.map((name) => [join("wasm3", name), readFileSync(join(sources, name))] as const),
    ["LICENSE", readFileSync(join(packageRoot, "LICENSE"))],
    [join("wasm3", "LICENSE"), Buffer.from(wasm3Licence())],
    ...[...wrappers].map(([name, text]) => [name, Buffer.from(text)] as const),
  ]);
  return { content, own: ours.filter((name) => /^[^/]+\.c$/.test(name)), wasm3: [...wrappers.keys()] };
}

/** Writes the library to `folder`, for builds of our own. Other files there stay; those that are right already are not touched. */
export function writeLibrary(folder: string): LibraryFiles {
  const files = libraryFiles();
  for (const [name, bytes] of files.content) {
    const path = join(folder, name);
    if (existsSync(path) && readFileSync(path).equals(bytes)) continue;
    writeFileAtomic(path, bytes);
  }
  return files;
}

/** Paths of all files below a folder, relative to it. */
function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
