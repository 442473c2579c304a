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
import { offsetOf, pitchAndPlane, valuesOf } from "../model/geometry.js";
import { inputOf } from "../model/edges.js";
import { bitStream } from "./bits.js";
import { pairInstructions, poolInstructions, sparseInstructions } from "./cost.js";
import { denseRowsStream } from "./dense-rows.js";
import { denseValuesStream } from "./dense-values.js";
import { fold, MOST_ELEMENT, rowHead, storedZero, UNCHANGED, unsupported, type Fold } from "./fold.js";
import {
  eachRow,
  elementOffsets,
  foldRow,
  magnitudes,
  offsetsOf,
  pairsOf,
  tapsOf,
  type LayerStream,
  type LayerStreams,
  type Taps,
} from "./rows.js";
import type { PlannedModel } from "./planned.js";
import { depthStream, fitsDepthwise } from "./depthwise.js";
import { fitsQuads, gapStream, quadStream } from "./quads.js";
import type { QAvgPool, QConv2d, QDense, QMaxPool, QModel } from "../model/model.js";

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
  const pairs = pairStream(model, layer, where);
  return [
    pairs,
    denseValuesStream(model, layer, where),
    denseRowsStream(model, layer, pairs.instructions, where),
    bitStream(model, layer, where),
  ];
}

function pairStream(model: QModel, layer: QDense, where: string): LayerStream {
  const offsets = elementOffsets(model.tensors[inputOf(layer)]);
  const pieces: Uint8Array[] = [];
  let instructions = 0;
  eachRow(model, layer, (row, weights) => {
    const pairs = pairsOf(tapsOf(weights, offsets));
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
  const bits = bitStream(model, layer, where);
  if (!fitsQuads(model, layer)) return [sparse, bits];
  const most = sparse.instructions;
  return [sparse, quadStream(model, layer, most, where), gapStream(model, layer, where), bits];
}

function sparseStream(model: PlannedModel, layer: QConv2d, where: string): LayerStream {
  const kind = sparseKind(model, layer);
  const offsets = filterOffsets(model, layer);
  const isBlockwise = kind !== KIND_CONV_PLACES;
  const pieces: Uint8Array[] = [];
  let isWide = false;
  let windowBytes = ROW_BYTES;
  let instructions = 0;
  eachRow(model, layer, (row, weights) => {
    const place = `${where}, row ${row}`;
    // The kernels take at least one record.
    const found = tapsOf(weights, offsets);
    const taps = found.weights.length === 0 ? NO_TAP : found;
    if (!isBlockwise && taps.weights.length > MAX_RECORDS) {
      unsupported(`${place}: ${taps.weights.length} weights, at most ${MAX_RECORDS} are allowed`);
    }
    const first = taps === NO_TAP ? 0 : firstOffset(model, layer, row);
    const chunks = isBlockwise ? chunksOf(taps) : [taps];
    const biases = chunks.map((chunk) => (isBlockwise ? MOST_ELEMENT * magnitudes(chunk.weights)[1] : 0));
    const start = biases.reduce((sum, bias) => sum + bias, 0);
    const body = concatBytes(chunks.map((chunk, i) => chunkBytes(chunk, first, biases[i])));
    pieces.push(rowHead(foldRow(model, layer, row, weights, start, place), body.length, place), body);
    isWide ||= chunks.length > 1;
    windowBytes = Math.max(windowBytes, body.length);
    instructions += sparseInstructions(
      kind,
      layer,
      model.tensors[layer.output].shape,
      taps.weights.length,
      chunks.length,
    );
  });
  return { kind, bytes: concatBytes(pieces), isWide, windowBytes, scratchBytes: 0, instructions };
}

/** Of what a filter looks at, from its first tap in its first channel. */
function filterOffsets(model: QModel, layer: QConv2d): Uint32Array {
  const input = model.tensors[inputOf(layer)];
  return offsetsOf([input.shape[0] / layer.groups, ...layer.kernel], pitchAndPlane(input));
}

/** Of the first channel that a filter looks at. */
function firstOffset(model: QModel, layer: QConv2d, row: number): number {
  const input = model.tensors[inputOf(layer)];
  const [channel] = channelsOf(layer.groups, row, input.shape, model.tensors[layer.output].shape);
  return offsetOf(pitchAndPlane(input), channel, 0, 0);
}

const NO_TAP: Taps = { offsets: new Uint32Array(1), weights: new Int8Array(1) };

/** What a chunk's lanes can hold, in few chunks: the heaviest weights first, each into the first chunk that has room for it. */
function chunksOf({ offsets, weights }: Taps): Taps[] {
  const order = Uint32Array.from(weights.keys()).sort(
    (a, b) => Math.abs(weights[b]) - Math.abs(weights[a]) || offsets[a] - offsets[b],
  );
  // What each chunk has room for; of at most as many as there are weights.
  const room = new Int32Array(order.length);
  const chunks: number[][] = [];
  const least = Math.abs(weights[order[order.length - 1]]);
  let open = 0;
  for (const tap of order) {
    const weight = Math.abs(weights[tap]);
    // Chunks before the first open one take nothing any more.
    while (open < chunks.length && room[open] < least) open++;
    let chunk = open;
    while (chunk < chunks.length && room[chunk] < weight) chunk++;
    if (chunk === chunks.length) {
      chunks.push([]);
      room[chunk] = CHUNK_MAGNITUDE;
    }
    chunks[chunk].push(tap);
    room[chunk] = chunks[chunk].length < CHUNK_RECORDS ? room[chunk] - weight : -1;
  }
  return chunks.map((taps) => {
    // In the order of the weights, which is that of their offsets.
    taps.sort((a, b) => a - b);
    const chunk = { offsets: new Uint32Array(taps.length), weights: new Int8Array(taps.length) };
    for (let i = 0; i < taps.length; i++) {
      chunk.offsets[i] = offsets[taps[i]];
      chunk.weights[i] = weights[taps[i]];
    }
    return chunk;
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

/** @param first offset that those of the taps are from */
function chunkBytes({ offsets, weights }: Taps, first: number, bias: number): Uint8Array {
  const chunk = new DataView(new ArrayBuffer(CHUNK_HEAD_BYTES + RECORD_BYTES * weights.length));
  chunk.setUint16(0, weights.length, true);
  chunk.setUint16(2, bias, true);
  for (let i = 0; i < weights.length; i++) {
    chunk.setUint32(CHUNK_HEAD_BYTES + RECORD_BYTES * i, (first + offsets[i]) * 256 + (weights[i] & 255), true);
  }
  return new Uint8Array(chunk.buffer);
}
