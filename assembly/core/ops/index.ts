/**
 * The ops, one line each in every function: the only place that tells them apart. A core made for one model answers false for `isAtHand` of
 * those it does without.
 */
import { OP_AVGPOOL, OP_CONV2D, OP_DENSE, OP_MAXPOOL } from "../../format";
import * as conv2d from "./conv2d";
import * as dense from "./dense";
import * as pool from "./pool";

/** Bit i: there is op i. The layers of a model that needs no others have no others, so that the last one need not be asked. */
export function knownOps(): u32 {
  return (1 << OP_CONV2D) | (1 << OP_DENSE) | (1 << OP_MAXPOOL) | (1 << OP_AVGPOOL);
}

/** Whether the layer at hand has weights: then a section follows its fields, which `readOp` leaves to be read. */
export function hasWeights(): bool {
  return conv2d.isAtHand() | dense.isAtHand();
}

/** Reads and checks the fields that the op has of its own. */

@inline
export function readOp(): void {
  if (conv2d.isAtHand()) conv2d.read();
  else if (dense.isAtHand()) dense.read();
  else pool.read();
}

/** Does a piece of the layer's work, of which some is left. @returns how much it was */
export function stepOp(): u32 {
  if (conv2d.isAtHand()) return conv2d.step();
  if (dense.isAtHand()) return dense.step();
  return pool.step();
}

/** Adds the most work that `stepOp` does in a run for the layer at hand besides decoding, of which `turns` is the most. */
export function addOpWork(turns: u32): void {
  if (conv2d.isAtHand()) conv2d.addStepWork(turns);
  else if (dense.isAtHand()) dense.addStepWork(turns);
  else pool.addStepWork();
}
