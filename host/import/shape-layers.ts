/** What both formats' rules lower nodes to that leave elements as they are in another shape: padded, reshaped, resized. */
import { valuesOf } from "../model/geometry.js";
import type { Axes } from "../model/model.js";
import { CannotLower } from "./cannot-lower.js";
import { lowerRescale } from "./element-layers.js";
import type { GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import { addPads } from "./moving-window.js";
import { NO_CLAMP, NO_PADS, type NetWeights, type Pads } from "./net.js";
import { noPads } from "./view.js";

/** Zeros around planes, which whoever reads them takes into its own padding. */
export function lowerPad(node: GraphNode, lowering: Lowering, pads: Pads): void {
  const seen = lowering.view(node);
  lowering.image(node); // an image, or refused
  lowering.alias(node, { ...seen, dims: lowering.dims(node), pads: addPads(seen.pads, pads) });
}

/** Channels of zeros behind those that there are: a convolution of 1 × 1 that has no weights for them. */
export function lowerChannelPad(node: GraphNode, lowering: Lowering, before: number, behind: number): void {
  const { tensor, shape, pads } = lowering.image(node);
  const columns = shape[0];
  const rows = before + columns + behind;
  if (lowering.tensors[tensor].quantization !== undefined)
    throw new CannotLower("it pads the channels of an int8 tensor");
  const values = new Float32Array(rows * columns);
  for (let channel = 0; channel < columns; channel++) values[(before + channel) * columns + channel] = 1;
  const one: Axes = [1, 1];
  const weights: NetWeights = { rows, columns, values, bias: new Float32Array(rows) };
  if (pads.some((zeros) => zeros > 0)) throw new CannotLower("it pads an input with padding around it");
  const layer = { op: "conv2d", kernel: one, stride: one, pads: NO_PADS, groups: 1, weights, clamp: NO_CLAMP } as const;
  lowering.emit(node, { ...layer, inputs: [tensor] }, [rows, shape[1], shape[2]]);
}

/** The node only renames what it reads, or gives it another shape of as many elements in the same order. */
export function lowerReshape(node: GraphNode, lowering: Lowering): void {
  const seen = lowering.view(node);
  noPads(seen);
  if (seen.softmax === undefined && !lowering.hasScaleOf(seen.tensor, node.outputs[0]))
    return lowerRescale(node, lowering, NO_CLAMP);
  const dims = lowering.dims(node);
  const count = valuesOf(lowering.shapeOf(seen.tensor));
  if (dims.reduce((product, size) => product * size, 1) !== count) {
    throw new CannotLower(`its output is [${dims.join(", ")}], expected ${count} elements`);
  }
  lowering.alias(node, { ...seen, dims });
}

/** Each element becomes a block. */
export function lowerResize(node: GraphNode, lowering: Lowering, factor: Axes): void {
  const { tensor, shape, pads } = lowering.image(node);
  if (pads.some((zeros) => zeros > 0)) throw new CannotLower("it resizes an input with padding around it");
  if (!factor.every((size) => Number.isInteger(size) && size >= 1 && size <= 255)) {
    throw new CannotLower(`it resizes by ${factor.join(" × ")}, expected whole factors, 1 .. 255`);
  }
  lowering.emit(node, { op: "resize", inputs: [tensor], factor }, [
    shape[0],
    shape[1] * factor[0],
    shape[2] * factor[1],
  ]);
}
