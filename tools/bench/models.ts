/** The shipped models: which there are, how large and how good each is to be. */
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { readContainer, type Container } from "../../host/container/read.js";
import { reportContainer } from "../../host/report/container.js";
import { loadDataSpec } from "../../host/node/data/inputs.js";
import { readFile } from "../../host/node/read-file.js";
import { builtFile } from "../../host/node/paths.js";
import { classifyAll } from "../../host/engines/classify.js";
import { fastestEngine } from "../../host/engines/open.js";
import { openEngine } from "../../host/node/engines/open.js";
import { atMost, type BenchOptions, type Figure, type Group } from "./figure.js";

interface Shipped {
  readonly name: string;
  /** Bytes of the container. */
  readonly maxBytes: number;
  readonly maxErrorPercent: number;
}

export const SHIPPED_MODELS: readonly Shipped[] = [
  { name: "lenet300-paper", maxBytes: 27_000, maxErrorPercent: 1.58 },
  { name: "lenet5-paper", maxBytes: 44_000, maxErrorPercent: 0.74 },
  { name: "lenet300", maxBytes: 4_000, maxErrorPercent: 1.58 },
  { name: "lenet5", maxBytes: 3_000, maxErrorPercent: 0.74 },
];

/** @throws MoteError FILE when it is missing */
export function shippedModel(name: string): Uint8Array {
  return readFile(builtFile(`models/${name}.mote`));
}

export const modelsGroup: Group = {
  name: "models",
  summary: "bytes and test error of the shipped models, 10,000 digits",
  measure: measureModels,
};

async function measureModels({ note }: BenchOptions): Promise<Figure[]> {
  const test = loadDataSpec("mnist:test");
  const figures: Figure[] = [];
  for (const { name, maxBytes, maxErrorPercent } of SHIPPED_MODELS) {
    note(`${name}: ${test.count} digits`);
    const file = shippedModel(name);
    // The device's core is held to all digits of the net that most figures are of.
    const engine = openEngine(name === "lenet5" ? "v8" : fastestEngine(), file);
    try {
      const { errors = 0 } = await classifyAll(engine, test);
      figures.push(atMost(`models.${name}.bytes`, `${name}.mote, all bytes`, file.length, "B", maxBytes));
      figures.push(
        atMost(`models.${name}.error`, `${name}.mote, test error`, (100 * errors) / test.count, "%", maxErrorPercent),
      );
      figures.push(...rivals(name, readContainer(file)));
    } finally {
      engine.close();
    }
  }
  const { sideBytes } = reportContainer(readContainer(shippedModel("lenet5")));
  figures.push(atMost("models.lenet5.side", "lenet5.mote, side information", sideBytes, "B", 400));
  return figures;
}

/** The obvious alternative: the same weights as dense int8, dead units left out too, through a general compressor. Weights alone. */
function rivals(name: string, { model }: Container): Figure[] {
  const weights = Buffer.concat(
    model.layers.map((layer) => ("weights" in layer ? new Uint8Array(layer.weights.buffer) : new Uint8Array())),
  );
  const brotli = brotliCompressSync(weights, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  return [
    {
      id: `models.${name}.gzip`,
      name: `${name}, its weights as int8 through gzip -9`,
      value: gzipSync(weights, { level: 9 }).length,
      unit: "B",
    },
    {
      id: `models.${name}.brotli`,
      name: `${name}, its weights as int8 through brotli -11`,
      value: brotli.length,
      unit: "B",
    },
  ];
}
