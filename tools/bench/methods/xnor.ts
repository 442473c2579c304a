/** Binarized nets (Hubara et al. 2016): error and bytes, and on a Cortex-M4 what kernels of bits make of the layers that read bits, beside the other kernels. */
import { inputOf } from "../../../host/model/edges.js";
import { writeContainer } from "../../../host/container/write.js";
import { readContainer } from "../../../host/container/read.js";
import { fastParts } from "../../../host/fast/parts.js";
import type { FirmwareEngine } from "../../../host/firmware/engines.js";
import type { QLayer, QModel } from "../../../host/model/model.js";
import { fastModule } from "../../../host/node/fast/fast-module.js";
import { BOARDS, toolsOf } from "../../../host/node/firmware/boards.js";
import { firmwareInputs, inputSizes } from "../../../host/node/firmware/inputs.js";
import { measure } from "../../../host/node/firmware/measure.js";
import { missingTools } from "../../../host/node/firmware/tools.js";
import { randomRuns } from "../../../host/node/data/runs.js";
import { integerWeights, isWeighted, type QWeightedLayer } from "../../../host/ops/index.js";
import { rounded, type BenchOptions, type Figure } from "../figure.js";
import { methodRecipe, runMethod, type MethodFamily } from "./family.js";

/** The paper's best on MNIST: three layers of 4,096 units, a thousand epochs, the best of validation (table 1). */
const PUBLISHED = { "Hubara et al. 2016, 3 × 4096": 0.96 };

const NETS = [
  ["lenet300", "binarize", "LeNet-300-100, binarized", PUBLISHED],
  ["lenet5", "binarize-lenet5", "LeNet-5 of 16-32-64 units, binarized", undefined],
] as const;

const ENGINES: readonly (readonly [FirmwareEngine, string])[] = [
  ["wasm3", "by wasm3"],
  ["native", "by wasm3 with native kernels"],
  ["aot", "ahead of time"],
];

const BOARD = BOARDS.find((one) => one.name === "netduinoplus2")!;

const isBits = (layer: QLayer): boolean => "clamp" in layer && layer.clamp.join() === "0,1";

/** The same net whose bits are -1 and 0, for which there is no kernel of bits. */
function withoutBits(model: QModel): QModel {
  const bits = new Set(model.layers.filter(isBits).map(({ output }) => output));
  return {
    ...model,
    tensors: model.tensors.map((tensor, index) => (bits.has(index) ? { ...tensor, zeroPoint: -1 } : tensor)),
    layers: model.layers.map((layer) => (isBits(layer) ? ({ ...layer, clamp: [-1, 0] } as QLayer) : layer)),
  };
}

/** Layers that read bits: their indices, and multiplications, places under a pool included. */
function bitLayers(model: QModel): { readonly indices: number[]; readonly multiplications: number } {
  const bits = new Set(model.layers.filter(isBits).map(({ output }) => output));
  const reading = [...model.layers.entries()].filter(
    (entry): entry is [number, QWeightedLayer] => isWeighted(entry[1]) && bits.has(inputOf(entry[1])),
  );
  const multiplications = reading.reduce(
    (sum, [, layer]) =>
      sum + layer.weights.length * integerWeights(layer).places(layer, model.tensors[layer.output].shape),
    0,
  );
  return { indices: reading.map(([index]) => index), multiplications };
}

async function boardFigures(id: string, name: string, model: QModel, note: BenchOptions["note"]): Promise<Figure[]> {
  const { indices, multiplications } = bitLayers(model);
  const figures: Figure[] = [];
  for (const [kind, text, one] of [
    ["bits", "kernels of bits", model],
    ["other", "other kernels", withoutBits(model)],
  ] as const) {
    const container = writeContainer(one);
    const bytes = fastParts(fastModule(container)).stream.length;
    figures.push({
      id: `methods.xnor.${id}.${kind}.stream`,
      name: `${name}, ${text}: stream of a fast module`,
      value: bytes,
      unit: "B",
    });
    for (const [engine, by] of ENGINES) {
      note(`${id}, ${text}, ${by}`);
      const inputs = firmwareInputs(inputSizes(container), randomRuns(1, 1), 1);
      const measured = await measure(
        { board: BOARD, engine, optimize: "speed", model: { name: id, container } },
        inputs,
      );
      const sum = indices.reduce((all, index) => all + measured.instructionsPerLayer[index], 0);
      const figure = (part: string, what: string, value: number): Figure => ({
        id: `methods.xnor.${id}.${kind}.${engine}.${part}`,
        name: `${name}, ${text}, ${by} on a Cortex-M4: ${what}`,
        value,
        unit: "",
      });
      figures.push(
        figure("mac", "instructions a multiplication of layers that read bits", rounded(sum / multiplications)),
        figure("run", "instructions of a run, in thousands", rounded(measured.instructions / 1000)),
      );
    }
  }
  return figures;
}

export const xnorMethods: MethodFamily = {
  name: "xnor",
  async measure(options) {
    const figures: Figure[] = [];
    for (const [id, recipe, name, beside] of NETS) {
      const { testError, bytes, weights, container } = await runMethod(recipe, methodRecipe(recipe), options);
      figures.push(
        {
          id: `methods.xnor.${id}.error`,
          name: `${name}: test error`,
          value: testError,
          unit: "%",
          ...(beside && { beside }),
        },
        { id: `methods.xnor.${id}.bytes`, name: `${name}: bytes`, value: bytes, unit: "B" },
        {
          id: `methods.xnor.${id}.bits`,
          name: `${name}: bits a weight`,
          value: rounded((8 * bytes) / weights),
          unit: "",
        },
      );
      const missing = missingTools(toolsOf([BOARD], ["wasm3", "aot"]));
      if (missing.length > 0) options.note(`nothing of boards, not installed: ${missing.join(", ")}`);
      else figures.push(...(await boardFigures(id, name, readContainer(container).model, options.note)));
    }
    return figures;
  },
};
