/** States, which take over at the end of a run what another tensor holds, and parts of tensors. */
import { BYTE_WORK, LINE_WORK, PIECE_WORK } from "../layout";
import { endPiece, inputPtr, outputPtr, pieceOfLine, x, y } from "../row";

/** Copies lines of a channel, or a piece of one. @returns the work it was */
export function stepCopy(): u32 {
  let work: u32 = 0;
  do {
    let bytes = pieceOfLine();
    let source = inputPtr(x, y);
    let target = outputPtr();
    let end = target + bytes;
    do {
      store<u8>(target, load<u8>(source));
      source++;
    } while (++target < end);
    work += LINE_WORK + BYTE_WORK * bytes;
    if (endPiece(bytes)) break;
  } while (work < <u32>PIECE_WORK);
  return work;
}
