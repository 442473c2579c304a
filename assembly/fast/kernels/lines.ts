/**
 * Layers that go by turns of some lines, each with what the one before it has made: their tensors keep no more lines than the next turn looks at.
 * What a layer does in a turn its own kernel does, by the layer's entry, which is written here.
 */
import { CONTROL_LAYERS_DONE } from "../../abi";
import {
  KIND_DEPTHWISE,
  LAYER_DEPTH_LINES,
  LAYER_ENTRY_BYTES,
  LAYER_INPUT,
  LAYER_KIND,
  LAYER_OTHER,
  LAYER_OTHER_PITCH,
  LAYER_OUTPUT,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_PLANE,
  LAYER_ROWS,
  LINE_BYTE_WORK,
  LINES_ABOVE,
  LINES_COUNT,
  LINES_HEIGHT,
  LINES_KEPT,
  LINES_LAYER,
  LINES_NEW,
  LINES_OTHER,
  LINES_OTHER_STEP,
  LINES_SHIFT,
  LINES_SOURCE,
  LINES_SOURCE_PITCH,
  LINES_SOURCE_STEP,
  LINES_STREAM,
  LINES_TARGET,
  LINES_TARGET_STEP,
  LINES_WORK,
  LINES_ZERO,
  PROGRESS_TURN,
  TURN_BACK,
  TURN_COUNT,
} from "../layout";
import { endRow, goToRow, isLayerComplete, layer, rowsDone } from "../row";
import { progressPtr, seek } from "../stream";

/** The turn at hand, and how many the layer has had before it. */
let turn: u32 = 0;
let passed: u32 = 0;

/** Begins a run. */
export function beginTurns(): void {
  turn = 0;
}

/** What a kernel of the host's own goes by. */
export function tellTurn(): void {
  store<u32>(progressPtr(), turn, PROGRESS_TURN);
}

/**
 * Makes room for the turn's lines in a channel, whatever the budget; with the last says what the layer is to do.
 * @param layer its entry
 * @param progress its address
 * @returns the work it was
 */
export function stepLines(layer: usize, progress: usize, budget: i32): i32 {
  let shift: u32 = load<u8>(layer, LINES_SHIFT);
  passed = turn >> shift;
  if ((turn + 1) & ((1 << shift) - 1)) {
    store<u32>(layer + LAYER_ENTRY_BYTES, 0, LAYER_OUTPUT_HEIGHT);
    goToRow(load<u32>(layer, LAYER_ROWS));
    return LINES_WORK;
  }
  let count: i32 = load<u8>(layer, LINES_COUNT);
  let first = <i32>passed * count - <i32>load<u8>(layer, LINES_ABOVE);
  let end = min(first + count, <i32>load<u16>(layer, LINES_HEIGHT));
  let added = load<u32>(layer, LINES_NEW);
  let work: u32 = LINES_WORK;
  if (added) {
    let kept = load<u32>(layer, LINES_KEPT);
    let begin = load<usize>(layer, LAYER_OUTPUT) + rowsDone() * load<u32>(layer, LAYER_OUTPUT_PLANE);
    let last = begin + kept + added;
    // Lines above the output are there from the first turn on, and stay as they are.
    let outside = begin;
    if (passed) {
      move(begin, begin + added, kept);
      outside += kept + max(end - first, 0) * load<u32>(layer + LAYER_ENTRY_BYTES, LAYER_OUTPUT_PITCH);
      work += LINE_BYTE_WORK * kept;
    }
    work += LINE_BYTE_WORK * <u32>(last - outside);
    fill(outside, last, load<u8>(layer, LINES_ZERO));
  }
  endRow();
  if (isLayerComplete()) direct(first, end);
  return work;
}

/** Writes the layer's entry: the lines from `first` to before `end`, those of them that the output has. */
function direct(first: i32, end: i32): void {
  let entry = layer + LAYER_ENTRY_BYTES;
  let from = max(first, 0);
  let above: u32 = from - first;
  let height = max(end - from, 0);
  store<u32>(entry, height, LAYER_OUTPUT_HEIGHT);
  store<usize>(entry, at(LINES_TARGET, LINES_TARGET_STEP) + above * load<u32>(entry, LAYER_OUTPUT_PITCH), LAYER_OUTPUT);
  let pitch = load<u32>(layer, LINES_SOURCE_PITCH);
  store<usize>(entry, at(LINES_SOURCE, LINES_SOURCE_STEP) + above * pitch, LAYER_INPUT);
  if (load<u32>(layer, LINES_OTHER)) {
    store<usize>(entry, at(LINES_OTHER, LINES_OTHER_STEP) + above * load<u32>(entry, LAYER_OTHER_PITCH), LAYER_OTHER);
  }
  if (load<u32>(entry, LAYER_KIND) == KIND_DEPTHWISE) store<u16>(entry, (height + 1) >> 1, LAYER_DEPTH_LINES);
  goOn();
}

/** Where something is in this turn. */
function at(begin: usize, step: usize): usize {
  return load<usize>(layer + begin) + passed * load<u32>(layer + step);
}

/** What stands in the entry of the layer that is next, and of the stream. */
function goOn(): void {
  seek(load<u32>(layer, LINES_STREAM));
  store<u32>(CONTROL_LAYERS_DONE, load<u16>(layer, LINES_LAYER));
}

/** Whether the entry behind the one at hand has nothing to do in this turn. */
export function isIdle(): bool {
  return !load<u32>(layer + LAYER_ENTRY_BYTES, LAYER_OUTPUT_HEIGHT);
}

/** Ends a turn. @returns the work it was */
export function stepTurn(): u32 {
  if (++turn == load<u32>(layer, TURN_COUNT)) {
    turn = 0;
    goOn();
  }
  endRow();
  return LINES_WORK;
}

/** The host has written the lines. @returns the work it was */
export function stepInput(): u32 {
  endRow();
  return LINES_WORK;
}

/** The entry that follows a turn. */
export function behindTurn(): usize {
  return turn ? load<usize>(layer, TURN_BACK) : layer + LAYER_ENTRY_BYTES;
}

/** Moves bytes to lower addresses, many at a time: an interpreter takes as long for each step, whatever it moves. */
function move(target: usize, source: usize, bytes: u32): void {
  let end = target + bytes;
  for (; target + 16 <= end; target += 16) {
    store<u64>(target, load<u64>(source));
    store<u64>(target, load<u64>(source, 8), 8);
    source += 16;
  }
  for (; target + 4 <= end; target += 4) {
    store<u32>(target, load<u32>(source));
    source += 4;
  }
  for (; target < end; target++) store<u8>(target, load<u8>(source++));
}

function fill(target: usize, end: usize, byte: u32): void {
  let bytes = byte * 0x01010101;
  for (; target + 4 <= end; target += 4) store<u32>(target, bytes);
  for (; target < end; target++) store<u8>(target, byte);
}
