/**
 * Codec 2: each position of a live column is a weight or none, by the sum of what its row, its column and its neighbours within the filter say;
 * a weight's sign and the place of its value in the alphabet follow. All of it is range coded, in front of it the alphabet and the map.
 */
import { RECORD_BYTES, STATUS_PLAN } from "../../abi";
import { CODEC_ARITHMETIC } from "../../format";
import { bits } from "../bit-reader";
import { columnMask, columnShift, live, readColumns } from "../columns";
import { arenaPtr } from "../container";
import { rows } from "../layer";
import { kernelHeight, kernelWidth } from "../ops/window";
import { beginRange, decodeBit } from "../range-decoder";
import { beginColumnOffsets, columnsPtr, recordsPtr, takeScratch } from "../scratch";
import { codec, columns } from "../section";
import { expect, expectRange, failure } from "../status";
import { passTo, recordsEnd } from "../weights";
import { addWork } from "../work";
import { decodeAdaptive } from "./arithmetic-context";

/** Work of a position, of a weight there and its sign, of a further bit of its magnitude. */
const POSITION_WORK: u32 = 6;
const WEIGHT_WORK: u32 = 6;
const BIT_WORK: u32 = 4;
/** A batch ends behind so many bytes of logits, two a position, less two for each weight and for each bit of its magnitude, and what the last one may take. */
const BATCH_BYTES: i32 = 128;
/** Values of one piece of work. */
const VALUES: i32 = 16;

/** Of the codec's tables: logits by neighbours, contexts of signs, those of alphabet and map. Entries of the alphabet follow. */
const SIGNS: u32 = 32;
const SIDE: u32 = SIGNS + 13 * 4;
const ENTRIES: u32 = SIDE + 13 * 4;
/** Of an entry: the context of going on to a larger magnitude, its last byte being the value; the same next to large weights. */
const ENTRY_SHIFT: i32 = 3;
const ENTRY_BYTES: i32 = 1 << ENTRY_SHIFT;
const FIRST_CONTEXT: u32 = 43690 | (1 << 16);
/** The logit of a column without weights. */
const DEAD: i32 = -32768;

/** Of a place in both lines. */
const PLACE_SHIFT: i32 = 2;
const PLACE_BYTES: i32 = 1 << PLACE_SHIFT;

/** What a position knows of its neighbours, i16: in 4ths how many are weights, in 32nds how many of these are large, in 256ths the sum of their signs. */
const COUNTED: i32 = 4;
const LARGE_SHIFT: i32 = 5;
const COUNTS: i32 = 28;
const LARGE: i32 = 224;

let tables: usize = 0;
/** The alphabet: entries from the least value to the largest. That of 0 is in the middle; at the ends stand others of 0. */
let middle: usize = 0;
/** A magnitude is large beyond so many bytes from the middle: 3/16 of all values, so that this is 3/2 of how many values there are. */
let largeBytes: i32 = 0;
/** The next value that is in the alphabet or not, the last one, and whether the one before is. */
let value: i32 = 0;
let lastValue: i32 = 0;
let previous: u32 = 0;
let hasMap: u32 = 0;
/**
 * Of each column its logit, i16, in 1/2,048; behind them what positions of two lines in turn know of their neighbours, both of a place side by side,
 * between two places that nobody reads.
 */
let logits: usize = 0;
let logitsEnd: usize = 0;
let linesEnd: usize = 0;

/** The logit that a row begins with, and that of the row at hand, in 1/65,536. */
let baseLogit: i32 = 0;
let rowLogit: i32 = 0;
/** The next position: its column's logit, its live column's number, its place in the line at hand, how far it is to the other one, and lines left in the filter. */
let nextLogit: usize = 0;
let nextColumn: u32 = 0;
let nextPlace: usize = 0;
let toBelow: i32 = 0;
let linesLeft: u32 = 0;

export function isAtHand(): bool {
  return codec() == CODEC_ARITHMETIC;
}

export function begin(): void {
  lastValue = bits(7) + 1;
  value = -lastValue;
  rowLogit = baseLogit = -(bits(5) << 14);
  hasMap = bits(1);
  beginRange();
  previous = 1;
  tables = recordsPtr;
  takeScratch(ENTRIES);
  if (failure) return;
  let index = 12;
  do {
    // Those of the 8 logits that are none become contexts of signs.
    let entry = tables + (index << 2);
    store<i32>(entry, index << 14);
    let probability = 32768 + 5000 * (index - 6);
    store<u32>(entry, probability, SIGNS);
    store<u32>(entry, probability, SIDE);
  } while (--index >= 0);
  addEntry(0);
}

export function step(): bool {
  if (value > lastValue) return readColumns();
  let end = min(value + VALUES, lastValue + 1);
  do {
    if (value) {
      previous = decodeAdaptive(tables + SIDE + 16 + (previous << 4));
      if (!previous) continue;
    } else middle = recordsPtr;
    addEntry(value);
  } while (++value < end);
  if (value > lastValue) {
    // 128 is no weight.
    expectRange(value + previous < 130);
    beginLogits();
  }
  return false;
}

function addEntry(value: i32): void {
  let entry = recordsPtr;
  takeScratch(ENTRY_BYTES);
  if (failure) return;
  store<u32>(entry, FIRST_CONTEXT | (value << 24));
  store<u32>(entry, FIRST_CONTEXT, 4);
}

function beginLogits(): void {
  largeBytes = (<i32>((recordsPtr - tables - ENTRIES - 2 * ENTRY_BYTES) * 3)) >>> 4;
  // Of a sign without values the first is one of these, and there is none behind it.
  addEntry(0);
  addEntry(0);
  nextLogit = logits = recordsPtr;
  logitsEnd = logits + (columns << 1);
  nextPlace = logitsEnd + PLACE_BYTES;
  linesEnd = nextPlace + (kernelWidth << PLACE_SHIFT);
  toBelow = PLACE_BYTES / 2;
  linesLeft = kernelHeight;
  nextColumn = 0;
  takeScratch(<u32>(linesEnd + PLACE_BYTES - logits));
  beginColumnOffsets();
}

/** Reads of a column whether it is live, and begins its logit. The one before it and the one above it say how likely that is. */
export function isLive(column: u32): bool {
  store<u32>(nextPlace + ((column % kernelWidth) << PLACE_SHIFT), 0);
  let logit = logits + (column << 1);
  let isLive = true;
  if (hasMap) {
    let context = tables + SIDE + 12;
    // Nothing is 0 of what stands before the first.
    if (!load<u16>(logit - 2)) context += 8;
    if (column >= kernelWidth && !load<u16>(logit - (kernelWidth << 1))) context += 16;
    isLive = decodeAdaptive(context) != 0;
  }
  store<i16>(logit, isLive ? 0 : DEAD);
  return isLive;
}

/** Decodes a batch, which ends with the row or the room for records at the latest. @returns the work of it */
export function decode(): u32 {
  let target = recordsEnd;
  let sum = 0;
  let work: u32 = 0;
  let at = nextColumn;
  let shift = columnShift();
  let mask = columnMask(shift);
  let columnLogit = nextLogit;
  let stop = min(logitsEnd, columnLogit + BATCH_BYTES - largeBytes);
  let place = nextPlace;
  let end = linesEnd;
  let row = rowLogit;
  do {
    let neighbours: i32 = load<i16>(place);
    store<i16>(place, 0);
    let logit: i32 = load<i16>(columnLogit);
    if (logit != DEAD) {
      let neighbourLogit = tables + (neighbours & COUNTS);
      let byNeighbours = load<i32>(neighbourLogit);
      let error = decodeSignificance(row + (logit << 5) + byNeighbours);
      row += error >> 4;
      store<i32>(neighbourLogit, byNeighbours + (error >> 4));
      store<i16>(columnLogit, logit + error / 256);
      if (error > 0) {
        expect(target < arenaPtr, STATUS_PLAN);
        if (failure) break;
        let stride = decodeAdaptive(tables + SIGNS + 24 + ((neighbours >> 8) << 2)) ? ENTRY_BYTES : -ENTRY_BYTES;
        let context: usize = neighbours & LARGE ? 4 : 0;
        let entry = middle + stride;
        while (load<u8>(entry + stride, 3) && decodeAdaptive(entry + context)) {
          entry += stride;
          work += BIT_WORK;
        }
        let weight: i32 = load<i8>(entry, 3);
        let offset = load<u32>(columnsPtr + (at << shift)) & mask;
        store<u32>(target, (offset << 8) | (weight & 0xff));
        target += RECORD_BYTES;
        sum += weight;
        let distance = <i32>(entry - middle) * (stride >> ENTRY_SHIFT);
        stop = target < arenaPtr ? stop - (distance >> 2) : 0;
        let cell = COUNTED + (stride << 5) + (i32(distance > largeBytes) << LARGE_SHIFT);
        add(place + PLACE_BYTES, cell << 1);
        // The last line of a filter is above none.
        if (linesLeft > 1) {
          let below = place + toBelow;
          add(below - PLACE_BYTES, cell);
          add(below, cell << 1);
          add(below + PLACE_BYTES, cell);
        }
        work += WEIGHT_WORK;
      }
      at++;
    }
    columnLogit += 2;
    place += PLACE_BYTES;
    if (place >= end) {
      // The other line, whose positions know of the weights above them.
      place += toBelow - (kernelWidth << PLACE_SHIFT);
      toBelow = -toBelow;
      if (!--linesLeft) linesLeft = kernelHeight;
    }
  } while (columnLogit < stop);
  work += ((<u32>(columnLogit - nextLogit)) >>> 1) * POSITION_WORK;
  let passed: u32 = 0;
  if (columnLogit == logitsEnd) {
    // A live one whose logit has become that of dead ones has been passed by.
    expectRange(at == live);
    passed = at;
    at = 0;
    columnLogit = logits;
    row = baseLogit;
  }
  nextLogit = columnLogit;
  nextPlace = place;
  nextColumn = at;
  rowLogit = row;
  passTo(passed, target, sum);
  return work;
}

function add(place: usize, cell: i32): void {
  store<i16>(place, load<i16>(place) + cell);
}

/**
 * Reads whether a position is a weight, a 0, or none, a 1. `logit` says which in 1/65,536: the less likely of both has the probability 2^-(1 + |logit|), taken as
 * linear between whole powers, and at least 64 of 65,536. @returns the probability that there is none, less 65,536 where that is so
 */
@inline
function decodeSignificance(logit: i32): i32 {
  let sign = logit >> 31;
  let size: u32 = min(<u32>(logit ^ sign), 9 << 16);
  let less = (32768 - ((size & 0xffff) >>> 2)) >>> (size >>> 16);
  let none = (less ^ sign) & 0xffff;
  return none - (decodeBit(none) << 16);
}

/** @returns `weights`, positions of live columns; adds what they and dead columns take besides, each with all bits that there may be */
export function mostTurns(weights: u32): u32 {
  addWork(<u64>rows * columns * (largeBytes + 3) * BIT_WORK);
  return weights;
}
