/**
 * conv2d whose rows have most of their weights: all columns are taken, in pairs, zeros among them. The elements that a tile of places looks at are
 * widened once for all rows, pair after pair, and four rows at a time take them from there.
 */
import { TENSOR_CHANNELS } from "../abi";
import { groupRows } from "../core/ops/conv2d";
import { columns } from "../core/section";
import { rows } from "../core/layer";
import { emitLines, spanOf } from "./blocks";
import { reserve, rewind, take } from "./memory";
import { FULL, Layer, PAIR_BYTES, Row } from "./program";
import { requantizeSums } from "./requantize";
import { noteRoom, room } from "./room";
import { lower, upper, TILE } from "./sums";

/** With so many weights in 40 zeros are no longer worth passing over. */
const FULL_FORTIETHS: u32 = 21;
/** Rows that share loaded elements, and places of one loop over the columns. */
const ROWS: u32 = 4;
const PLACES: u32 = 8;
/** With fewer rows a group gains nothing by widening its elements for them all. */
const LEAST_ROWS: u32 = 8;
/** Elements of a row are kept till their lines are complete: a block is of one line, or of no more places than these. */
const MOST_PLACES: u32 = 192;

/** Bytes of a pair of columns: of widened elements of a tile, and of the weights of ROWS. */
const TILE_BYTES: u32 = TILE * 4;
const WEIGHT_BYTES: u32 = ROWS * 4;

/** Whether a layer of so many weights, all decoded, is better multiplied with its zeros. */
export function isFull(kept: Layer, weights: u32): bool {
  return kept.groupRows >= LEAST_ROWS && <u64>weights * 40 >= <u64>rows * columns * FULL_FORTIETHS;
}

function pairs(): u32 {
  return (columns + 1) >>> 1;
}

/**
 * Turns the rows' pairs into weights of all columns: {pair of columns} of {ROWS} of two i16, group after group.
 * @param begin of the first row's pairs, behind which nothing has been taken but those of the others
 */
export function fillRows(kept: Layer, begin: usize): void {
  let quads = (groupRows + ROWS - 1) / ROWS;
  let groups = rows / groupRows;
  let bytes = <u64>groups * quads * pairs() * WEIGHT_BYTES;
  let all = reserve(bytes);
  if (!all) return;
  memory.fill(all, 0, <usize>bytes);
  for (let r: u32 = 0; r < rows; r++) {
    let row = changetype<Row>(kept.rows + r * offsetof<Row>());
    let place = r % groupRows;
    let weights = all + ((r / groupRows) * quads + place / ROWS) * pairs() * WEIGHT_BYTES + (place % ROWS) * 4;
    for (let pair = row.begin; pair < row.end; pair += PAIR_BYTES) {
      let first = columnAt(kept, load<u32>(pair));
      let second = columnAt(kept, load<u32>(pair, 4));
      store<i16>(weights + (first >>> 1) * WEIGHT_BYTES + (first & 1) * 2, load<i16>(pair, 8));
      // A lone weight has another of 0 at its own place.
      if (second != first) {
        store<i16>(weights + (second >>> 1) * WEIGHT_BYTES + (second & 1) * 2, load<i16>(pair, 10));
      }
    }
  }
  memory.copy(begin, all, <usize>bytes);
  rewind(begin);
  kept.weights = take(bytes);
  kept.pairs = pairs();
  kept.kind = FULL;
}

/** The column whose element is at an offset of the input. */
function columnAt(kept: Layer, offset: u32): u32 {
  let place = offset % kept.inputPlane;
  return (
    ((offset / kept.inputPlane) * kept.kernelHeight + place / kept.inputPitch) * kept.kernelWidth +
    (place % kept.inputPitch)
  );
}

/** Keeps where the elements of the columns are, and what a run needs. @param offsets of the columns, u32 each, an even number */
export function keepColumns(kept: Layer, offsets: usize): void {
  kept.columns = offsets;
  kept.lines = linesOf(kept);
  let span = strideOf(kept);
  noteRoom(
    <u64>kept.pairs * TILE_BYTES +
      ROWS * TILE_BYTES +
      <u64>(kept.groupRows + 4) * span +
      kept.pitch +
      128 +
      kept.sortedBytes,
  );
}

/** Bytes from a row's elements to the next one's. */
function strideOf(kept: Layer): u32 {
  return (spanOf(kept, kept.lines) + TILE + 31) & -32;
}

function linesOf(kept: Layer): u32 {
  let best: u32 = 1;
  let least = f32.MAX_VALUE;
  for (let lines: u32 = 1; lines <= kept.outputHeight; lines++) {
    let span = spanOf(kept, lines);
    if (lines > 1 && span > MOST_PLACES) break;
    let work = <f32>((span + PLACES - 1) / PLACES) / <f32>lines;
    if (work >= least) continue;
    least = work;
    best = lines;
  }
  return best;
}

/** @param from where the first window begins in what the layer reads */
export function runFull(kept: Layer, from: usize): void {
  let wide = room + kept.sortedBytes;
  let sums = wide + kept.pairs * TILE_BYTES;
  let line = sums + ROWS * TILE_BYTES;
  let elements = line + kept.pitch + 128;
  let stride = strideOf(kept);
  let rowCount = load<u32>(kept.output, TENSOR_CHANNELS);
  let quadBytes = kept.pairs * WEIGHT_BYTES;
  for (let y: u32 = 0; y < kept.outputHeight; y += kept.lines) {
    let lines = min(kept.lines, kept.outputHeight - y);
    let span = spanOf(kept, lines);
    let weights = kept.weights;
    let source = from + y * kept.poolStrideY * kept.pitch;
    for (let first: u32 = 0; first < rowCount; first += kept.groupRows) {
      for (let tile: u32 = 0; tile < span; tile += TILE) {
        widen(kept.columns, kept.pairs, source + tile, wide);
        let count = min(TILE, span - tile);
        let quad = weights;
        for (let r: u32 = 0; r < kept.groupRows; r += ROWS) {
          let row = kept.rows + (first + r) * offsetof<Row>();
          for (let place: u32 = 0; place < count; place += PLACES) {
            sumRows(quad, quad + quadBytes, wide + place * kept.pairs * 4, row, sums + place * 4);
          }
          let some = min(ROWS, kept.groupRows - r);
          for (let i: u32 = 0; i < some; i++) {
            let at = changetype<Row>(row + i * offsetof<Row>());
            let target = elements + (r + i) * stride + tile;
            requantizeSums(
              sums + i * TILE_BYTES,
              count,
              target,
              at.multiplier,
              at.shift,
              kept.zeroPoint,
              kept.low,
              kept.high,
            );
          }
          quad += quadBytes;
        }
      }
      for (let r: u32 = 0; r < kept.groupRows; r++) {
        emitLines(kept, first + r, y, lines, elements + r * stride, line);
      }
      weights += ((kept.groupRows + ROWS - 1) / ROWS) * quadBytes;
      source += kept.groupChannels * kept.plane;
    }
  }
}

/**
 * Widens the elements of pairs of columns at a tile of places, to {PLACES} of {pair} of {place} of two i16.
 * @param offsets of the columns, u32 each, an even number
 */
function widen(offsets: usize, pairs: u32, elements: usize, target: usize): void {
  let next = pairs * (PLACES * 4);
  for (let end = offsets + pairs * 8; offsets < end; offsets += 8) {
    let first = elements + load<u32>(offsets);
    let second = elements + load<u32>(offsets, 4);
    let a = v128.load(first);
    let b = v128.load(second);
    let at = target;
    store16(at, lower(a, b));
    at += next;
    store16(at, upper(a, b));
    at += next;
    a = v128.load(first, 16);
    b = v128.load(second, 16);
    store16(at, lower(a, b));
    at += next;
    store16(at, upper(a, b));
    target += PLACES * 4;
  }
}


@inline
function store16(target: usize, bytes: v128): void {
  v128.store(target, i16x8.extend_low_i8x16_s(bytes));
  v128.store(target, i16x8.extend_high_i8x16_s(bytes), 16);
}

/** Sums of ROWS rows at PLACES places. @param row the first one's entry */
function sumRows(weight: usize, end: usize, elements: usize, row: usize, sums: usize): void {
  let a0 = i32x4.splat(changetype<Row>(row).start);
  let b0 = i32x4.splat(changetype<Row>(row + offsetof<Row>()).start);
  let c0 = i32x4.splat(changetype<Row>(row + 2 * offsetof<Row>()).start);
  let d0 = i32x4.splat(changetype<Row>(row + 3 * offsetof<Row>()).start);
  let a1 = a0;
  let b1 = b0;
  let c1 = c0;
  let d1 = d0;
  while (weight < end) {
    let x0 = v128.load(elements);
    let x1 = v128.load(elements, 16);
    let w = v128.load_splat<u32>(weight);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x0, w));
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x1, w));
    w = v128.load_splat<u32>(weight, 4);
    b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x0, w));
    b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x1, w));
    w = v128.load_splat<u32>(weight, 8);
    c0 = i32x4.add(c0, i32x4.dot_i16x8_s(x0, w));
    c1 = i32x4.add(c1, i32x4.dot_i16x8_s(x1, w));
    w = v128.load_splat<u32>(weight, 12);
    d0 = i32x4.add(d0, i32x4.dot_i16x8_s(x0, w));
    d1 = i32x4.add(d1, i32x4.dot_i16x8_s(x1, w));
    elements += PLACES * 4;
    weight += WEIGHT_BYTES;
  }
  v128.store(sums, a0);
  v128.store(sums, a1, 16);
  sums += TILE_BYTES;
  v128.store(sums, b0);
  v128.store(sums, b1, 16);
  sums += TILE_BYTES;
  v128.store(sums, c0);
  v128.store(sums, c1, 16);
  sums += TILE_BYTES;
  v128.store(sums, d0);
  v128.store(sums, d1, 16);
}
