/** Nets that others made, from the folder that MOTE_ZOO names: how many run, what they take, and whether they give what LiteRT gives. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { readContainer } from "../../host/container/read.js";
import { planTotal } from "../../host/container/plan.js";
import { argmax } from "../../host/engines/classify.js";
import { inputFiller, realFiller } from "../../host/engines/fill-input.js";
import { MoteError } from "../../host/errors.js";
import { calibrate } from "../../host/import/calibrate.js";
import { runFloat } from "../../host/import/float-run.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { inferShapes } from "../../host/import/shapes.js";
import { planarIndex } from "../../host/import/view.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { QModel } from "../../host/model/model.js";
import type { DataSet } from "../../host/data/data-set.js";
import { loadData } from "../../host/node/data/load.js";
import { openEngine } from "../../host/node/engines/open.js";
import { openGraph } from "../../host/node/import/open-graph.js";
import { atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";

export const zooGroup: Group = {
  name: "zoo",
  summary: "nets of others from the folder MOTE_ZOO: how many run, bytes, outputs beside LiteRT's (MOTE_ZOO_ORACLE)",
  measure: measureZoo,
};

/** MLPerf Tiny's int8 nets, and what their containers may take of the file's bytes. */
const MLPERF = [
  ["vww", "tiny-vww_int8.tflite", 0.19],
  ["kws", "tiny-kws_int8.tflite", 0.5],
  ["ad", "tiny-ad01_int8.tflite", 0.72],
  ["resnet", "tiny-resnet_int8.tflite", 0.8],
] as const;

/** MNIST's nets: the least that a net of real numbers, or an int8 one, gets of the test digits in its own runtime, %. */
const DIGITS = [
  ["tinymaix-mnist_valid_q.tflite", 96.46, 1 / 255],
  ["tinymaix-mnist_dw_q.tflite", 93.14, 1 / 255],
  ["wonnx-opt-mnist.onnx", 98.91, 1],
] as const;

const QUICK_DIGITS = 1000;
const CALIBRATION_DIGITS = 300;

async function measureZoo({ full, note }: BenchOptions): Promise<Figure[]> {
  const folder = process.env.MOTE_ZOO;
  if (folder === undefined || folder === "") {
    note("zoo: no figures, since MOTE_ZOO names no folder of nets");
    return [];
  }
  const figures = [...answers(folder, note), ...sizes(folder), adScore(folder)];
  for (const [file, accuracy, scale] of DIGITS) {
    note(`zoo: ${file} on digits`);
    figures.push(digitsDelta(folder, file, accuracy, scale, full));
  }
  const oracle = process.env.MOTE_ZOO_ORACLE;
  if (oracle !== undefined && oracle !== "") figures.push(...equality(folder, oracle, note));
  return figures;
}

function lowered(path: string): ImportedNet {
  const { graph, close } = openGraph(path);
  try {
    return lowerGraph(inferShapes(graph, { batch: 1 }));
  } finally {
    close();
  }
}

/** Each net runs, or is refused with reasons. */
function answers(folder: string, note: (text: string) => void): Figure[] {
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
  const figure = (id: string, name: string, value: number, least: number): Figure => ({
    id,
    name,
    value,
    unit: "",
    target: `≥ ${least}`,
    met: value >= least,
  });
  return [
    figure("zoo.answered", `nets of the zoo, ${files.length}: run, or refused with reasons`, answered, 33),
    figure("zoo.run", "of these run", run, 24),
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

/** The mean squared error of a spectrogram by the autoencoder, quantized here (mlcommons/tiny, anomaly detection): windows of 5 frames of 128. */
function adScore(folder: string): Figure {
  const net = lowered(join(folder, "tiny-ad01_fp32.tflite"));
  const bytes = Uint8Array.from(readFileSync(join(folder, "tiny-ad01-normal_id_01_00000000.f32")));
  const frames = new Float32Array(bytes.buffer);
  const samples = Array.from({ length: frames.length / 128 - 4 }, (_, t) => [frames.slice(128 * t, 128 * (t + 5))]);
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

function digitsDelta(folder: string, file: string, accuracy: number, scale: number, full: boolean): Figure {
  const net = lowered(join(folder, file));
  const { shape } = net.tensors[net.inputs[0].tensor];
  const digits = (spec: string): DataSet => ({ ...loadData(spec, { shape }), reading: { scale } });
  const model = importedModel(
    net.isQuantized ? net : calibrated(net, digits(`mnist:validation:${CALIBRATION_DIGITS}`)),
  );
  const set = digits(full ? "mnist:test" : `mnist:test:${QUICK_DIGITS}`);
  const engine = openEngine("v8", writeContainer(model));
  const fill = inputFiller(set, engine.input);
  const input = new Int8Array(valuesOf(engine.input.shape));
  let right = 0;
  for (let index = 0; index < set.count; index++) {
    fill(index, input);
    if (argmax(engine.run(input)) === set.labels![index]) right++;
  }
  engine.close();
  const delta = Math.abs((100 * right) / set.count - accuracy);
  const figure = atMost(
    `zoo.mnist.${file.split(".")[0]}`,
    `${file}: ${rounded((100 * right) / set.count, 5)} % of ${set.count} digits, points from its own runtime's ${accuracy} %`,
    rounded(delta),
    "points",
    0.02,
  );
  // Of some digits only the share differs from that of all.
  return full ? figure : { id: figure.id, name: figure.name, value: figure.value, unit: figure.unit };
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

/** Outputs beside LiteRT's (XNNPACK), which tests/golden/import/zoo_oracle.py keeps: FILE.x and FILE.y, int8. */
function equality(folder: string, oracle: string, note: (text: string) => void): Figure[] {
  let [all, equal, near, samples, sameTop] = [0, 0, 0, 0, 0];
  for (const [, file] of MLPERF) {
    if (!existsSync(join(oracle, `${file}.x`))) continue;
    note(`zoo: ${file} beside LiteRT`);
    const net = lowered(join(folder, file));
    const model = importedModel(net);
    const [given, wanted] = ["x", "y"].map(
      (end) => new Int8Array(Uint8Array.from(readFileSync(join(oracle, `${file}.${end}`)))),
    );
    const counts = runBeside(net, model, given, wanted);
    all += counts.all;
    equal += counts.equal;
    near += counts.near;
    samples += counts.samples;
    sameTop += counts.sameTop;
  }
  const share = (part: number, of: number): number => rounded((100 * part) / of, 6);
  return [
    {
      id: "zoo.mlperf.equal",
      name: `outputs of MLPerf Tiny's int8 nets equal to LiteRT's (${all - equal} of ${all} differ, ${equal + near === all ? "all" : "not all"} by one)`,
      value: share(equal, all),
      unit: "%",
      target: "≥ 99.5, the rest ±1",
      met: equal / all >= 0.995 && equal + near === all,
    },
    {
      id: "zoo.mlperf.top1",
      name: `the same class first, ${samples} samples`,
      value: share(sameTop, samples),
      unit: "%",
      target: "100",
      met: sameTop === samples,
    },
  ];
}

function runBeside(net: ImportedNet, model: QModel, given: Int8Array, wanted: Int8Array) {
  const engine = openEngine("v8", writeContainer(model));
  const size = valuesOf(engine.input.shape);
  const outputs = valuesOf(engine.output.shape);
  const [toInput, toOutput] = [
    planarIndex(net.inputs[0].order, engine.input.shape),
    planarIndex(net.outputs[0].order, engine.output.shape),
  ];
  const counts = { all: 0, equal: 0, near: 0, samples: given.length / size, sameTop: 0 };
  const input = new Int8Array(size);
  for (let sample = 0; sample < counts.samples; sample++) {
    for (let i = 0; i < size; i++) input[toInput(i)] = given[sample * size + i];
    const got = engine.run(input);
    const expected = wanted.subarray(sample * outputs, (sample + 1) * outputs);
    const ours = Int8Array.from(expected, (_, i) => got[toOutput(i)]);
    expected.forEach((q, i) => {
      counts.all++;
      if (ours[i] === q) counts.equal++;
      else if (Math.abs(ours[i] - q) === 1) counts.near++;
    });
    if (argmax(ours) === argmax(expected)) counts.sameTop++;
  }
  engine.close();
  return counts;
}
