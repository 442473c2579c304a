/** The C library and one model as source files, ready for a project of any build system. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { specialize } from "../container/bake.js";
import { byteArray } from "../container/c-bytes.js";
import { planTotal } from "../container/plan.js";
import { readContainer } from "../container/read.js";
import { sealModule } from "../container/seal.js";
import { MoteError } from "../errors.js";
import { builtFile } from "../paths.js";
import { writeFileAtomic } from "../write-file.js";
import { aotSource } from "./aot.js";
import type { FirmwareEngine } from "./boards.js";
import { exportLibrary } from "./library.js";
import type { FirmwareModel } from "./measure.js";

/**
 * Writes the library to `folder`, and beside it model.c and model.h, which give `model_source` for mote_open and
 * `MODEL_MEMORY_BYTES` for the memory to hand to it.
 * @param generic the core for any model instead of what this one uses
 * @returns the paths of model.c and model.h
 */
export async function exportProject(
  folder: string,
  model: FirmwareModel,
  engine: FirmwareEngine,
  generic: boolean,
): Promise<string[]> {
  exportLibrary(folder);
  const core = generic ? sealModule(genericCore()) : specialize(model.container);
  const linear = planTotal(readContainer(model.container).plan);
  const { header, source } =
    engine === "wasm3" ? interpreted(core, model, linear) : await aheadOfTime(core, model.container, linear);
  const paths = [join(folder, "model.c"), join(folder, "model.h")];
  writeFileAtomic(paths[0], source);
  writeFileAtomic(paths[1], header);
  return paths;
}

function genericCore(): Uint8Array {
  try {
    return readFileSync(builtFile("build/core.wasm"));
  } catch (error) {
    throw new MoteError("ENGINE", "build/core.wasm is missing; mend with: node tools/build.mjs core", { cause: error });
  }
}

function interpreted(core: Uint8Array, model: FirmwareModel, linear: number): { header: string; source: string } {
  const header = `/* ${model.name} and the core that wasm3 runs. Written by \`npm run firmware -- --export\`. */
#ifndef MODEL_H
#define MODEL_H

#include "mote.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory for mote_open on a 32-bit CPU. */
#define MODEL_MEMORY_BYTES MOTE_WASM3_BYTES(${linear}u, ${core.length}u)

extern const mote_source model_source;

#ifdef __cplusplus
}
#endif

#endif
`;
  const source = `/* ${model.name} and the core that wasm3 runs. Written by \`npm run firmware -- --export\`. */
#include "model.h"

${byteArray(`static const uint8_t core_wasm[${core.length}]`, core)}
${byteArray(`static const uint8_t model_mote[${model.container.length}]`, model.container)}
const mote_source model_source = {
    &mote_wasm3, core_wasm, sizeof core_wasm, model_mote, sizeof model_mote, 0, 0,
};
`;
  return { header, source };
}

async function aheadOfTime(
  core: Uint8Array,
  container: Uint8Array,
  linear: number,
): Promise<{ header: string; source: string }> {
  const { header, source } = await aotSource(core, container, "model");
  const memory = `/* Memory for mote_open on a 32-bit CPU. */\n#define MODEL_MEMORY_BYTES MOTE_AOT_BYTES(${linear}u)\n\n`;
  return { header: header.replace("/* For mote_open. */", () => `${memory}/* For mote_open. */`), source };
}
