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
import { CONV, Layer, GATHERED_BYTES, PAIR_BYTES, Row, ROW_GATHERED, ROW_PAIRS, ROW_WHOLE } from "./program";

/** A row with more weights than columns / WHOLE_SHARE is multiplied whole, where its elements lie side by side. */
const WHOLE_SHARE: u32 = 6;

let layer: usize = 0;
/** Bytes of the row's weights so far, and how many there are. */
let rowBytes: u32 = 0;
let weights: u32 = 0;
/** Of the rows before it. */
let allWeights: u32 = 0;
/** ROW_PAIRS or ROW_GATHERED. */
let form: u32 = 0;

/** Begins the rows of a layer, the section of which has been read up to its weights. */
export function beginDecoding(target: usize): void {
  layer = target;
  let kept = changetype<Layer>(layer);
  kept.rows = take(<u64>rows * offsetof<Row>());
  form = kept.kind != CONV && tensorBytes(input) <= <u32>NARROW_TENSOR_BYTES ? ROW_GATHERED : ROW_PAIRS;
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
  let isGathered = form == ROW_GATHERED;
  let bytes = isGathered ? ((count + 7) >>> 3) * GATHERED_BYTES : ((count + 1) >>> 1) * PAIR_BYTES;
  let target = reserve(<u64>rowBytes + bytes);
  if (!target) return;
  target += rowBytes;
  let group = kept.kind == CONV ? 0 : (channel / kept.groupRows) * kept.groupChannels * kept.plane;
  if (isGathered) addGathered(target, bytes, group);
  else addPairs(target, group);
  rowBytes += bytes;
  weights += count;
}

function addPairs(target: usize, group: u32): void {
  for (let record = recordsPtr; record < recordsEnd; record += 2 * RECORD_BYTES) {
    let offset = (load<u32>(record) >>> 8) + group;
    let isLast = record + RECORD_BYTES == recordsEnd;
    store<u32>(target, offset);
    store<u32>(target, isLast ? offset : (load<u32>(record, RECORD_BYTES) >>> 8) + group, 4);
    store<i16>(target, load<i8>(record), 8);
    store<i16>(target, isLast ? 0 : load<i8>(record, RECORD_BYTES), 10);
    target += PAIR_BYTES;
  }
}

/** The last eight are made up of weights of 0. */
function addGathered(target: usize, bytes: u32, group: u32): void {
  memory.fill(target, 0, bytes);
  let nth: u32 = 0;
  for (let record = recordsPtr; record < recordsEnd; record += RECORD_BYTES) {
    let entry = target + (nth >>> 3) * GATHERED_BYTES;
    let lane = nth++ & 7;
    store<u16>(entry + lane * 2, (load<u32>(record) >>> 8) + group);
    store<i8>(entry + lane, load<i8>(record), 16);
  }
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

/** Turns the row's weights into one byte a column. Those of 0 need not be entered, nor what makes up the last pair or the last eight. */
function spread(): void {
  let bytes = (columns + 15) & -16;
  let from = reserve(<u64>rowBytes + bytes);
  if (!from) return;
  let whole = from + rowBytes;
  memory.fill(whole, 0, bytes);
  let isGathered = form == ROW_GATHERED;
  let lanes: u32 = isGathered ? 8 : 2;
  for (let at = from; at < whole; at += isGathered ? GATHERED_BYTES : PAIR_BYTES) {
    for (let lane: u32 = 0; lane < lanes; lane++) {
      let column: u32 = isGathered ? load<u16>(at + lane * 2) : load<u32>(at + lane * 4);
      let weight: i32 = isGathered ? <i32>load<i8>(at + lane, 16) : <i32>load<i16>(at + lane * 2, 8);
      if (weight) store<i8>(whole + column, weight);
    }
  }
  memory.copy(from, whole, bytes);
  rowBytes = bytes;
}
