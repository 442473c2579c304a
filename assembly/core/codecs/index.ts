/** The codecs of weights, one line each in every function: the only place that tells them apart. */
import { STATUS_CODEC } from "../../abi";
import { fail } from "../status";
import * as dense from "./dense";
import * as huffman from "./huffman";

/** Begins what the codec has between the biases and the weights. Any other codec is an error. */
export function beginCodec(): void {
  if (dense.isAtHand()) dense.begin();
  else if (huffman.isAtHand()) huffman.begin();
  else fail(STATUS_CODEC);
}

/** Reads a piece of that. @returns whether it was the last: the weights come next */
export function stepCodec(): bool {
  if (dense.isAtHand()) return dense.step();
  return huffman.step();
}

/**
 * Decodes a batch of records of the row, behind those that are there. A weight that finds no room is an error.
 * @returns the work of its turns
 */
export function decodeBatch(): u32 {
  if (dense.isAtHand()) return dense.decode();
  return huffman.decode();
}

/** The most turns that `weights` weights of the layer take, zeros included, at most 2^28: should each be a batch of its own. */
export function mostTurns(weights: u32): u32 {
  if (dense.isAtHand()) return weights;
  return huffman.mostTurns(weights);
}
