/** The layer at hand and its row at hand. */
import {
  LAYER_CLAMP_MAX,
  LAYER_CLAMP_MIN,
  LAYER_INPUT,
  LAYER_INPUT_PITCH,
  LAYER_INPUT_PLANE,
  LAYER_OUTPUT,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_PLANE,
  LAYER_OUTPUT_WIDTH,
  LAYER_ROWS,
  PIECE_LINE,
  PROGRESS_POSITION,
  PROGRESS_ROW,
  ROW_BYTES,
} from "./layout";
import { ahead, next, passTo, progressPtr } from "./stream";

/** The layer's entry. */
export let layer: usize = 0;
/** Whether the row's head has been read. */
export let isBegun: bool = false;
/** The next output of the row. */
export let x: u32 = 0;
export let y: u32 = 0;

/** What takes a sum to an output: `(sum × multiplier + constant) >> shift`. */
export let constant: i64 = 0;
export let multiplier: i64 = 0;
export let shift: i64 = 0;
/** Pairs, or bytes of chunks. */
export let count: u32 = 0;

export function beginLayers(first: usize): void {
  layer = first;
  x = y = 0;
  isBegun = false;
  // PROGRESS_ROW with it.
  store<u64>(progressPtr(), 0, PROGRESS_POSITION);
}

/** How many of the layer's rows are complete. */
@inline
export function rowsDone(): u32 {
  return load<u32>(progressPtr(), PROGRESS_ROW);
}

export function isLayerComplete(): bool {
  return rowsDone() >= load<u32>(layer, LAYER_ROWS);
}

/** Says that the row has been begun, or all of the layer, by a kernel that reads the heads of rows where they stand. */
export function begin(): void {
  isBegun = true;
}

export function goToRow(index: u32): void {
  store<u32>(progressPtr(), index, PROGRESS_ROW);
}

/** Reads the head of the stream's next row. */
export function beginRow(): void {
  ahead(ROW_BYTES);
  constant = load<i64>(next);
  multiplier = load<u32>(next, 8);
  shift = load<u8>(next, 12);
  count = load<u32>(next, 12) >>> 8;
  passTo(next + ROW_BYTES);
  x = y = 0;
  isBegun = true;
}

/** Leaves the row at hand. */
@inline
export function leaveRow(): void {
  isBegun = false;
}

/** Leaves the row at hand, which is complete. */
@inline
export function endRow(): void {
  store<u32>(progressPtr(), rowsDone() + 1, PROGRESS_ROW);
  leaveRow();
}

/** Address of output (x, y) of the row. */
export function outputPtr(): usize {
  return (
    load<usize>(layer, LAYER_OUTPUT) +
    rowsDone() * load<u32>(layer, LAYER_OUTPUT_PLANE) +
    y * load<u32>(layer, LAYER_OUTPUT_PITCH) +
    x
  );
}

/** Goes to a place of the row's plane. */
export function moveTo(column: u32, line: u32): void {
  x = column;
  y = line;
}

/** Passes `across` outputs, at most to the end of their line, and then `down` lines. @returns whether the plane is complete */
export function advance(across: u32, down: u32): bool {
  x += across;
  if (x < load<u32>(layer, LAYER_OUTPUT_WIDTH)) return false;
  x = 0;
  y += down;
  return y >= load<u32>(layer, LAYER_OUTPUT_HEIGHT);
}

/** Address of the element at a place of the row's channel of the input. */
export function inputPtr(column: u32, line: u32): usize {
  return (
    load<usize>(layer, LAYER_INPUT) +
    rowsDone() * load<u32>(layer, LAYER_INPUT_PLANE) +
    line * load<u32>(layer, LAYER_INPUT_PITCH) +
    column
  );
}

/** Outputs that a piece of work takes, of what goes line by line: to the end of the line, or as many as it may. */
export function pieceOfLine(): u32 {
  return min(load<u32>(layer, LAYER_OUTPUT_WIDTH) - x, PIECE_LINE);
}

/** Passes a piece of a line. @returns whether it was the row's last */
export function endPiece(outputs: u32): bool {
  if (!advance(outputs, 1)) return false;
  moveTo(0, 0);
  endRow();
  return true;
}

/** The output byte for a sum. */
export function requantize(sum: i32): u32 {
  return clamp(<i32>((sum * multiplier + constant) >> shift));
}

/** The nearest byte that an output may be. Nearly every value is one. */
@inline
export function clamp(value: i32): i32 {
  if (<u32>(value - clampMin()) > <u32>(clampMax() - clampMin())) value = nearest(value);
  return value;
}

/** The one nearest to a value beyond the clamp. */
function nearest(value: i32): i32 {
  return value < clampMin() ? clampMin() : clampMax();
}

// What the packer may know of all of a model's layers: it puts constants in their place.

function clampMin(): i32 {
  return load<i32>(layer, LAYER_CLAMP_MIN);
}

function clampMax(): i32 {
  return load<i32>(layer, LAYER_CLAMP_MAX);
}
