/** Borders of tensors, which stand for the zeros around an image. */
import {
  LAYER_BORDER,
  LAYER_CLAMP_MIN,
  LAYER_OUTPUT,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_PLANE,
} from "./layout";
import { endRow, layer, row } from "./row";

/** In multiplications of a block: what a channel takes, and a byte of its border. */
const CHANNEL_WORK: u32 = 40;
const BYTE_WORK: u32 = 3;

/** Fills the border of a channel. @returns the work it was */
export function stepBorder(): u32 {
  let pitch = load<u32>(layer, LAYER_OUTPUT_PITCH);
  let border = load<u32>(layer, LAYER_BORDER);
  let height = load<u32>(layer, LAYER_OUTPUT_HEIGHT);
  let inside = load<usize>(layer, LAYER_OUTPUT) + row * load<u32>(layer, LAYER_OUTPUT_PLANE);
  // Above and left of the first line; then from behind each line to before the next, which are next to each other; then below.
  let edge = 2 * border;
  let margin = border * (pitch + 1);
  fill(inside - margin, margin);
  let line = inside + pitch - edge;
  do {
    fill(line, edge);
    line += pitch;
  } while (--height);
  fill(line - pitch + edge, margin - edge);
  endRow();
  return CHANNEL_WORK + BYTE_WORK * pitch * edge;
}

function fill(ptr: usize, bytes: usize): void {
  let value = load<u8>(layer, LAYER_CLAMP_MIN);
  let end = ptr + bytes;
  do {
    store<u8>(ptr, value);
  } while (++ptr < end);
}
