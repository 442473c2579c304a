/**
 * conv2d whose rows are pairs of weights: a block of lines after the other, of each all rows, so that the part of the input a block looks at stays in
 * the cache. Lines run together, borders between them, so that vectors are full on narrow maps too.
 */
import { TENSOR_CHANNELS, TENSOR_PITCH, TENSOR_PLANE, TENSOR_PTR } from "../abi";
import { input, outputHeight, outputWidth, rows } from "../core/layer";
import { groupChannels, groupRows, poolPlaces, poolWidth } from "../core/ops/conv2d";
import { kernelHeight, kernelWidth, origin, stepX, stepY, strideX, strideY } from "../core/ops/window";
import { columns } from "../core/section";
import { emitLines, sortedOffset, sortInput, spanOf } from "./blocks";
import { fillRows, isFull, keepColumns, runFull } from "./full";
import { take } from "./memory";
import { CONV, DENSE, FULL, Layer, PAIR_BYTES, Row } from "./program";
import { requantizeSums } from "./requantize";
import { noteRoom, room } from "./room";
import { HALF_TILE, sumPlaces, TILE } from "./sums";

/** What of the input a block looks at stays in a first-level cache with the weights that stream by; channels that come to more are taken in parts. */
const MOST_BYTES: u64 = 32768;
/** Such a part, how many there are at most, and the most bytes of the sums that are kept from one to the next. */
const BLOCK_BYTES: u64 = 24576;
const MOST_PARTS: u64 = 16;
const MOST_SUMS: u64 = 131072;
/** What a tile of another part costs, and the weights that are read for a block, in tiles. */
const PART_WORK: f32 = 0.04;
const STREAM_WORK: f32 = 0.25;

/** Notes what a conv2d is, which has been read up to its weights. One place only is a dense layer. */
export function keepConv(kept: Layer): void {
  kept.origin = origin;
  kept.kernelHeight = kernelHeight;
  kept.kernelWidth = kernelWidth;
  kept.strideY = strideY;
  kept.strideX = strideX;
  kept.groupRows = groupRows;
  kept.groupChannels = groupChannels;
  kept.poolWidth = poolWidth;
  kept.poolHeight = poolPlaces / poolWidth;
  kept.poolStrideY = stepY / strideY;
  kept.poolStrideX = stepX / strideX;
  kept.outputHeight = outputHeight;
  kept.placesX = (outputWidth - 1) * kept.poolStrideX + kept.poolWidth;
  let placesY = (outputHeight - 1) * kept.poolStrideY + kept.poolHeight;
  kept.inputPitch = kept.pitch = load<u32>(input, TENSOR_PITCH);
  kept.inputPlane = kept.plane = load<u32>(input, TENSOR_PLANE);
  kept.kind = placesY * kept.placesX == 1 ? DENSE : CONV;
  if (kept.kind == DENSE || strideY * strideX == 1) return;
  kept.partsY = min(strideY, kernelHeight);
  kept.partsX = min(strideX, kernelWidth);
  kept.partHeight = placesY + (kernelHeight - 1) / strideY;
  kept.pitch = kept.placesX + (kernelWidth - 1) / strideX;
  kept.plane = kept.partsY * kept.partsX * kept.partHeight * kept.pitch;
  kept.sortedBytes = (kept.plane * load<u32>(input, TENSOR_CHANNELS) + TILE + 15) & -16;
}

/**
 * All rows have been decoded to pairs of weights, with the offsets of an input as it is: decides how they are multiplied.
 * @param begin of the first one's pairs, behind which is nothing else
 */
export function endConv(kept: Layer, begin: usize, weights: u32): void {
  if (isFull(kept, weights)) {
    fillRows(kept, begin);
    let offsets = take((columns + 1) * 4);
    if (!offsets) return;
    for (let column: u32 = 0; column < columns; column++) store<u32>(offsets + column * 4, offsetAt(kept, column));
    // The other one of a lone column has weights of 0.
    if (columns & 1) store<u32>(offsets + columns * 4, 0);
    return keepColumns(kept, offsets);
  }
  if (kept.partsY) {
    for (let r: u32 = 0; r < rows; r++) {
      let row = changetype<Row>(kept.rows + r * offsetof<Row>());
      for (let pair = row.begin; pair < row.end; pair += PAIR_BYTES) {
        store<u32>(pair, sortedOffset(kept, load<u32>(pair)));
        store<u32>(pair, sortedOffset(kept, load<u32>(pair, 4)), 4);
      }
    }
  }
  chooseBlocks(kept);
  if (kept.parts > 1) splitRows(kept);
  noteRoom(kept.sortedBytes + placesOf(kept) * (kept.parts > 1 ? rows * 4 + 1 : 5));
}

function offsetAt(kept: Layer, column: u32): u32 {
  let y = column / kept.kernelWidth;
  let offset =
    (column % kept.kernelWidth) + (y % kept.kernelHeight) * kept.inputPitch + (y / kept.kernelHeight) * kept.inputPlane;
  return kept.partsY ? sortedOffset(kept, offset) : offset;
}

/** Places of a block, with what vectors reach beyond. */
function placesOf(kept: Layer): u32 {
  return (spanOf(kept, kept.lines) + 2 * TILE + 31) & -TILE;
}

/**
 * Chooses how many lines of the output a block has and in how many parts its channels are taken, for the least work a line: vectors that are full, and a part of
 * the input that stays in the cache.
 */
function chooseBlocks(kept: Layer): void {
  let least = f32.MAX_VALUE;
  let sorted = max(kept.partsY * kept.partsX, 1);
  for (let lines: u32 = 1; lines <= kept.outputHeight; lines++) {
    let span = spanOf(kept, lines);
    let reach = <u64>(span + ((kept.kernelHeight - 1) / kept.strideY) * kept.pitch) * kept.groupChannels * sorted;
    let parts: u32 = reach <= MOST_BYTES ? 1 : <u32>min((reach + BLOCK_BYTES - 1) / BLOCK_BYTES, <u64>MOST_PARTS);
    let sums = <u64>((span + TILE - 1) & -TILE) * 4 * rows;
    if (parts > kept.groupChannels || sums > MOST_SUMS) {
      if (parts > 1 && lines > 1) break;
      parts = 1;
    }
    let rest = span % TILE;
    let tiles = <f32>(span / TILE) + (rest == 0 ? 0 : rest > HALF_TILE ? 1 : <f32>0.6);
    let work = tiles * (1 + PART_WORK * <f32>(parts - 1)) + STREAM_WORK;
    if (work / <f32>lines >= least) continue;
    least = work / <f32>lines;
    kept.lines = lines;
    kept.parts = parts;
  }
}

/** Finds where each row's pairs of each part of the channels begin. */
function splitRows(kept: Layer): void {
  let parts = kept.parts;
  let channels = (kept.groupChannels + parts - 1) / parts;
  let split = take(<u64>rows * (parts + 1) * 4);
  if (!split) return;
  kept.splits = split;
  for (let r: u32 = 0; r < rows; r++) {
    let row = changetype<Row>(kept.rows + r * offsetof<Row>());
    let pair = row.begin;
    for (let part: u32 = 0; part <= parts; part++) {
      let from = part * channels * kept.plane;
      while (pair < row.end && (part == parts || load<u32>(pair) < from)) pair += PAIR_BYTES;
      store<u32>(split, pair);
      split += 4;
    }
  }
}

export function runConv(kept: Layer): void {
  let from = load<usize>(kept.input, TENSOR_PTR) - kept.origin;
  if (kept.partsY) {
    sortInput(kept, from, room);
    from = room;
  }
  if (kept.kind == FULL) runFull(kept, from);
  else runPairs(kept, from);
}

/** @param from where the first window begins in what the layer reads */
function runPairs(kept: Layer, from: usize): void {
  let rowCount = load<u32>(kept.output, TENSOR_CHANNELS);
  let parts = kept.parts;
  let places = placesOf(kept);
  let elements = room + kept.sortedBytes;
  let sums = elements + places;
  // Sums are kept from part to part.
  let rowSums = parts > 1 ? places * 4 : 0;
  let group = kept.groupChannels * kept.plane;
  for (let y: u32 = 0; y < kept.outputHeight; y += kept.lines) {
    let lines = min(kept.lines, kept.outputHeight - y);
    let span = spanOf(kept, lines);
    for (let part: u32 = 0; part < parts; part++) {
      for (let r: u32 = 0; r < rowCount; r++) {
        let row = changetype<Row>(kept.rows + r * offsetof<Row>());
        let split = kept.splits + (r * (parts + 1) + part) * 4;
        let begin = parts > 1 ? load<usize>(split) : row.begin;
        let end = parts > 1 ? load<usize>(split, 4) : row.end;
        let target = sums + r * rowSums;
        sumPlaces(begin, end, from + (r / kept.groupRows) * group, span, row.start, target, part > 0);
        if (part + 1 < parts) continue;
        requantizeSums(target, span, elements, row.multiplier, row.shift, kept.zeroPoint, kept.low, kept.high);
        emitLines(kept, r, y, lines, elements, target);
      }
    }
    from += kept.lines * kept.poolStrideY * kept.pitch;
  }
}
