/**
 * conv2d: a block of lines after the other, of each all rows, so that the part of the input a block looks at stays in the cache. Within a block
 * the places are numbered as the input's bytes are, borders included, so that lines run together and vectors are full on narrow maps too.
 */
import { TENSOR_CHANNELS, TENSOR_HEIGHT, TENSOR_PITCH, TENSOR_PLANE, TENSOR_PTR, TENSOR_WIDTH } from "../abi";
import { input, outputHeight, outputWidth } from "../core/layer";
import { groupChannels, groupRows, poolPlaces, poolWidth } from "../core/ops/conv2d";
import { kernelHeight, kernelWidth, origin, stepX, stepY, strideX, strideY } from "../core/ops/window";
import { borderOf } from "../core/tensor";
import { copyLine, elementAt, evens, maxLine } from "./lines";
import { CONV, DENSE, Layer, Row } from "./program";
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
  kept.placesY = (outputHeight - 1) * kept.poolStrideY + kept.poolHeight;
  kept.placesX = (outputWidth - 1) * kept.poolStrideX + kept.poolWidth;
  kept.pitch = load<u32>(input, TENSOR_PITCH);
  kept.plane = load<u32>(input, TENSOR_PLANE);
  kept.kind = kept.placesY * kept.placesX == 1 ? DENSE : CONV;
  if (kept.kind == DENSE) return;
  if (strideY * strideX > 1) {
    kept.partsY = min(strideY, kernelHeight);
    kept.partsX = min(strideX, kernelWidth);
    kept.partHeight = kept.placesY + (kernelHeight - 1) / strideY;
    kept.pitch = kept.placesX + (kernelWidth - 1) / strideX;
    kept.plane = kept.partsY * kept.partsX * kept.partHeight * kept.pitch;
  }
  kept.lines = linesOf(kept);
  noteRoom(placesOf(kept, kept.lines) * 5 + (kept.partsY ? kept.plane * load<u32>(input, TENSOR_CHANNELS) : 0));
}

/** Places of some lines of the output, those between lines among them, with what vectors reach beyond. */
function placesOf(kept: Layer, lines: u32): u32 {
  return (spanOf(kept, lines) + 2 * TILE) & -TILE;
}

/** From the first place of some lines of the output to behind the last. */
function spanOf(kept: Layer, lines: u32): u32 {
  return ((lines - 1) * kept.poolStrideY + kept.poolHeight - 1) * kept.pitch + kept.placesX;
}

/** Lines of the output in a block: as many as take the least work a line, in as many bytes of the input as stay in the cache. */
function linesOf(kept: Layer): u32 {
  let best: u32 = 1;
  let least = f32.MAX_VALUE;
  let parts = max(kept.partsY * kept.partsX, 1);
  for (let lines: u32 = 1; lines <= outputHeight; lines++) {
    let span = spanOf(kept, lines);
    let reach = span + ((kept.kernelHeight - 1) / kept.strideY) * kept.pitch;
    if (<u64>reach * groupChannels * parts > BLOCK_BYTES && lines > 1 && span > LEAST_PLACES + kept.pitch) break;
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
  let output = kept.output;
  let height = load<u32>(output, TENSOR_HEIGHT);
  let width = load<u32>(output, TENSOR_WIDTH);
  let rows = load<u32>(output, TENSOR_CHANNELS);
  let from = load<usize>(kept.input, TENSOR_PTR) - kept.origin;
  // In the room: sums of a block, its elements, and the input where it has to be sorted.
  let sumsPtr = room;
  let elementsPtr = sumsPtr + placesOf(kept, kept.lines) * 4;
  if (kept.partsY) {
    let sortedPtr = elementsPtr + placesOf(kept, kept.lines);
    sortInput(kept, from, sortedPtr);
    from = sortedPtr;
  }
  let pitch = kept.pitch;
  let group = kept.groupChannels * kept.plane;
  let down = kept.poolStrideY * pitch;
  let isPooled = kept.poolHeight * kept.poolWidth > 1 || kept.poolStrideY * kept.poolStrideX > 1;
  for (let y: u32 = 0; y < height; y += kept.lines) {
    let lines = min(kept.lines, height - y);
    let span = spanOf(kept, lines);
    let row = kept.rows;
    for (let r: u32 = 0; r < rows; r++) {
      let at = changetype<Row>(row);
      sumPlaces(at.begin, at.end, from + (r / kept.groupRows) * group + y * down, span, at.start, sumsPtr);
      requantizeSums(sumsPtr, span, elementsPtr, at.multiplier, at.shift, kept.zeroPoint, kept.low, kept.high);
      let target = elementAt(output, r, y);
      let source = elementsPtr;
      for (let line: u32 = 0; line < lines; line++) {
        if (isPooled) {
          maxLine(source, pitch, kept.poolHeight, kept.poolWidth, kept.poolStrideX, width, sumsPtr, target);
        } else copyLine(target, source, width);
        source += down;
        target += load<u32>(output, TENSOR_PITCH);
      }
      row += offsetof<Row>();
    }
  }
}

/** Sorts the input by the remainders of lines and columns modulo the strides: part after part, those that the kernel looks at. */
function sortInput(kept: Layer, from: usize, target: usize): void {
  let source = kept.input;
  let channels = load<u32>(source, TENSOR_CHANNELS);
  let inputPitch = load<u32>(source, TENSOR_PITCH);
  let inputPlane = load<u32>(source, TENSOR_PLANE);
  let border = borderOf(source);
  // Lines and columns from where the first window begins to the end of the border.
  let lines = load<u32>(source, TENSOR_HEIGHT) + border + kept.origin / inputPitch;
  let columns = load<u32>(source, TENSOR_WIDTH) + border + (kept.origin % inputPitch);
  let strideX = kept.strideX;
  for (let c: u32 = 0; c < channels; c++) {
    for (let partY: u32 = 0; partY < kept.partsY; partY++) {
      for (let partX: u32 = 0; partX < kept.partsX; partX++) {
        let count = min(kept.pitch, (columns - partX + strideX - 1) / strideX);
        for (let y: u32 = 0; y < kept.partHeight; y++) {
          let line = y * kept.strideY + partY;
          if (line < lines) sortLine(from + line * inputPitch + partX, strideX, count, target);
          target += kept.pitch;
        }
      }
    }
    from += inputPlane;
  }
}

/** Copies every `step`th element of a line. */
function sortLine(source: usize, step: u32, count: u32, target: usize): void {
  let end = target + count;
  if (step == 1) return copyLine(target, source, count);
  if (step == 2) {
    for (; target + 16 <= end; target += 16) {
      v128.store(target, evens(v128.load(source), v128.load(source, 16)));
      source += 32;
    }
  }
  for (; target < end; source += step) store<u8>(target++, load<u8>(source));
}
