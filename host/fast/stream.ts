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
  ROW_BYTES,
  TILE_MAGNITUDE,
  TILE_RECORDS,
  TILE_SIZE,
} from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { channelsOf } from "../ops/conv2d.js";
import { offsetOf, pitchAndPlane, placeOf, valuesOf } from "../model/geometry.js";
import { inputOf } from "../model/edges.js";
import { pairInstructions, poolInstructions, sparseInstructions } from "./cost.js";
import { denseRowsStream } from "./dense-rows.js";
import { fold, MOST_ELEMENT, rowHead, storedZero, UNCHANGED, unsupported, type Fold } from "./fold.js";
import { eachRow, foldRow, magnitude, pairsOf, type LayerStream, type LayerStreams, type Tap } from "./rows.js";
import type { PlannedModel } from "./planned.js";
import { depthStream, fitsDepthwise } from "./depthwise.js";
import { fitsQuads, gapStream, quadStream } from "./quads.js";
import type { QAvgPool, QConv2d, QDense, QMaxPool, QModel, QTensor, Shape } from "../model/model.js";

/** A chunk has 16 bits for its records. */
const MAX_RECORDS = 0xffff;

/** Which of the kernels that take a weight at a time runs a convolution. */
function sparseKind(model: PlannedModel, layer: QConv2d): number {
  const { shape, turn } = model.tensors[layer.output];
  if (turn !== undefined) return KIND_CONV_PLACES;
  const [rows, height, width] = shape;
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
  return channelStream(model, KIND_MAXPOOL, layer.output, rowHead(UNCHANGED, 0, where), poolInstructions(layer));
}

export function avgPoolStream(model: QModel, layer: QAvgPool, where: string): LayerStream {
  return channelStream(
    model,
    KIND_AVGPOOL,
    layer.output,
    rowHead(foldPool(model, layer, where), 0, where),
    poolInstructions(layer),
  );
}

/** What is the same for every channel. */
export function channelStream(
  model: QModel,
  kind: number,
  output: number,
  row: Uint8Array,
  outputInstructions: number,
): LayerStream {
  const { shape } = model.tensors[output];
  const bytes = concatBytes(Array.from({ length: shape[0] }, () => row));
  const instructions = 80 * shape[0] + outputInstructions * valuesOf(shape);
  return { kind, bytes, isWide: false, windowBytes: ROW_BYTES, scratchBytes: 0, instructions };
}

/** By each of the kernels that can run it. */
export function denseStreams(model: QModel, layer: QDense, where: string): LayerStreams {
  return [pairStream(model, layer, where), denseRowsStream(model, layer, where)];
}

function pairStream(model: QModel, layer: QDense, where: string): LayerStream {
  const input = model.tensors[inputOf(layer)];
  const offsets = elementOffsets(input);
  const pieces: Uint8Array[] = [];
  let instructions = 0;
  eachRow(model, layer, (row, weights) => {
    const taps = [...weights].flatMap((weight, column) => (weight === 0 ? [] : { offset: offsets[column], weight }));
    const pairs = pairsOf(taps);
    const place = `${where}, row ${row}`;
    const count = pairs.length / PAIR_BYTES;
    pieces.push(rowHead(foldRow(model, layer, row, weights, 0, place), count, place), pairs);
    instructions += pairInstructions(count);
  });
  return {
    kind: KIND_DENSE,
    bytes: concatBytes(pieces),
    isWide: false,
    windowBytes: ROW_BYTES,
    scratchBytes: 0,
    instructions,
  };
}

/** By each of the kernels that can run it. */
export function convStreams(model: PlannedModel, layer: QConv2d, where: string): LayerStreams {
  const sparse = sparseStream(model, layer, where);
  if (fitsDepthwise(model, layer)) return [sparse, depthStream(model, layer, where)];
  if (!fitsQuads(model, layer)) return [sparse];
  return [sparse, quadStream(model, layer, where), gapStream(model, layer, where)];
}

function sparseStream(model: PlannedModel, layer: QConv2d, where: string): LayerStream {
  const kind = sparseKind(model, layer);
  const isBlockwise = kind !== KIND_CONV_PLACES;
  const pieces: Uint8Array[] = [];
  let isWide = false;
  let windowBytes = ROW_BYTES;
  let instructions = 0;
  eachRow(model, layer, (row, weights) => {
    const place = `${where}, row ${row}`;
    const taps = convTaps(model, layer, row, weights);
    // The kernels take at least one record.
    if (taps.length === 0) taps.push({ offset: 0, weight: 0 });
    if (!isBlockwise && taps.length > MAX_RECORDS) {
      unsupported(`${place}: ${taps.length} weights, at most ${MAX_RECORDS} are allowed`);
    }
    const chunks = isBlockwise ? chunksOf(taps) : [taps];
    const biases = chunks.map((chunk) => (isBlockwise ? MOST_ELEMENT * negatives(chunk) : 0));
    const start = biases.reduce((sum, bias) => sum + bias, 0);
    const body = concatBytes(chunks.map((chunk, i) => chunkBytes(chunk, biases[i])));
    pieces.push(rowHead(foldRow(model, layer, row, weights, start, place), body.length, place), body);
    isWide ||= chunks.length > 1;
    windowBytes = Math.max(windowBytes, body.length);
    instructions += sparseInstructions(kind, layer, model.tensors[layer.output].shape, taps.length, chunks.length);
  });
  return { kind, bytes: concatBytes(pieces), isWide, windowBytes, scratchBytes: 0, instructions };
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

const negatives = (taps: readonly Tap[]): number =>
  magnitude(
    Int8Array.from(taps, ({ weight }) => weight),
    -1,
  );

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
