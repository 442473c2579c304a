/** What stands in a weighted layer's section before the weights: scales, biases, the live columns and the codes. */
import {
  CODEC_BYTES,
  CODEC_HUFFMAN,
  MIN_GAP_SYMBOLS,
  OP_DENSE,
  STATUS_PLAN,
  STATUS_RANGE,
  STATUS_STREAM,
  TENSOR_PLANE,
  TENSOR_PTR,
} from "../format";
import { bitBuffer, bitPosition, bits, position, seek, seekBits } from "./bit-reader";
import { channelsPtr, columnsPtr, recordsPtr, tablesPtr } from "./container";
import { beginTable, longest, stepTable } from "./huffman";
import {
  biasBits,
  biasShift,
  codec,
  columns,
  hasRowScales,
  input,
  inputPitch,
  inputZeroPoint,
  isInPlace,
  kernelHeight,
  kernelWidth,
  op,
  readScale,
  rows,
} from "./layer";
import { setScale } from "./requantize";
import { expect, failure } from "./status";
import { tensorBytes } from "./tensor";

/** Items (scales, biases, columns, weights) of one slice of work. */
const BATCH: u32 = 32;

/** Live columns. */
export let live: u32 = 0;
/** The decoding tables: that of the gaps, and the masks of the indices of either, times 2. The weights' table is the first. */
export let gapsPtr: usize = 0;
export let gapsMask: u32 = 0;
export let weightsMask: u32 = 0;
/**
 * The gaps' table holds one more than each gap: the way from weight to weight. From this entry on it is the filler, which is not
 * followed by a weight.
 */
export let fillerEntry: u32 = 0;
/** Whether weights, or fillers, may take no bits at all. */
export let isFree: bool = false;

/** How many scales and biases, then how many columns, have been read. */
let done: u32 = 0;
let hasColumnMap: bool = false;
/** Offset of the next column's element, and how many columns and lines of the kernel are left from there. */
let columnOffset: u32 = 0;
let columnsLeft: u32 = 0;
let linesLeft: u32 = 0;

export function beginSection(): void {
  done = live = 0;
  expect(channelsPtr + rows * channelBytes() <= recordsPtr, STATUS_PLAN);
}

/** Bytes of a row's entry in the channels region: its bias, and its multiplier and shift if it has its own. */
function channelBytes(): u32 {
  return hasRowScales() ? 12 : 4;
}

/** Reads up to BATCH multipliers with their shifts, and biases. @returns whether those were the last */
export function readChannels(): bool {
  let scales: u32 = hasRowScales() ? rows : 1;
  let end = min(done + BATCH, scales + rows);
  do {
    if (done < scales) {
      let multiplier = bits(31);
      let shift = bits(6);
      readScale(multiplier, shift);
      if (hasRowScales()) {
        let entry = channelsPtr + done * 12;
        store<u32>(entry, multiplier, 4);
        store<u32>(entry, shift, 8);
      }
    } else {
      // biasBits up to 32 and biasShift up to 31 make 63 bits at most. No bits: a 0, shifted by 64, which is by nothing.
      let unused = 64 - <i64>biasBits;
      let value = (((<i64>bits(biasBits)) << unused) >> unused) << biasShift;
      expect(value == <i64>(<i32>value), STATUS_RANGE);
      store<i32>(channelsPtr + (done - scales) * channelBytes(), <i32>value);
    }
  } while (++done < end);
  return done == scales + rows;
}

/** Makes the scale of a row the one at hand. @returns its bias */
export function loadChannel(row: u32): i32 {
  let entry = channelsPtr + row * channelBytes();
  if (hasRowScales()) setScale(load<u32>(entry, 4), load<u32>(entry, 8));
  return load<i32>(entry);
}

export function beginColumns(): void {
  hasColumnMap = codec() == CODEC_HUFFMAN && bits(1) != 0;
  done = columnOffset = 0;
  columnsLeft = kernelWidth;
  linesLeft = kernelHeight;
}

/** log2 of the bytes of an entry of the column table. */
export function columnShift(): u32 {
  return tensorBytes(input) <= 0x10000 ? 1 : 2;
}

/**
 * Reads up to BATCH columns: whether they are live, and of those that are, the offset of the element; for a dense layer, which
 * looks at each once a row, the element itself, less the zero point.
 * @returns whether those were the last
 */
export function readColumns(): bool {
  if (isInPlace()) {
    live = columns;
    return true;
  }
  let count = min(columns - done, BATCH);
  let map: u32 = hasColumnMap ? bits(count) : 0xffffffff >>> (32 - count);
  let shift = columnShift();
  let entry = columnsPtr + (live << shift);
  live += popcnt(map);
  expect(columnsPtr + (live << shift) <= channelsPtr, STATUS_PLAN);
  if (failure) return false;
  done += count;
  let elements = load<usize>(input, TENSOR_PTR);
  let zeroPoint = inputZeroPoint();
  let isDense = op == OP_DENSE;
  let ptr = elements + columnOffset;
  let left = columnsLeft;
  do {
    if (map & 1) {
      let value = isDense ? <i32>load<u8>(ptr) - zeroPoint : <i32>(ptr - elements);
      if (shift == 1) store<u16>(entry, value);
      else store<i32>(entry, value);
      entry += 1 << shift;
    }
    map >>>= 1;
    ptr++;
    if (!--left) {
      left = kernelWidth;
      ptr += inputPitch - left;
      if (!--linesLeft) {
        linesLeft = kernelHeight;
        ptr += load<u32>(input, TENSOR_PLANE) - linesLeft * inputPitch;
      }
    }
  } while (--count);
  columnsLeft = left;
  columnOffset = <u32>(ptr - elements);
  return done == columns;
}

export function beginCodes(): void {
  expect(live > 0, STATUS_RANGE);
  gapsPtr = 0;
  if (codec() == CODEC_HUFFMAN) beginHuffman();
  else if (codec() == CODEC_BYTES) {
    expect(!bitBuffer, STATUS_STREAM);
    seek(position);
  }
}

/** Does a slice of what stands between the columns and the weights. @returns whether that was the last */
export function readCodes(): bool {
  return codec() != CODEC_HUFFMAN || readHuffman();
}

/** Reads the weights' alphabet. Their code lengths come next. */
function beginHuffman(): void {
  let values: i32;
  let count: u32;
  if (bits(1)) {
    count = bits(8) + 1;
    values = bitPosition();
    seekBits(values + (count << 3));
  } else {
    values = <i8>bits(8);
    count = bits(8) + 1;
    expect(values + <i32>count <= 128, STATUS_RANGE);
  }
  beginTable(tablesPtr, columnsPtr, count, values, 4);
}

function readHuffman(): bool {
  if (!stepTable()) return false;
  let mask = (2 << longest) - 2;
  if (gapsPtr) {
    gapsMask = mask;
    // A lone gap takes no bits; neither does a lone weight, nor a weight that there is none of.
    isFree = !mask && (!weightsMask || load<u16>(gapsPtr) >= fillerEntry);
    return true;
  }
  weightsMask = mask;
  gapsPtr = tablesPtr + (2 << longest);
  let count = bits(10) + MIN_GAP_SYMBOLS;
  fillerEntry = count << 5;
  beginTable(gapsPtr, columnsPtr, count, 1, 5);
  return false;
}
