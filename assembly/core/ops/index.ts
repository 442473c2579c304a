/**
 * The ops, one line each in every function: the only place that tells them apart. A core made for one model answers false for `isAtHand` of
 * those it does without.
 */
import { STATUS_OP } from "../../abi";
import { fail } from "../status";
import * as conv2d from "./conv2d";
import * as dense from "./dense";
import * as pool from "./pool";

/** Whether the layer at hand has weights: then a section follows its fields, which `readOp` leaves to be read. */
export function hasWeights(): bool {
  return conv2d.isAtHand() || dense.isAtHand();
}

/** Reads and checks the fields that the op has of its own. Any other op is an error. */
export function readOp(): void {
  if (conv2d.isAtHand()) conv2d.read();
  else if (dense.isAtHand()) dense.read();
  else if (pool.isAtHand()) pool.read();
  else fail(STATUS_OP);
}

/** Does a piece of the layer's work. @returns how much it was, or 0 when there was nothing left to do */
export function stepOp(): u32 {
  if (conv2d.isAtHand()) return conv2d.step();
  if (dense.isAtHand()) return dense.step();
  if (pool.isAtHand()) return pool.step();
  return 0;
}

/** Adds the most work that `stepOp` does in a run for the layer at hand besides decoding, of which `turns` is the most. */
export function addOpWork(turns: u32): void {
  if (conv2d.isAtHand()) conv2d.addStepWork(turns);
  else if (dense.isAtHand()) dense.addStepWork(turns);
  else if (pool.isAtHand()) pool.addStepWork();
}
