/** Borders of tensors, which stand for the zeros around an image. */
import {
  BORDER_WORK,
  BYTE_WORK,
  LAYER_BORDER,
  LAYER_CLAMP_MIN,
  LAYER_OUTPUT,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_PLANE,
  LAYER_OUTPUT_WIDTH,
  PIECE_BORDER_BYTES,
  STRETCH_WORK,
} from "../layout";
import { endRow, layer, moveTo, rowsDone, x, y } from "../row";

/**
 * Fills a piece of the border of a channel, which is one stretch more than there are lines: above and left of the first; from behind each to
 * before the next; then below. `x` counts the channel's bytes, lines included, and `y` the stretches. @returns the work it was
 */
export function stepBorder(): u32 {
  let pitch = load<u32>(layer, LAYER_OUTPUT_PITCH);
  let plane = load<u32>(layer, LAYER_OUTPUT_PLANE);
  let height = load<u32>(layer, LAYER_OUTPUT_HEIGHT);
  let value = load<u8>(layer, LAYER_CLAMP_MIN);
  let margin = load<u32>(layer, LAYER_BORDER) * (pitch + 1);
  let begin = load<usize>(layer, LAYER_OUTPUT) + rowsDone() * plane - margin;
  let at = x;
  let stretch = y;
  let left: u32 = PIECE_BORDER_BYTES;
  do {
    let stop = stretch < height ? margin + stretch * pitch : plane;
    let end = min(stop, at + left);
    left -= end - at;
    do {
      store<u8>(begin + at, value);
    } while (++at < end);
    if (at < stop) break;
    at += load<u32>(layer, LAYER_OUTPUT_WIDTH);
  } while (stretch++ < height && left);
  let work = BORDER_WORK + STRETCH_WORK * (stretch - y) + BYTE_WORK * (PIECE_BORDER_BYTES - left);
  moveTo(at, stretch);
  if (stretch > height) {
    moveTo(0, 0);
    endRow();
  }
  return work;
}
