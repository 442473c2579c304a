/**
 * Dense layers and convolutions of weights ± 1 over elements 0 and 1: 64 of each share a word, and what a row makes of them is how many bits differ (Hubara et
 * al. 2016, section 4). Places of a lot of outputs are laid out for all rows.
 */
import {
  BITS_EIGHT_WORK,
  BITS_LINE_WORK,
  BITS_OUTPUT_WORK,
  BITS_PLACE_WORK,
  BITS_POOLED_WORK,
  BITS_ROW_WORK,
  BITS_WORD_BYTES,
  BITS_WORD_WORK,
  LAYER_ACROSS,
  LAYER_BITS_CHANNELS,
  LAYER_BITS_HEIGHT,
  LAYER_BITS_LOT,
  LAYER_BITS_PITCH,
  LAYER_BITS_PLANE,
  LAYER_BITS_POOL,
  LAYER_BITS_WIDTH,
  LAYER_DOWN,
  LAYER_INPUT,
  LAYER_OUTPUT,
  LAYER_OUTPUT_HEIGHT,
  LAYER_OUTPUT_PITCH,
  LAYER_OUTPUT_PLANE,
  LAYER_OUTPUT_WIDTH,
  LAYER_ROWS,
  LAYER_STREAM,
  PIECE_BITS_WORK,
  PROGRESS_ROW,
  ROW_BYTES,
} from "../layout";
import { begin, beginRow, isBegun, requantize } from "../row";
import { ahead, goTo, next, passTo, scratchPtr } from "../stream";

/** The lowest bits of eight bytes come side by side to the highest byte of a product with this. */
const LOWEST_BITS: u64 = 0x0101010101010101;
const GATHER: u64 = 0x0102040810204080;

/** The lot's first output, in the order of places; places that are laid out, and lines of the next; and rows that are done. */
let first: u32 = 0;
let laid: u32 = 0;
let line: u32 = 0;
let row: u32 = 0;

/**
 * Takes rows, lot after lot, for as long as `budget` multiplications take.
 * @param layer its entry
 * @param progress its address
 * @returns as how many it counts
 */
export function stepBits(layer: usize, progress: usize, budget: i32): i32 {
  if (!isBegun) first = laid = line = row = 0;
  begin();
  let work: i32 = 0;
  let outputs = load<u32>(layer, LAYER_OUTPUT_HEIGHT) * load<u32>(layer, LAYER_OUTPUT_WIDTH);
  let pooled: u32 = load<u8>(layer, LAYER_BITS_POOL);
  pooled *= pooled;
  let inputs =
    <u32>load<u16>(layer, LAYER_BITS_WIDTH) *
    load<u16>(layer, LAYER_BITS_HEIGHT) *
    load<u16>(layer, LAYER_BITS_CHANNELS);
  let bytes: u32 = ((inputs + 63) >> 6) * BITS_WORD_BYTES;
  let rowBytes: u32 = ROW_BYTES + bytes;
  do {
    let lot = min<u32>(load<u8>(layer, LAYER_BITS_LOT), outputs - first);
    if (laid < lot * pooled) {
      work += layOut(layer, pooled, bytes);
      continue;
    }
    if (ahead(rowBytes) < rowBytes) break; // a read has failed
    beginRow();
    sumRow(layer, next, bytes, lot, pooled);
    passTo(next + bytes);
    work +=
      BITS_ROW_WORK +
      lot * (BITS_OUTPUT_WORK + pooled * (BITS_POOLED_WORK + BITS_WORD_WORK * (bytes / BITS_WORD_BYTES)));
    if (++row < load<u32>(layer, LAYER_ROWS)) continue;
    first += lot;
    if (first == outputs) {
      store<u32>(progress, row, PROGRESS_ROW);
      break;
    }
    laid = row = 0;
    goTo(load<u32>(layer, LAYER_STREAM));
  } while (work < budget);
  return work;
}

/** Lays out what a place under an output's pool looks at, or some lines of it. @returns the work that it is */
function layOut(layer: usize, pooled: u32, bytes: u32): u32 {
  let width = load<u32>(layer, LAYER_OUTPUT_WIDTH);
  let pool: u32 = load<u8>(layer, LAYER_BITS_POOL);
  let pitch = load<u32>(layer, LAYER_BITS_PITCH);
  let plane = load<u32>(layer, LAYER_BITS_PLANE);
  let across: u32 = load<u16>(layer, LAYER_BITS_WIDTH);
  let down: u32 = load<u16>(layer, LAYER_BITS_HEIGHT);
  let lines: u32 = down * load<u16>(layer, LAYER_BITS_CHANNELS);
  let output = first + laid / pooled;
  let place = laid % pooled;
  let begin =
    load<usize>(layer, LAYER_INPUT) +
    (output / width) * load<u32>(layer, LAYER_DOWN) +
    (output % width) * load<u32>(layer, LAYER_ACROSS) +
    (place / pool) * pitch +
    (place % pool);
  let at = line;
  let work: u32 = at ? 0 : BITS_PLACE_WORK;
  // Bits of the word that are taken.
  let taken = (at * across) & 63;
  let target = scratchPtr() + laid * bytes + ((at * across) >> 6) * BITS_WORD_BYTES;
  let word: u64 = taken ? load<u64>(target) : 0;
  do {
    let from = begin + (at / down) * plane + (at % down) * pitch;
    let left = across;
    do {
      let bits = ((load<u64>(from) & LOWEST_BITS) * GATHER) >> 56;
      let count = min(left, 8);
      bits &= (1 << count) - 1;
      word |= bits << taken;
      taken += count;
      if (taken >= 64) {
        store<u64>(target, word);
        target += BITS_WORD_BYTES;
        taken -= 64;
        // What did not fit any more.
        word = bits >> (count - taken);
      }
      from += 8;
      left -= count;
    } while (left);
    work += BITS_LINE_WORK + BITS_EIGHT_WORK * ((across + 7) >> 3);
  } while (++at < lines && work < <u32>PIECE_BITS_WORK);
  if (taken) store<u64>(target, word);
  line = at;
  if (at == lines) {
    line = 0;
    laid++;
  }
  return work;
}

/** Writes a row's outputs of a lot. @param bytes of its weights, and of each place */
function sumRow(layer: usize, weights: usize, bytes: u32, lot: u32, pooled: u32): void {
  let width = load<u32>(layer, LAYER_OUTPUT_WIDTH);
  let pitch = load<u32>(layer, LAYER_OUTPUT_PITCH);
  let column = first % width;
  let target = load<usize>(layer, LAYER_OUTPUT) + row * load<u32>(layer, LAYER_OUTPUT_PLANE) + (first / width) * pitch;
  let place = scratchPtr();
  let end = weights + bytes;
  do {
    let least: i64 = i64.MAX_VALUE;
    let places = pooled;
    do {
      let differ: i64 = 0;
      let word = weights;
      do {
        differ += popcnt(load<i64>(word) ^ load<i64>(place));
        word += BITS_WORD_BYTES;
        place += BITS_WORD_BYTES;
      } while (word < end);
      if (differ < least) least = differ;
    } while (--places);
    store<u8>(target + column, requantize(-(<i32>least)));
    if (++column == width) {
      column = 0;
      target += pitch;
    }
  } while (--lot);
}
