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

/** A block's part of the input is at most so large where that can be: what a first-level cache holds with the weights that stream by. */
const BLOCK_BYTES: u32 = 24576;
/** Where it cannot, a block is of so many places. */
const LEAST_PLACES: u32 = 28;

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
  kept.lines = linesOf(kept);
  noteRoom(kept.sortedBytes + placesOf(kept) * 5);
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

/** Lines of the output in a block: as many as take the least work a line, in as many bytes of the input as stay in the cache. */
function linesOf(kept: Layer): u32 {
  let best: u32 = 1;
  let least = f32.MAX_VALUE;
  let parts = max(kept.partsY * kept.partsX, 1);
  for (let lines: u32 = 1; lines <= kept.outputHeight; lines++) {
    let span = spanOf(kept, lines);
    let reach = span + ((kept.kernelHeight - 1) / kept.strideY) * kept.pitch;
    if (<u64>reach * kept.groupChannels * parts > BLOCK_BYTES && lines > 1 && span > LEAST_PLACES + kept.pitch) break;
    let rest = span % TILE;
    let tiles = <f32>(span / TILE) + (rest == 0 ? 0 : rest > HALF_TILE ? 1 : <f32>0.6);
    let work = tiles / <f32>lines;
    if (work >= least) continue;
    least = work;
    best = lines;
  }
  return best;
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
  let sums = room + kept.sortedBytes;
  let elements = sums + placesOf(kept) * 4;
  let rowCount = load<u32>(kept.output, TENSOR_CHANNELS);
  let group = kept.groupChannels * kept.plane;
  for (let y: u32 = 0; y < kept.outputHeight; y += kept.lines) {
    let lines = min(kept.lines, kept.outputHeight - y);
    let span = spanOf(kept, lines);
    let row = kept.rows;
    for (let r: u32 = 0; r < rowCount; r++) {
      let at = changetype<Row>(row);
      sumPlaces(at.begin, at.end, from + (r / kept.groupRows) * group, span, at.start, sums);
      requantizeSums(sums, span, elements, at.multiplier, at.shift, kept.zeroPoint, kept.low, kept.high);
      emitLines(kept, r, y, lines, elements, sums);
      row += offsetof<Row>();
    }
    from += kept.lines * kept.poolStrideY * kept.pitch;
  }
}
