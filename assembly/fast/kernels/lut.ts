/** lut: an output for each of the bytes that there are, from a table that stays in the window for as long as the layer takes. */
import { ELEMENT_WORK, LINE_WORK, LUT_BYTES } from "../layout";
import { endPiece, inputPtr, isLayerComplete, outputPtr, pieceOfLine, x, y } from "../row";
import { ahead, next, passTo } from "../stream";

/** Looks up a line, or a piece of one. @returns the work it was */
export function stepLut(): u32 {
  ahead(LUT_BYTES);
  let table = next;
  let elements = pieceOfLine();
  let source = inputPtr(x, y);
  let target = outputPtr();
  let end = target + elements;
  do {
    store<u8>(target, load<u8>(table + load<u8>(source)));
    source++;
  } while (++target < end);
  endPiece(elements);
  if (isLayerComplete()) passTo(table + LUT_BYTES);
  return LINE_WORK + ELEMENT_WORK * elements;
}
