/**
 * A weighted layer's section: scales, biases, the live columns and the codes first, then the weights, row by row, as records.
 * A codec is two functions here, one that reads what stands before its symbols and one that decodes a batch of records.
 */
import {
  CODEC_HUFFMAN,
  MAX_GAP_SYMBOLS,
  MIN_GAP_SYMBOLS,
  MIN_WINDOW_BYTES,
  RECORD_BYTES,
  STATUS_PLAN,
  STATUS_RANGE,
  STATUS_STREAM,
} from "../format";
import {
  ahead,
  bitBuffer,
  bitCount,
  bitPosition,
  bits,
  cursor,
  limit,
  position,
  resume,
  seek,
  seekBits,
} from "./bit-reader";
import { arenaPtr, channelsPtr, columnsPtr, recordsPtr, tablesPtr } from "./container";
import { buildTable } from "./huffman";
import {
  biasBits,
  biasShift,
  codec,
  columns,
  groupChannels,
  hasRowScales,
  input,
  inputPitch,
  inputPlane,
  inputZeroPoint,
  kernelHeight,
  kernelWidth,
  readScale,
  rows,
  sectionEnd,
} from "./layer";
import { setScale } from "./requantize";
import { expect, failure } from "./status";
import { tensorBytes } from "./tensor";

/** Items (scales, biases, columns, weights) of one slice of work. */
export const BATCH: u32 = 32;
/** Bytes that a batch wants to see: with less, half as many records a refill, with more, more bytes are read twice. */
const BATCH_BYTES: u32 = 48;

/** The row being decoded; `rows` when the layer is complete. */
export let row: u32 = 0;
/** The row's bias, before the input's zero point is taken into account. */
export let bias: i32 = 0;
/** After the last record. */
export let recordsEnd: usize = 0;
/** Sum of the row's weights so far. */
export let weightSum: i32 = 0;

/** How many scales and biases, then how many columns, have been read. */
let done: u32 = 0;
/** Bytes of a row's entry in the channels region: its bias, and its multiplier and shift if it has its own. */
let channelBytes: u32 = 0;
let hasColumnMap: bool = false;
/** Live columns. */
let live: u32 = 0;
/** The entries of the column table: 2^entryShift bytes, of which entryMask is the offset. */
let entryShift: u32 = 0;
let entryMask: u32 = 0;
/** The next column's place in the kernel and its offset in the input. */
let kernelX: u32 = 0;
let kernelY: u32 = 0;
let columnOffset: u32 = 0;
/** Live column of the next weight, counted from the row's first; it may lie in a later row. */
let column: u32 = 0;
/** Huffman: whether the weight at `column` comes next in the stream, its gap having been read. */
let isWeightDue: bool = false;
let filler: u32 = 0;
let gapsPtr: usize = 0;
let gapsMask: u32 = 0;
let weightsMask: u32 = 0;

/** Begins the section of the layer that has just been read. */
export function beginSection(): void {
  done = 0;
  channelBytes = hasRowScales ? 12 : 4;
  expect(channelsPtr + rows * channelBytes <= recordsPtr, STATUS_PLAN);
}

/** Reads up to BATCH multipliers with their shifts, and biases. @returns whether those were the last */
export function readChannels(): bool {
  let scales: u32 = hasRowScales ? rows : 1;
  let end = min(done + BATCH, scales + rows);
  for (; done < end; done++) {
    if (done < scales) {
      let multiplier = bits(31);
      let shift = bits(6);
      readScale(multiplier, shift);
      if (hasRowScales) {
        let entry = channelsPtr + done * 12;
        store<u32>(entry, multiplier, 4);
        store<u32>(entry, shift, 8);
      }
    } else {
      // biasBits up to 32 and biasShift up to 31: 63 bits with the sign.
      let unused = 64 - <i64>biasBits;
      let value = biasBits ? (((<i64>bits(biasBits)) << unused) >> unused) << biasShift : 0;
      expect(value == <i64>(<i32>value), STATUS_RANGE);
      store<i32>(channelsPtr + (done - scales) * channelBytes, <i32>value);
    }
  }
  return done == scales + rows;
}

export function beginColumns(): void {
  hasColumnMap = codec == CODEC_HUFFMAN && bits(1) != 0;
  done = live = kernelX = kernelY = columnOffset = 0;
  let isNarrow = tensorBytes(input) <= 0x10000;
  entryShift = isNarrow ? 1 : 2;
  entryMask = isNarrow ? 0xffff : 0xffffffff;
}

/** Reads up to BATCH columns: whether they are live, and the offsets of those that are. @returns whether those were the last */
export function readColumns(): bool {
  let end = min(done + BATCH, columns);
  for (; done < end; done++) {
    if (!hasColumnMap || bits(1)) {
      let entry = columnsPtr + (live++ << entryShift);
      if (columnsPtr + (live << entryShift) > channelsPtr) break;
      if (entryShift == 1) store<u16>(entry, columnOffset);
      else store<u32>(entry, columnOffset);
    }
    columnOffset++;
    if (++kernelX == kernelWidth) {
      kernelX = 0;
      columnOffset += inputPitch - kernelWidth;
      if (++kernelY == kernelHeight) {
        kernelY = 0;
        columnOffset += inputPlane - kernelHeight * inputPitch;
      }
    }
  }
  expect(done == end, STATUS_PLAN);
  return done == columns;
}

/** Reads what stands between the columns and the symbols. */
export function readCodes(): void {
  expect(live > 0, STATUS_RANGE);
  if (codec == CODEC_HUFFMAN) readHuffman();
  column = row = 0;
  isWeightDue = false;
  beginRow();
}

function readHuffman(): void {
  let codebook: u32 = 0;
  let first: i32 = 0;
  let count: u32;
  if (bits(1)) {
    count = bits(8) + 1;
    codebook = bitPosition();
    seekBits(codebook + (count << 3));
  } else {
    first = <i8>bits(8);
    count = bits(8) + 1;
    expect(first + <i32>count <= 128, STATUS_RANGE);
  }
  let longest = buildTable(tablesPtr, columnsPtr, count, first, codebook);
  weightsMask = (1 << longest) - 1;
  gapsPtr = tablesPtr + (2 << longest);
  count = bits(10) + MIN_GAP_SYMBOLS;
  filler = count - 1;
  gapsMask = (1 << buildTable(gapsPtr, columnsPtr, count, 0, 0)) - 1;
}

/** Begins row `row`. */
function beginRow(): void {
  let entry = channelsPtr + row * channelBytes;
  bias = load<i32>(entry);
  if (hasRowScales) setScale(load<u32>(entry, 4), load<u32>(entry, 8));
  clearRecords();
  weightSum = 0;
}

/** Goes to the next row. Behind the last one the section ends, or it is an error. */
export function nextRow(): void {
  row++;
  column -= live;
  if (row < rows) beginRow();
  else expect(!bitBuffer && position == limit, STATUS_STREAM);
}

export function clearRecords(): void {
  recordsEnd = recordsPtr;
}

/** How many more records there is room for. */
export function room(): u32 {
  return <u32>(arenaPtr - recordsEnd) / RECORD_BYTES;
}

/** Whether all of the row's weights have been decoded. */
export function isRowComplete(): bool {
  return column >= live;
}

/** Decodes up to BATCH records of the row, behind those that are there. A weight that finds no room is an error. */
export function decodeRecords(): void {
  if (codec == CODEC_HUFFMAN) decodeHuffman();
  else decodeDense();
}

function decodeDense(): void {
  let end = min(column + max(min(BATCH, room()), 1), live);
  for (; column < end; column++) {
    let weight = <i32>(<i8>bits(8));
    if (!weight) continue;
    if (!room()) break;
    let offset = load<u32>(columnsPtr + (column << entryShift)) & entryMask;
    store<u32>(recordsEnd, (offset << 8) | (weight & 0xff));
    recordsEnd += RECORD_BYTES;
    weightSum += weight;
  }
  expect(column == end, STATUS_PLAN);
}

function decodeHuffman(): void {
  let target = recordsEnd;
  let due = isWeightDue;
  expect(!due || room() != 0, STATUS_PLAN);
  if (failure) return;
  // A turn takes at most 30 bits (two entries of a table, whatever is in it) and loads 32 when fewer are left, so that turns
  // load no more than 4 bytes each. At the end of the file a single turn may load 4 bytes behind it.
  let turns = max(min(BATCH, ahead(BATCH_BYTES) >>> 2), 1);
  // Each turn writes a record, except where there is no weight due: then the end comes nearer instead.
  let stop = target + min(turns, room()) * RECORD_BYTES - (due ? 0 : RECORD_BYTES);
  let next = cursor();
  let buffer = bitBuffer;
  let count = bitCount;
  let at = column;
  let end = live;
  let sum = weightSum;
  do {
    if (count < 32) {
      buffer |= (<u64>load<u32>(next)) << count;
      next += 4;
      count += 32;
    }
    if (due) {
      let entry: u32 = load<u16>(tablesPtr + (((<u32>buffer) & weightsMask) << 1));
      let length = entry & 15;
      buffer >>= length;
      count -= length;
      let weight = (entry >>> 4) & 0xff;
      // Where entries are narrow this loads two bytes of the next one, or of the region that follows.
      let offset = load<u32>(columnsPtr + (at << entryShift)) & entryMask;
      store<u32>(target, (offset << 8) | weight);
      target += RECORD_BYTES;
      sum += (<i32>(weight << 24)) >> 24;
      if (++at >= end) {
        due = false;
        break;
      }
    }
    let entry: u32 = load<u16>(gapsPtr + (((<u32>buffer) & gapsMask) << 1));
    let length = entry & 15;
    buffer >>= length;
    count -= length;
    let gap = entry >>> 4;
    at += gap;
    due = gap != filler;
    if (!due) stop -= RECORD_BYTES;
  } while (at < end && target < stop);
  column = at;
  isWeightDue = due;
  recordsEnd = target;
  weightSum = sum;
  resume(next, buffer, count);
}
