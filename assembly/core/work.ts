/** What work counts as. A unit is about a multiplication of a convolution, and at most 32 instructions: SPEC.md, "The core's interface". */

import { CONTROL_WORK } from "../abi";
import { isSmall } from "./range-decoder";

/** A piece of reading tables, or of filling borders. */
export const PIECE_WORK: u32 = 96;
/** Of a small container it takes 2^2 times as much, since each bit of its fields goes through the range decoder. */
const SMALL_SHIFT: u32 = 2;
/** What a batch of decoding takes, and each of its turns. */
export const BATCH_WORK: u32 = 12;
export const TURN_WORK: u32 = 4;
/** What four places of a convolution take besides their products, a dense layer's sum besides its records, an output of a pool. */
export const PLACES_WORK: u32 = 20;
export const DENSE_WORK: u32 = 8;
export const POOL_WORK: u32 = 8;
/** What an element of a sum or a product of tensors takes. */
export const ELEMENT_WORK: u32 = 3;

/** With so many products, records or elements a piece of a convolution, a dense layer or a pool ends, complete or not. */
export const MOST_PRODUCTS: u32 = 512;
export const MOST_RECORDS: u32 = 256;
export const MOST_ELEMENTS: u32 = 256;

/** Begins to add up the work of a run. A packed model's is known. */
export function beginWork(): void {
  store<u32>(CONTROL_WORK, 0);
}

/** What a piece of reading tables takes, or of filling borders. */
export function pieceWork(): u32 {
  return PIECE_WORK << (isSmall() ? SMALL_SHIFT : 0);
}

/** What a turn takes that reads a weight bit by bit: in a small container each goes through the range decoder. */
export function bitsTurnWork(): u32 {
  return TURN_WORK << (isSmall() ? SMALL_SHIFT : 0);
}

/** Adds to the work of a run. */
export function addWork(units: u64): void {
  store<u32>(CONTROL_WORK, <u32>min(load<u32>(CONTROL_WORK) + units, <u64>u32.MAX_VALUE));
}
