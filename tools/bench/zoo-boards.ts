/** Nets of others on the boards that they are for, emulated: outputs equal to the host's, what a run takes. */
import { basename, extname } from "node:path";
import type { Optimization } from "../../host/fast/optimization.js";
import { openReference } from "../../host/engines/reference.js";
import { MoteError } from "../../host/errors.js";
import { randomRuns, runsOf, type Runs } from "../../host/node/data/runs.js";
import type { FirmwareEngine } from "../../host/firmware/engines.js";
import { BOARDS, toolsOf, type Board } from "../../host/node/firmware/boards.js";
import type { FastLayout } from "../../host/fast/memory.js";
import { fittingForm, fittingSamples } from "../../host/firmware/fit.js";
import { firmwareImage } from "../../host/node/firmware/image.js";
import { firmwareInputs, inputSizes } from "../../host/node/firmware/inputs.js";
import { measure, type Measurement } from "../../host/node/firmware/measure.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import type { Figure } from "./figure.js";
import { INT8_NETS, spectrogramWindows, zooContainer, type Int8Net } from "./zoo-nets.js";

interface OnBoard {
  readonly board: string;
  readonly engine: FirmwareEngine;
  /** Of a fast module for speed. */
  readonly layout?: FastLayout | undefined;
}

export interface BoardNet extends OnBoard {
  readonly id: Int8Net;
}

/** MLPerf Tiny's keywords and anomaly detection on 64 KB of SRAM, the larger ones of MLPerf Tiny and TFLM on a Cortex-M4. */
const NETS: readonly BoardNet[] = [
  { id: "kws", board: "lm3s6965evb", engine: "wasm3" },
  { id: "ad", board: "lm3s6965evb", engine: "wasm3" },
  { id: "vww", board: "netduinoplus2", engine: "aot" },
  { id: "person", board: "netduinoplus2", engine: "aot" },
  { id: "resnet", board: "netduinoplus2", engine: "aot" },
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
    note(`zoo: ${INT8_NETS[net.id]} on ${net.board}`);
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

const boardNamed = (wanted: string): Board => BOARDS.find(({ name }) => name === wanted)!;

/** The form of the net that the board has room for. */
function formOf({ board, engine }: OnBoard, container: Uint8Array): Optimization {
  return fittingForm(boardNamed(board), engine, (form) => firmwareImage(container, form)).optimize;
}

/** @throws MoteError as `measure` */
export function onBoard(net: BoardNet, folder: string): Promise<Measurement> {
  const container = zooContainer(folder, net.id);
  const runs = net.id === "ad" ? windowRuns(container, folder) : undefined;
  return fileOnBoard(net, INT8_NETS[net.id], container, runs);
}

/** @param file that the container was made of @throws MoteError as `measure` */
export function fileOnBoard(
  net: OnBoard,
  file: string,
  container: Uint8Array,
  runs: Runs = randomRuns(RANDOM_SAMPLES, SEED),
): Promise<Measurement> {
  const { engine, layout } = net;
  const board = boardNamed(net.board);
  const optimize = layout === undefined ? formOf(net, container) : "speed";
  const image = firmwareImage(container, optimize, layout);
  const sizes = inputSizes(container);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const fitting = fittingSamples(board, image, engine, bytes);
  const inputs = firmwareInputs(sizes, runs, Math.min(runs.count, fitting));
  return measure({ board, engine, optimize, image, model: { name: basename(file, extname(file)), container } }, inputs);
}

function windowRuns(container: Uint8Array, folder: string): Runs {
  const { input } = openReference(container);
  const windows = spectrogramWindows(folder).slice(0, WINDOWS);
  const images = Float32Array.from(windows.flatMap((window) => [...window]));
  return runsOf({ count: windows.length, shape: input.shape, images, source: "the spectrogram" }, input, false);
}

function figuresOf({ id, board, engine }: BoardNet, measured: Measurement): Figure[] {
  const { instructions, sramBytes, flashBytes, optimize } = measured;
  const where = `${INT8_NETS[id]} on ${board} by ${engine} for ${optimize}`;
  return [
    { id: `zoo.boards.${id}.instructions`, name: `${where}: instructions of a run`, value: instructions, unit: "" },
    { id: `zoo.boards.${id}.sram`, name: `${where}: SRAM`, value: sramBytes.total, unit: "B" },
    { id: `zoo.boards.${id}.flash`, name: `${where}: flash`, value: flashBytes.total, unit: "B" },
  ];
}
