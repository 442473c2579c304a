/** TensorFlow Lite Micro's LSTM for the rows of digits, from the folder that MOTE_ZOO names: made int8 here, a step a run. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { classifyAll } from "../../host/engines/classify.js";
import { fastestEngine } from "../../host/engines/open.js";
import { calibrate } from "../../host/import/calibrate.js";
import { importedModel } from "../../host/import/import.js";
import { realSamples, samplesFor } from "../../host/import/net-samples.js";
import { loadData } from "../../host/node/data/load.js";
import { openEngine } from "../../host/node/engines/open.js";
import { BOARDS, toolsOf } from "../../host/node/firmware/boards.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { floatEvaluator } from "../evaluate-float.js";
import { atLeast, rounded, type Figure } from "./figure.js";
import { fileOnBoard } from "./zoo-boards.js";
import { lowered } from "./zoo-nets.js";

/** In the zoo. */
export const LSTM_FILE = "tflm-mnist_lstm_fp32.tflite";
/** Of the training digits, by which it is calibrated. */
const CALIBRATION = "mnist:train:300";
const TEST = "mnist:test";
/** Percent. */
const LEAST_RIGHT = 98;

/** The net with all its weights. */
export interface WholeLstm {
  readonly fileBytes: number;
  readonly container: Uint8Array;
  /** Test digits that are wrong as int8, and as real numbers. */
  readonly errors: number;
  readonly realErrors: number;
  /** Of so many. */
  readonly count: number;
}

/** @param path of the net */
export async function wholeLstm(path: string): Promise<WholeLstm> {
  const net = lowered(path);
  const { shape } = net.tensors[net.inputs[0].tensor];
  const runs = samplesFor(net, [loadData(CALIBRATION, { shape })]);
  const sample = realSamples(runs, net, undefined);
  const samples = Array.from({ length: runs.count }, (_, run) => sample(run));
  const container = writeContainer(importedModel(calibrate(net, samples, { range: "all", perStream: runs.perStream })));
  const engine = openEngine(fastestEngine(), container);
  const test = loadData(TEST, { shape });
  const real = floatEvaluator(path, undefined, engine, { ...test, labels: test.labels! }, 1);
  const { errors } = await classifyAll(engine, test, { onResult: real.add });
  engine.close();
  const fileBytes = readFileSync(path).length;
  return { fileBytes, container, errors: errors!, realErrors: real.result().errors, count: test.count };
}

/** @param folder the zoo */
export async function lstmFigures(folder: string, note: (text: string) => void): Promise<Figure[]> {
  note(`zoo: ${LSTM_FILE}, a step a run`);
  const { fileBytes, container, errors, realErrors, count } = await wholeLstm(join(folder, LSTM_FILE));
  const right = (wrong: number): number => rounded(100 - (100 * wrong) / count, 4);
  return [
    {
      ...atLeast("zoo.lstm.accuracy", `${LSTM_FILE}: test digits right as int8`, right(errors), "%", LEAST_RIGHT),
      beside: { "real numbers": right(realErrors) },
    },
    {
      id: "zoo.lstm.bytes",
      name: `${LSTM_FILE}: container, of ${fileBytes.toLocaleString("en")} bytes`,
      value: container.length,
      unit: "B",
    },
    ...(await boardFigure(container, note)),
  ];
}

/** On a Cortex-M4, where its tools are installed. */
async function boardFigure(container: Uint8Array, note: (text: string) => void): Promise<Figure[]> {
  const board = "netduinoplus2";
  const missing = missingTools(
    toolsOf(
      BOARDS.filter(({ name }) => name === board),
      ["wasm3"],
    ),
  );
  if (missing.length > 0) {
    note(`zoo: nothing of ${LSTM_FILE} on ${board}, not installed: ${missing.join(", ")}`);
    return [];
  }
  const { instructions, optimize } = await fileOnBoard({ board, engine: "wasm3" }, LSTM_FILE, container);
  const name = `${LSTM_FILE} on ${board} by wasm3 for ${optimize}: instructions of a step`;
  return [{ id: "zoo.lstm.instructions", name, value: instructions, unit: "" }];
}
