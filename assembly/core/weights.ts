/**
 * A weighted layer's weights, row by row, as records: what `accumulate.ts` takes. A codec is one function here, which decodes a
 * batch of records, and one in `section.ts` if it has tables to read.
 */
import { RECORD_BYTES, STATUS_PLAN, STATUS_STREAM } from "../abi";
import { CODEC_HUFFMAN } from "../format";
import { ahead, bitBuffer, bitCount, bits, cursor, limit, position, resume } from "./bit-reader";
import { arenaPtr, columnsPtr, recordsPtr, tablesPtr } from "./container";
import { codec, rows } from "./layer";
import { columnShift, filler, gapsMask, gapsPtr, live, loadChannel, weightsMask } from "./section";
import { expect, failure } from "./status";
import { BATCH_WORK, TURN_WORK } from "./work";

/** Turns of one piece of work: records, and gaps without one. */
const BATCH: u32 = 32;
/** Bytes that a batch wants to see: with less, half as many records a refill, with more, more bytes are read twice. */
const BATCH_BYTES: u32 = 48;

/** The row being decoded; `rows` when the layer is complete. */
export let row: u32 = 0;
/** The row's bias, and what is carried over to it. The input's zero point is not taken into account. */
export let bias: i32 = 0;
/** After the last record. */
export let recordsEnd: usize = 0;
/** Sum of the row's weights so far. */
export let weightSum: i32 = 0;

/** Live column of the next weight, counted from the row's first; it may lie in a later row. */
let column: u32 = 0;
/** Huffman: whether the weight at `column` comes next in the stream, its gap having been read. */
let isWeightDue: bool = false;

/** Begins the first row; the section has been read up to its weights. */
export function beginRows(): void {
  row = column = 0;
  isWeightDue = false;
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
  carryOver(loadChannel(row));
  weightSum = 0;
}

/** Makes room for more records of the row, those that were there being summed up in `acc`, which its bias went into. */
export function carryOver(acc: i32): void {
  bias = acc;
  recordsEnd = recordsPtr;
}

/** How many more records there is room for. */
export function room(): u32 {
  return <u32>(arenaPtr - recordsEnd) / RECORD_BYTES;
}

/** The bits of a loaded u32 that are a column's offset. Narrow entries are loaded with 2 bytes of what follows. */
function columnMask(shift: u32): u32 {
  return 0xffffffff >>> (shift << 4); // by 16, or by 32, which is none
}

/** Whether all of the row's weights have been decoded. */
export function isRowComplete(): bool {
  return column >= live;
}

/**
 * Decodes up to BATCH records of the row, behind those that are there. A weight that finds no room is an error.
 * @returns the work it was
 */
export function decodeRecords(): u32 {
  return BATCH_WORK + (codec() == CODEC_HUFFMAN ? decodeHuffman() : decodeDense());
}

/** @returns the work of its turns */
function decodeDense(): u32 {
  let shift = columnShift();
  let mask = columnMask(shift);
  let turns = min(max(min(BATCH, room()), 1), live - column);
  let end = column + turns;
  do {
    let weight = bits(8);
    if (!weight) continue;
    expect(room() != 0, STATUS_PLAN);
    if (failure) break;
    let offset = load<u32>(columnsPtr + (column << shift)) & mask;
    store<u32>(recordsEnd, (offset << 8) | weight);
    recordsEnd += RECORD_BYTES;
    weightSum += <i8>weight;
  } while (++column < end);
  return turns * TURN_WORK;
}

/** @returns the work of its turns, or of one more or one less: of the weights and fillers that it came upon */
function decodeHuffman(): u32 {
  let target = recordsEnd;
  let due = isWeightDue;
  expect(!due || room() != 0, STATUS_PLAN);
  if (failure) return 0;
  // A turn takes at most 30 bits (two entries of a table, whatever is in it) and loads 32 when fewer are left, so that turns
  // load no more than 4 bytes each. At the end of the file a single turn may load 4 bytes behind it.
  let turns = max(min(BATCH, ahead(BATCH_BYTES) >>> 2), 1);
  // Each turn writes a record, except where there is no weight due: then the end comes nearer instead.
  let stop = target + min(turns, room()) * RECORD_BYTES - (due ? 0 : RECORD_BYTES);
  let begun = stop - target;
  let next = cursor();
  let buffer = bitBuffer;
  let count = bitCount;
  let at = column;
  let end = live;
  let weights = tablesPtr;
  let weightMask = weightsMask;
  let gaps = gapsPtr;
  let gapMask = gapsMask;
  let offsets = columnsPtr;
  let fillerGap = filler;
  let sum = weightSum;
  let shift = columnShift();
  let mask = columnMask(shift);
  do {
    if (count < 32) {
      buffer |= (<u64>load<u32>(next)) << count;
      next += 4;
      count += 32;
    }
    if (due) {
      let entry: u32 = load<u16>(weights + (((<u32>buffer) & weightMask) << 1));
      let length = entry & 15;
      buffer >>= length;
      count -= length;
      let weight = (entry >>> 4) & 0xff;
      let offset = load<u32>(offsets + (at << shift)) & mask;
      store<u32>(target, (offset << 8) | weight);
      target += RECORD_BYTES;
      sum += (<i32>(weight << 24)) >> 24;
      if (++at >= end) {
        due = false;
        break;
      }
    }
    let entry: u32 = load<u16>(gaps + (((<u32>buffer) & gapMask) << 1));
    let length = entry & 15;
    buffer >>= length;
    count -= length;
    let gap = entry >>> 4;
    at += gap;
    due = gap != fillerGap;
    if (!due) stop -= RECORD_BYTES;
  } while (at < end && target < stop);
  column = at;
  isWeightDue = due;
  recordsEnd = target;
  weightSum = sum;
  resume(next, buffer, count);
  // A turn counts as much as a record has bytes.
  return <u32>(begun - (stop - target));
}
