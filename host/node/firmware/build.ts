/** Compiling and linking firmware. Objects are kept by a digest of all that goes into them, so that only what changed is compiled. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { builtFile } from "../paths.js";
import { writeFileAtomic } from "../write-file.js";
import { isInterpreter, type FirmwareEngine } from "../../firmware/engines.js";
import { BOARDS_FOLDER, type Board } from "./boards.js";
import { writeLibrary, type LibraryFiles } from "./library.js";
import { runTool } from "./tools.js";

const COMMON_FLAGS = ["-ffunction-sections", "-fdata-sections", "-fno-common", "-g"];
const WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"];

/** The flags each kind of source is compiled with. */
const FLAGS = {
  own: ["-std=c99", "-Os", ...COMMON_FLAGS, ...WARNINGS],
  // GNU C: inline assembly.
  board: ["-std=gnu99", "-Os", ...COMMON_FLAGS, ...WARNINGS],
  wasm3: ["-std=gnu11", "-Os", ...COMMON_FLAGS, "-w", "-DNDEBUG"],
  aot: ["-std=c99", "-O2", ...COMMON_FLAGS, ...WARNINGS],
  // Other libraries of a program: their warnings are not ours to mend.
  foreign: ["-std=c99", "-Os", ...COMMON_FLAGS, "-w"],
} as const;
export type SourceKind = keyof typeof FLAGS;

export interface Source {
  readonly path: string;
  readonly kind: SourceKind;
}

export interface Toolchain {
  /** Prefix of the tools' names, as arm-none-eabi-. */
  readonly toolchain: string;
  /** Default: gcc. */
  readonly compiler?: "clang";
  readonly cpuFlags: readonly string[];
}

/** Where everything made for the firmware goes. */
export const FIRMWARE_BUILD = builtFile("build/firmware");

let library: LibraryFiles | undefined;

/** The library's folder, put together once a process. */
export function libraryFolder(): { readonly folder: string; readonly files: LibraryFiles } {
  const folder = join(FIRMWARE_BUILD, "library");
  library ??= writeLibrary(folder);
  return { folder, files: library };
}

/** The library's sources for these engines: without wasm3 where no engine interprets. */
export function librarySources(engines: readonly FirmwareEngine[]): Source[] {
  const { folder, files } = libraryFolder();
  const interprets = engines.some(isInterpreter);
  const wanted = files.own.filter(
    (name) => (name !== "mote-wasm3.c" || interprets) && (name !== "mote-aot.c" || engines.includes("aot")),
  );
  return [
    ...wanted.map((name): Source => ({ path: join(folder, name), kind: "own" })),
    ...(interprets ? files.wasm3.map((name): Source => ({ path: join(folder, name), kind: "wasm3" })) : []),
  ];
}

/**
 * Compiles sources to objects, a few at a time.
 * @param includes folders; their headers count into the digest
 * @returns the objects' paths, in order
 */
export async function compile(
  { toolchain, compiler, cpuFlags }: Toolchain,
  sources: readonly Source[],
  includes: readonly string[],
  defines: readonly string[] = [],
): Promise<string[]> {
  const cc = `${toolchain}${compiler ?? "gcc"}`;
  const headers = createHash("sha256");
  for (const folder of includes)
    for (const file of headersBelow(folder)) headers.update(file).update(readFileSync(file));
  const headerDigest = headers.digest("hex");
  const folder = join(FIRMWARE_BUILD, "objects");
  mkdirSync(folder, { recursive: true });
  return inParallel(sources, 2, async ({ path, kind }) => {
    const flags = [...cpuFlags, ...FLAGS[kind], ...defines, ...includes.map((include) => `-I${include}`)];
    const digest = createHash("sha256")
      .update([cc, ...flags, path, headerDigest].join("\0"))
      .update(readFileSync(path))
      .digest("hex");
    const object = join(folder, `${basename(path)}-${digest.slice(0, 24)}.o`);
    if (existsSync(object)) return object;
    const partial = `${object}.${process.pid}.tmp`;
    await runTool(cc, [...flags, "-c", path, "-o", partial]);
    renameSync(partial, object);
    return object;
  });
}

function headersBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(h|inc)$/.test(name) || /^wasm3\/.*\.c$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** Bytes in flash and RAM by what they are, out of the linked program's sections; the bench and the board stand in sections of their own. */
export interface ProgramSize {
  readonly code: number;
  readonly wasm: number;
  readonly model: number;
  /** .data and .bss. */
  readonly staticRam: number;
}

/** Links a program for a board; what does not fit its memory does not link. */
export async function link(board: Board, objects: readonly string[], program: string): Promise<ProgramSize> {
  await runTool(`${board.toolchain}gcc`, [
    ...board.cpuFlags,
    ...board.linkFlags,
    "-nostartfiles",
    "-Wl,--gc-sections,--fatal-warnings,--no-warn-rwx-segments",
    `-L${BOARDS_FOLDER}`,
    `-T${join(BOARDS_FOLDER, board.linkerScript)}`,
    ...objects,
    "-o",
    program,
  ]);
  return programSize(board.toolchain, program);
}

async function programSize(toolchain: string, program: string): Promise<ProgramSize> {
  const { stdout } = await runTool(`${toolchain}size`, ["-A", program]);
  const size = (name: string): number => Number(new RegExp(`^\\${name}\\s+(\\d+)`, "m").exec(stdout)?.[1] ?? 0);
  return {
    code: size(".text") + size(".ARM.exidx") + size(".data"),
    wasm: size(".wasm"),
    model: size(".model"),
    staticRam: size(".data") + size(".bss"),
  };
}

/** An assembler file that puts the bytes of files into sections of their own, each under a C name. */
export function binarySections(
  path: string,
  blobs: readonly { readonly symbol: string; readonly section: string; readonly file: string }[],
): Source {
  const text = blobs.map(
    ({ symbol, section, file }) =>
      `  .section ${section}, "a"\n  .balign 8\n  .global ${symbol}\n${symbol}:\n  .incbin "${file}"\n`,
  );
  // Assembled anew when a file's bytes change, not only its name.
  const digest = createHash("sha256");
  for (const { file } of blobs) digest.update(readFileSync(file));
  writeFileAtomic(path, `/* ${digest.digest("hex")} */\n${text.join("")}`);
  return { path, kind: "own" };
}

/** Runs `work` on each item, `limit` at a time; results in the items' order. */
async function inParallel<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
