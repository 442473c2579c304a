/** A weighted layer's weights, row by row, as records: what `accumulate.ts` takes. A codec decodes a batch of them at a time. */
import { RECORD_BYTES, STATUS_PLAN, STATUS_STREAM } from "../abi";
import { bitBuffer, limit, position } from "./bit-reader";
import { decodeBatch } from "./codecs";
import { live } from "./columns";
import { arenaPtr } from "./container";
import { rows } from "./layer";
import { channel, passPlane } from "./output-cursor";
import { isSmall } from "./range-decoder";
import { recordsPtr } from "./scratch";
import { loadChannel } from "./section";
import { expect, expectRange } from "./status";
import { BATCH_WORK } from "./work";

/** Turns of one piece of work: records, and gaps without one. */
export const BATCH: u32 = 32;

/** The row's bias, and what is carried over to it. The input's zero point is not taken into account. */
export let bias: i32 = 0;
/** After the last record. */
export let recordsEnd: usize = 0;
/** Sum of the row's weights so far. */
export let weightSum: i32 = 0;

/** Live column of the next weight, counted from the row's first; it may lie in a later row. */
export let column: u32 = 0;

/** Begins the first row; the section has been read up to its weights. There is room for a record at least. */
export function beginRows(): void {
  expectRange(live > 0);
  expect(recordsPtr < arenaPtr, STATUS_PLAN);
  column = 0;
  beginRow();
}

/** Begins the row of the next channel of the output. Behind the last one the section ends, or it is an error. */
export function nextRow(): void {
  column -= live;
  if (channel < rows) beginRow();
  else if (!isSmall()) expect(!bitBuffer & (position == limit), STATUS_STREAM);
}

function beginRow(): void {
  carryOver(loadChannel(channel));
  weightSum = 0;
}

/** Passes a batch of weights, or the end of a row, on the way to what follows the layer in a stream. @returns the work it was */
export function passRecords(): u32 {
  carryOver(0);
  if (isRowComplete()) {
    passPlane();
    nextRow();
    return BATCH_WORK;
  }
  return decodeRecords();
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

/** Whether all of the row's weights have been decoded. */
export function isRowComplete(): bool {
  return column >= live;
}

/** Decodes a batch of records. @returns the work it was */
export function decodeRecords(): u32 {
  return BATCH_WORK + decodeBatch();
}

/** For codecs: goes on at a column, with the records up to `end`, those of weights whose sum is `sum` more than before. */
@inline
export function passTo(nextColumn: u32, end: usize, sum: i32): void {
  column = nextColumn;
  recordsEnd = end;
  weightSum += sum;
}
