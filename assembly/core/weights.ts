/**
 * A weighted layer's weights, row by row: as records, which `accumulate.ts` takes, or summed up at once where each is needed once.
 * A codec is one function here, which decodes a batch, and one in `section.ts` if it has tables to read.
 */
import { CODEC_DENSE, CODEC_HUFFMAN, MIN_WINDOW_BYTES, PAIR_BYTES, RECORD_BYTES, STATUS_PLAN, STATUS_STREAM, TENSOR_PTR } from "../format";
import { ahead, bitBuffer, bitPosition, bits, cursor, limit, position, resumeAt, seek } from "./bit-reader";
import { arenaPtr, columnsPtr, recordsPtr, tablesPtr } from "./container";
import { codec, input, rows } from "./layer";
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

/** Live column of the latest weight, or the one up to which there is none; counted from the row's first, before it negative. */
let column: i32 = 0;

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
 * Decodes a batch of the row's weights.
 * @param asRecords whether they become records, behind those that are there; one that finds no room is an error. Else the columns
 * are elements, and the products of weights and elements are added to `bias`
 */
export function decodeWeights(asRecords: bool): void {
  if (codec() == CODEC_HUFFMAN) decodeHuffman(asRecords);
  else if (codec() == CODEC_DENSE) decodeDense(asRecords);
  else if (asRecords) decodePairs();
  else sumPairs();
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
      if (target >= stop) {
        fail(STATUS_PLAN);
        break;
      }
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
  resumeAt((start & ~7) + (bit - origin));
}

/** Whole pairs that can be loaded from `cursor()`, in bytes. There is at least one, or it is an error. */
function pairsAhead(): u32 {
  let bytes = min(ahead(PAIRS_BYTES), limit - position) & ~(PAIR_BYTES - 1);
  if (!bytes) bits(8 * PAIR_BYTES);
  return bytes;
}

/** Goes on behind the pairs up to before `next`. The one that ended a row has a weight of 0. */
function passPairs(next: usize, isEnd: bool): void {
  expect(!isEnd || !load<u8>(next - 1), STATUS_STREAM);
  isRowComplete = isEnd;
  if (isEnd) column = live - 1;
  seek(position + <u32>(next - cursor()));
}

function decodePairs(): void {
  let bytes = pairsAhead();
  let pair = cursor();
  let stop = pair + bytes;
  let shift = columnShift();
  let mask = columnMask(shift);
  let at = column;
  let end = <i32>live;
  let isEnd = false;
  while (pair < stop) {
    at += <i32>load<u8>(pair) + 1;
    pair += PAIR_BYTES;
    if (at >= end) {
      isEnd = true;
      break;
    }
    let weight: i32 = load<i8>(pair - 1);
    if (!weight) continue;
    if (recordsEnd >= arenaPtr) return fail(STATUS_PLAN);
    store<u32>(recordsEnd, ((load<u32>(columnsPtr + (at << shift)) & mask) << 8) | (weight & 0xff));
    recordsEnd += RECORD_BYTES;
    weightSum += weight;
    magnitudeSum += abs(weight);
  }
  column = at;
  passPairs(pair, isEnd);
}

function sumPairs(): void {
  let bytes = pairsAhead();
  let pair = cursor();
  let stop = pair + bytes;
  let lastTurn = stop - 4 * PAIR_BYTES;
  let elements = load<usize>(input, TENSOR_PTR);
  let end = elements + live;
  let end1 = end - 1;
  let end2 = end - 2;
  let end3 = end - 3;
  let end4 = end - 4;
  let at = elements + column;
  let acc = bias;
  let isEnd = true;
  for (;;) {
    if (<i32>pair > <i32>lastTurn) {
      if (pair >= stop) {
        isEnd = false;
        break;
      }
      at += <usize>load<u8>(pair) + 1;
      pair += PAIR_BYTES;
      if (at >= end) break;
      acc += load<i8>(pair - 1) * load<u8>(at);
      continue;
    }
    // Four pairs a turn. The steps from each weight to the next place are in the constants.
    at += load<u8>(pair);
    if (at >= end1) {
      pair += PAIR_BYTES;
      break;
    }
    acc += load<i8>(pair, 1) * load<u8>(at, 1);
    at += load<u8>(pair, 2);
    if (at >= end2) {
      pair += 2 * PAIR_BYTES;
      break;
    }
    acc += load<i8>(pair, 3) * load<u8>(at, 2);
    at += load<u8>(pair, 4);
    if (at >= end3) {
      pair += 3 * PAIR_BYTES;
      break;
    }
    acc += load<i8>(pair, 5) * load<u8>(at, 3);
    at += load<u8>(pair, 6);
    pair += 4 * PAIR_BYTES;
    if (at >= end4) break;
    acc += load<i8>(pair - 1) * load<u8>(at, 4);
    at += 4;
  }
  column = <i32>(at - elements);
  bias = acc;
  passPairs(pair, isEnd);
}
