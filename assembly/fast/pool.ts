/** maxpool and avgpool as layers of their own: an output at a time. */
import {
  KIND_AVGPOOL,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_INPUT_PLANE,
  LAYER_KIND,
  LAYER_POOL,
  LAYER_POOL_STRIDE,
} from "./layout";
import { advance, beginRow, endRow, isBegun, layer, outputPtr, requantize, row, x, y } from "./row";

/** In multiplications of a block: what an output takes, and an element of its pool. */
const OUTPUT_WORK: u32 = 60;
const ELEMENT_WORK: u32 = 5;

/** Computes an output. @returns the work it was */
export function stepPool(): u32 {
  if (!isBegun) beginRow();
  let pitch = load<u32>(layer, LAYER_INPUT_PITCH);
  let pool = load<u32>(layer, LAYER_POOL);
  let ptr =
    load<usize>(layer, LAYER_INPUT) +
    row * load<u32>(layer, LAYER_INPUT_PLANE) +
    (y * pitch + x) * load<u32>(layer, LAYER_POOL_STRIDE);
  let sum: i32 = 0;
  let best: i32 = 0;
  let down = pool;
  do {
    let end = ptr + pool;
    do {
      let element: i32 = load<u8>(ptr);
      sum += element;
      best = max(best, element);
    } while (++ptr < end);
    ptr += pitch - pool;
  } while (--down);
  store<u8>(outputPtr(), requantize(load<u32>(layer, LAYER_KIND) == KIND_AVGPOOL ? sum : best));
  if (advance(1, 1)) endRow();
  return OUTPUT_WORK + ELEMENT_WORK * pool * pool;
}
