/** What both formats' rules lower nodes with weights to: convolutions, dense layers and factors, from whatever order the file has. */
import { valuesOf } from "../model/geometry.js";
import type { Axes } from "../model/model.js";
import { CannotLower } from "./cannot-lower.js";
import type { GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import { addPads, windowed } from "./moving-window.js";
import { NO_CLAMP, NO_PADS, type BatchNorm, type Clamp, type NetWeights, type Pads, type TensorScale } from "./net.js";
import { mapRows } from "./rows.js";
import { hasOwnChannels, isSamePlace, noPads, planarIndex, type View } from "./view.js";

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
  if (factors.length + offsets.length > 2 && !hasOwnChannels(seen, shape, lowering.layout))
    throw new CannotLower("its constants are one for each row of the file, where channels are; expected one a channel");
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
