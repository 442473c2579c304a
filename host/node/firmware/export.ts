/** The C library and one model as source files, ready for a project of any build system. */
import { join } from "node:path";
import { byteArray } from "../../c/c-bytes.js";
import { aotSource, type AotSource } from "./aot.js";
import { takesFile, type FirmwareEngine } from "../../firmware/engines.js";
import { ENGINE_SYMBOLS } from "./boards.js";
import { dataEngine } from "./data-engine.js";
import { replaceExport } from "./export-folder.js";
import { furtherEnds, openedBytes, type FirmwareImage } from "../../firmware/image.js";
import { libraryFiles } from "./library.js";
import type { Vectors } from "../data/vectors.js";
import { vectorsSource } from "./vectors.js";

/**
 * Makes `folder`, or puts a former export anew: the library, and beside it model.c and model.h, which give `model_source` for mote_open
 * and `MODEL_MEMORY_BYTES` for the memory to hand to it; in selftest/ a program that runs the vectors. All of it is there afterwards, or
 * the folder is as it was.
 * @param name of the model, for comments
 * @returns the files' paths below the folder
 * @throws MoteError FILE for a folder that is none or holds anything else, or that cannot be written; as aotSource
 */
export async function exportProject(
  folder: string,
  name: string,
  image: FirmwareImage,
  engine: FirmwareEngine,
  vectors: Vectors,
): Promise<string[]> {
  const { header, source } = await modelSource(name, image, engine);
  const test = vectorsSource(name, vectors);
  const text = (content: string): Uint8Array => Buffer.from(content, "utf8");
  return replaceExport(
    folder,
    new Map([
      ...libraryFiles().content,
      ["model.c", text(source)],
      ["model.h", text(header)],
      [join("selftest", "vectors.c"), text(test.source)],
      [join("selftest", "vectors.h"), text(test.header)],
    ]),
  );
}

/** model.c and model.h. */
export async function modelSource(name: string, image: FirmwareImage, engine: FirmwareEngine): Promise<AotSource> {
  return takesFile(engine) ? moduleFile(name, image, engine) : await aheadOfTime(image);
}

/** Beside the memory's size. */
const MEMORY_COMMENT = "/* Memory for mote_open. */";

/** What the macros of mote.h take for linear memory: more where the model has more inputs and outputs. */
function linearBytes(image: FirmwareImage): string {
  const further = furtherEnds(image);
  return `${image.linearBytes}u` + (further === 0 ? "" : ` + ${further} * MOTE_END_BYTES`);
}

function moduleFile(name: string, image: FirmwareImage, engine: FirmwareEngine): AotSource {
  const { module, container } = image;
  const isData = engine === "data";
  const title = `/* ${name} ${isData ? "as data" : "for wasm3"}. Written by \`npm run firmware -- --export\`. */`;
  const memory = isData
    ? `MOTE_DATA_BYTES(${linearBytes(image)})`
    : `${container === undefined ? "MOTE_WASM3_FAST_BYTES" : "MOTE_WASM3_BYTES"}(${linearBytes(image)}, ${openedBytes(image, engine)}u)`;
  const header = `${title}
#ifndef MODEL_H
#define MODEL_H

#include "mote.h"

#ifdef __cplusplus
extern "C" {
#endif

${MEMORY_COMMENT}
#define MODEL_MEMORY_BYTES ${memory}

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
${isData ? `\n#include "mote-native.h"\n\n${dataEngine(module)}` : ""}
${byteArray(`static const uint8_t model_wasm[${module.length}]`, module)}
${beside}
const mote_source model_source = {
    &${isData ? "engine" : ENGINE_SYMBOLS[engine]}, model_wasm, sizeof model_wasm, ${container === undefined ? "0, 0" : "model_mote, sizeof model_mote"}, 0, 0,
};
`;
  return { header, source };
}

async function aheadOfTime(image: FirmwareImage): Promise<AotSource> {
  const { header, source } = await aotSource(image.module, image.container, "model");
  const memory = `${MEMORY_COMMENT}\n#define MODEL_MEMORY_BYTES MOTE_AOT_BYTES(${linearBytes(image)})\n\n`;
  return { header: header.replace("/* For mote_open. */", () => `${memory}/* For mote_open. */`), source };
}
