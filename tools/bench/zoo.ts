/** Nets that others made, from the folder that MOTE_ZOO names: how many run, what they take, and whether they give what their own runtimes give. */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { readContainer } from "../../host/container/read.js";
import { planTotal } from "../../host/container/plan.js";
import { inputFiller, realFiller } from "../../host/engines/fill-input.js";
import { fastestEngine } from "../../host/engines/open.js";
import { argmax } from "../../host/engines/values.js";
import { MoteError } from "../../host/errors.js";
import { calibrate } from "../../host/import/calibrate.js";
import { runFloat } from "../../host/import/float-run.js";
import { importedModel } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { DataSet } from "../../host/data/data-set.js";
import { loadData } from "../../host/node/data/load.js";
import { openEngine } from "../../host/node/engines/open.js";
import { atLeast, atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { vggFigures } from "./vgg.js";
import { boardFigures } from "./zoo-boards.js";
import { lstmFigures } from "./zoo-lstm.js";
import { lowered, MLPERF, spectrogramWindows } from "./zoo-nets.js";
import { litertEquality, oracleEquality } from "./zoo-outputs.js";
import { svdfFigures } from "./zoo-svdf.js";

export const zooGroup: Group = {
  name: "zoo",
  summary:
    "nets of others from the folder MOTE_ZOO: how many run, bytes, equal outputs (LiteRT's by MOTE_ZOO_ORACLE), boards",
  measure: measureZoo,
};

/**
 * MNIST's nets: what they get of the test digits in their own runtime, %; what their input is for a pixel of 1; whether they are to get the same here.
 * TinyMaix's nets of real numbers change by some digits of 10,000 when they are made int8, for the worse or the better.
 */
const DIGITS = [
  ["tinymaix-mnist_valid_q.tflite", 96.46, 1 / 255, true],
  ["tinymaix-mnist_dw_q.tflite", 93.14, 1 / 255, true],
  ["wonnx-opt-mnist.onnx", 98.91, 1, true],
  ["tinymaix-mnist_valid_f.tflite", 96.54, 1 / 255, false],
  ["tinymaix-mnist_dw_f.tflite", 93.22, 1 / 255, false],
] as const;

const CALIBRATION_DIGITS = 300;

async function measureZoo(options: BenchOptions): Promise<Figure[]> {
  const { note } = options;
  const vgg = await vggFigures(options);
  const folder = process.env.MOTE_ZOO;
  if (folder === undefined || folder === "") {
    note("zoo: no more figures, since MOTE_ZOO names no folder of nets");
    return vgg;
  }
  const figures = [...verdicts(folder, note), ...sizes(folder), adScore(folder), ...vgg];
  const deltas = DIGITS.map((digits) => {
    note(`zoo: ${digits[0]} on digits`);
    return digitsDelta(folder, digits);
  });
  const largest = Math.max(...deltas.filter((_, i) => DIGITS[i][3]).map(({ value }) => Number(value)));
  const name = "largest of these differences, but for TinyMaix's nets of real numbers";
  figures.push(...(await lstmFigures(folder, note)));
  figures.push(...deltas, atMost("zoo.mnist.delta", name, largest, "points", 0.02));
  figures.push(...(await oracleEquality(folder, options)));
  const answers = process.env.MOTE_ZOO_ORACLE;
  if (answers !== undefined && answers !== "") figures.push(...litertEquality(folder, answers, note));
  figures.push(...svdfFigures(folder));
  figures.push(...(await boardFigures(folder, note)));
  return figures;
}

/** Each net runs, or is refused with reasons. */
function verdicts(folder: string, note: (text: string) => void): Figure[] {
  const files = readdirSync(folder).filter((name) => [".tflite", ".onnx", ".net"].includes(extname(name)));
  let run = 0;
  let answered = 0;
  for (const file of files) {
    try {
      const net = lowered(join(folder, file));
      if (net.isQuantized) importedModel(net);
      run++;
      answered++;
    } catch (error) {
      if (!(error instanceof MoteError)) throw error;
      if (error.code === "UNSUPPORTED") answered++;
      note(`zoo: ${file}: ${error.message.slice(0, 120)}`);
    }
  }
  return [
    atLeast("zoo.answered", `nets of the zoo, ${files.length}: run, or refused with reasons`, answered, "", 33),
    atLeast("zoo.run", "of these run", run, "", 26),
  ];
}

/** Lossless: the same int8 weights. */
function sizes(folder: string): Figure[] {
  return MLPERF.flatMap(([id, file, most]) => {
    const path = join(folder, file);
    const container = writeContainer(importedModel(lowered(path)));
    const share = container.length / readFileSync(path).length;
    return [
      atMost(`zoo.${id}.bytes`, `${file}: container of the file's bytes`, rounded(share), "", most),
      {
        id: `zoo.${id}.memory`,
        name: `${file}: linear memory, behind the window`,
        value: planTotal(readContainer(container).plan),
        unit: "B",
      },
    ];
  });
}

/** The mean squared error of a spectrogram's windows by the autoencoder, quantized here. */
function adScore(folder: string): Figure {
  const net = lowered(join(folder, "tiny-ad01_fp32.tflite"));
  const samples = spectrogramWindows(folder).map((window) => [window]);
  const model = importedModel(calibrate(net, samples, { range: "all" }));
  const engine = openEngine("v8", writeContainer(model));
  const { input, output } = engine;
  let sum = 0;
  for (const [sample] of samples) {
    const integers = Int8Array.from(sample, (x) =>
      Math.min(127, Math.max(-128, Math.round(x / input.scale) + input.zeroPoint)),
    );
    const got = engine.run(integers);
    sum += sample.reduce((all, x, i) => all + ((got[i] - output.zeroPoint) * output.scale - x) ** 2, 0) / sample.length;
  }
  engine.close();
  const score = sum / samples.length;
  const exact = samples.reduce((all, [x]) => all + meanSquare(x, runFloat(net, [x])[0]), 0) / samples.length;
  return {
    id: "zoo.ad.score",
    name: `ad01 made int8 here, score of the spectrogram (real numbers: ${rounded(exact, 6)})`,
    value: rounded(score, 5),
    unit: "",
    target: "9.7071 ± 2 %",
    met: Math.abs(score / 9.7071 - 1) <= 0.02,
  };
}

const meanSquare = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;

/** Of a net of real numbers, made int8 here. */
function digitsDelta(folder: string, [file, accuracy, scale]: (typeof DIGITS)[number]): Figure {
  const net = lowered(join(folder, file));
  const { shape } = net.tensors[net.inputs[0].tensor];
  const digits = (spec: string): DataSet => ({ ...loadData(spec, { shape }), reading: { scale } });
  const model = importedModel(
    net.isQuantized ? net : calibrated(net, digits(`mnist:validation:${CALIBRATION_DIGITS}`)),
  );
  const set = digits("mnist:test");
  const engine = openEngine(fastestEngine(), writeContainer(model));
  const fill = inputFiller(set, engine.input);
  const input = new Int8Array(valuesOf(engine.input.shape));
  let right = 0;
  for (let index = 0; index < set.count; index++) {
    fill(index, input);
    if (argmax(engine.run(input)) === set.labels![index]) right++;
  }
  engine.close();
  const delta = Math.abs((100 * right) / set.count - accuracy);
  const share = rounded((100 * right) / set.count, 5);
  return {
    id: `zoo.mnist.${file.split(".")[0].replaceAll("_", "-")}`,
    name: `${file}: ${share} % of ${set.count} digits, points from its own runtime's ${accuracy} %`,
    value: rounded(delta),
    unit: "points",
  };
}

function calibrated(net: ImportedNet, set: DataSet): ImportedNet {
  const { shape } = net.tensors[net.inputs[0].tensor];
  const fill = realFiller(set, shape);
  const samples = Array.from({ length: set.count }, (_, index) => {
    const sample = new Float32Array(valuesOf(shape));
    fill(index, sample);
    return [sample];
  });
  return calibrate(net, samples, { range: "all" });
}
