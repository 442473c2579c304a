/** The C library built for this machine, under AddressSanitizer and UBSan. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bake } from "../../../host/container/bake.js";
import { sealModule } from "../../../host/container/seal.js";
import { writeContainer } from "../../../host/container/write.js";
import { aotSource } from "../../../host/firmware/aot.js";
import { compile, FIRMWARE_BUILD, libraryFolder, librarySources, type Source } from "../../../host/firmware/build.js";
import { missingTools, runTool, type ToolResult } from "../../../host/firmware/tools.js";
import { builtFile, packageRoot } from "../../../host/paths.js";
import { pixelTable } from "../../../host/runtime/classify.js";
import { openReference } from "../../../host/runtime/reference.js";
import { randomInput, type NamedModel } from "../../support/models.js";

const C_FOLDER = join(packageRoot, "tests", "firmware", "c");
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

export function put(name: string, bytes: Uint8Array | string): string {
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, name);
  writeFileSync(path, bytes);
  return path;
}

/** Builds tests/firmware/c/`name`.c with the library, both engines and the core ahead of time. @returns the program's path */
export async function buildNative(name: string): Promise<string> {
  const { header, source } = await aotSource(readFileSync(coreFile()), new Uint8Array(1), "core");
  put("core.h", header);
  const sources: Source[] = [
    ...librarySources(["wasm3", "aot"]),
    { path: put("core.c", source), kind: "aot" },
    { path: join(C_FOLDER, `${name}.c`), kind: "own" },
  ];
  const native = { toolchain: "", cpuFlags: SANITIZERS.filter((flag) => flag !== "-O1") };
  const objects = await compile(native, sources, [libraryFolder().folder, C_FOLDER, FOLDER]);
  const program = join(FOLDER, name);
  await runTool("gcc", [...SANITIZERS, ...objects, "-o", program]);
  return program;
}

/** Runs a program that was built with sanitizers. Other preloaded libraries are none of its business. */
export function runNative(program: string, args: readonly string[]): Promise<ToolResult> {
  return runTool("env", ["-u", "LD_PRELOAD", program, ...args]);
}

/** Files for library-test: the container, the packed module, and inputs with the reference's outputs. */
export function caseFiles({ name, model }: NamedModel): { mote: string; packed: string; cases: string } {
  const base = name.replace(/[^a-z0-9]+/g, "-");
  const container = writeContainer(model);
  const engine = openReference(container);
  const inputs = [1, 2].map((seed) => randomInput(model, seed));
  const outputs = inputs.map((input) => engine.run(input));
  const head = new Uint32Array([inputs.length, inputs[0].length, outputs[0].length]);
  const parts = [head, pixelTable(engine.input), ...inputs.flatMap((input, i) => [input, outputs[i]])];
  return {
    mote: put(`${base}.mote`, container),
    packed: put(`${base}.wasm`, bake(container)),
    cases: put(`${base}.cases`, Buffer.concat(parts.map((part) => Buffer.from(part.buffer, 0, part.byteLength)))),
  };
}
