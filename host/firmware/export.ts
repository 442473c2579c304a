/** The C library and one model as source files, ready for a project of any build system. */
import { join } from "node:path";
import { byteArray } from "../container/c-bytes.js";
import { writeFileAtomic } from "../write-file.js";
import { aotSource } from "./aot.js";
import type { FirmwareEngine } from "./boards.js";
import type { FirmwareImage } from "./image.js";
import { exportLibrary } from "./library.js";

/**
 * Writes the library to `folder`, and beside it model.c and model.h, which give `model_source` for mote_open and
 * `MODEL_MEMORY_BYTES` for the memory to hand to it.
 * @param name of the model, for comments
 * @returns the paths of model.c and model.h
 */
export async function exportProject(
  folder: string,
  name: string,
  image: FirmwareImage,
  engine: FirmwareEngine,
): Promise<string[]> {
  exportLibrary(folder);
  const { header, source } = engine === "wasm3" ? interpreted(name, image) : await aheadOfTime(image);
  const paths = [join(folder, "model.c"), join(folder, "model.h")];
  writeFileAtomic(paths[0], source);
  writeFileAtomic(paths[1], header);
  return paths;
}

function interpreted(name: string, image: FirmwareImage): { header: string; source: string } {
  const { module, container, moduleBytes, linearBytes } = image;
  const title = `/* ${name} for wasm3. Written by \`npm run firmware -- --export\`. */`;
  const header = `${title}
#ifndef MODEL_H
#define MODEL_H

#include "mote.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory for mote_open on a 32-bit CPU. */
#define MODEL_MEMORY_BYTES ${container === undefined ? "MOTE_WASM3_FAST_BYTES" : "MOTE_WASM3_BYTES"}(${linearBytes}u, ${moduleBytes}u)

extern const mote_source model_source;

#ifdef __cplusplus
}
#endif

#endif
`;
  const beside =
    container === undefined ? "" : byteArray(`static const uint8_t model_mote[${container.length}]`, container);
  const source = `${title}
#include "model.h"

${byteArray(`static const uint8_t model_wasm[${module.length}]`, module)}
${beside}
const mote_source model_source = {
    &mote_wasm3, model_wasm, sizeof model_wasm, ${container === undefined ? "0, 0" : "model_mote, sizeof model_mote"}, 0, 0,
};
`;
  return { header, source };
}

async function aheadOfTime(image: FirmwareImage): Promise<{ header: string; source: string }> {
  const { header, source } = await aotSource(image.module, image.container, "model");
  const memory = `/* Memory for mote_open on a 32-bit CPU. */\n#define MODEL_MEMORY_BYTES MOTE_AOT_BYTES(${image.linearBytes}u)\n\n`;
  return { header: header.replace("/* For mote_open. */", () => `${memory}/* For mote_open. */`), source };
}
