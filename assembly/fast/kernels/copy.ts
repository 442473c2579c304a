/** States, which take over at the end of a run what another tensor holds. */
import {
  BYTE_WORK,
  COPY_LINE_WORK,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_INPUT_PLANE,
  LAYER_OUTPUT_WIDTH,
  PIECE_COPY_BYTES,
  PIECE_WORK,
} from "../layout";
import { advance, endRow, layer, moveTo, outputPtr, row, x, y } from "../row";

/** Copies lines of a channel, or a piece of one. @returns the work it was */
export function stepCopy(): u32 {
  let work: u32 = 0;
  do {
    let bytes = min(load<u32>(layer, LAYER_OUTPUT_WIDTH) - x, PIECE_COPY_BYTES);
    let source =
      load<usize>(layer, LAYER_INPUT) +
      row * load<u32>(layer, LAYER_INPUT_PLANE) +
      y * load<u32>(layer, LAYER_INPUT_PITCH) +
      x;
    let target = outputPtr();
    let end = target + bytes;
    do {
      store<u8>(target, load<u8>(source));
      source++;
    } while (++target < end);
    work += COPY_LINE_WORK + BYTE_WORK * bytes;
    if (advance(bytes, 1)) {
      moveTo(0, 0);
      endRow();
      break;
    }
  } while (work < <u32>PIECE_WORK);
  return work;
}
