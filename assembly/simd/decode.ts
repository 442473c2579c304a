/** Weights as the file has them to what the kernels take, once, when a model is loaded. */
import { RECORD_BYTES, TENSOR_ZERO_POINT } from "../abi";
import { NARROW_TENSOR_BYTES } from "../format";
import { columns } from "../core/section";
import { input, rows } from "../core/layer";
import { channel, passPlane } from "../core/output-cursor";
import { multiplier, shift } from "../core/requantize";
import { recordsPtr } from "../core/scratch";
import { failure } from "../core/status";
import { borderOf, tensorBytes } from "../core/tensor";
import { bias, carryOver, decodeRecords, isRowComplete, nextRow, recordsEnd, room, weightSum } from "../core/weights";
import { MOST_RECORDS } from "../core/work";
import { endConv } from "./conv";
import { reserve, take } from "./memory";
import { CONV, Layer, NARROW_BYTES, PAIR_BYTES, Row, ROW_NARROW, ROW_PAIRS, ROW_WHOLE } from "./program";

/** A row with more weights than columns / WHOLE_SHARE is multiplied whole, where its elements lie side by side. */
const WHOLE_SHARE: u32 = 6;

let layer: usize = 0;
/** Bytes of the row's weights so far, and how many there are. */
let rowBytes: u32 = 0;
let weights: u32 = 0;
/** Of the rows before it. */
let allWeights: u32 = 0;
/** ROW_PAIRS or ROW_NARROW. */
let form: u32 = 0;

/** Begins the rows of a layer, the section of which has been read up to its weights. */
export function beginDecoding(target: usize): void {
  layer = target;
  let kept = changetype<Layer>(layer);
  kept.rows = take(<u64>rows * offsetof<Row>());
  form = kept.kind != CONV && tensorBytes(input) <= <u32>NARROW_TENSOR_BYTES ? ROW_NARROW : ROW_PAIRS;
  rowBytes = weights = allWeights = 0;
}

/** Decodes some records, or turns a row's into what kernels take. @returns whether that was the last row */
export function stepDecoding(): bool {
  let kept = changetype<Layer>(layer);
  let count = <u32>(recordsEnd - recordsPtr) / RECORD_BYTES;
  let isConv = kept.kind == CONV;
  // A convolution's row has to fit the records region, as in the core.
  if (!isRowComplete() && (isConv || (room() != 0 && count < MOST_RECORDS))) {
    decodeRecords();
    return false;
  }
  addRecords(count);
  if (failure) return false;
  if (!isRowComplete()) {
    carryOver(bias);
    return false;
  }
  endRow();
  passPlane();
  nextRow();
  if (channel < rows) return false;
  if (isConv && !failure) endConv(kept, changetype<Row>(kept.rows).begin, allWeights);
  return true;
}

/** Adds the records at hand to the row's weights. */
function addRecords(count: u32): void {
  let kept = changetype<Layer>(layer);
  let pairs = (count + 1) >>> 1;
  let isNarrow = form == ROW_NARROW;
  let bytes = pairs * (isNarrow ? NARROW_BYTES : PAIR_BYTES);
  let target = reserve(<u64>rowBytes + bytes);
  if (!target) return;
  target += rowBytes;
  let group = kept.kind == CONV ? 0 : (channel / kept.groupRows) * kept.groupChannels * kept.plane;
  let record = recordsPtr;
  for (let i: u32 = 0; i < pairs; i++) {
    let offset = load<u32>(record) >>> 8;
    let weight: i32 = load<i8>(record);
    record += RECORD_BYTES;
    let otherOffset = offset;
    let otherWeight = 0;
    if (record < recordsEnd) {
      otherOffset = load<u32>(record) >>> 8;
      otherWeight = load<i8>(record);
      record += RECORD_BYTES;
    }
    if (isNarrow) {
      store<u16>(target, offset + group);
      store<u16>(target, otherOffset + group, 2);
      store<i8>(target, weight, 4);
      store<i8>(target, otherWeight, 5);
      target += NARROW_BYTES;
      continue;
    }
    store<u32>(target, offset + group);
    store<u32>(target, otherOffset + group, 4);
    store<i16>(target, weight, 8);
    store<i16>(target, otherWeight, 10);
    target += PAIR_BYTES;
  }
  rowBytes += bytes;
  weights += count;
}

/** Enters the row, all of whose weights have been added. */
function endRow(): void {
  let kept = changetype<Layer>(layer);
  let row = changetype<Row>(kept.rows + channel * offsetof<Row>());
  row.start = bias - load<i32>(input, TENSOR_ZERO_POINT) * weightSum;
  row.multiplier = <u32>multiplier;
  row.shift = <u32>shift;
  row.form = form;
  if (isWhole(kept)) {
    row.form = ROW_WHOLE;
    spread();
  }
  row.begin = take(rowBytes);
  row.end = row.begin + rowBytes;
  allWeights += weights;
  rowBytes = weights = 0;
}

/** Whether the row is better multiplied with its zeros: then an element's offset is its column. */
function isWhole(kept: Layer): bool {
  return (
    kept.kind != CONV &&
    weights > columns / WHOLE_SHARE &&
    kept.groupRows == rows &&
    !borderOf(input) &&
    columns == tensorBytes(input)
  );
}

/** Turns the row's pairs into one byte a column. */
function spread(): void {
  let bytes = (columns + 15) & -16;
  let from = reserve(<u64>rowBytes + bytes);
  if (!from) return;
  let whole = from + rowBytes;
  memory.fill(whole, 0, bytes);
  let isNarrow = form == ROW_NARROW;
  for (let at = from; at < whole; at += isNarrow ? NARROW_BYTES : PAIR_BYTES) {
    let first: u32 = isNarrow ? load<u16>(at) : load<u32>(at);
    let second: u32 = isNarrow ? load<u16>(at, 2) : load<u32>(at, 4);
    // A lone weight has another of 0 at its own place.
    store<i8>(whole + first, isNarrow ? load<i8>(at, 4) : load<i8>(at, 8));
    if (second != first) store<i8>(whole + second, isNarrow ? load<i8>(at, 5) : load<i8>(at, 10));
  }
  memory.copy(from, whole, bytes);
  rowBytes = bytes;
}
