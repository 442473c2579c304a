/** Nets of others on the boards that they are for, emulated: outputs equal to the host's, what a run takes. */
import { basename, extname, join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import type { Optimization } from "../../host/fast/optimization.js";
import { openReference } from "../../host/engines/reference.js";
import { MoteError } from "../../host/errors.js";
import { importedModel } from "../../host/import/import.js";
import { randomRuns, runsOf, type Runs } from "../../host/node/data/runs.js";
import { BOARDS, toolsOf, type FirmwareEngine } from "../../host/node/firmware/boards.js";
import { firmwareInputs, inputSizes } from "../../host/node/firmware/inputs.js";
import { measure, type Measurement } from "../../host/node/firmware/measure.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import type { Figure } from "./figure.js";
import { lowered, spectrogramWindows } from "./zoo-nets.js";

interface BoardNet {
  readonly id: string;
  readonly file: string;
  readonly board: string;
  readonly engine: FirmwareEngine;
  /** A fast module where the core's code leaves no room for the net's own memory; with most weights left the core's container is smaller. */
  readonly optimize: Optimization;
}

/** MLPerf Tiny's keywords and anomaly detection on 64 KB of SRAM, the larger ones of MLPerf Tiny and TFLM on a Cortex-M4. */
const NETS: readonly BoardNet[] = [
  { id: "kws", file: "tiny-kws_int8.tflite", board: "lm3s6965evb", engine: "wasm3", optimize: "speed" },
  { id: "ad", file: "tiny-ad01_int8.tflite", board: "lm3s6965evb", engine: "wasm3", optimize: "size" },
  { id: "vww", file: "tiny-vww_int8.tflite", board: "netduinoplus2", engine: "aot", optimize: "size" },
  { id: "person", file: "tflm-person_detect_int8.tflite", board: "netduinoplus2", engine: "aot", optimize: "size" },
  { id: "resnet", file: "tiny-resnet_int8.tflite", board: "netduinoplus2", engine: "aot", optimize: "size" },
];

const RANDOM_SAMPLES = 3;
const SEED = 1;
/** Of the spectrogram: flash has room for some beside the net. */
const WINDOWS = 8;

/** @param folder the zoo */
export async function boardFigures(folder: string, note: (text: string) => void): Promise<Figure[]> {
  const boards = BOARDS.filter(({ name }) => NETS.some(({ board }) => board === name));
  const missing = missingTools(toolsOf(boards, ["wasm3", "aot"]));
  if (missing.length > 0) {
    note(`zoo: nothing of boards, not installed: ${missing.join(", ")}`);
    return [];
  }
  const figures: Figure[] = [];
  let equal = 0;
  for (const net of NETS) {
    note(`zoo: ${net.file} on ${net.board}`);
    try {
      const measured = await onBoard(net, folder);
      if (measured.logitsEqual) equal++;
      figures.push(...figuresOf(net, measured));
    } catch (error) {
      if (!(error instanceof MoteError)) throw error;
      note(`zoo: ${error.message}`);
    }
  }
  const all = {
    id: "zoo.boards",
    name: "MLPerf Tiny's and TFLM's int8 nets on boards, all outputs equal to the host's",
    value: equal,
    unit: "",
    target: `all ${NETS.length}`,
    met: equal === NETS.length,
  };
  return [all, ...figures];
}

function onBoard({ id, file, board: wanted, engine, optimize }: BoardNet, folder: string): Promise<Measurement> {
  const board = BOARDS.find(({ name }) => name === wanted)!;
  const container = writeContainer(importedModel(lowered(join(folder, file))));
  const runs = id === "ad" ? windowRuns(container, folder) : randomRuns(RANDOM_SAMPLES, SEED);
  const inputs = firmwareInputs(inputSizes(container), runs, runs.count);
  return measure({ board, engine, optimize, model: { name: basename(file, extname(file)), container } }, inputs);
}

function windowRuns(container: Uint8Array, folder: string): Runs {
  const { input } = openReference(container);
  const windows = spectrogramWindows(folder).slice(0, WINDOWS);
  const images = Float32Array.from(windows.flatMap((window) => [...window]));
  return runsOf({ count: windows.length, shape: input.shape, images, source: "the spectrogram" }, input);
}

function figuresOf({ id, file, board, engine, optimize }: BoardNet, measured: Measurement): Figure[] {
  const where = `${file} on ${board} by ${engine} for ${optimize}`;
  const { instructions, sramBytes, flashBytes } = measured;
  return [
    { id: `zoo.boards.${id}.instructions`, name: `${where}: instructions of a run`, value: instructions, unit: "" },
    { id: `zoo.boards.${id}.sram`, name: `${where}: SRAM`, value: sramBytes.total, unit: "B" },
    { id: `zoo.boards.${id}.flash`, name: `${where}: flash`, value: flashBytes.total, unit: "B" },
  ];
}
