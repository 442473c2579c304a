/** add and mul: two tensors at equal places. Zero points are folded into the factors and the constant, so that both are sums of products. */
import {
  FACTOR_BYTES,
  KIND_MUL,
  LAYER_KIND,
  LAYER_OTHER,
  LAYER_OTHER_PITCH,
  LAYER_OTHER_PLANE,
  LINE_WORK,
  ROW_WORK,
  SUM_WORK,
} from "../layout";
import {
  beginRow,
  endPiece,
  inputPtr,
  isBegun,
  layer,
  outputPtr,
  pieceOfLine,
  requantize,
  rowsDone,
  x,
  y,
} from "../row";
import { ahead, next, passTo } from "../stream";

/** Of the row at hand: what elements of the first and of the second input are multiplied by. */
let factor: i32 = 0;
let otherFactor: i32 = 0;

/**
 * Computes a line, or a piece of one, whatever the budget.
 * @param layer its entry
 * @param progress its address
 * @returns the work it was
 */
export function stepElements(layer: usize, progress: usize, budget: i32): i32 {
  let work: u32 = LINE_WORK;
  if (!isBegun) {
    beginRow();
    ahead(FACTOR_BYTES);
    factor = load<i32>(next);
    otherFactor = load<i32>(next, 4);
    passTo(next + FACTOR_BYTES);
    work += ROW_WORK;
  }
  let isMul = isProduct();
  let elements = pieceOfLine();
  let pitch = load<u32>(layer, LAYER_OTHER_PITCH);
  let step = u32(pitch != 0);
  let source = inputPtr(x, y);
  let other = load<usize>(layer, LAYER_OTHER) + rowsDone() * load<u32>(layer, LAYER_OTHER_PLANE) + y * pitch + x * step;
  let target = outputPtr();
  let end = target + elements;
  do {
    let a: i32 = load<u8>(source);
    let b: i32 = load<u8>(other);
    let sum = a * factor + b * otherFactor;
    if (isMul) sum += a * b;
    store<u8>(target, requantize(sum));
    source++;
    other += step;
  } while (++target < end);
  endPiece(elements);
  return work + SUM_WORK * elements;
}

// What the packer may know of all of a model's layers: it puts a constant in its place.

function isProduct(): bool {
  return load<u32>(layer, LAYER_KIND) == KIND_MUL;
}
