/**
 * Codec 4: weights as samples of a normal distribution around 0. Each is coded by itself, zeros included: whether it is one, its sign, and as many
 * bits as its magnitude has steps, by probabilities that follow from the one number that the layer states.
 */
import { RECORD_BYTES, STATUS_PLAN } from "../../abi";
import { CODEC_GAUSSIAN, GAUSSIAN_MAGNITUDES, GAUSSIAN_SPREAD_BITS } from "../../format";
import { bits } from "../bit-reader";
import { columnMask, columnShift, live, readColumns } from "../columns";
import { arenaPtr } from "../container";
import { beginRange, decodeBit } from "../range-decoder";
import { beginColumnOffsets, columnsPtr, recordsPtr, takeScratch } from "../scratch";
import { codec } from "../section";
import { expect, failure } from "../status";
import { BATCH, column, passTo, recordsEnd } from "../weights";
import { addWork, TURN_WORK } from "../work";

/** Magnitudes of one piece of work. */
const MAGNITUDES: u32 = 16;

/** Of each magnitude, 0 among them, u16, the probability that it is larger, in 1/65,536; 0 where none is. */
let tables: usize = 0;
/** How many bits less likely magnitude 1 is than 0, in 1/65,536; those of others grow as their squares. */
let curve: u32 = 0;
/** The next magnitude of the table, downward, and the sum of the shares of larger magnitudes. */
let magnitude: u32 = 0;
let sum: u32 = 0;
/** The largest magnitude that there can be. */
let largest: u32 = 0;

export function isAtHand(): bool {
  return codec() == CODEC_GAUSSIAN;
}

export function begin(): void {
  let spread = bits(GAUSSIAN_SPREAD_BITS);
  curve = (spread & 1 ? 370727 : 524288) >>> (spread >>> 1);
  magnitude = GAUSSIAN_MAGNITUDES;
  sum = largest = 0;
  tables = recordsPtr;
  takeScratch(2 * GAUSSIAN_MAGNITUDES);
  beginColumnOffsets();
}

export function step(): bool {
  if (!magnitude) return readColumns();
  let end = magnitude - MAGNITUDES;
  do {
    magnitude--;
    let exponent = <u64>(magnitude * magnitude) * curve;
    let share: u32 = 0;
    // A magnitude whose share rounds to nothing does not occur.
    if (exponent < 13 << 16) share = (65536 - (((<u32>exponent) & 0xffff) >>> 1)) >>> (4 + ((<u32>exponent) >>> 16));
    let beyond = sum;
    // Both signs but of 0.
    if (!magnitude) beyond <<= 1;
    sum = beyond + share;
    if (!largest) largest = share ? magnitude : 0;
    store<u16>(tables + (magnitude << 1), beyond ? max(((beyond << 11) / sum) << 5, 64) : 0);
  } while (magnitude > end);
  if (!magnitude) beginRange();
  return false;
}

export function isLive(): bool {
  return true;
}

/** @returns the work of its bits, or of a few more than a batch: those of the last weight */
export function decode(): u32 {
  let target = recordsEnd;
  let total = 0;
  let turns: u32 = 0;
  let at = column;
  let shift = columnShift();
  let mask = columnMask(shift);
  // The last weight may take as many more as the largest one.
  let most = BATCH - (largest >>> 3);
  do {
    turns++;
    let entry = tables;
    if (!decodeBit(load<u16>(entry))) continue;
    expect(target < arenaPtr, STATUS_PLAN);
    if (failure) break;
    let isPositive = decodeBit(0x8000);
    let more: u32;
    do {
      turns++;
      entry += 2;
      more = load<u16>(entry);
    } while (more && decodeBit(more));
    let reached = (<i32>(entry - tables)) >>> 1;
    let weight = isPositive ? reached : -reached;
    let offset = load<u32>(columnsPtr + (at << shift)) & mask;
    store<u32>(target, (offset << 8) | (weight & 0xff));
    target += RECORD_BYTES;
    total += weight;
  } while ((++at < live) & (turns < most) & (target < arenaPtr));
  passTo(at, target, total);
  return turns * TURN_WORK;
}

/** @returns `weights`; adds what their bits take besides the first */
export function mostTurns(weights: u32): u32 {
  addWork(<u64>weights * (largest + 1) * TURN_WORK);
  return weights;
}
