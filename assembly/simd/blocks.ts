/** What both kinds of conv2d share: an input sorted by strides, and blocks of lines of the output. */
import { TENSOR_CHANNELS, TENSOR_HEIGHT, TENSOR_PITCH, TENSOR_PLANE, TENSOR_WIDTH } from "../abi";
import { borderOf } from "../core/tensor";
import { copyLine, elementAt, evens, maxLine } from "./lines";
import { Layer } from "./program";

/** From the first place of some lines of the output to behind the last: places are numbered as the bytes that are read, lines run together. */
export function spanOf(kept: Layer, lines: u32): u32 {
  return ((lines - 1) * kept.poolStrideY + kept.poolHeight - 1) * kept.pitch + kept.placesX;
}

/**
 * Writes lines of a row, from line `y` on, made of the elements of places.
 * @param line room for the columns of a pool: as many as a line has places, and 64 bytes more
 */
export function emitLines(kept: Layer, row: u32, y: u32, lines: u32, elements: usize, line: usize): void {
  let target = elementAt(kept.output, row, y);
  let width = load<u32>(kept.output, TENSOR_WIDTH);
  let down = kept.poolStrideY * kept.pitch;
  let isPooled = kept.poolHeight * kept.poolWidth * kept.poolStrideX > 1;
  for (let end = elements + lines * down; elements < end; elements += down) {
    if (isPooled) {
      maxLine(elements, kept.pitch, kept.poolHeight, kept.poolWidth, kept.poolStrideX, width, line, target);
    } else copyLine(target, elements, width);
    target += load<u32>(kept.output, TENSOR_PITCH);
  }
}

/** Where an element is, that is so far from a window's first, when the input has been sorted by strides. */
export function sortedOffset(kept: Layer, offset: u32): u32 {
  let place = offset % kept.inputPlane;
  let y = place / kept.inputPitch;
  let x = place % kept.inputPitch;
  let part = (y % kept.strideY) * kept.partsX + (x % kept.strideX);
  return (
    (offset / kept.inputPlane) * kept.plane +
    part * kept.partHeight * kept.pitch +
    (y / kept.strideY) * kept.pitch +
    x / kept.strideX
  );
}

/** Sorts the input by the remainders of lines and columns modulo the strides: part after part, those that the kernel looks at. */
export function sortInput(kept: Layer, from: usize, target: usize): void {
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
