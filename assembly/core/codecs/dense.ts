/** Codec 0: every weight as it is, int8. All columns are live. */
import { RECORD_BYTES, STATUS_PLAN } from "../../abi";
import { CODEC_DENSE } from "../../format";
import { bits } from "../bit-reader";
import { columnMask, columnShift, live, readColumns } from "../columns";
import { arenaPtr } from "../container";
import { columnsPtr } from "../scratch";
import { codec } from "../section";
import { expect, failure } from "../status";
import { addWork, bitsTurnWork, TURN_WORK } from "../work";
import { BATCH, column, passTo, recordsEnd } from "../weights";

export function isAtHand(): bool {
  return codec() == CODEC_DENSE;
}

export function begin(): void {}

export function step(): bool {
  return readColumns();
}

export function isLive(): bool {
  return true;
}

/** @returns the work of its turns */

@inline
export function decode(): u32 {
  let target = recordsEnd;
  let sum = 0;
  let at = column;
  let end = min(at + BATCH, live);
  let shift = columnShift();
  let mask = columnMask(shift);
  do {
    let weight = bits(8);
    if (!weight) continue;
    expect(target < arenaPtr, STATUS_PLAN);
    if (failure) break;
    let offset = load<u32>(columnsPtr + (at << shift)) & mask;
    store<u32>(target, (offset << 8) | weight);
    target += RECORD_BYTES;
    sum += <i8>weight;
  } while ((++at < end) & (target < arenaPtr));
  let turns = at - column;
  passTo(at, target, sum);
  return turns * bitsTurnWork();
}

/** @returns `weights`; adds what their turns take besides */
export function mostTurns(weights: u32): u32 {
  addWork(<u64>weights * (bitsTurnWork() - TURN_WORK));
  return weights;
}
