/** maxpool and avgpool as layers of their own: an output at a time, or some lines of its window. */
import {
  ELEMENT_WORK,
  KIND_AVGPOOL,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_INPUT_PLANE,
  LAYER_KIND,
  LAYER_POOL,
  LAYER_POOL_STRIDE,
  PIECE_ELEMENTS,
  POOL_LINE_WORK,
  POOL_OUTPUT_WORK,
} from "../layout";
import { advance, beginRow, endRow, isBegun, layer, outputPtr, requantize, row, x, y } from "../row";

/** Of the window at hand: how many lines have been taken, and what they came to. */
let line: u32 = 0;
let sum: i32 = 0;
let best: i32 = 0;

/** Computes an output, or goes on with one. @returns the work it was */
export function stepPool(): u32 {
  if (!isBegun) {
    beginRow();
    beginWindow();
  }
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let pool = load<u32>(layer, LAYER_POOL);
  let ptr =
    load<usize>(layer, LAYER_INPUT) +
    row * load<u32>(layer, LAYER_INPUT_PLANE) +
    (y * pitch + x) * load<u32>(layer, LAYER_POOL_STRIDE) +
    line * pitch;
  let elements: u32 = 0;
  let work: u32 = 0;
  do {
    let end = ptr + pool;
    do {
      let element: i32 = load<u8>(ptr);
      sum += element;
      best = max(best, element);
    } while (++ptr < end);
    ptr += pitch - pool;
    elements += pool;
    work += POOL_LINE_WORK + ELEMENT_WORK * pool;
  } while (++line < pool && elements < <u32>PIECE_ELEMENTS);
  if (line < pool) return work;
  store<u8>(outputPtr(), requantize(load<u32>(layer, LAYER_KIND) == KIND_AVGPOOL ? sum : best));
  beginWindow();
  if (advance(1, 1)) endRow();
  return work + POOL_OUTPUT_WORK;
}

function beginWindow(): void {
  line = sum = best = 0;
}
