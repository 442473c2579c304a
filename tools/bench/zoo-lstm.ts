/** TensorFlow Lite Micro's LSTM for the rows of digits, from the folder that MOTE_ZOO names: made int8 here, a step a run. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { sampleEndedBy } from "../../host/data/sequences.js";
import { classifyAll } from "../../host/engines/classify.js";
import { fastestEngine } from "../../host/engines/open.js";
import { argmax } from "../../host/engines/values.js";
import { calibrate } from "../../host/import/calibrate.js";
import { freshFloatStates, runFloat } from "../../host/import/float-run.js";
import { importedModel } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { realSamples, samplesFor } from "../../host/import/net-samples.js";
import { loadData } from "../../host/node/data/load.js";
import { openEngine } from "../../host/node/engines/open.js";
import { BOARDS, toolsOf } from "../../host/node/firmware/boards.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { atLeast, rounded, type Figure } from "./figure.js";
import { fileOnBoard } from "./zoo-boards.js";
import { lowered } from "./zoo-nets.js";

const FILE = "tflm-mnist_lstm_fp32.tflite";
/** Of the training digits, by which it is calibrated. */
const CALIBRATION = "mnist:train:300";
const TEST = "mnist:test";
/** Percent. */
const LEAST_RIGHT = 98;

/** @param folder the zoo */
export async function lstmFigures(folder: string, note: (text: string) => void): Promise<Figure[]> {
  note(`zoo: ${FILE}, a step a run`);
  const path = join(folder, FILE);
  const net = lowered(path);
  const { samples, steps } = sequences(net, CALIBRATION);
  const container = writeContainer(importedModel(calibrate(net, samples, { range: "all", steps })));
  const engine = openEngine(fastestEngine(), container);
  const test = loadData(TEST, { shape: engine.input.shape });
  const { errors } = await classifyAll(engine, test);
  engine.close();
  const right = (wrong: number): number => rounded(100 - (100 * wrong) / test.count, 4);
  return [
    {
      ...atLeast("zoo.lstm.accuracy", `${FILE}: test digits right as int8`, right(errors!), "%", LEAST_RIGHT),
      beside: { "real numbers": right(realErrors(net, test.labels!)) },
    },
    {
      id: "zoo.lstm.bytes",
      name: `${FILE}: container, of ${readFileSync(path).length.toLocaleString("en")} bytes`,
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
    note(`zoo: nothing of ${FILE} on ${board}, not installed: ${missing.join(", ")}`);
    return [];
  }
  const { instructions, optimize } = await fileOnBoard({ board, engine: "wasm3" }, FILE, container);
  const name = `${FILE} on ${board} by wasm3 for ${optimize}: instructions of a step`;
  return [{ id: "zoo.lstm.instructions", name, value: instructions, unit: "" }];
}

function sequences(net: ImportedNet, spec: string): { samples: Float32Array[][]; steps: number } {
  const { shape } = net.tensors[net.inputs[0].tensor];
  const runs = samplesFor(net, [loadData(spec, { shape })]);
  const sample = realSamples(runs, net, undefined);
  return { samples: Array.from({ length: runs.count }, (_, run) => sample(run)), steps: runs.steps };
}

/** Test digits that the net of real numbers has wrong. */
function realErrors(net: ImportedNet, labels: ArrayLike<number>): number {
  const { samples, steps } = sequences(net, TEST);
  let states = freshFloatStates(net);
  let wrong = 0;
  samples.forEach((sample, run) => {
    if (run % steps === 0) states = freshFloatStates(net);
    const [logits] = runFloat(net, sample, undefined, undefined, states);
    const index = sampleEndedBy(run, steps);
    if (index !== undefined && argmax(logits) !== labels[index]) wrong++;
  });
  return wrong;
}
