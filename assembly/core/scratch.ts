/**
 * The plan's scratch region, laid out anew for each layer with weights: its channels, its live columns and its codec's tables (in either order) and, in all that
 * is left, records. Each begins at a multiple of PLAN_UNIT.
 */
import { STATUS_PLAN } from "../abi";
import { PLAN_UNIT } from "../format";
import { arenaPtr, scratchPtr } from "./container";
import { expect } from "./status";

export let columnsPtr: usize = 0;
/** Where the next region begins; when all others have been laid out, the records. The arena follows. */
export let recordsPtr: usize = 0;

/** Begins a layer's layout, with `bytes` of channels. */
export function beginScratch(bytes: u32): void {
  recordsPtr = scratchPtr;
  takeScratch(bytes);
  beginColumnOffsets();
}

/** Lays out the live columns next, for a codec that has to have its tables before it knows how many those are. */
export function beginColumnOffsets(): void {
  columnsPtr = recordsPtr;
}

/** Lays out a region of `bytes`, at most as many as the largest plan has. */
export function takeScratch(bytes: u32): void {
  recordsPtr += (bytes + PLAN_UNIT - 1) & -PLAN_UNIT;
  expect(recordsPtr <= arenaPtr, STATUS_PLAN);
}
