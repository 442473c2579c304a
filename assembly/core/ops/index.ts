/**
 * The ops, one line each in every function: the only place that tells them apart. A core made for one model answers false for `isAtHand` of
 * those it does without.
 */
import { OP_APPEND, OP_LUT } from "../../format";
import { IS_WIDE } from "../element";
import * as concat from "./concat";
import * as conv2d from "./conv2d";
import * as dense from "./dense";
import * as elementwise from "./elementwise";
import * as lut from "./lut";
import * as parts from "./parts";
import * as pool from "./pool";
import * as resize from "./resize";

/** Bit i: there is op i. The layers of a model that needs no others have no others, so that the last one need not be asked. */
export function knownOps(): u32 {
  return ((2 << OP_APPEND) - 1) & ~(u32(IS_WIDE) << OP_LUT);
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
  else if (pool.isAtHand()) pool.read();
  else if (elementwise.isAtHand()) elementwise.read();
  else if (concat.isAtHand()) concat.read();
  else if (lut.isAtHand()) lut.read();
  else if (resize.isAtHand()) resize.read();
  else parts.read();
}

/** Does a piece of the layer's work, of which some is left. @returns how much it was */
export function stepOp(): u32 {
  if (conv2d.isAtHand()) return conv2d.step();
  if (dense.isAtHand()) return dense.step();
  if (pool.isAtHand()) return pool.step();
  if (elementwise.isAtHand()) return elementwise.step();
  if (concat.isAtHand()) return concat.step();
  if (lut.isAtHand()) return lut.step();
  if (resize.isAtHand()) return resize.step();
  return parts.step();
}

/** Adds the most work that `stepOp` does in a run for the layer at hand besides decoding, of which `turns` is the most. */
export function addOpWork(turns: u32): void {
  if (conv2d.isAtHand()) conv2d.addStepWork(turns);
  else if (dense.isAtHand()) dense.addStepWork(turns);
  else if (pool.isAtHand()) pool.addStepWork();
  else if (elementwise.isAtHand()) elementwise.addStepWork();
  else if (lut.isAtHand()) lut.addStepWork();
  else if (concat.isAtHand()) concat.addStepWork();
  else if (resize.isAtHand()) resize.addStepWork();
  else parts.addStepWork();
}
