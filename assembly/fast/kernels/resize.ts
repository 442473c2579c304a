/** resize: each element becomes a block of equal ones. */
import { ELEMENT_WORK, LAYER_FACTOR_X, LAYER_FACTOR_Y, LINE_WORK } from "../layout";
import { endPiece, inputPtr, layer, outputPtr, pieceOfLine, x, y } from "../row";

/** Fills a line, or a piece of one. @returns the work it was */
export function stepResize(): u32 {
  let factor = load<u32>(layer, LAYER_FACTOR_X);
  let source = inputPtr(0, y / load<u32>(layer, LAYER_FACTOR_Y));
  let target = outputPtr();
  let elements = pieceOfLine();
  let at = x;
  let end = at + elements;
  do {
    store<u8>(target, load<u8>(source + at / factor));
    target++;
  } while (++at < end);
  endPiece(elements);
  return LINE_WORK + ELEMENT_WORK * elements;
}
