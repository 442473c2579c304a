/** What both formats' rules lower functions, sums and products of elements to. */
import { valuesOf } from "../model/geometry.js";
import type { Axes } from "../model/model.js";
import type { FunctionName } from "../ops/functions.js";
import { CannotLower } from "./cannot-lower.js";
import { elementsOf } from "./constants.js";
import type { GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import { clampTwice, mapOf, NO_CLAMP, NO_PADS, type Clamp, type NetWeights } from "./net.js";
import { hasOwnChannels, isSamePlace, noPads } from "./view.js";

/** A relu or another cut: part of the layer before where that is read by nothing else, else a layer that cuts. */
export function lowerClamp(node: GraphNode, lowering: Lowering, given: Clamp, input = 0): void {
  const clamp = clampTwice(NO_CLAMP, given);
  const seen = lowering.view(node, input);
  noPads(seen);
  const producer = lowering.producer(seen.tensor);
  const isSameScale = lowering.hasScaleOf(seen.tensor, node.outputs[0]);
  if (producer !== undefined && "clamp" in producer && isSameScale && lowering.isSoleReader(node, input)) {
    lowering.replaceProducer(producer, { ...producer, clamp: clampTwice(producer.clamp, clamp) });
    lowering.rename(node, seen.tensor);
    lowering.alias(node, { ...seen, dims: lowering.dims(node) }, input);
    return;
  }
  if (isSameScale) {
    const one: Axes = [1, 1];
    const layer = { op: "maxpool", inputs: [seen.tensor], kernel: one, stride: one, pads: NO_PADS, clamp } as const;
    lowering.emitAs(node, layer, lowering.shapeOf(seen.tensor), seen.order.kind);
    return;
  }
  lowerRescale(node, lowering, clamp);
}

/** Elements by another scale, and cut: by a table, or of int16, which have none, each as an average of itself. */
export function lowerRescale(node: GraphNode, lowering: Lowering, clamp: Clamp): void {
  if (lowering.bits === 16) {
    const seen = lowering.view(node);
    noPads(seen);
    const one: Axes = [1, 1];
    const layer = { op: "avgpool", inputs: [seen.tensor], kernel: one, stride: one, pads: NO_PADS, clamp } as const;
    lowering.emitAs(node, layer, lowering.shapeOf(seen.tensor), seen.order.kind);
  } else if (clamp === NO_CLAMP) lowerMap(node, lowering, "identity");
  else lowerMap(node, lowering, "clamp", [clamp.low, clamp.high]);
}

/** A function of each element. */
export function lowerMap(
  node: GraphNode,
  lowering: Lowering,
  called: FunctionName,
  parameters: readonly number[] = [],
): void {
  const seen = lowering.view(node);
  noPads(seen);
  const layer = { ...mapOf(called, parameters), inputs: [seen.tensor] } as const;
  lowering.emitAs(node, layer, lowering.shapeOf(seen.tensor), seen.order.kind);
}

/** Two tensors of one shape, in one order, or for a product an image and one element for each channel. */
export function lowerElementwise(node: GraphNode, lowering: Lowering, op: "add" | "sub" | "mul", clamp: Clamp): void {
  const [a, b] = [lowering.view(node, 0), lowering.view(node, 1)];
  noPads(a);
  noPads(b);
  const [shapeA, shapeB] = [lowering.shapeOf(a.tensor), lowering.shapeOf(b.tensor)];
  const isGate = (gate: readonly number[], of: readonly number[]): boolean =>
    gate[0] === of[0] && gate[1] * gate[2] === 1;
  const inputs = op === "mul" && isGate(shapeA, shapeB) && valuesOf(shapeA) < valuesOf(shapeB) ? [b, a] : [a, b];
  const shape = lowering.shapeOf(inputs[0].tensor);
  const second = lowering.shapeOf(inputs[1].tensor);
  const isSame = shape.join() === second.join() && isSamePlace(a.order.kind, shapeA, b.order.kind, shapeB);
  const hasChannels = (): boolean =>
    inputs.every((seen) => hasOwnChannels(seen, lowering.shapeOf(seen.tensor), lowering.layout));
  if (!isSame && !(op === "mul" && isGate(second, shape) && hasChannels())) {
    throw new CannotLower(
      `its inputs are [${a.dims.join(", ")}] and [${b.dims.join(", ")}], expected equal ones in one order`,
    );
  }
  const tensors = inputs.map(({ tensor }) => tensor);
  const layer =
    op === "mul"
      ? ({ op, inputs: tensors, clamp } as const)
      : ({ op: "add", sign: op === "sub" ? -1 : 1, inputs: tensors, clamp } as const);
  lowering.emitAs(node, layer, shape, inputs[0].order.kind);
}

/**
 * Each element times a function of the sum of squares of neighbouring channels: the squares by a table, their sums by a convolution of 1 × 1 whose filters
 * have a weight for each of the neighbours, the factors by a table, and a product.
 * @param size neighbours, the channel among them; of an even number the odd one is behind
 * @param parameters of the function "normalization"
 */
export function lowerNormalization(
  node: GraphNode,
  lowering: Lowering,
  size: number,
  parameters: readonly [alpha: number, beta: number, k: number],
): void {
  const { tensor, shape, pads } = lowering.image(node);
  if (pads.some((zeros) => zeros > 0)) throw new CannotLower("its input has padding around it");
  if (lowering.tensors[tensor].quantization !== undefined)
    throw new CannotLower("it normalizes int8; expected real numbers");
  const between = (layer: Parameters<Lowering["emitBetween"]>[1]): number =>
    lowering.emitBetween(node, layer, shape, undefined);
  const squares = between({ ...mapOf("square"), inputs: [tensor] });
  const one: Axes = [1, 1];
  const weights = neighbours(shape[0], size);
  const conv = { op: "conv2d", kernel: one, stride: one, pads: NO_PADS, groups: 1, weights, clamp: NO_CLAMP } as const;
  const sums = between({ ...conv, inputs: [squares] });
  const factors = between({ ...mapOf("normalization", parameters), inputs: [sums] });
  lowering.emit(node, { op: "mul", inputs: [tensor, factors], clamp: NO_CLAMP }, shape);
}

/** A weight of 1 for each channel and its neighbours. @param size of them all */
export function neighbours(channels: number, size: number): NetWeights & { readonly values: Float32Array } {
  const values = new Float32Array(channels * channels);
  const before = Math.floor((size - 1) / 2);
  for (let row = 0; row < channels; row++) {
    const end = Math.min(channels, row - before + size);
    values.fill(1, row * channels + Math.max(0, row - before), row * channels + end);
  }
  return { rows: channels, columns: channels, values, bias: new Float32Array(channels) };
}

/**
 * A softmax keeps the order of its inputs: at the end of a net it is left out.
 * @param axis of the file that it works along
 * @param isFlat all axes behind it are one with it
 */
export function lowerSoftmax(node: GraphNode, lowering: Lowering, axis: number, isFlat = false): void {
  if (!lowering.isAtEnd(node.outputs[0])) {
    throw new CannotLower("it is not the last node; only a softmax at the end of a net can be left to the host");
  }
  const seen = lowering.view(node);
  noPads(seen);
  const { dims } = seen;
  const own = axis < 0 ? axis + dims.length : axis;
  const behind = elementsOf(dims.slice(own + 1));
  const groups = isFlat ? { size: dims[own] * behind, pitch: 1 } : { size: dims[own], pitch: behind };
  if (!(groups.size > 1))
    throw new CannotLower(`it works along axis ${axis} of [${dims.join(", ")}], expected elements there`);
  lowering.alias(node, { ...seen, softmax: groups });
  const along = groups.size < elementsOf(dims) ? ` along axis ${own}` : "";
  lowering.notes.push(
    `${node.name}: the softmax at the end is left out; outputs are its inputs, of the same order${along}`,
  );
}
