/**
 * The stream of a fast module: each layer's weights as records that a kernel takes as they stand, and for each row a constant that all
 * that is known beforehand folds into (SPEC.md, "The fast module"). An element in memory is the byte int8 + 128.
 */
import { RECORD_BYTES } from "../../assembly/abi.js";
import {
  BLOCK_HEIGHT,
  BLOCK_WIDTH,
  CHUNK_HEAD_BYTES,
  CHUNK_MAGNITUDE,
  CHUNK_RECORDS,
  KIND_CONV_BLOCKS,
  KIND_CONV_PLACES,
  KIND_CONV_POOLED,
  PAIR_BYTES,
  PAIRS_AT_ONCE,
  ROW_BYTES,
  TILE_MAGNITUDE,
  TILE_RECORDS,
  TILE_SIZE,
} from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { channelsOf } from "../ops/conv2d.js";
import { offsetOf, pitchAndPlane, placeOf, valuesOf } from "../model/geometry.js";
import { inputOf } from "../model/edges.js";
import { fold, MOST_ELEMENT, rowHead, storedZero, UNCHANGED, unsupported, type Fold } from "./fold.js";
import type { QAvgPool, QConv2d, QDense, QMaxPool, QModel, QTensor, Shape } from "../model/model.js";

/** A chunk has 16 bits for its records. */
const MAX_RECORDS = 0xffff;

/** The stream of one layer. */
export interface LayerStream {
  readonly bytes: Uint8Array;
  /** KIND_CONV_BLOCKS: whether a row has more than one chunk. */
  readonly isWide: boolean;
  /** Bytes that the window must hold at once: a convolution's fullest row without its head, a table, or the head. */
  readonly windowBytes: number;
}

/** A weight and where its element is, in bytes from the first that the row looks at. */
interface Tap {
  readonly offset: number;
  readonly weight: number;
}

/** Which kernel runs a convolution. */
export function convKind(model: QModel, layer: QConv2d): number {
  const [rows, height, width] = model.tensors[layer.output].shape;
  const [size, ...others] = [...layer.pool.size, ...layer.pool.stride];
  const isBlockwise = layer.stride.join() === "1,1" && size <= 2 && others.every((other) => other === size);
  const isTileable = isBlockwise && size === 2 && 2 * width >= TILE_SIZE && 2 * height >= TILE_SIZE;
  if (isTileable && isLight(layer, rows)) return KIND_CONV_POOLED;
  return isBlockwise && width * size >= BLOCK_WIDTH && height * size >= BLOCK_HEIGHT
    ? KIND_CONV_BLOCKS
    : KIND_CONV_PLACES;
}

/** Whether all filters are within what KIND_CONV_POOLED takes. */
function isLight({ weights }: QConv2d, rows: number): boolean {
  const columns = weights.length / rows;
  return Array.from({ length: rows }, (_, row) => weights.subarray(row * columns, (row + 1) * columns)).every(
    (filter) =>
      filter.reduce((sum, w) => sum + Math.abs(w), 0) <= TILE_MAGNITUDE &&
      filter.reduce((records, w) => records + Number(w !== 0), 0) <= TILE_RECORDS,
  );
}

export function maxPoolStream(model: QModel, layer: QMaxPool, where: string): LayerStream {
  return channelStream(model, layer.output, rowHead(UNCHANGED, 0, where));
}

export function avgPoolStream(model: QModel, layer: QAvgPool, where: string): LayerStream {
  return channelStream(model, layer.output, rowHead(foldPool(model, layer, where), 0, where));
}

/** What is the same for every channel. */
export function channelStream(model: QModel, output: number, row: Uint8Array): LayerStream {
  const rows = Array.from({ length: model.tensors[output].shape[0] }, () => row);
  return { bytes: concatBytes(rows), isWide: false, windowBytes: ROW_BYTES };
}

export function denseStream(model: QModel, layer: QDense, where: string): LayerStream {
  const input = model.tensors[inputOf(layer)];
  const offsets = elementOffsets(input);
  const pieces: Uint8Array[] = [];
  eachRow(model, layer, (row, weights) => {
    const taps = [...weights].flatMap((weight, column) => (weight === 0 ? [] : { offset: offsets[column], weight }));
    const pairs = pairsOf(taps);
    const place = `${where}, row ${row}`;
    pieces.push(rowHead(foldRow(model, layer, row, taps, 0, place), pairs.length / PAIR_BYTES, place), pairs);
  });
  return { bytes: concatBytes(pieces), isWide: false, windowBytes: ROW_BYTES };
}

export function convStream(model: QModel, layer: QConv2d, where: string): LayerStream {
  const isBlockwise = convKind(model, layer) !== KIND_CONV_PLACES;
  const pieces: Uint8Array[] = [];
  let isWide = false;
  let windowBytes = ROW_BYTES;
  eachRow(model, layer, (row, weights) => {
    const place = `${where}, row ${row}`;
    const taps = convTaps(model, layer, row, weights);
    // The kernels take at least one record.
    if (taps.length === 0) taps.push({ offset: 0, weight: 0 });
    if (!isBlockwise && taps.length > MAX_RECORDS) {
      unsupported(`${place}: ${taps.length} weights, at most ${MAX_RECORDS} are allowed`);
    }
    const chunks = isBlockwise ? chunksOf(taps) : [taps];
    const biases = chunks.map((chunk) => (isBlockwise ? MOST_ELEMENT * magnitude(chunk, -1) : 0));
    const start = biases.reduce((sum, bias) => sum + bias, 0);
    const body = concatBytes(chunks.map((chunk, i) => chunkBytes(chunk, biases[i])));
    pieces.push(rowHead(foldRow(model, layer, row, taps, start, place), body.length, place), body);
    isWide ||= chunks.length > 1;
    windowBytes = Math.max(windowBytes, body.length);
  });
  return { bytes: concatBytes(pieces), isWide, windowBytes };
}

function eachRow(model: QModel, layer: QConv2d | QDense, visit: (row: number, weights: Int8Array) => void): void {
  const rows = model.tensors[layer.output].shape[0];
  const columns = layer.weights.length / rows;
  for (let row = 0; row < rows; row++) visit(row, layer.weights.subarray(row * columns, (row + 1) * columns));
}

/** Of each element, [C, H, W], from the first. */
function elementOffsets(tensor: QTensor): Uint32Array {
  const layout = pitchAndPlane(tensor);
  return Uint32Array.from({ length: valuesOf(tensor.shape) }, (_, i) => offsetOf(layout, ...placeOf(tensor.shape, i)));
}

/** The non-zero weights of a filter, from its first tap in the input's first channel. */
function convTaps(model: QModel, layer: QConv2d, row: number, weights: Int8Array): Tap[] {
  const from = model.tensors[inputOf(layer)].shape;
  const layout = pitchAndPlane(model.tensors[inputOf(layer)]);
  const filter: Shape = [from[0] / layer.groups, ...layer.kernel];
  const [firstChannel] = channelsOf(layer.groups, row, from, model.tensors[layer.output].shape);
  const taps: Tap[] = [];
  weights.forEach((weight, column) => {
    if (weight === 0) return;
    const [channel, y, x] = placeOf(filter, column);
    taps.push({ offset: offsetOf(layout, firstChannel + channel, y, x), weight });
  });
  return taps;
}

/** What a chunk's lanes can hold, in few chunks: the heaviest weights first, each into the first chunk that has room for it. */
function chunksOf(taps: readonly Tap[]): Tap[][] {
  const chunks: { readonly taps: Tap[]; magnitude: number }[] = [];
  for (const tap of taps.toSorted((a, b) => Math.abs(b.weight) - Math.abs(a.weight) || a.offset - b.offset)) {
    const weight = Math.abs(tap.weight);
    let chunk = chunks.find((one) => one.taps.length < CHUNK_RECORDS && one.magnitude + weight <= CHUNK_MAGNITUDE);
    if (chunk === undefined) chunks.push((chunk = { taps: [], magnitude: 0 }));
    chunk.taps.push(tap);
    chunk.magnitude += weight;
  }
  return chunks.map((chunk) => chunk.taps.sort((a, b) => a.offset - b.offset));
}

/** Sum of the magnitudes of the weights of one sign. */
function magnitude(taps: readonly Tap[], sign: 1 | -1): number {
  return taps.reduce((sum, { weight }) => sum + Math.max(0, weight * sign), 0);
}

/** @param start what the kernel's sum begins with */
function foldRow(
  model: QModel,
  layer: QConv2d | QDense,
  row: number,
  taps: readonly Tap[],
  start: number,
  where: string,
): Fold {
  const scale = layer.multiplier.length > 1 ? row : 0;
  const [positive, negative] = [magnitude(taps, 1), magnitude(taps, -1)];
  return fold({
    lowest: start - MOST_ELEMENT * negative,
    highest: start + MOST_ELEMENT * positive,
    toAccumulator: layer.bias[row] - storedZero(model, inputOf(layer)) * (positive - negative) - start,
    multiplier: layer.multiplier[scale],
    shift: layer.shift[scale],
    zero: storedZero(model, layer.output),
    clamp: layer.clamp,
    isAverage: false,
    where,
  });
}

/** An average is the sum of so many weights of 1. */
function foldPool(model: QModel, layer: QAvgPool, where: string): Fold {
  const { kernel, multiplier, shift, clamp } = layer;
  const elements = kernel[0] * kernel[1];
  return fold({
    lowest: 0,
    highest: MOST_ELEMENT * elements,
    toAccumulator: -storedZero(model, inputOf(layer)) * elements,
    multiplier,
    shift,
    zero: storedZero(model, layer.output),
    clamp,
    isAverage: true,
    where,
  });
}

function chunkBytes(taps: readonly Tap[], bias: number): Uint8Array {
  const chunk = new DataView(new ArrayBuffer(CHUNK_HEAD_BYTES + RECORD_BYTES * taps.length));
  chunk.setUint16(0, taps.length, true);
  chunk.setUint16(2, bias, true);
  taps.forEach(({ offset, weight }, i) => {
    chunk.setUint32(CHUNK_HEAD_BYTES + RECORD_BYTES * i, offset * 256 + (weight & 255), true);
  });
  return new Uint8Array(chunk.buffer);
}

/** Pairs of gap and weight; a gap above 255 is divided by weights of zero, and a row filled up with them. */
function pairsOf(taps: readonly Tap[]): Uint8Array {
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
