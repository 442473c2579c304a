/** TensorFlow Lite Micro's LSTM for the rows of digits, from the folder that MOTE_ZOO names: made int8 here, a step a run. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BOARDS, toolsOf } from "../../host/node/firmware/boards.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { calibratedNet, type CalibratedNet, type CalibrationData } from "./calibrated.js";
import { atLeast, rounded, type Figure } from "./figure.js";
import { fileOnBoard } from "./zoo-boards.js";

/** In the zoo. */
export const LSTM_FILE = "tflm-mnist_lstm_fp32.tflite";
const DATA: CalibrationData = { samples: "mnist:train:300", test: "mnist:test" };
/** Percent. */
const LEAST_RIGHT = 98;

/** The net with all its weights, as int8. */
export interface WholeLstm extends Omit<CalibratedNet, "agreeing"> {
  readonly fileBytes: number;
}

/** @param path of the net */
export async function wholeLstm(path: string): Promise<WholeLstm> {
  return { fileBytes: readFileSync(path).length, ...(await calibratedNet(path, DATA)) };
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
