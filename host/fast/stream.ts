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
  KIND_AVGPOOL,
  KIND_CONV_BLOCKS,
  KIND_CONV_PLACES,
  KIND_CONV_POOLED,
  KIND_DENSE,
  KIND_MAXPOOL,
  PAIR_BYTES,
  PAIRS_AT_ONCE,
  ROW_BYTES,
  TILE_MAGNITUDE,
  TILE_RECORDS,
  TILE_SIZE,
} from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { MoteError } from "../errors.js";
import { channelsOf } from "../ops/conv2d.js";
import { NO_POOL, type Window } from "../ops/op.js";
import { offsetOf, pitchAndPlane, placeOf, valuesOf } from "../model/geometry.js";
import { inputOf } from "../model/edges.js";
import type { Axes, QAvgPool, QConv2d, QDense, QLayer, QMaxPool, QModel, QTensor, Shape } from "../model/model.js";

/** What int8 elements are raised by in the memory of a fast module. */
export const ELEMENT_BIAS = 128;
const MOST_ELEMENT = 255;
/** The head of a row has 24 bits for it. */
const MAX_COUNT = 0xffffff;
/** And a chunk 16 for its records. */
const MAX_RECORDS = 0xffff;

/** The stream of one layer. */
export interface LayerStream {
  readonly bytes: Uint8Array;
  /** KIND_CONV_BLOCKS: whether a row has more than one chunk. */
  readonly isWide: boolean;
  /** Bytes that the window must hold at once: a convolution's fullest row without its head, or the head. */
  readonly windowBytes: number;
}

/** A weight and where its element is, in bytes from the first that the row looks at. */
interface Tap {
  readonly offset: number;
  readonly weight: number;
}

/** How a fast module runs an op: its kernel's kind, its stream, and the words of its entry that say what it looks at. */
interface FastOp<Q extends QLayer> {
  kind(model: QModel, layer: Q): number;
  stream(model: QModel, layer: Q, where: string): LayerStream;
  window(layer: Q): FastWindow;
}

/** Of a kernel: how far it moves over its input, how far outside it begins, and the pool that takes its sums or elements together. */
export interface FastWindow {
  readonly pad: Axes;
  readonly stride: Axes;
  readonly pool: Window;
}

const EVERY_PLACE: Axes = [1, 1];

const FAST_OPS: { readonly [Op in QLayer["op"]]: FastOp<Extract<QLayer, { op: Op }>> } = {
  conv2d: { kind: convKind, stream: convStream, window: (layer) => layer },
  dense: {
    kind: () => KIND_DENSE,
    stream: denseStream,
    window: () => ({ pad: [0, 0], stride: EVERY_PLACE, pool: NO_POOL }),
  },
  maxpool: {
    kind: () => KIND_MAXPOOL,
    stream: (model, layer, where) => poolStream(model, layer, { constant: 0n, multiplier: 1, shift: 0 }, where),
    window: poolWindow,
  },
  avgpool: {
    kind: () => KIND_AVGPOOL,
    stream: (model, layer, where) => poolStream(model, layer, foldPool(model, layer, where), where),
    window: poolWindow,
  },
};

function poolWindow({ kernel, stride, pad }: QMaxPool | QAvgPool): FastWindow {
  return { pad, stride: EVERY_PLACE, pool: { size: kernel, stride } };
}

const fastOp = (layer: QLayer): FastOp<QLayer> => FAST_OPS[layer.op];

/** Which kernel runs a layer. */
export const layerKind = (model: QModel, layer: QLayer): number => fastOp(layer).kind(model, layer);

export const layerWindow = (layer: QLayer): FastWindow => fastOp(layer).window(layer);

function convKind(model: QModel, layer: QConv2d): number {
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

/**
 * @param index the layer's, for errors
 * @throws MoteError UNSUPPORTED naming layer and row: an accumulator that may pass int32 (engines wrap it, a fast module would not), an
 *   output that passes int64 before the shift or int32 behind it, a filter of 65,536 weights or more for a convolution place by place
 */
export function layerStream(model: QModel, layer: QLayer, index: number): LayerStream {
  return fastOp(layer).stream(model, layer, `layer ${index} (${layer.op})`);
}

/** Every channel of a pool has the same head. */
function poolStream(model: QModel, layer: QLayer, fold: Fold, where: string): LayerStream {
  const head = rowHead(fold, 0, where);
  const rows = Array.from({ length: model.tensors[layer.output].shape[0] }, () => head);
  return { bytes: concatBytes(rows), isWide: false, windowBytes: ROW_BYTES };
}

function denseStream(model: QModel, layer: QDense, where: string): LayerStream {
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

function convStream(model: QModel, layer: QConv2d, where: string): LayerStream {
  const isBlockwise = layerKind(model, layer) !== KIND_CONV_PLACES;
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

/** What takes a sum to an output byte: `(sum × multiplier + constant) >> shift`, then the clamp. */
interface Fold {
  readonly constant: bigint;
  readonly multiplier: number;
  readonly shift: number;
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
  return fold(model, layer, {
    bias: layer.bias[row],
    positive: magnitude(taps, 1),
    negative: magnitude(taps, -1),
    start,
    multiplier: layer.multiplier[scale],
    shift: layer.shift[scale],
    where,
  });
}

/** An average is the sum of so many weights of 1. */
function foldPool(model: QModel, layer: QAvgPool, where: string): Fold {
  const { kernel, multiplier, shift } = layer;
  return fold(model, layer, {
    bias: 0,
    positive: kernel[0] * kernel[1],
    negative: 0,
    start: 0,
    multiplier,
    shift,
    where,
  });
}

interface RowFacts {
  readonly bias: number;
  /** Magnitudes of the weights above and below zero, added up. */
  readonly positive: number;
  readonly negative: number;
  readonly start: number;
  readonly multiplier: number;
  readonly shift: number;
  readonly where: string;
}

function fold(model: QModel, layer: QLayer, row: RowFacts): Fold {
  const zeroPoint = model.tensors[layer.output].zeroPoint + ELEMENT_BIAS;
  const [clampMin, clampMax] = layer.clamp.map((q) => BigInt(q + ELEMENT_BIAS));
  // The sum of weights and bytes, and the accumulator of the reference beside it.
  const lowest = row.start - MOST_ELEMENT * row.negative;
  const highest = row.start + MOST_ELEMENT * row.positive;
  const inputZero = model.tensors[inputOf(layer)].zeroPoint + ELEMENT_BIAS;
  const toAccumulator = row.bias - inputZero * (row.positive - row.negative) - row.start;
  checkInt32(lowest + toAccumulator, highest + toAccumulator, "the accumulator", row.where);
  checkInt32(lowest, highest, "the sum over unsigned elements", row.where);

  const multiplier = BigInt(row.multiplier);
  const shift = BigInt(row.shift);
  const constant = BigInt(toAccumulator) * multiplier + (1n << (shift - 1n)) + (BigInt(zeroPoint) << shift);
  const scaled = [lowest, highest].map((sum) => BigInt(sum) * multiplier + constant);
  const outputs = scaled.map((value) => value >> shift);
  const fits = [constant, ...scaled].every((value) => isInt(value, 64)) && outputs.every((value) => isInt(value, 32));
  if (fits) return { constant, multiplier: row.multiplier, shift: row.shift };
  const [first, last] = outputs.map((value) => (value < clampMin ? clampMin : value > clampMax ? clampMax : value));
  if (first === last) return { constant: first, multiplier: 0, shift: 0 };
  return unsupported(
    `${row.where}: multiplier ${row.multiplier} and shift ${row.shift} take sums of ${lowest} … ${highest} beyond 64 bits, or outputs beyond 32`,
  );
}

function checkInt32(lowest: number, highest: number, what: string, where: string): void {
  if (lowest < -(2 ** 31) || highest >= 2 ** 31) {
    unsupported(`${where}: ${what} may reach ${lowest} … ${highest}, expected an int32`);
  }
}

function isInt(value: bigint, bits: number): boolean {
  return BigInt.asIntN(bits, value) === value;
}

function unsupported(problem: string): never {
  throw new MoteError("UNSUPPORTED", `not for a fast module: ${problem}`);
}

/** @param count of pairs, or of bytes of chunks */
function rowHead({ constant, multiplier, shift }: Fold, count: number, where: string): Uint8Array {
  if (count > MAX_COUNT) unsupported(`${where}: ${count} pairs, or bytes of chunks, at most ${MAX_COUNT} are allowed`);
  const head = new DataView(new ArrayBuffer(ROW_BYTES));
  head.setBigInt64(0, constant, true);
  head.setUint32(8, multiplier, true);
  head.setUint32(12, count * 256 + shift, true);
  return new Uint8Array(head.buffer);
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
