/**
 * Codec 1: two canonical Huffman codes, of the gaps from each weight to the next and of the weights, in front of them a map of the live columns
 * where that pays.
 */
import { RECORD_BYTES, STATUS_PLAN } from "../../abi";
import { CODEC_HUFFMAN, MIN_GAP_SYMBOLS } from "../../format";
import { ahead, bitBuffer, bitCount, bitPosition, bits, cursor, limit, resume, seekBits } from "../bit-reader";
import { columnMask, columnShift, live, readColumns } from "../columns";
import { arenaPtr } from "../container";
import { byte, signedByte } from "../fields";
import { columnsPtr, recordsPtr, takeScratch } from "../scratch";
import { codec } from "../section";
import { expect, failure, expectRange } from "../status";
import { BATCH, column, passTo, recordsEnd, room } from "../weights";
import { beginTable, longest, stepTable } from "./huffman-table";

/** Bytes that a batch wants to see: with less, half as many records a refill, with more, more bytes are read twice. */
const BATCH_BYTES: u32 = 48;

/** What `step` reads next: that all columns are live, a map of them, the table of the weights, that of the gaps. */
const ALL_COLUMNS: u32 = 0;
const COLUMN_MAP: u32 = 1;
const WEIGHTS: u32 = 2;
const GAPS: u32 = 3;

let stage: u32 = 0;
/** The decoding tables, one behind the other, and the bits that index either. */
let weightsPtr: usize = 0;
let gapsPtr: usize = 0;
let gapsMask: u32 = 0;
let weightsMask: u32 = 0;
/** The gap symbol that is not followed by a weight. */
let filler: u32 = 0;
/** Whether the weight at `column` comes next in the stream, its gap having been read. */
let isWeightDue: bool = false;

export function isAtHand(): bool {
  return codec() == CODEC_HUFFMAN;
}

export function begin(): void {
  isWeightDue = false;
  stage = bits(1); // ALL_COLUMNS or COLUMN_MAP
}

export function step(): bool {
  if (stage < WEIGHTS) {
    if (readColumns()) beginWeights();
    return false;
  }
  if (!stepTable()) return false;
  let mask = (1 << longest) - 1;
  if (stage == GAPS) {
    gapsMask = mask;
    takeScratch(<u32>(gapsPtr + (2 << longest) - weightsPtr));
    return true;
  }
  stage = GAPS;
  weightsMask = mask;
  gapsPtr = weightsPtr + (2 << longest);
  filler = bits(10) + MIN_GAP_SYMBOLS - 1;
  beginTable(gapsPtr, arenaPtr, filler + 1, 0);
  return false;
}

/** Reads of a column whether it is live. */
export function isLive(): bool {
  return stage == ALL_COLUMNS || bits(1) != 0;
}

/** Reads the weights' alphabet. Their code lengths come next. */
function beginWeights(): void {
  stage = WEIGHTS;
  let values: i32;
  let count: u32;
  if (bits(1)) {
    count = byte() + 1;
    values = bitPosition();
    seekBits(values + (count << 3));
  } else {
    values = signedByte();
    count = byte() + 1;
    expectRange(values + <i32>count <= 128);
  }
  weightsPtr = recordsPtr;
  beginTable(weightsPtr, arenaPtr, count, values);
}

/** @returns the work of its turns, or of one more or one less: of the weights and fillers that it came upon */
export function decode(): u32 {
  let target = recordsEnd;
  let due = isWeightDue;
  expect(!due | (room() != 0), STATUS_PLAN);
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
  let weights = weightsPtr;
  let weightMask = weightsMask;
  let gaps = gapsPtr;
  let gapMask = gapsMask;
  let offsets = columnsPtr;
  let fillerGap = filler;
  let sum = 0;
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
  isWeightDue = due;
  passTo(at, target, sum);
  resume(next, buffer, count);
  // A turn counts as much as a record has bytes.
  return <u32>(begun - (stop - target));
}

/** Weights and fillers. The code of zeros is the shortest, or one of those. */
export function mostTurns(weights: u32): u32 {
  let bits = (load<u16>(weightsPtr) & 15) + (load<u16>(gapsPtr) & 15);
  if (!bits) return weights;
  return min(weights, ((limit << 3) - bitPosition()) / bits + weights / filler + 1);
}
