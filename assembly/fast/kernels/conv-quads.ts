/**
 * Convolutions by lots of places, in groups: with most weights left two filters at a time, with some of them one, by its weights. The stream
 * is read again for each lot.
 */
import {
  GAP_FINISH_WORK,
  GAP_STRETCH_WORK,
  GAP_WORK,
  LAYER_OUTPUT,
  LAYER_OUTPUT_PLANE,
  LAYER_ROWS,
  LOT_STRETCH,
  PAIR_BYTES,
  QUAD_FINISH_WORK,
  QUAD_HEAD_BYTES,
  QUAD_INPUT_BYTES,
  QUAD_STRETCH_WORK,
  QUAD_TURN,
  QUAD_TURN_WORK,
  ROW_BYTES,
} from "../layout";
import { beginLot, beginLots, filled, groupBytes, groupPtr, groups, isLaidOut, isLast, layOut } from "./lot";
import { endGroups, startOf, sumGaps, sumGroup, sumGroups } from "./quads";
import { begin, goToRow, isBegun, layer, rowsDone } from "../row";
import { ahead, goTo, next, passTo, position } from "../stream";

/** Where the stream has the layer's rows. */
let rows: u32 = 0;
/** Of the rows at hand: the lot's group, and inputs or weights that are summed up. */
let group: u32 = 0;
let input: u32 = 0;
/** Where the latest weight's elements are in a group. */
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
    group = input = 0;
    beginLots();
  }
  let work: i32 = 0;
  do {
    if (!isLaidOut) {
      work += layOut();
      continue;
    }
    let piece = isByGaps ? sumRow() : sumRows(budget - work);
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

/**
 * Sums up stretches of two filters, at all of the lot's groups where it is all of them, or at two, for as long as `budget` multiplications take.
 * @returns as how much work it counts, 0 on a failure
 */
function sumRows(budget: i32): i32 {
  let bytes = 2 * (ROW_BYTES + filled);
  let rows = load<u32>(layer, LAYER_ROWS);
  let row = rowsDone();
  let plane = load<u32>(layer, LAYER_OUTPUT_PLANE);
  let target = load<usize>(layer, LAYER_OUTPUT) + row * plane;
  let work: i32 = 0;
  do {
    if (!ahead(bytes)) return 0;
    let head = next;
    let from = input;
    let stretch = load<u32>(head, 12) >>> 8;
    let taken = min<u32>(filled - from, stretch);
    let last = from + taken == filled;
    let start = startOf(filled, stretch);
    let weights = head + 2 * ROW_BYTES + 2 * from;
    let offset = QUAD_HEAD_BYTES + QUAD_INPUT_BYTES * from;
    let count = taken == filled ? groups : min(groups - group, 2);
    let ptr = groupPtr(group);
    let stop = ptr + count * groupBytes;
    do {
      let other = ptr + groupBytes;
      let end = other;
      if (other < stop) {
        end += groupBytes;
        sumGroups(ptr + offset, other + offset, weights, taken);
      } else {
        sumGroup(ptr + offset, weights, taken);
      }
      endGroups(start, ptr, end, head, target, row + 1 < rows ? <usize>plane : 0, !from, last);
      ptr = end;
    } while (ptr < stop);
    work += count * ((QUAD_TURN_WORK / QUAD_TURN) * taken + QUAD_STRETCH_WORK + (last ? QUAD_FINISH_WORK : 0));
    if (!endStretch(taken, last, count)) continue;
    passTo(head + bytes);
    row = min(row + 2, rows);
    goToRow(row);
    if (row == rows) break;
    target += 2 * plane;
  } while (work < budget);
  return work;
}

/** The same of a stretch of one filter, or at a group. */
function sumRow(): i32 {
  if (!ahead(ROW_BYTES)) return 0;
  let pairs = load<u32>(next, 12) >>> 8;
  let bytes = ROW_BYTES + PAIR_BYTES * pairs;
  if (!ahead(bytes)) return 0;
  let head = next;
  let from = input;
  let taken = min<u32>(pairs - from, LOT_STRETCH);
  let last = from + taken == pairs;
  let start = startOf(pairs, LOT_STRETCH);
  let pair = head + ROW_BYTES + PAIR_BYTES * from;
  let target = load<usize>(layer, LAYER_OUTPUT) + rowsDone() * load<u32>(layer, LAYER_OUTPUT_PLANE);
  let offset: usize = from ? elements : QUAD_HEAD_BYTES;
  let count = taken == pairs ? groups : 1;
  let ptr = groupPtr(group);
  let stop = ptr + count * groupBytes;
  do {
    elements = sumGaps(ptr + offset, pair, pair + PAIR_BYTES * taken) - ptr;
    let end = ptr + groupBytes;
    endGroups(start, ptr, end, head, target, 0, !from, last);
    ptr = end;
  } while (ptr < stop);
  if (endStretch(taken, last, count)) {
    passTo(head + bytes);
    goToRow(rowsDone() + 1);
  }
  return count * (GAP_WORK * taken + GAP_STRETCH_WORK + (last ? GAP_FINISH_WORK : 0));
}

/** Goes on behind a stretch at so many groups. @returns whether it was the last of the rows at hand */
function endStretch(taken: u32, last: bool, count: u32): bool {
  input = last ? 0 : input + taken;
  if (last) group += count;
  if (group < groups) return false;
  group = 0;
  return true;
}
