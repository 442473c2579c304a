/** Entries of the layer table for crop and append, which copy: in front of the layer's own, which then has nothing to do. */
import * as layout from "../../assembly/fast/layout.js";
import { inputsOf } from "../model/edges.js";
import { offsetOf, pitchAndPlane } from "../model/geometry.js";
import type { QLayer, QModel } from "../model/model.js";
import { copiedParts, type Part } from "../ops/parts.js";
import type { Entry } from "./entry.js";

function partsOf({ tensors }: QModel, layer: QLayer): readonly Part[] {
  const inputs = inputsOf(layer).map((input) => tensors[input].shape);
  return copiedParts(layer, inputs, tensors[layer.output].shape);
}

/** @param firstElement of each tensor */
export function copyEntries(model: QModel, layer: QLayer, firstElement: readonly number[]): Entry[] {
  const output = pitchAndPlane(model.tensors[layer.output]);
  const {
    shape: [channels],
    border,
  } = model.tensors[layer.output];
  return partsOf(model, layer).map(({ input, channel, from, to, size: [height, width] }, index) => {
    const read = inputsOf(layer)[input];
    const source = pitchAndPlane(model.tensors[read]);
    // What lies between lines is copied with the first part, all as one line: the second part writes over it.
    const isLike = source.pitch === output.pitch && source.plane === output.plane;
    const [rows, lines, bytes] =
      index === 0 && isLike && border === 0
        ? [1, 1, offsetOf(output, channels - 1, height - 1, width)]
        : [channels, height, width];
    return new Map([
      [layout.LAYER_KIND, layout.KIND_COPY],
      [layout.LAYER_INPUT, firstElement[read] + offsetOf(source, channel, ...from)],
      [layout.LAYER_INPUT_PITCH, source.pitch],
      [layout.LAYER_INPUT_PLANE, source.plane],
      [layout.LAYER_OUTPUT, firstElement[layer.output] + offsetOf(output, 0, ...to)],
      [layout.LAYER_OUTPUT_PITCH, output.pitch],
      [layout.LAYER_OUTPUT_PLANE, output.plane],
      [layout.LAYER_OUTPUT_HEIGHT, lines],
      [layout.LAYER_OUTPUT_WIDTH, bytes],
      [layout.LAYER_ROWS, rows],
    ]);
  });
}

/** Entries that a layer has in front of its own. */
export const copyCount = (model: QModel, layer: QLayer): number => partsOf(model, layer).length;
