/**
 * A weighted layer's weights, row by row: as records, which `accumulate.ts` takes, or summed up at once where each is needed once.
 * A codec is one function here, which decodes a batch, and one in `section.ts` if it has tables to read.
 */
import {
  CODEC_DENSE,
  CODEC_HUFFMAN,
  MIN_WINDOW_BYTES,
  PAIR_BYTES,
  RECORD_BYTES,
  STATUS_PLAN,
  STATUS_STREAM,
} from "../format";
import { ahead, bitBuffer, bitPosition, bits, cursor, limit, passTo, position, resumeAt, seek } from "./bit-reader";
import { arenaPtr, columnsPtr, recordsPtr, tablesPtr } from "./container";
import { codec, rows } from "./layer";
import { columnShift, fillerEntry, gapsMask, gapsPtr, isFree, live, loadChannel, weightsMask } from "./section";
import { expect, fail } from "./status";

/** Bytes that a batch wants to see; with fewer it is smaller, with more, more bytes of a window are read twice. */
const BATCH_BYTES: u32 = 64;
/** The same for pairs: all that a window surely has. */
const PAIRS_BYTES: u32 = MIN_WINDOW_BYTES;
/** Weights of a batch of codec 0. */
const BATCH: u32 = 32;
/** A batch is as much work as so many multiplications of a convolution. */
export const DECODE_WORK: u32 = 512;

/** The row being decoded; `rows` when the layer is complete. */
export let row: u32 = 0;
/** The row's bias; with the weights that have been summed up in it. The zero point is not taken into account in records. */
export let bias: i32 = 0;
/** After the last record. */
export let recordsEnd: usize = 0;
/** Sums of the weights of the row's records, and of their magnitudes. */
export let weightSum: i32 = 0;
export let magnitudeSum: u32 = 0;
/** Whether all of the row's weights have been decoded. */
export let isRowComplete: bool = false;

/** Continues a row that is decoded elsewhere: `bias` and `column`. */
export function suspendRow(acc: i32, at: i32): void {
  bias = acc;
  column = at;
}

/** Live column of the latest weight, or the one up to which there is none; counted from the row's first, before it negative. */
export let column: i32 = 0;

/** Begins the first row; the section has been read up to its weights. */
export function beginRows(): void {
  row = 0;
  column = -1;
  beginRow();
}

/** Goes to the next row. Behind the last one the section ends, or it is an error. */
export function nextRow(): void {
  row++;
  column -= live;
  if (row < rows) beginRow();
  else expect(!bitBuffer && position == limit, STATUS_STREAM);
}

function beginRow(): void {
  bias = loadChannel(row);
  recordsEnd = recordsPtr;
  weightSum = 0;
  magnitudeSum = 0;
  isRowComplete = false;
}

/** The bits of a loaded u32 that are a column's offset. Narrow entries are loaded with 2 bytes of what follows. */
function columnMask(shift: u32): u32 {
  return 0xffffffff >>> (shift << 4); // by 16, or by 32, which is none
}

/**
 * Decodes a batch of the row's weights; those of a dense layer with codec 2 are `layers/dense.ts`'s.
 * @param asRecords whether they become records, behind those that are there; one that finds no room is an error. Else the columns
 * are elements, and the products of weights and elements are added to `bias`
 */
export function decodeWeights(asRecords: bool): void {
  if (codec() == CODEC_HUFFMAN) decodeHuffman(asRecords);
  else if (codec() == CODEC_DENSE) decodeDense(asRecords);
  else decodePairs();
}

function decodeDense(asRecords: bool): void {
  let shift = columnShift();
  let mask = columnMask(shift);
  let end = min(column + BATCH, live - 1);
  while (column < <i32>end) {
    let weight: i32 = <i8>bits(8);
    column++;
    if (!weight) continue;
    let entry = columnsPtr + (column << shift);
    if (!asRecords) {
      bias += weight * load<i16>(entry);
      continue;
    }
    if (recordsEnd >= arenaPtr) return fail(STATUS_PLAN);
    store<u32>(recordsEnd, ((load<u32>(entry) & mask) << 8) | (weight & 0xff));
    recordsEnd += RECORD_BYTES;
    weightSum += weight;
    magnitudeSum += abs(weight);
  }
  isRowComplete = column == live - 1;
}

function decodeHuffman(asRecords: bool): void {
  let start = bitPosition();
  seek(start >>> 3);
  let bytes = ahead(BATCH_BYTES);
  // Of the bit before the next one: then masks of table indices are even and need no shift.
  let origin = <u32>(cursor() << 3) - 1;
  let bit = origin + (start & 7);
  // A turn takes at most 30 bits (two entries of a table, whatever is in it) and looks at 32. At the end of the file a single
  // turn may load 4 bytes behind it. Where weights take no bits at all, each is a batch of its own, so that a batch is bounded.
  let bitEnd: u32 = isFree ? 0 : origin + (bytes << 3) - 32;
  let shift = columnShift();
  let mask = columnMask(shift);
  let columns = <i32>columnsPtr;
  let at = columns + (column << shift);
  let end = columns + (live << shift);
  let gaps = gapsPtr;
  let gapMask = gapsMask;
  let filler = fillerEntry;
  let weights = tablesPtr;
  let weightMask = weightsMask;
  let target = recordsEnd;
  let stop = arenaPtr;
  let sum = weightSum;
  let magnitude = magnitudeSum;
  let acc = bias;
  let length: u32;
  let passes = false;
  let isFull = false;
  do {
    let word = load<u32>(bit >>> 3) >>> (bit & 7);
    let entry: u32 = load<u16>(gaps + (word & gapMask));
    length = entry & 15;
    let way = (entry >>> 4) << (shift - 1);
    at += way;
    if (at >= <i32>end) {
      at -= way;
      passes = true;
      break;
    }
    if (entry >= filler) {
      at -= 1 << shift;
      bit += length;
      continue;
    }
    let value: i32 = load<i16>(weights + ((word >>> length) & weightMask));
    bit += length + (value & 15);
    if (asRecords) {
      isFull = target >= stop;
      if (isFull) break;
      value >>= 4;
      store<u32>(target, ((load<u32>(at) & mask) << 8) | (value & 0xff));
      target += RECORD_BYTES;
      sum += value;
      magnitude += abs(value);
    } else {
      acc += load<i16>(at) * (value >> 4);
    }
  } while (bit < bitEnd);
  // The gap that leads out of the row is read again by the next one. The last row has it, unless a weight fills its last place.
  if (passes && row == rows - 1 && at < <i32>end - (1 << shift)) bit += length;
  isRowComplete = passes;
  column = (at - columns) >> shift;
  recordsEnd = target;
  weightSum = sum;
  magnitudeSum = magnitude;
  bias = acc;
  // A stream that ran over may have decoded anything: that comes first.
  resumeAt((start & ~7) + (bit - origin));
  if (isFull) fail(STATUS_PLAN);
}

/** Whole pairs that can be loaded from `cursor()`, in bytes. There is at least one, or it is an error. */
export function pairsAhead(): u32 {
  let bytes = min(ahead(PAIRS_BYTES), limit - position) & ~(PAIR_BYTES - 1);
  if (!bytes) bits(8 * PAIR_BYTES);
  return bytes;
}

/** The row's last pair, before `next`, has no weight, or it is an error. */
export function endRow(next: usize): void {
  if (load<u8>(next - 1)) fail(STATUS_STREAM);
  isRowComplete = true;
  column = live - 1;
}

function decodePairs(): void {
  let bytes = pairsAhead();
  let pair = cursor();
  let stop = pair + bytes;
  let shift = columnShift();
  let mask = columnMask(shift);
  let columns = columnsPtr;
  let at = column;
  let end = <i32>live;
  let target = recordsEnd;
  let targetEnd = arenaPtr;
  let sum = weightSum;
  let magnitude = magnitudeSum;
  while (pair < stop) {
    at += <i32>load<u8>(pair) + 1;
    pair += PAIR_BYTES;
    if (at >= end) {
      endRow(pair);
      break;
    }
    let weight: i32 = load<i8>(pair - 1);
    if (!weight) continue;
    if (target >= targetEnd) return fail(STATUS_PLAN);
    store<u32>(target, ((load<u32>(columns + (at << shift)) & mask) << 8) | (weight & 0xff));
    target += RECORD_BYTES;
    sum += weight;
    magnitude += abs(weight);
  }
  if (!isRowComplete) column = at;
  recordsEnd = target;
  weightSum = sum;
  magnitudeSum = magnitude;
  passTo(pair);
}
