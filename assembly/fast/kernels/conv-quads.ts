/**
 * Convolutions by lots of places, in fours: with most weights left two filters at a time, with some of them one, by its weights. The stream
 * is read again for each lot.
 */
import {
  GAP_FINISH_WORK,
  GAP_STRETCH_WORK,
  GAP_WORK,
  LAYER_OUTPUT,
  LAYER_OUTPUT_PLANE,
  LAYER_ROWS,
  PAIR_BYTES,
  QUAD_FINISH_WORK,
  QUAD_HEAD_BYTES,
  QUAD_STRETCH,
  QUAD_STRETCH_WORK,
  QUAD_TURN,
  QUAD_TURN_WORK,
  ROW_BYTES,
} from "../layout";
import { beginLot, beginLots, filled, fourBytes, fourPtr, fours, isLaidOut, isLast, layOut } from "./lot";
import { sumGaps, sumQuads } from "./quads";
import { begin, goToRow, isBegun, layer, rowsDone } from "../row";
import { ahead, goTo, next, passTo, position } from "../stream";

/** Where the stream has the layer's rows. */
let rows: u32 = 0;
/** Of the rows at hand: the lot's four, and inputs or weights that are summed up. */
let four: u32 = 0;
let input: u32 = 0;
/** Where the latest weight's elements are in a four. */
let elements: usize = 0;

/**
 * Works for as long as `budget` multiplications take, or one piece.
 * @param layer its entry
 * @param progress its address
 * @returns as how many it counts
 */
export function stepConvQuads(layer: usize, progress: usize, budget: i32): i32 {
  return stepLots(budget, false);
}

/** The same by the weights that are left. */
export function stepConvGaps(layer: usize, progress: usize, budget: i32): i32 {
  return stepLots(budget, true);
}

/** Inlined, so that each of the two is what a host replaces: no other function is called in its place. */
@inline
function stepLots(budget: i32, isByGaps: bool): i32 {
  if (!isBegun) {
    begin();
    rows = position();
    four = input = 0;
    beginLots();
  }
  let work: i32 = 0;
  do {
    if (!isLaidOut) {
      work += layOut();
      continue;
    }
    let piece = isByGaps ? sumRow() : sumRows();
    if (!piece) return work; // a read has failed
    work += piece;
    if (rowsDone() < load<u32>(layer, LAYER_ROWS)) continue;
    if (isLast) return work;
    goToRow(0);
    goTo(rows);
    beginLot();
  } while (work < budget);
  return work;
}

/** Sums up a stretch of two filters, at all of the lot's fours where it is all of them. @returns as how much work it counts, 0 on a failure */
function sumRows(): u32 {
  let bytes = 2 * (ROW_BYTES + filled);
  if (!ahead(bytes)) return 0;
  let head = next;
  let count = load<u32>(layer, LAYER_ROWS);
  let plane = load<u32>(layer, LAYER_OUTPUT_PLANE);
  let target = load<usize>(layer, LAYER_OUTPUT) + rowsDone() * plane;
  let taken = min<u32>(filled - input, QUAD_STRETCH);
  let last = input + taken == filled;
  let together = taken == filled ? fours : 1;
  let ptr = fourPtr(four);
  sumQuads(
    ptr,
    ptr + together * fourBytes,
    head,
    input,
    taken,
    target,
    rowsDone() + 1 < count ? target + plane : target,
    last,
  );
  if (endStretch(taken, last, together)) {
    passTo(head + bytes);
    goToRow(min(rowsDone() + 2, count));
  }
  return together * ((QUAD_TURN_WORK / QUAD_TURN) * taken + QUAD_STRETCH_WORK + (last ? QUAD_FINISH_WORK : 0));
}

/** The same of one filter. */
function sumRow(): u32 {
  if (!ahead(ROW_BYTES)) return 0;
  let pairs = load<u32>(next, 12) >>> 8;
  let bytes = ROW_BYTES + PAIR_BYTES * pairs;
  if (!ahead(bytes)) return 0;
  let head = next;
  let taken = min<u32>(pairs - input, QUAD_STRETCH);
  let last = input + taken == pairs;
  let together = taken == pairs ? fours : 1;
  let ptr = fourPtr(four);
  elements = sumGaps(
    ptr,
    ptr + together * fourBytes,
    head,
    input,
    taken,
    input ? elements : QUAD_HEAD_BYTES,
    load<usize>(layer, LAYER_OUTPUT) + rowsDone() * load<u32>(layer, LAYER_OUTPUT_PLANE),
    last,
  );
  if (endStretch(taken, last, together)) {
    passTo(head + bytes);
    goToRow(rowsDone() + 1);
  }
  return together * (GAP_WORK * taken + GAP_STRETCH_WORK + (last ? GAP_FINISH_WORK : 0));
}

/** Goes on behind a stretch. @returns whether it was the last of the rows at hand */
function endStretch(taken: u32, last: bool, together: u32): bool {
  input = last ? 0 : input + taken;
  if (last) four += together;
  if (four < fours) return false;
  four = 0;
  return true;
}
