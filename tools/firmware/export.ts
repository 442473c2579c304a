/** `mote firmware --export`: the C library with a model as a folder for a project, and what to do with it. */
import type { FastLayout } from "../../host/fast/memory.js";
import { readContainer } from "../../host/container/read.js";
import type { Optimization } from "../../host/fast/optimization.js";
import { readBaseline } from "../../host/node/firmware/baseline.js";
import { takesFile, type FirmwareEngine } from "../../host/firmware/engines.js";
import { openBytes } from "../../host/firmware/image.js";
import { exportProject } from "../../host/node/firmware/export.js";
import { firmwareImage, genericImage } from "../../host/node/firmware/image.js";
import type { Vectors } from "../../host/node/data/vectors.js";
import type { FirmwareModel } from "../../host/node/firmware/measure.js";
import { endShapes } from "../../host/container/metadata.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Shape } from "../../host/model/model.js";
import { grouped, namingFile } from "../model-file.js";

export interface ExportRequest {
  readonly folder: string;
  readonly model: FirmwareModel;
  readonly engine: FirmwareEngine;
  /** generic: a core for any model, and the container. */
  readonly form: Optimization | "generic";
  /** Of a fast module. */
  readonly layout?: FastLayout;
  /** For the self-test. */
  readonly vectors: Vectors;
}

/** What `--json` prints. */
export interface ExportSummary {
  readonly folder: string;
  readonly files: number;
  readonly model: string;
  readonly engine: FirmwareEngine;
  readonly form: Optimization | "generic";
  /** For mote_open: MODEL_MEMORY_BYTES on CPUs of 32 and of 64 bits. */
  readonly memoryBytes: { readonly cpu32: number; readonly cpu64: number };
  readonly linearMemoryBytes: number;
  /**
   * The model, with its module where one is interpreted; and the library with its engine, the model's own code ahead of time, on the boards
   * of bench/device.json, least and most.
   */
  readonly flashBytes: { readonly model: number; readonly library: readonly [least: number, most: number] };
  readonly inputs: readonly Shape[];
  /** Of an input that comes by rows, so many at a time; else 0. */
  readonly inputRows: number;
  readonly outputs: readonly Shape[];
  /** Runs of the self-test. */
  readonly vectors: number;
}

export async function writeExport({
  folder,
  model,
  engine,
  form,
  layout,
  vectors,
}: ExportRequest): Promise<ExportSummary> {
  const { name, container } = model;
  const image = namingFile(name, () =>
    form === "generic" ? genericImage(container) : firmwareImage(container, form, layout),
  );
  const files = await exportProject(folder, name, image, engine, vectors);
  const { inputs, outputs } = endShapes(readContainer(container).model);
  return {
    folder,
    files: files.length,
    model: name,
    engine,
    form,
    memoryBytes: { cpu32: openBytes(image, engine, 32), cpu64: openBytes(image, engine, 64) },
    linearMemoryBytes: image.linearBytes,
    flashBytes: {
      model: image.modelBytes + (takesFile(engine) ? image.moduleBytes : 0),
      library: libraryBytes(engine),
    },
    inputs,
    inputRows: image.rowsAtOnce,
    outputs,
    vectors: vectors.count,
  };
}

function libraryBytes(engine: FirmwareEngine): [least: number, most: number] {
  const code = readBaseline()
    .filter((measurement) => measurement.engine === engine)
    .map(({ flashBytes }) => flashBytes.code);
  return [Math.min(...code), Math.max(...code)];
}

/** Lines for people: what there is, what it takes, what to write next. */
export function describeExport(summary: ExportSummary): string[] {
  const { folder, files, model, engine, form, memoryBytes, flashBytes, inputs, inputRows, outputs, vectors } = summary;
  const [least, most] = flashBytes.library.map(grouped);
  const [data, code] =
    engine === "aot"
      ? ["model", "library and the model's code"]
      : ["model and module", engine === "data" ? "library" : "library and interpreter"];
  return `${folder}: ${files} files, ${model} by ${engine} for ${form}
memory  ${grouped(memoryBytes.cpu32)} bytes on a 32-bit CPU, ${grouped(memoryBytes.cpu64)} on a 64-bit one
flash   ${data} ${grouped(flashBytes.model)} bytes; ${code} ${least} to ${most}
test    ${vectors} vectors in selftest/, a program of its own: CMake alone in the folder builds it
next    add the folder to your build (ESP-IDF, PlatformIO, Arduino, Zephyr, CMake, make), and write

  #include "model.h"
${inputRows > 0 ? giveRow(inputs[0], inputRows) : ""}
  static uint64_t memory[(MODEL_MEMORY_BYTES + 7) / 8];
${outputs.map((shape, index) => `  static int8_t output${which(outputs, index)}[${valuesOf(shape)}];`).join("\n")}
  mote *model;
  mote_status status = mote_open(&model, &model_source, memory, sizeof memory);
${[
  ...(inputRows > 0 ? ["mote_input_rows(model, give_row, model);"] : calls(inputs, setInput)),
  "mote_run(model); /* or mote_step, slice by slice */",
  ...calls(outputs, getOutput),
]
  .map((call) => `  if (status == MOTE_DONE) status = ${call}`)
  .join("\n")}
  if (status != MOTE_DONE) puts(mote_status_text(status));`.split("\n");
}

const giveRow = ([channels, height, width]: Shape, rows: number): string => `
  /* Rows 0 .. ${height - 1} in their order, ${rows} at a time, of each channels 0 .. ${channels - 1}. */
  static mote_status give_row(void *context, uint32_t channel, uint32_t row, int8_t *values) {
    const uint8_t *pixels = your_pixels(channel, row);
    if (pixels == NULL) return MOTE_BUSY; /* not yet: mote_step asks again */
    return mote_quantize_u8(context, 0, pixels, values, ${width});
  }
`;

type Call = (index: number, which: string, count: number) => string;

const calls = (ends: readonly Shape[], call: Call): string[] =>
  ends.map((shape, index) => call(index, which(ends, index), valuesOf(shape)));

const setInput: Call = (index, number, count) =>
  number === ""
    ? `mote_input_u8(model, pixels, ${count}); /* or mote_input_i8, _f32 */`
    : `mote_set_input_i8(model, ${index}, input${number}, ${count}); /* or _u8, _f32 */`;

const getOutput: Call = (index, number, count) =>
  number === ""
    ? `mote_output(model, output, ${count}); /* or mote_top */`
    : `mote_get_output_i8(model, ${index}, output${number}, ${count});`;

/** The number of one among several, for names. */
function which(ends: readonly Shape[], index: number): string {
  return ends.length === 1 ? "" : String(index);
}
