/** maxpool and avgpool as layers of their own: an output at a time, or some lines of its window, or a piece of one. */
import {
  ELEMENT_BIAS,
  ELEMENT_WORK,
  KIND_AVGPOOL,
  LAYER_ACROSS,
  LAYER_DOWN,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_INPUT_PLANE,
  LAYER_KIND,
  LAYER_POOL_HEIGHT,
  LAYER_POOL_WIDTH,
  PIECE_ELEMENTS,
  POOL_LINE_WORK,
  POOL_OUTPUT_WORK,
} from "../layout";
import {
  advance,
  beginRow,
  clamp,
  constant,
  endRow,
  isBegun,
  layer,
  multiplier,
  outputPtr,
  requantize,
  rowsDone,
  shift,
  x,
  y,
} from "../row";

/** Of the window at hand: how many lines have been taken, and elements of the next, and what they came to. */
let line: u32 = 0;
let column: u32 = 0;
let sum: i32 = 0;
let best: i32 = 0;

/**
 * Computes an output, or goes on with one, whatever the budget.
 * @param layer its entry
 * @param progress its address
 * @returns the work it was
 */
export function stepPool(layer: usize, progress: usize, budget: i32): i32 {
  if (!isBegun) {
    beginRow();
    beginWindow();
  }
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let width: u32 = load<u16>(layer, LAYER_POOL_WIDTH);
  let ptr =
    load<usize>(layer, LAYER_INPUT) +
    rowsDone() * load<u32>(layer, LAYER_INPUT_PLANE) +
    y * load<u32>(layer, LAYER_DOWN) +
    x * load<u32>(layer, LAYER_ACROSS) +
    line * pitch;
  let elements: u32 = 0;
  let work: u32 = 0;
  do {
    let taken = width;
    if (isLong()) {
      taken = min(width - column, PIECE_ELEMENTS);
      ptr += column;
    }
    let end = ptr + taken;
    do {
      let element: i32 = load<u8>(ptr);
      sum += element;
      best = max(best, element);
    } while (++ptr < end);
    work += POOL_LINE_WORK + ELEMENT_WORK * taken;
    if (isLong()) {
      column += taken;
      if (column < width) return work;
      column = 0;
    }
    if (++line == load<u16>(layer, LAYER_POOL_HEIGHT)) {
      store<u8>(outputPtr(), isAverage() ? average() : requantize(best));
      beginWindow();
      if (advance(1, 1)) endRow();
      return work + POOL_OUTPUT_WORK;
    }
    ptr += pitch - width;
    elements += taken;
  } while (elements < <u32>PIECE_ELEMENTS);
  return work;
}

function beginWindow(): void {
  line = sum = best = 0;
  if (isLong()) column = 0;
}

/** The output byte for the sum. Where it stands for nothing or less, a half is rounded down: away from zero, as in TFLite. */
function average(): u32 {
  let scaled = sum * multiplier + constant;
  let rounded = scaled >> shift;
  if (rounded <= ELEMENT_BIAS) rounded = (scaled - 1) >> shift;
  return clamp(<i32>rounded);
}

// What the packer may know of all of a model's layers: it puts constants in their place.

function isAverage(): bool {
  return load<u32>(layer, LAYER_KIND) == KIND_AVGPOOL;
}

/** Whether a line of a window is longer than a piece. */
function isLong(): bool {
  return load<u16>(layer, LAYER_POOL_WIDTH) > <u32>PIECE_ELEMENTS;
}
