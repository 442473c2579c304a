/** What stands in a weighted layer's section before the weights: scales, biases, the live columns and the codes. */
import { STATUS_PLAN, STATUS_RANGE, TENSOR_PLANE } from "../abi";
import { CODEC_HUFFMAN, MIN_GAP_SYMBOLS, NARROW_TENSOR_BYTES } from "../format";
import { bitPosition, bits, seekBits } from "./bit-reader";
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
  kernelHeight,
  kernelWidth,
  readScale,
  rows,
} from "./layer";
import { setScale } from "./requantize";
import { expect, failure } from "./status";
import { tensorBytes } from "./tensor";

/** Scales and biases, and columns, of one piece of work. */
const CHANNELS: u32 = 10;
const COLUMNS: u32 = 24;

/** Live columns. */
export let live: u32 = 0;
/** The decoding tables: that of the gaps, and the bits that index either. The weights' table is the first of the region. */
export let gapsPtr: usize = 0;
export let gapsMask: u32 = 0;
export let weightsMask: u32 = 0;
/** The gap symbol that is not followed by a weight. */
export let filler: u32 = 0;

/** How many scales and biases, then how many columns, have been read. */
let done: u32 = 0;
let hasColumnMap: bool = false;

export function beginSection(): void {
  done = live = 0;
  expect(channelsPtr + rows * channelBytes() <= recordsPtr, STATUS_PLAN);
}

/** Bytes of a row's entry in the channels region: its bias, and its multiplier and shift if it has its own. */
function channelBytes(): u32 {
  return hasRowScales() ? 12 : 4;
}

/** Reads up to CHANNELS multipliers with their shifts, and biases. @returns whether those were the last */
export function readChannels(): bool {
  let scales: u32 = hasRowScales() ? rows : 1;
  let end = min(done + CHANNELS, scales + rows);
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
  done = 0;
}

/** log2 of the bytes of an entry of the column table. */
export function columnShift(): u32 {
  return tensorBytes(input) <= <u32>NARROW_TENSOR_BYTES ? 1 : 2;
}

/** Reads up to COLUMNS columns: whether they are live, and the offsets of those that are. @returns whether those were the last */
export function readColumns(): bool {
  let end = min(done + COLUMNS, columns);
  let shift = columnShift();
  do {
    if (hasColumnMap && !bits(1)) continue;
    let entry = columnsPtr + (live++ << shift);
    expect(columnsPtr + (live << shift) <= channelsPtr, STATUS_PLAN);
    if (failure) break;
    let y = done / kernelWidth;
    let offset =
      (done % kernelWidth) + (y % kernelHeight) * inputPitch + (y / kernelHeight) * load<u32>(input, TENSOR_PLANE);
    if (shift == 1) store<u16>(entry, offset);
    else store<u32>(entry, offset);
  } while (++done < end);
  return done == columns;
}

export function beginCodes(): void {
  expect(live > 0, STATUS_RANGE);
  gapsPtr = 0;
  if (codec() == CODEC_HUFFMAN) beginHuffman();
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
  beginTable(tablesPtr, columnsPtr, count, values);
}

function readHuffman(): bool {
  if (!stepTable()) return false;
  let mask = (1 << longest) - 1;
  if (gapsPtr) {
    gapsMask = mask;
    return true;
  }
  weightsMask = mask;
  gapsPtr = tablesPtr + (2 << longest);
  filler = bits(10) + MIN_GAP_SYMBOLS - 1;
  beginTable(gapsPtr, columnsPtr, filler + 1, 0);
  return false;
}
