/**
 * Codec 3: DeepCABAC. A level for each weight, zeros included, is a sequence of bins: whether it is one, its sign, its magnitude. A bin of a
 * context is coded by what the bins of this context have been like so far.
 */
import { RECORD_BYTES, STATUS_PLAN } from "../../abi";
import { CABAC_LONGEST_PREFIX, CODEC_CABAC, MAX_CABAC_ENTRIES } from "../../format";
import { bits } from "../bit-reader";
import { columnMask, columnShift, live, readColumns } from "../columns";
import { arenaPtr } from "../container";
import { byte } from "../fields";
import { beginRange, decodeBit } from "../range-decoder";
import { columnsPtr, recordsPtr, takeScratch } from "../scratch";
import { codec } from "../section";
import { expect, expectRange, failure } from "../status";
import { BATCH, column, passTo, recordsEnd } from "../weights";
import { addWork, TURN_WORK } from "../work";

/** Contexts of the significance, and as many of the sign: behind a zero, a positive, a negative level. */
const STATES: u32 = 3;
const MAGNITUDES: u32 = 2 * STATES;
/** Each has two estimates of two bytes. */
const CONTEXT_BYTES: u32 = 4;
const HALVES: u32 = 0x80008000;

/** Values of the codebook of one piece of work. */
const VALUES: u32 = 24;

/** How many magnitudes have a flag, and how fast the two estimates follow. */
let flags: u32 = 0;
let fastShift: u32 = 0;
let slowShift: u32 = 0;
/** Levels go from -negatives to entries - 1 - negatives. */
let negatives: u32 = 0;
let entries: u32 = 0;
/** The tables: the contexts, then the weight of each level unless it is the level itself. */
let contextsPtr: usize = 0;
let codebookPtr: usize = 0;
/** Values to be read. */
let unread: u32 = 0;
/** Of the level before. */
let state: u32 = 0;
/** Bins of the batch. */
let bins: u32 = 0;

export function isAtHand(): bool {
  return codec() == CODEC_CABAC;
}

export function begin(): void {
  flags = bits(4);
  fastShift = bits(3) + 1;
  slowShift = fastShift + bits(3);
  unread = bits(1);
  negatives = 128;
  entries = 256;
  if (unread) {
    negatives = byte();
    unread = entries = negatives + 1 + byte();
    expectRange(entries <= <u32>MAX_CABAC_ENTRIES);
  }
  contextsPtr = 0;
  state = 0;
}

export function step(): bool {
  if (!contextsPtr) {
    if (readColumns()) beginContexts();
    return false;
  }
  for (let left = VALUES; (unread != 0) & (left != 0); left--) {
    let at = entries - unread--;
    if (at != negatives) store<u8>(codebookPtr + at, byte());
  }
  if (!unread) beginRange();
  return !unread;
}

export function isLive(): bool {
  return true;
}

function beginContexts(): void {
  let ptr = recordsPtr;
  contextsPtr = ptr;
  codebookPtr = ptr + (MAGNITUDES + 2 * flags + CABAC_LONGEST_PREFIX) * CONTEXT_BYTES;
  takeScratch(<u32>(codebookPtr - ptr) + unread);
  if (failure) return;
  do {
    store<u32>(ptr, HALVES);
    ptr += CONTEXT_BYTES;
  } while (ptr < codebookPtr);
}

/** @returns the work of its bins, or of a few more than a batch, those of the last weight, and a unit for what a weight takes beside them */
export function decode(): u32 {
  let target = recordsEnd;
  let sum = 0;
  let at = column;
  let shift = columnShift();
  let mask = columnMask(shift);
  bins = 0;
  do {
    let level = nextLevel();
    if (!level) continue;
    let entry = level + negatives;
    expectRange(entry < entries);
    if (failure) break;
    let weight: u32 = entries <= <u32>MAX_CABAC_ENTRIES ? load<u8>(codebookPtr + entry) : level & 0xff;
    if (!weight) continue;
    expect(target < arenaPtr, STATUS_PLAN);
    if (failure) break;
    let offset = load<u32>(columnsPtr + (at << shift)) & mask;
    store<u32>(target, (offset << 8) | weight);
    target += RECORD_BYTES;
    sum += (<i32>(weight << 24)) >> 24;
  } while ((++at < live) & (bins < BATCH) & (target < arenaPtr));
  passTo(at, target, sum);
  return bins * TURN_WORK + 1;
}

function nextLevel(): u32 {
  if (!bin(state)) {
    state = 0;
    return 0;
  }
  let isNegative = bin(STATES + state);
  state = 1 + isNegative;
  let magnitude: u32 = 0;
  let context = MAGNITUDES + isNegative;
  while (magnitude < flags) {
    magnitude++;
    if (!bin(context)) return isNegative ? -magnitude : magnitude;
    context += 2;
  }
  context -= isNegative;
  let length: u32 = 0;
  while (length < <u32>CABAC_LONGEST_PREFIX && bin(context + length)) length++;
  let rest: u32 = 1;
  bins += length;
  for (; length; length--) rest = (rest << 1) | decodeBit(0x8000);
  magnitude += rest;
  return isNegative ? -magnitude : magnitude;
}

/** The next bin of a context, which follows it. */
function bin(context: u32): u32 {
  let ptr = contextsPtr + context * CONTEXT_BYTES;
  let fast: u32 = load<u16>(ptr);
  let slow: u32 = load<u16>(ptr, 2);
  bins++;
  let bit = decodeBit((fast + slow) >>> 1);
  if (bit) {
    fast += (0x10000 - fast) >>> fastShift;
    slow += (0x10000 - slow) >>> slowShift;
  } else {
    fast -= fast >>> fastShift;
    slow -= slow >>> slowShift;
  }
  store<u16>(ptr, fast);
  store<u16>(ptr, slow, 2);
  return bit;
}

/** @returns `weights`; adds what their bins take besides the first: sign, all flags, the longest prefix and what follows it, and a unit each */
export function mostTurns(weights: u32): u32 {
  addWork(<u64>weights * ((1 + flags + 2 * CABAC_LONGEST_PREFIX) * TURN_WORK + 1));
  return weights;
}
