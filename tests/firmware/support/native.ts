/** The C library built for this machine, under AddressSanitizer and UBSan. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ed25519Sources } from "../../../host/node/firmware/ed25519.js";
import { bake } from "../../../host/node/module/bake.js";
import { sealModule } from "../../../host/module/seal.js";
import { writeContainer, type WriteOptions } from "../../../host/container/write.js";
import { aotSource, type AotSource } from "../../../host/node/firmware/aot.js";
import {
  compile,
  FIRMWARE_BUILD,
  libraryFolder,
  librarySources,
  type Source,
  type Toolchain,
} from "../../../host/node/firmware/build.js";
import { missingTools, runTool, type ToolResult } from "../../../host/node/firmware/tools.js";
import { builtFile, packageRoot } from "../../../host/node/paths.js";
import { writeFileAtomic } from "../../../host/node/write-file.js";
import { pixelTable } from "../../../host/engines/fill-input.js";
import { openReference } from "../../../host/engines/reference.js";
import { modelInputs } from "../../../host/model/edges.js";
import { valuesOf } from "../../../host/model/geometry.js";
import type { QModel } from "../../../host/model/model.js";
import { randomInput, type NamedModel } from "../../support/models.js";

const C_FOLDER = join(packageRoot, "tests", "firmware", "c");
const BENCH_FOLDER = join(packageRoot, "firmware-examples", "bench");
const FOLDER = join(FIRMWARE_BUILD, "native");
const SANITIZERS = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];

/** What these tests take beside Node, or nothing where all is there. */
export const missing = missingTools(["gcc", "wasm2c"]);

/** A name for a `describe` that says what it was skipped for. */
export function named(title: string, lacking: readonly string[]): string {
  return lacking.length === 0 ? title : `${title} (skipped, not installed: ${lacking.join(", ")})`;
}

/** The generic core, sealed, as a file. */
export function coreFile(): string {
  return put("core.wasm", sealModule(readFileSync(builtFile("build/core.wasm"))));
}

/** Whole at any time: other tests put the same files there, and read them. */
export function put(name: string, bytes: Uint8Array | string): string {
  const path = join(FOLDER, name);
  writeFileAtomic(path, bytes);
  return path;
}

/** The core ahead of time, for programs that include core.h. */
export async function aotCore(): Promise<AotModules> {
  return { core: await aotSource(readFileSync(coreFile()), new Uint8Array(1), "core") };
}

/** What a program is built for, and how it is run here. */
export interface Target extends Toolchain {
  readonly linkFlags: readonly string[];
  readonly run: readonly string[];
}

/** Other preloaded libraries are none of the sanitizers' business. */
const NATIVE: Target = {
  toolchain: "",
  cpuFlags: SANITIZERS.filter((flag) => flag !== "-O1"),
  linkFlags: SANITIZERS,
  run: ["env", "-u", "LD_PRELOAD"],
};

/** Big-endian, with pointers of 32 bits. */
export const POWERPC: Target = {
  toolchain: "powerpc-linux-gnu-",
  cpuFlags: ["-g"],
  linkFlags: ["-static"],
  run: ["qemu-ppc"],
};

/** What a program has beside the library and its own file. */
export interface More {
  /** What stands in for the library's mote-heap.c, of tests/firmware/c. */
  readonly heap?: string | undefined;
  /** Headers that are made for it, by name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The folder of an Ed25519, and with it the flash whose power is cut. */
  readonly ed25519?: string;
}

/** Modules ahead of time, each by the name that its header has. */
export type AotModules = Readonly<Record<string, AotSource>>;

/**
 * Builds tests/firmware/c/`name`.c with the library, both engines and modules ahead of time.
 * @param variant a folder of its own, for a program that is built with several modules
 * @returns the program's path
 */
export async function buildNative(
  name: string,
  modules: AotModules,
  variant = "core",
  target: Target = NATIVE,
  { heap, headers = {}, ed25519 }: More = {},
): Promise<string> {
  const place = join(target.toolchain === "" ? "here" : target.toolchain, variant);
  const folder = join(FOLDER, place);
  mkdirSync(folder, { recursive: true });
  const { folder: library } = libraryFolder();
  const tests: Source[] = [{ path: join(C_FOLDER, `${name}.c`), kind: "own" }];
  // In folders by what they are, so that a module that several programs have is compiled once.
  const ahead = Object.entries(modules).map(([module, { header, source }]) => {
    const digest = createHash("sha256").update(header).update(source).digest("hex").slice(0, 16);
    put(join("aot", digest, `${module}.h`), header);
    const path = put(join("aot", digest, `${module}.c`), source);
    return { folder: join(FOLDER, "aot", digest), source: { path, kind: "aot" } satisfies Source };
  });
  for (const [header, text] of Object.entries(headers)) put(join(place, header), text);
  if (ed25519 !== undefined) tests.push({ path: join(BENCH_FOLDER, "cuts.c"), kind: "own" });
  const sources = librarySources(["wasm3", "aot"]).map((source) =>
    heap !== undefined && source.path.endsWith("mote-heap.c") ? { ...source, path: join(C_FOLDER, heap) } : source,
  );
  const compiled: string[] = [];
  for (const one of ahead) compiled.push(...(await compile(target, [one.source], [library, one.folder])));
  // The library does not include the modules, so that it is compiled once for all of them.
  const beside = [...ahead.map((one) => one.folder), ...(ed25519 === undefined ? [] : [BENCH_FOLDER, ed25519])];
  const objects = [
    ...(await compile(target, sources, [library])),
    ...compiled,
    ...(await compile(target, tests, [library, C_FOLDER, ...beside, folder])),
    // It shifts negative numbers to the left, of which UBSan would complain.
    ...(ed25519 === undefined ? [] : await compile({ ...target, cpuFlags: [] }, ed25519Sources(ed25519), [ed25519])),
  ];
  const program = join(folder, name);
  await runTool(`${target.toolchain}gcc`, [...target.linkFlags, ...objects, "-lm", "-o", program]);
  return program;
}

/** Runs a program that buildNative built for a target. */
export function runNative(program: string, args: readonly string[], target: Target = NATIVE): Promise<ToolResult> {
  const [runner, ...flags] = target.run;
  return runTool(runner, [...flags, program, ...args]);
}

/** What mote_status_text says of statuses, given as C has them. */
export async function statusTexts(statuses: readonly string[]): Promise<string[]> {
  const { folder: library } = libraryFolder();
  const lines = statuses.map((status) => `  puts(mote_status_text(${status}));\n`);
  const main = put(
    "texts.c",
    `#include <stdio.h>\n\n#include "mote.h"\n\nint main(void) {\n${lines.join("")}  return 0;\n}\n`,
  );
  const sources: Source[] = [...librarySources([]), { path: main, kind: "own" }];
  const program = join(FOLDER, "texts");
  await runTool("gcc", [...SANITIZERS, ...(await compile(NATIVE, sources, [library])), "-o", program]);
  return (await runNative(program, [])).stdout.trimEnd().split("\n");
}

/** A model's name, for files. */
export function fileName(name: string): string {
  return name.replace(/[^a-z0-9]+/g, "-");
}

/** Files for the test programs: the container, and inputs with the reference's outputs: see c/cases.h. */
export function caseFiles({ name, model }: NamedModel, options: WriteOptions = {}): { mote: string; cases: string } {
  const base = fileName([...Object.values(options), name].join(" "));
  const container = writeContainer(model, options);
  const engine = openReference(container);
  const runs = [1, 2, 3].map((seed) => {
    const inputs = modelInputs(model).map((tensor) => randomInput(model, seed, tensor));
    engine.run(inputs);
    return [...inputs, ...engine.outputs.map((_, output) => engine.result(output))];
  });
  const ends = [...engine.inputs, ...engine.outputs];
  const parts = [
    ...[runs.length, engine.inputs.length, engine.outputs.length].map(u32),
    ...ends.flatMap(({ shape, scale, zeroPoint }) => [u32(valuesOf(shape)), f32(scale), u32(zeroPoint)]),
    pixelTable(engine.input),
    ...runs.flat(),
    ...texts(model.labels),
    ...texts(model.names),
    ...preprocessing(model),
  ];
  return {
    mote: put(`${base}.mote`, container),
    cases: put(`${base}.cases`, Buffer.concat(parts.map((part) => new Uint8Array(part.buffer, 0, part.byteLength)))),
  };
}

/** Arguments of library-test: the core, the container, the packed module, the cases. */
export function libraryArguments(named: NamedModel, options: WriteOptions = {}): string[] {
  const { mote, cases } = caseFiles(named, options);
  return [coreFile(), mote, put(`${basename(mote, ".mote")}.wasm`, bake(writeContainer(named.model, options))), cases];
}

/** Numbers of the file, little-endian. */
function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return Uint8Array.from(bytes);
}

function f32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Uint8Array.from(bytes);
}

function texts(list: readonly string[] = []): Uint8Array[] {
  return [u32(list.length), new TextEncoder().encode(list.map((text) => `${text}\0`).join(""))];
}

function preprocessing({ preprocessing: how }: QModel): Uint8Array[] {
  if (how === undefined) return [u32(0)];
  const channels = how.mean.flatMap((mean, channel) => [f32(mean), f32(how.std[channel])]);
  const [layout, colours] = [
    ["planar", "interleaved"].indexOf(how.layout),
    ["none", "rgb", "bgr"].indexOf(how.colours),
  ];
  return [how.mean.length, layout, colours].map(u32).concat(channels);
}
