/** What streams of layers with weights are made of: rows, each with what takes its sum to an output byte. */
import { PAIR_BYTES, PAIRS_AT_ONCE } from "../../assembly/fast/layout.js";
import { inputOf } from "../model/edges.js";
import type { QConv2d, QDense, QModel } from "../model/model.js";
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

/** A weight and where its element is, in bytes from the first that the row looks at. */
export interface Tap {
  readonly offset: number;
  readonly weight: number;
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

/** Sum of the magnitudes of the weights of one sign. */
export function magnitude(weights: Int8Array, sign: 1 | -1): number {
  return weights.reduce((sum, weight) => sum + Math.max(0, weight * sign), 0);
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

function foldedRow(
  model: QModel,
  layer: QConv2d | QDense,
  row: number,
  weights: Int8Array,
  start: number,
  where: string,
): Folded {
  const scale = layer.multiplier.length > 1 ? row : 0;
  const [positive, negative] = [magnitude(weights, 1), magnitude(weights, -1)];
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
export function pairsOf(taps: readonly Tap[]): Uint8Array {
  const pairs: number[] = [];
  let at = 0;
  for (const { offset, weight } of taps) {
    for (; offset - at > 255; at += 255) pairs.push(255, 0);
    pairs.push(offset - at, weight & 255);
    at = offset;
  }
  const turns = Math.max(1, Math.ceil(pairs.length / (PAIRS_AT_ONCE * PAIR_BYTES)));
  const filled = new Uint8Array(turns * PAIRS_AT_ONCE * PAIR_BYTES);
  filled.set(pairs);
  return filled;
}
