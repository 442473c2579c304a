/** What both formats' rules lower nodes to: convolutions, dense layers, pools, sums and functions, from whatever order the file has. */
import { valuesOf } from "../model/geometry.js";
import type { Axes } from "../model/model.js";
import type { GraphNode } from "./graph.js";
import { CannotLower, intersect, windowed, type Lowering } from "./lowering.js";
import type { FunctionName } from "../ops/functions.js";
import {
  mapOf,
  NO_CLAMP,
  NO_PADS,
  type BatchNorm,
  type Clamp,
  type NetWeights,
  type Pads,
  type TensorScale,
} from "./net.js";
import { mapRows } from "./rows.js";
import { lowerAppend, planarAxis } from "./part-layers.js";
import { isSamePlace, planarIndex, type View } from "./view.js";

const addPads = (a: Pads, b: Pads): Pads => [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];

/** TensorFlow's SAME: as many outputs as strides begin, the odd zero at the end (tf.nn.convolution). */
export function samePads([height, width]: Axes, kernel: Axes, stride: Axes): Pads {
  const total = (extent: number, axis: 0 | 1): number =>
    Math.max(0, (Math.ceil(extent / stride[axis]) - 1) * stride[axis] + kernel[axis] - extent);
  const [y, x] = [total(height, 0), total(width, 1)];
  return [Math.floor(y / 2), Math.floor(x / 2), Math.ceil(y / 2), Math.ceil(x / 2)];
}

export interface ConvSpec {
  readonly kernel: Axes;
  readonly stride: Axes;
  readonly dilation: Axes;
  /** By the size of a dilated kernel over the image without the padding of a node before. */
  readonly pads: (image: Axes, kernel: Axes) => Pads;
  readonly groups: number;
  readonly outChannels: number;
  /** Rows of [C_IN / groups, KH, KW] each, not dilated. */
  readonly weights: NetWeights;
  readonly clamp: Clamp;
}

export function lowerConv(node: GraphNode, lowering: Lowering, spec: ConvSpec): void {
  const { tensor, shape, pads: before } = lowering.image(node);
  const { stride, groups, outChannels, clamp } = spec;
  const channels = shape[0] / groups;
  if (!Number.isInteger(channels) || outChannels % groups !== 0) {
    throw new CannotLower(`${groups} groups do not divide ${shape[0]} input and ${outChannels} output channels`);
  }
  if (spec.weights.columns !== channels * spec.kernel[0] * spec.kernel[1]) {
    throw new CannotLower(
      `its filters have ${spec.weights.columns} weights, expected ${channels} × ${spec.kernel.join(" × ")}`,
    );
  }
  const { kernel, weights } = dilated(spec, channels);
  const padded: Axes = [shape[1] + before[0] + before[2], shape[2] + before[1] + before[3]];
  const pads = addPads(before, spec.pads(padded, kernel));
  const size = windowed(shape, pads, kernel, stride);
  const layer = { op: "conv2d", inputs: [tensor], kernel, stride, pads, groups, weights, clamp } as const;
  lowering.emit(node, layer, [outChannels, ...size]);
}

/** A kernel with zeros between its weights. */
function dilated({ kernel, dilation, weights }: ConvSpec, channels: number): { kernel: Axes; weights: NetWeights } {
  if (dilation[0] === 1 && dilation[1] === 1) return { kernel, weights };
  const grown: Axes = [(kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1];
  const spread = mapRows(weights, channels * grown[0] * grown[1], (from, to) => {
    let at = 0;
    for (let channel = 0; channel < channels; channel++) {
      for (let y = 0; y < kernel[0]; y++) {
        for (let x = 0; x < kernel[1]; x++) {
          to[(channel * grown[0] + y * dilation[0]) * grown[1] + x * dilation[1]] = from[at++];
        }
      }
    }
  });
  return { kernel: grown, weights: spread };
}

/** @param weights rows over the file's elements, in the file's order */
export function lowerDense(node: GraphNode, lowering: Lowering, weights: NetWeights, clamp: Clamp): void {
  lowering.emit(node, denseLayer(node, lowering, weights, clamp), [weights.rows, 1, 1]);
}

/** A layer that multiplies the node's input. @param weights as those of `lowerDense` */
export function denseLayer(node: GraphNode, lowering: Lowering, weights: NetWeights, clamp: Clamp) {
  const seen = lowering.view(node);
  const shape = lowering.shapeOf(seen.tensor);
  noPads(seen);
  if (weights.columns !== valuesOf(shape)) {
    throw new CannotLower(
      `it takes ${weights.columns} elements of an input of ${valuesOf(shape)}; only one row of the input at a time is supported`,
    );
  }
  return { op: "dense", inputs: [seen.tensor], weights: reordered(weights, seen, lowering), clamp } as const;
}

/** Columns in the order in which the planar tensor has them. */
function reordered(weights: NetWeights, seen: View, lowering: Lowering): NetWeights {
  const shape = lowering.shapeOf(seen.tensor);
  if (isSamePlace(seen.order.kind, shape, "chw", shape)) return weights;
  const place = planarIndex(seen.order.kind, shape);
  const { columns } = weights;
  const places = Int32Array.from({ length: columns }, (_, column) => place(column));
  return mapRows(weights, columns, (from, to) => {
    for (let column = 0; column < columns; column++) to[places[column]] = from[column];
  });
}

export interface PoolSpec {
  readonly op: "maxpool" | "avgpool";
  readonly kernel: Axes;
  readonly stride: Axes;
  readonly pads: (image: Axes, kernel: Axes) => Pads;
  /** Whether an average counts the zeros of its own padding. */
  readonly countsPads: boolean;
  readonly clamp: Clamp;
}

export function lowerPool(node: GraphNode, lowering: Lowering, spec: PoolSpec): void {
  const { tensor, shape, pads: before } = lowering.image(node);
  const { op, kernel, stride, clamp } = spec;
  const padded: Axes = [shape[1] + before[0] + before[2], shape[2] + before[1] + before[3]];
  const own = spec.pads(padded, kernel);
  const size = windowed(shape, addPads(before, own), kernel, stride);
  // Below and on the right zeros that no window reaches do not count.
  const reach = (axis: 0 | 1): number => (size[axis] - 1) * stride[axis] + kernel[axis] - padded[axis] - own[axis];
  const reached: Pads = [own[0], own[1], Math.max(0, reach(0)), Math.max(0, reach(1))];
  if (reached.some((zeros) => zeros > 0)) {
    if (op === "avgpool" && !spec.countsPads) {
      throw new CannotLower(
        "it averages over fewer elements at the edges; pad by a node of its own, or choose a window that divides the input",
      );
    }
    if (op === "maxpool" && !isNonNegative(lowering, tensor)) {
      throw new CannotLower(
        "it pads an input that may be below 0, where the padding is not the least value; expected a relu before it",
      );
    }
  }
  lowering.emit(node, { op, inputs: [tensor], kernel, stride, pads: addPads(before, reached), clamp }, [
    shape[0],
    ...size,
  ]);
}

/** Whether all elements are 0 or more whatever the input. */
function isNonNegative(lowering: Lowering, tensor: number): boolean {
  const { quantization } = lowering.tensors[tensor];
  if (quantization?.zeroPoint === -128) return true;
  const layer = lowering.producer(tensor);
  if (layer === undefined) return false;
  if ("clamp" in layer && layer.clamp.low >= 0) return true;
  if (["maxpool", "avgpool", "concat", "resize", "crop", "append"].includes(layer.op)) {
    return layer.inputs.every((input) => isNonNegative(lowering, input));
  }
  return false;
}

/** The mean of each plane. */
export function lowerGlobalPool(node: GraphNode, lowering: Lowering, op: "maxpool" | "avgpool"): void {
  const seen = lowering.view(node);
  noPads(seen);
  const { tensor, dims, order } = seen;
  const shape = lowering.shapeOf(tensor);
  // In whatever dimensions the elements of a channel come, they are those of its plane.
  const channels = lowering.layout === "chw" ? dims[1] : dims[dims.length - 1];
  if (channels !== shape[0] || order.kind !== lowering.layout) lowering.image(node);
  const kernel: Axes = [shape[1], shape[2]];
  lowering.emit(node, { op, inputs: [tensor], kernel, stride: [1, 1], pads: NO_PADS, clamp: NO_CLAMP }, [
    shape[0],
    1,
    1,
  ]);
}

/**
 * factor × x + offset, of one number each or one for each channel: part of the layer before where that has weights of real numbers and is read by
 * nothing else, else a convolution of 1 × 1.
 * @param batchNorm what they are made of, where that stays a layer
 */
export function lowerAffine(
  node: GraphNode,
  lowering: Lowering,
  factors: Float64Array,
  offsets: Float64Array,
  input = 0,
  batchNorm?: BatchNorm,
): void {
  const seen = lowering.view(node, input);
  noPads(seen);
  const shape = lowering.shapeOf(seen.tensor);
  const [channels] = shape;
  // Channels that the file has as places of fewer channels have them one behind the other.
  const last = seen.dims[seen.dims.length - 1];
  const isFolded = lowering.layout === "hwc" && valuesOf(shape) === channels && channels % last === 0;
  for (const { length } of [factors, offsets]) {
    if (length !== 1 && length !== channels && !(isFolded && length === last))
      throw new CannotLower(`a constant of ${length} elements, expected 1 or ${channels}, one a channel`);
  }
  const factor = (row: number): number => factors[row % factors.length];
  const offset = (row: number): number => offsets[row % offsets.length];
  const producer = lowering.producer(seen.tensor);
  const isLinear =
    batchNorm === undefined &&
    producer !== undefined &&
    "weights" in producer &&
    producer.clamp.low === -Infinity &&
    producer.clamp.high === Infinity &&
    !(producer.weights.values instanceof Int8Array) &&
    lowering.isSoleReader(node, input);
  if (isLinear) {
    const scaled = mapRows(producer.weights, producer.weights.columns, (from, to, row) => {
      const scale = factor(row);
      for (let column = 0; column < from.length; column++) to[column] = from[column] * scale;
    });
    const moved = (values: Float32Array | Int32Array): Float32Array =>
      Float32Array.from(values, (value, row) => value * factor(row) + offset(row));
    const norm = "batchNorm" in producer ? producer.batchNorm : undefined;
    const moreNorm = norm && {
      ...norm,
      weight: norm.weight.map((value, row) => value * factor(row)),
      bias: moved(norm.bias),
    };
    const weights = { ...scaled, bias: moved(scaled.bias) };
    lowering.replaceProducer(producer, { ...producer, weights, ...(moreNorm && { batchNorm: moreNorm }) });
    lowering.rename(node, seen.tensor);
    lowering.alias(node, { ...seen, dims: lowering.dims(node) }, input);
    return;
  }
  const one: Axes = [1, 1];
  const weights = diagonal(channels, factor, offset, lowering.tensors[seen.tensor].quantization);
  const layer = {
    op: "conv2d",
    kernel: one,
    stride: one,
    pads: NO_PADS,
    groups: channels,
    weights,
    clamp: NO_CLAMP,
    ...(batchNorm === undefined ? {} : { batchNorm }),
  } as const;
  lowering.emitAs(node, { ...layer, inputs: [seen.tensor] }, shape, seen.order.kind);
}

/** A weight a row: of an int8 tensor its factor is the row's scale, so that nothing is rounded. */
function diagonal(
  rows: number,
  factor: (row: number) => number,
  offset: (row: number) => number,
  quantization: TensorScale | undefined,
): NetWeights {
  const each = <T>(of: (row: number) => T): T[] => Array.from({ length: rows }, (_, row) => of(row));
  if (quantization === undefined) {
    return { rows, columns: 1, values: Float32Array.from(each(factor)), bias: Float32Array.from(each(offset)) };
  }
  const scales = Float32Array.from(each((row) => Math.abs(factor(row)) / 127 || 1 / 127));
  const biases = each((row) => Math.round(offset(row) / (quantization.scale * scales[row])));
  const beyond = biases.findIndex((bias) => !(bias >= -(2 ** 31) && bias < 2 ** 31));
  if (beyond >= 0) {
    throw new CannotLower(`its constant ${offset(beyond)} is beyond int32 at its input's scale ${quantization.scale}`);
  }
  return {
    rows,
    columns: 1,
    values: Int8Array.from(each((row) => 127 * Math.sign(factor(row)))),
    scales,
    bias: Int32Array.from(biases),
  };
}

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

/** A relu or another cut: part of the layer before where that is read by nothing else, else a layer that cuts. */
export function lowerClamp(node: GraphNode, lowering: Lowering, clamp: Clamp, input = 0): void {
  const seen = lowering.view(node, input);
  noPads(seen);
  const producer = lowering.producer(seen.tensor);
  const isSameScale = lowering.hasScaleOf(seen.tensor, node.outputs[0]);
  if (producer !== undefined && "clamp" in producer && isSameScale && lowering.isSoleReader(node, input)) {
    lowering.replaceProducer(producer, { ...producer, clamp: intersect(producer.clamp, clamp) });
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
  lowerMap(node, lowering, "clamp", [clamp.low, clamp.high]);
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

/** The node only renames what it reads, or gives it another shape of as many elements in the same order. */
export function lowerReshape(node: GraphNode, lowering: Lowering): void {
  const seen = lowering.view(node);
  noPads(seen);
  if (!seen.isLast && !lowering.hasScaleOf(seen.tensor, node.outputs[0])) return lowerMap(node, lowering, "identity");
  const dims = lowering.dims(node);
  const count = valuesOf(lowering.shapeOf(seen.tensor));
  if (dims.reduce((product, size) => product * size, 1) !== count) {
    throw new CannotLower(`its output is [${dims.join(", ")}], expected ${count} elements`);
  }
  lowering.alias(node, { ...seen, dims });
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
  if (!isSame && !(op === "mul" && isGate(second, shape))) {
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

/** Along the channels of images, or of vectors; or along rows or columns. */
export function lowerConcat(node: GraphNode, lowering: Lowering, axis: number): void {
  if (node.inputs.length === 0) throw new CannotLower("it joins nothing");
  const dims = lowering.dims(node);
  const channelAxis = dims.length <= 2 || lowering.layout === "chw" ? Math.min(1, dims.length - 1) : dims.length - 1;
  if ((axis + dims.length) % dims.length !== channelAxis) {
    const parts = node.inputs.map((_, input) => lowering.view(node, input));
    const isLast = lowering.isAtEnd(node.outputs[0]) && lowering.graph.outputs.includes(node.outputs[0]);
    // What no layer writes is no output of a model.
    if (isLast && parts.every(({ tensor }) => lowering.producer(tensor) !== undefined)) {
      lowering.leaveToHost(node, parts);
      lowering.notes.push(
        `${node.name}: the last concatenation is left out; the model has ${node.inputs.length} outputs in its place`,
      );
      return;
    }
    const planar = planarAxis(lowering.layout, dims.length, (axis + dims.length) % dims.length);
    if (planar === 1 || planar === 2) return lowerAppend(node, lowering, planar);
    throw new CannotLower(`it joins along axis ${axis} of [${dims.join(", ")}], expected channels, rows or columns`);
  }
  const parts = node.inputs.map((_, input) => lowering.image(node, input));
  if (parts.some(({ pads }) => pads.some((zeros) => zeros > 0)))
    throw new CannotLower("it joins an input with padding around it");
  const [, height, width] = parts[0].shape;
  const channels = parts.reduce((sum, { shape }) => sum + shape[0], 0);
  lowering.emit(node, { op: "concat", inputs: parts.map(({ tensor }) => tensor) }, [channels, height, width]);
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

/** A softmax keeps the order of its inputs: at the end of a net it is left out. */
export function lowerSoftmax(node: GraphNode, lowering: Lowering): void {
  if (!lowering.isAtEnd(node.outputs[0])) {
    throw new CannotLower("it is not the last node; only a softmax at the end of a net can be left to the host");
  }
  const seen = lowering.view(node);
  noPads(seen);
  lowering.alias(node, { ...seen, isLast: true });
  lowering.notes.push(`${node.name}: the softmax at the end is left out; outputs are its inputs, of the same order`);
}

function noPads({ pads }: View): void {
  if (pads.some((zeros) => zeros > 0))
    throw new CannotLower("its input has padding around it; only convolutions and pools take that");
}
