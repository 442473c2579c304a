/** Ahead of time: a module through wabt's wasm2c to one C file for the library's `mote_aot` engine, the model in it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MoteError } from "../../errors.js";
import { byteArray, identifier } from "../../c/c-bytes.js";
import { importKernels } from "../../fast/import-kernels.js";
import { fastParts } from "../../fast/parts.js";
import { runTool } from "./tools.js";

export interface AotSource {
  readonly header: string;
  readonly source: string;
}

/**
 * @param module a core, which leaves the container outside, where it costs no RAM; or a fast module
 * @param container beside a core; a fast module has all in it
 * @param name of the files without extension; identifiers are made from it
 * @returns `name`.h, which declares a ready `mote_source`, and `name`.c
 * @throws MoteError FORMAT for a module without container that is not a fast one, ENGINE when wasm2c is missing or refuses the module
 */
export async function aotSource(
  module: Uint8Array,
  container: Uint8Array | undefined,
  name: string,
): Promise<AotSource> {
  if (container !== undefined) return aotFiles(module, coreText(container, name), name);
  return aotFiles(importKernels(module), fastText(module, name), name);
}

/** What of the C text tells a core from a fast module. */
interface ModelText {
  /** For the header. */
  readonly declarations: string;
  /** In front of the module's description. */
  readonly definitions: string;
  /** The last fields of mote_aot_module. */
  readonly moduleFields: string;
  /** The container in mote_source. */
  readonly sourceFields: string;
}

function coreText(container: Uint8Array, name: string): ModelText {
  const { lower, upper } = cNames(name);
  const length = `${upper}_MODEL_BYTES`;
  const array = `const uint8_t ${lower}_model[${length}]`;
  return {
    declarations: `#define ${length} ${container.length}u\n\nextern ${array};\n`,
    definitions: byteArray(array, container),
    moduleFields: "0, 0, 0, 0, 0, 0",
    sourceFields: `${lower}_model, ${length}`,
  };
}

function fastText(module: Uint8Array, name: string): ModelText {
  const { lower } = cNames(name);
  const { stream, memoryBytes, inputs, outputs, metadata } = fastParts(module);
  const array = (what: string, bytes: Uint8Array): string =>
    byteArray(`static const uint8_t ${lower}_${what}[${bytes.length}]`, bytes);
  return {
    declarations: "",
    definitions: array("stream", stream) + (metadata.length === 0 ? "" : `\n${array("metadata", metadata)}`),
    moduleFields:
      `${lower}_stream, ${stream.length}u, ${memoryBytes}u, ${inputs.length + outputs.length}u, ` +
      (metadata.length === 0 ? "0, 0" : `${lower}_metadata, ${metadata.length}u`),
    sourceFields: "0, 0",
  };
}

function cNames(name: string): { lower: string; upper: string } {
  const lower = identifier(name);
  return { lower, upper: lower.toUpperCase() };
}

async function aotFiles(wasm: Uint8Array, text: ModelText, name: string): Promise<AotSource> {
  const { lower, upper } = cNames(name);
  // wasm2c escapes some characters of a module's name, so it gets one without.
  const module = `mote${lower.toLowerCase().replace(/[^a-z0-9]/g, "")}`;
  const made = await wasm2c(wasm, module);
  const guard = `${upper}_AOT_H`;
  const header = `/* ${name}: a model and its code as C, written by \`mote pack --format aot\`. */
#ifndef ${guard}
#define ${guard}

#include "mote-aot.h"

#ifdef __cplusplus
extern "C" {
#endif

${text.declarations}extern const mote_aot_module ${lower}_module;

/* For mote_open. */
extern const mote_source ${lower}_source;

#ifdef __cplusplus
}
#endif

#endif
`;
  const source = `/* ${name}: a model and its code as C, written by \`mote pack --format aot\` with wasm2c. Do not edit. */
#ifndef NDEBUG
#define NDEBUG
#endif
#include "${name}.h"

/* What wasm2c writes is right and not always used or tidy. */
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-value"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif

${made}
static void instantiate(void *instance) {
  Z_${module}_init_module();
  Z_${module}_instantiate(instance, 0);
}
static uint32_t call_open(void *instance, uint32_t memory_bytes) { return Z_${module}Z_open(instance, memory_bytes); }
static uint32_t call_start(void *instance) { return Z_${module}Z_start(instance); }
static uint32_t call_step(void *instance, uint32_t budget) { return Z_${module}Z_step(instance, budget); }
static uint32_t call_reset(void *instance) { return Z_${module}Z_reset(instance); }
static wasm_rt_memory_t *get_memory(void *instance) { return Z_${module}Z_memory(instance); }

${text.definitions}
const mote_aot_module ${lower}_module = {
    sizeof(Z_${module}_instance_t), instantiate, call_open, call_start, call_step, call_reset, get_memory, ${text.moduleFields},
};

const mote_source ${lower}_source = {
    &mote_aot, &${lower}_module, 0, ${text.sourceFields}, 0, 0,
};
`;
  return { header, source };
}

/** wasm2c's header and source as one text without includes of each other. */
async function wasm2c(wasm: Uint8Array, module: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "mote-aot-"));
  try {
    const path = (extension: string): string => join(folder, `${module}.${extension}`);
    writeFileSync(path("wasm"), wasm);
    await runTool("wasm2c", [path("wasm"), "--no-debug-names", "-n", module, "-o", path("c")]);
    const source = readFileSync(path("c"), "utf8");
    const include = `#include "${module}.h"\n`;
    if (!source.includes(include)) {
      throw new MoteError(
        "ENGINE",
        `wasm2c: expected ${include.trim()} in what it wrote; versions 1.0.32 and near it work`,
      );
    }
    return source.replace(include, () => readFileSync(path("h"), "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
