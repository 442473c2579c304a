/** Models of 16-bit activations, made of those of int8: the same layers, on elements 256 times as fine. */
import { elementsFor, fillRandom, type Elements } from "../../host/model/elements.js";
import { modelInputs } from "../../host/model/edges.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { QLayer, QModel } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import { syntheticModels, type NamedModel } from "./models.js";

/** Factors between two elements stay; a sum's multipliers have 7 bits less, a product is 256 times as large, and in the place of a table is a cut. */
function widenedLayer(layer: QLayer, { tensors }: QModel): QLayer {
  if (layer.op === "lut") {
    const { inputs, output } = layer;
    return { op: "maxpool", inputs, output, kernel: [1, 1], stride: [1, 1], pad: [0, 0], clamp: [-30000, 20000] };
  }
  if (!("clamp" in layer)) return layer;
  const { zeroPoint } = tensors[layer.output];
  const [low, high] = layer.clamp;
  const isStep = low === 0 && high === 1;
  const clamp = isStep
    ? layer.clamp
    : ([low === zeroPoint ? 0 : 256 * low, high === 127 ? 32767 : 256 * high] as const);
  switch (layer.op) {
    case "conv2d":
    case "dense":
      return { ...layer, clamp, bias: layer.bias.map((value) => 256 * value) };
    case "add": {
      const [a, b] = layer.multipliers.map((factor) => factor >> 7);
      return { ...layer, clamp, multipliers: [a, b], shift: layer.shift - 7 };
    }
    case "mul":
      return { ...layer, clamp, shift: layer.shift + 8 };
    default:
      return { ...layer, clamp };
  }
}

export const widened = (model: QModel): QModel => ({
  ...model,
  tensors: model.tensors.map((tensor) => ({ ...tensor, bits: 16, zeroPoint: 0 })),
  layers: model.layers.map((layer) => widenedLayer(layer, model)),
});

/** The synthetic models. */
export const wideModels = (): NamedModel[] =>
  syntheticModels().map(({ name, model }) => ({ name, model: widened(model) }));

/** Of all inputs of a model, in order: any elements, the least and the largest among them. */
export function wideInputs(model: QModel, seed: number): Elements[] {
  return modelInputs(model).map((tensor) => {
    const elements = elementsFor(model.tensors[tensor], valuesOf(model.tensors[tensor].shape));
    fillRandom(elements, new Random(seed, 7 + tensor));
    elements.set([-32768, 32767].slice(0, elements.length));
    return elements;
  });
}
