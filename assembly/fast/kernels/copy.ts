/** States, which take over at the end of a run what another tensor holds, and parts of tensors. */
import { COPY_WORK, LINE_WORK, PIECE_WORK } from "../layout";
import { endPiece, inputPtr, isLayerComplete, outputPtr, pieceOfLine, x, y } from "../row";

/** Copies lines, or a piece of one. @returns the work it was */
export function stepCopy(): u32 {
  let work: u32 = 0;
  do {
    let bytes = pieceOfLine();
    let source = inputPtr(x, y);
    let target = outputPtr();
    let end = target + bytes;
    for (let words = target + (bytes & ~7); target < words; target += 8) {
      store<u64>(target, load<u64>(source));
      source += 8;
    }
    for (; target < end; target++) {
      store<u8>(target, load<u8>(source));
      source++;
    }
    work += LINE_WORK + COPY_WORK * bytes;
    endPiece(bytes);
  } while (work < <u32>PIECE_WORK && !isLayerComplete());
  return work;
}
