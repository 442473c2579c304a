/** Nets that `mote compress` has made of others' and of our own by one command: bytes and errors of what recipes/ and examples/ hold. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { DataSet } from "../../host/data/data-set.js";
import { openNpz } from "../../host/data/npz.js";
import { MoteError } from "../../host/errors.js";
import { loadData } from "../../host/node/data/load.js";
import { builtFile } from "../../host/node/paths.js";
import { readFile } from "../../host/node/read-file.js";
import * as pump from "../../examples/autoencoder/make-data.js";
import { auc, differences } from "../../examples/autoencoder/score.js";
import * as gesture from "../../examples/gesture/make-data.js";
import { measureTrainingSpeed } from "./compress-speed.js";
import { atLeast, atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { testError } from "./test-error.js";
import { fileInZoo } from "./zoo-nets.js";

interface Result {
  /** Of figures: `compress.NAME.bytes`. */
  readonly name: string;
  /** The recipe and the model, but for `.json` and `.mote`. */
  readonly path: string;
  /** What it has become of, for people. */
  readonly what: string;
  readonly measure: (model: Uint8Array, result: Result) => Figure[] | Promise<Figure[]>;
  /** Makes its data, where a script does. */
  readonly make?: () => void;
}

/** @param limits bytes and percent that are to be reached, if any */
const classifier =
  (test: () => DataSet, limits?: readonly [bytes: number, error: number | undefined]) =>
  async (model: Uint8Array, { name, what }: Result): Promise<Figure[]> => {
    const [bytes, error] = [model.length, await testError(model, test())];
    const figure = (part: string, text: string, value: number, unit: string, limit: number | undefined): Figure =>
      atMost(`compress.${name}.${part}`, `${what}: ${text}`, value, unit, limit);
    return [figure("bytes", "bytes", bytes, "B", limits?.[0]), figure("error", "test error", error, "%", limits?.[1])];
  };

/** Beside what TensorFlow Lite's full integer quantization makes of the same net: recipes/nets/int8_tflite.py measured that. */
async function besideTflite(model: Uint8Array, { name, what }: Result): Promise<Figure[]> {
  const path = builtFile("recipes/nets/int8-tflite.json");
  const all = JSON.parse(readFileSync(path, "utf8")) as Record<string, { bytes: number; floatError: number }>;
  const { bytes, floatError } = all[name];
  const error = await testError(model, fashion());
  const size = model.length.toLocaleString("en");
  return [
    atLeast(
      `compress.${name}.factor`,
      `${what}: ${size} bytes, times smaller than its int8 TFLite`,
      rounded(bytes / model.length),
      "",
      10,
    ),
    atMost(
      `compress.${name}.points`,
      `${what}: test error ${error} %, points above the float net's`,
      rounded(error - floatError),
      "points",
      1,
    ),
  ];
}

function ofPump(model: Uint8Array, { name, what }: Result): Figure[] {
  const npz = openNpz(pump.testData(), "test.npz");
  const faults = npz.array("y").values;
  const scores = differences(model, npz.array("x").values as Int8Array);
  const area = auc(scores, (index) => Number(faults[index]) === 1);
  return [
    { id: `compress.${name}.bytes`, name: `${what}: bytes`, value: model.length, unit: "B" },
    { id: `compress.${name}.auc`, name: `${what}: AUC of faults`, value: rounded(area, 4), unit: "" },
  ];
}

function gestures(): DataSet {
  const npz = openNpz(gesture.testData(), "test.npz");
  const { shape, values } = npz.array("x");
  const labels = Uint8Array.from(npz.array("y").values as Int8Array);
  return { count: shape[0], shape: shape.slice(1), images: values as Int8Array, labels };
}

const SHAPE = [1, 28, 28] as const;
const fashion = (): DataSet => loadData("fashion:test", { shape: SHAPE });
/** This net sees bytes as they are. */
const digits = (): DataSet => ({ ...loadData("mnist:test", { shape: SHAPE }), reading: { scale: 1 } });

const RESULTS: readonly Result[] = [
  {
    name: "fashion",
    path: "recipes/fashion",
    what: "LeNet-5 on Fashion-MNIST",
    measure: classifier(fashion, [4500, 10]),
  },
  {
    name: "fashion.small",
    path: "recipes/fashion-small",
    what: "the best below 2,500 bytes",
    measure: classifier(fashion, [2500, undefined]),
  },
  {
    name: "wonnx",
    path: "recipes/wonnx",
    what: "wonnx-opt-mnist.onnx, 25,905 bytes",
    measure: classifier(digits, [1800, 1.3]),
  },
  { name: "resnet", path: "recipes/resnet", what: "like ResNet-8", measure: besideTflite },
  { name: "dscnn", path: "recipes/dscnn", what: "like DS-CNN", measure: besideTflite },
  { name: "inverted", path: "recipes/inverted", what: "like MobileNetV2", measure: besideTflite },
  {
    name: "autoencoder",
    path: "examples/autoencoder/recipe",
    what: "autoencoder of spectra",
    measure: ofPump,
    make: () => pump.makeData(builtFile("build/autoencoder")),
  },
  {
    name: "gesture",
    path: "examples/gesture/recipe",
    what: "gestures, 1-D CNN",
    measure: classifier(gestures),
    make: () => gesture.makeData(builtFile("build/gesture")),
  },
];

export const compressGroup: Group = {
  name: "compress",
  summary:
    "nets of others, and our own on other data, made small by one command, and the speed of training; --full makes them anew and compares the bytes",
  measure: async (options) => [...(await measure(options)), ...(await measureTrainingSpeed(options))],
};

async function measure({ full, threads, note }: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const result of RESULTS) {
    const path = builtFile(`${result.path}.mote`);
    if (!existsSync(path)) {
      note(`${result.name}: no figures, since ${result.path}.mote is not there`);
      continue;
    }
    note(result.name);
    const model = readFile(path);
    figures.push(...(await result.measure(model, result)));
    if (full) figures.push(madeAnew(result, model, threads));
  }
  return figures;
}

/** Whether its recipe gives the same bytes. */
function madeAnew({ name, path, what, make }: Result, model: Uint8Array, threads: number): Figure {
  make?.();
  const folder = mkdtempSync(join(tmpdir(), "mote-bench-"));
  try {
    const out = join(folder, "anew.mote");
    const args = ["compress", recipeFile(path, folder), "--out", out, "--work", folder, "--threads", String(threads)];
    const { status } = spawnSync(process.execPath, [builtFile("tools/mote.mjs"), ...args], {
      stdio: ["ignore", 2, "inherit"],
    });
    if (status !== 0) throw new MoteError("FILE", `${path}.json: mote compress did not make a model of it`);
    const met = Buffer.compare(readFile(out), model) === 0;
    const value = met ? "same bytes" : "other bytes";
    return {
      id: `compress.${name}.anew`,
      name: `${what}: made anew by its recipe`,
      value,
      unit: "",
      target: "same bytes",
      met,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The recipe; a copy of it where its net is one that is not in the repository but in the folder MOTE_ZOO. */
function recipeFile(path: string, folder: string): string {
  const file = builtFile(`${path}.json`);
  const recipe = JSON.parse(readFileSync(file, "utf8")) as { readonly net: string };
  const net = fileInZoo(recipe.net);
  if (existsSync(join(dirname(file), recipe.net)) || net === undefined) return file;
  const copy = join(folder, "recipe.json");
  writeFileSync(copy, JSON.stringify({ ...recipe, net }));
  return copy;
}
