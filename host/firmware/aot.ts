/** Ahead of time: a core module through wabt's wasm2c to one C file for the library's `mote_aot` engine, the model beside it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MoteError } from "../errors.js";
import { byteArray, identifier } from "../container/c-bytes.js";
import { runTool } from "./tools.js";

export interface AotSource {
  readonly header: string;
  readonly source: string;
}

/**
 * @param core the core's module, which imports mote.read; the model stays outside, where it costs no RAM
 * @param name of the files without extension; identifiers are made from it
 * @returns `name`.h, which declares a ready `mote_source`, and `name`.c
 * @throws MoteError ENGINE when wasm2c is missing or refuses the module
 */
export async function aotSource(core: Uint8Array, container: Uint8Array, name: string): Promise<AotSource> {
  const lower = identifier(name);
  // wasm2c escapes some characters of a module's name, so it gets one without.
  const module = `mote${lower.toLowerCase().replace(/[^a-z0-9]/g, "")}`;
  const made = await wasm2c(core, module);
  const guard = `${lower.toUpperCase()}_AOT_H`;
  const header = `/* ${name}: a model and its core as C, written by \`mote pack --format aot\`. */
#ifndef ${guard}
#define ${guard}

#include "mote-aot.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ${lower.toUpperCase()}_MODEL_BYTES ${container.length}u

extern const mote_aot_module ${lower}_module;
extern const uint8_t ${lower}_model[${lower.toUpperCase()}_MODEL_BYTES];

/* For mote_open. */
extern const mote_source ${lower}_source;

#ifdef __cplusplus
}
#endif

#endif
`;
  const source = `/* ${name}: a model and its core as C, written by \`mote pack --format aot\` with wasm2c. Do not edit. */
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
static wasm_rt_memory_t *get_memory(void *instance) { return Z_${module}Z_memory(instance); }

const mote_aot_module ${lower}_module = {sizeof(Z_${module}_instance_t), instantiate, call_open, call_start, call_step, get_memory};

${byteArray(`const uint8_t ${lower}_model[${lower.toUpperCase()}_MODEL_BYTES]`, container)}
const mote_source ${lower}_source = {
    &mote_aot, &${lower}_module, 0, ${lower}_model, ${lower.toUpperCase()}_MODEL_BYTES, 0, 0,
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
