/** A layer as C, by its op. */
import { MoteError } from "../errors.js";
import { inputsOf } from "../model/edges.js";
import type { QModel } from "../model/model.js";
import { isWeighted } from "../ops/index.js";
import type { Argument, LayerCode } from "./c-code.js";
import type { ChipGoal } from "./goal.js";
import type { ChipMemory } from "./memory.js";
import type { Place, Places } from "./place.js";
import { addCode, copyCode, lutCode, mulCode, poolCode, resizeCode } from "./plain-ops.js";
import { weightedCode } from "./weighted.js";

/** @returns nothing for a layer that has nothing to do @throws MoteError UNSUPPORTED by layer and op */
export function layerCode(model: QModel, memory: ChipMemory, index: number, goal: ChipGoal): LayerCode | undefined {
  const layer = model.layers[index];
  const where = `layer ${index} (${layer.op})`;
  const places: Places = {
    inputs: inputsOf(layer).map((tensor) => inputPlace(model, memory, tensor, index)),
    output: outputPlace(model, memory, index),
    rows: memory.chain[index] === undefined ? model.tensors[layer.output].shape[1] : 1,
  };
  if (isWeighted(layer)) return weightedCode(layer, index, places, goal, where);
  switch (layer.op) {
    case "maxpool":
    case "avgpool":
      return poolCode(layer, places, where);
    case "add":
      return addCode(layer, places, where);
    case "mul":
      return mulCode(layer, places, where);
    case "lut":
      return lutCode(layer, index, places, where);
    case "resize":
      return resizeCode(layer, places, where);
    case "crop":
    case "append":
      return copyCode(layer, places, where);
    case "concat":
      return undefined;
    default:
      throw new MoteError("UNSUPPORTED", `${where}: C of its own has no kernel for this op`);
  }
}

/** A window begins with the first row that the layer reads. */
function inputPlace(model: QModel, memory: ChipMemory, tensor: number, layer: number): Place {
  const { begin, inside, pitch, plane } = memory.tensors[tensor];
  const window = memory.chain[layer];
  return placeOf(model, tensor, begin + inside + (window === undefined ? 0 : window.top * pitch), pitch, plane);
}

/** Of a layer by rows, the row that is made next. */
function outputPlace(model: QModel, memory: ChipMemory, layer: number): Place {
  const { output } = model.layers[layer];
  const { begin, inside, pitch, plane } = memory.tensors[output];
  const at = begin + inside;
  if (memory.chain[layer] === undefined) return placeOf(model, output, at, pitch, plane);
  const row = memory.chain[layer + 1] === undefined ? `made_${layer}` : `have_${layer + 1}`;
  return placeOf(model, output, { expression: `${at} + ${row} * ${pitch}u` }, pitch, plane);
}

const placeOf = ({ tensors }: QModel, tensor: number, at: Argument, pitch: number, plane: number): Place => {
  const { shape, zeroPoint } = tensors[tensor];
  return { shape, at, pitch, plane, zero: zeroPoint + 128 };
};
