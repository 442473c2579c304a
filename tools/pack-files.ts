/** The files that `mote pack` writes in each of its formats. */
import { basename, dirname, extname, join } from "node:path";
import type { Container } from "../host/container/read.js";
import { cSource } from "../host/c/c-source.js";
import { MoteError } from "../host/errors.js";
import type { ChipSource } from "../host/chip/chip-source.js";
import type { ChipGoal } from "../host/chip/goal.js";
import type { FastProgram } from "../host/fast/memory.js";
import type { Optimization } from "../host/fast/optimization.js";
import { activationBits } from "../host/model/elements.js";
import type { QLayer } from "../host/model/model.js";
import { contentsOf, type CoreContents } from "../host/module/contents.js";
import { builtModule } from "../host/node/built.js";
import type { AotSource } from "../host/node/firmware/aot.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import { grouped } from "./model-file.js";
import { chipPath } from "./pack-chip.js";

export const FORMATS = ["mote", "wasm", "c", "aot", "core"] as const;
export type Format = (typeof FORMATS)[number];

export interface FileFlags {
  readonly out: string;
  readonly optimize: Optimization | ChipGoal;
  readonly ops?: readonly QLayer["op"][];
  readonly codecs?: readonly string[];
}

export type PackedFile = [path: string, content: Uint8Array | string];

export interface Written {
  readonly path: string;
  readonly bytes: number;
}

interface Fast {
  readonly program: FastProgram;
  readonly optimize: Exclude<Optimization, "size">;
}

interface Packed {
  readonly bytes: Uint8Array;
  readonly container: Container;
  /** Where it becomes a fast module. */
  readonly fast: Fast | undefined;
  /** Where it becomes C of its own. */
  readonly chip: ChipSource | undefined;
  readonly vectors: Uint8Array | undefined;
}

/** What a format's files hold, none of them written yet; of a .wasm, or what was compiled of one, the module. */
export async function filesAs(
  format: Format,
  flags: FileFlags,
  input: string,
  { bytes, container, fast, chip, vectors }: Packed,
): Promise<{ readonly files: PackedFile[]; readonly module?: Uint8Array }> {
  const { out } = flags;
  const files: PackedFile[] = [];
  let module: Uint8Array | undefined;
  if (format === "mote") {
    files.push([out, bytes]);
  } else if (format === "wasm") {
    module = fast === undefined ? await bakedModule(bytes) : await fastModuleOf(fast);
    files.push([out, module]);
  } else if (format === "core") {
    files.push([out, await coreFor(container, flags, input)]);
  } else if (chip !== undefined) {
    const path = chipPath(out, input);
    files.push([`${path}.h`, chip.header], [`${path}.c`, chip.source]);
  } else {
    const name = basename(out, extname(out));
    const made: AotSource & { readonly module?: Uint8Array } =
      format === "aot" ? await aheadOfTime(bytes, fast, name) : cSource(bytes, container.plan, name);
    module = made.module;
    files.push([join(dirname(out), `${name}.h`), made.header], [join(dirname(out), `${name}.c`), made.source]);
  }
  if (vectors !== undefined) {
    const path = chip === undefined ? join(dirname(out), basename(out, extname(out))) : chipPath(out, input);
    files.push([`${path}.vectors.npz`, vectors]);
  }
  return { files, ...(module === undefined ? {} : { module }) };
}

export function writeFiles(files: readonly PackedFile[]): Written[] {
  return files.map(([path, content]) => {
    writeFileAtomic(path, content);
    return { path, bytes: Buffer.byteLength(content) };
  });
}

/** Bytes of a container whose run, counted instruction by instruction, takes a second or some. */
const MOST_COUNTED = 1 << 20;

/**
 * A fast module is larger than a core with a container, and worth it where the work shrinks by more than the flash grows. Where it does not,
 * as for layers with many weights left whose kernels take one at a time, it says so on stderr. Of a net too large for any interpreter it says so at once.
 */
export async function warnOfPoorTrade(input: string, container: Uint8Array, module: Uint8Array): Promise<void> {
  if (container.length > MOST_COUNTED) {
    process.stderr.write(
      `mote: warning: ${input}: too large a net for a fast module: it takes ${grouped(module.length)} bytes in place of a container's ` +
        `${grouped(container.length)}, and is meant for interpreters; prefer --optimize size\n`,
    );
    return;
  }
  const { opsOfOneRun } = await import("../host/engines/counted.js");
  const wasm = builtModule("build/core.wasm");
  const core = { bytes: container.length + wasm.length, ops: opsOfOneRun(container, wasm) };
  const fast = { bytes: module.length, ops: opsOfOneRun(module, wasm) };
  if (fast.bytes * fast.ops <= core.bytes * core.ops) return;
  process.stderr.write(
    `mote: warning: ${input}: too many weights are left for a fast module: it takes ${grouped(fast.bytes)} bytes in place of a core ` +
      `and container's ${grouped(core.bytes)}, and ${grouped(fast.ops)} WebAssembly instructions a run in place of ${grouped(core.ops)}; ` +
      `prefer --optimize size${fast.ops < core.ops ? " unless those matter more than flash" : ""}\n`,
  );
}

// Only packing modules needs binaryen, which takes a while to load.

async function bakedModule(container: Uint8Array): Promise<Uint8Array> {
  return (await import("../host/node/module/bake.js")).bake(container);
}

async function fastModuleOf({ program, optimize }: Fast): Promise<Uint8Array> {
  return (await import("../host/node/fast/fast-module.js")).fastModule(program, optimize);
}

/** A core for this model and for others that are made of the same ops and codecs. */
async function coreFor(container: Container, { ops, codecs }: FileFlags, input: string): Promise<Uint8Array> {
  const needed = contentsOf(container);
  const contents: CoreContents = { ops: ops ?? needed.ops, codecs: codecs ?? needed.codecs };
  for (const what of ["ops", "codecs"] as const) {
    const missing = needed[what].filter((name) => !contents[what].some((kept) => kept === name));
    if (missing.length === 0) continue;
    throw new MoteError(
      "ARGUMENT",
      `--${what} ${contents[what].join(",")}: ${input} needs ${missing.join(", ")} as well`,
    );
  }
  return (await import("../host/node/module/bake.js")).coreWith(contents, activationBits(container.model));
}

async function aheadOfTime(
  container: Uint8Array,
  fast: Fast | undefined,
  name: string,
): Promise<AotSource & { readonly module: Uint8Array }> {
  const { aotSource } = await import("../host/node/firmware/aot.js");
  if (fast !== undefined) {
    const module = await fastModuleOf(fast);
    return { ...(await aotSource(module, undefined, name)), module };
  }
  const { firmwareImage } = await import("../host/node/firmware/image.js");
  const { module } = firmwareImage(container, "size");
  return { ...(await aotSource(module, container, name)), module };
}
