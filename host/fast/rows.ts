/** What streams of layers with weights are made of: rows, each with what takes its sum to an output byte. */
import { PAIR_BYTES, PAIRS_AT_ONCE } from "../../assembly/fast/layout.js";
import { inputOf } from "../model/edges.js";
import { offsetOf, pitchAndPlane, type Layout } from "../model/geometry.js";
import type { QConv2d, QDense, QModel, QTensor, Shape } from "../model/model.js";
import { fold, foldHigh, MOST_ELEMENT, rowHead, storedZero, type Fold, type Folded } from "./fold.js";

/** The stream of one layer. */
export interface LayerStream {
  /** KIND_…: the kernel that runs it. */
  readonly kind: number;
  readonly bytes: Uint8Array;
  /** KIND_CONV_BLOCKS: whether a row has more than one chunk. */
  readonly isWide: boolean;
  /** Bytes that the window must hold at once: a convolution's fullest row without its head, a table, or the head. */
  readonly windowBytes: number;
  /** Bytes that the kernel lays out elements in. */
  readonly scratchBytes: number;
  /** What the layer takes, as cost.ts counts. */
  readonly instructions: number;
}

/** Of one layer by each of the kernels that may run it: first what every model may have; undefined for one that cannot hold the layer's rows. */
export type LayerStreams = readonly [LayerStream, ...(LayerStream | undefined)[]];

/** Weights of a row that are not zero, in their order, and where the element of each is, in bytes from the first that the row looks at. */
export interface Taps {
  readonly offsets: Uint32Array;
  readonly weights: Int8Array;
}

/** Of each element, [C, H, W], from the first. */
export function elementOffsets(tensor: QTensor): Uint32Array {
  return offsetsOf(tensor.shape, pitchAndPlane(tensor));
}

export function offsetsOf([channels, height, width]: Shape, layout: Layout): Uint32Array {
  const offsets = new Uint32Array(channels * height * width);
  let at = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) {
      const line = offsetOf(layout, channel, y, 0);
      for (let x = 0; x < width; x++) offsets[at++] = line + x;
    }
  }
  return offsets;
}

/** @param offsets of the elements that a row's weights multiply, from the first */
export function tapsOf(weights: Int8Array, offsets: Uint32Array): Taps {
  let count = 0;
  for (let column = 0; column < weights.length; column++) if (weights[column] !== 0) count++;
  const taps = { offsets: new Uint32Array(count), weights: new Int8Array(count) };
  for (let column = 0, at = 0; column < weights.length; column++) {
    if (weights[column] === 0) continue;
    taps.offsets[at] = offsets[column];
    taps.weights[at++] = weights[column];
  }
  return taps;
}

export function eachRow(
  model: QModel,
  layer: QConv2d | QDense,
  visit: (row: number, weights: Int8Array) => void,
): void {
  const rows = model.tensors[layer.output].shape[0];
  const columns = layer.weights.length / rows;
  for (let row = 0; row < rows; row++) visit(row, layer.weights.subarray(row * columns, (row + 1) * columns));
}

/** Sums of the magnitudes of the weights of either sign. */
export function magnitudes(weights: Int8Array): readonly [positive: number, negative: number] {
  let positive = 0;
  let negative = 0;
  for (let at = 0; at < weights.length; at++) {
    const weight = weights[at];
    if (weight > 0) positive += weight;
    else negative -= weight;
  }
  return [positive, negative];
}

/**
 * @param weights the row's
 * @param start what the kernel's sum begins with
 */
export function foldRow(
  model: QModel,
  layer: QConv2d | QDense,
  row: number,
  weights: Int8Array,
  start: number,
  where: string,
): Fold {
  return fold(foldedRow(model, layer, row, weights, start, where));
}

/** The head of a row for kernels that begin with the upper half of the product. @returns undefined as foldHigh does */
export function highHead(
  model: QModel,
  layer: QConv2d | QDense,
  row: number,
  weights: Int8Array,
  start: number,
  count: number,
  where: string,
): Uint8Array | undefined {
  const high = foldHigh(foldedRow(model, layer, row, weights, start, where));
  return high && rowHead(high, count, where);
}

/** What foldRow folds. */
export function foldedRow(
  model: QModel,
  layer: QConv2d | QDense,
  row: number,
  weights: Int8Array,
  start: number,
  where: string,
): Folded {
  const scale = layer.multiplier.length > 1 ? row : 0;
  const [positive, negative] = magnitudes(weights);
  return {
    lowest: start - MOST_ELEMENT * negative,
    highest: start + MOST_ELEMENT * positive,
    toAccumulator: layer.bias[row] - storedZero(model, inputOf(layer)) * (positive - negative) - start,
    multiplier: layer.multiplier[scale],
    shift: layer.shift[scale],
    zero: storedZero(model, layer.output),
    clamp: layer.clamp,
    isAverage: false,
    where,
  };
}

/** Pairs of gap and weight; a gap above 255 is divided by weights of zero, and a row filled up with them. */
export function pairsOf({ offsets, weights }: Taps): Uint8Array {
  let count = 0;
  for (let tap = 0, before = 0; tap < offsets.length; before = offsets[tap++]) {
    count += Math.max(1, Math.ceil((offsets[tap] - before) / 255));
  }
  const turns = Math.max(1, Math.ceil(count / PAIRS_AT_ONCE));
  const pairs = new Uint8Array(turns * PAIRS_AT_ONCE * PAIR_BYTES);
  let to = 0;
  for (let tap = 0, at = 0; tap < offsets.length; tap++) {
    for (; offsets[tap] - at > 255; at += 255, to += PAIR_BYTES) pairs[to] = 255;
    pairs[to] = offsets[tap] - at;
    pairs[to + 1] = weights[tap];
    to += PAIR_BYTES;
    at = offsets[tap];
  }
  return pairs;
}
