/** The codecs of weights, one line each in every function: the only place that tells them apart. */
import { CODEC_CABAC, CODEC_DENSE, CODEC_HUFFMAN } from "../../format";
import * as cabac from "./cabac";
import * as dense from "./dense";
import * as huffman from "./huffman";

/** Bit i: there is codec i. The layers of a model that needs no others have no others, so that the last one need not be asked. */
export function knownCodecs(): u32 {
  return (1 << CODEC_DENSE) | (1 << CODEC_HUFFMAN) | (1 << CODEC_CABAC);
}

/** Begins what the codec has between the biases and the weights. */
export function beginCodec(): void {
  if (dense.isAtHand()) dense.begin();
  else if (huffman.isAtHand()) huffman.begin();
  else cabac.begin();
}

/** Reads a piece of that. @returns whether it was the last: the weights come next */
export function stepCodec(): bool {
  if (dense.isAtHand()) return dense.step();
  if (huffman.isAtHand()) return huffman.step();
  return cabac.step();
}

/**
 * Decodes a batch of records of the row, behind those that are there. A weight that finds no room is an error.
 * @returns the work of its turns
 */
export function decodeBatch(): u32 {
  if (dense.isAtHand()) return dense.decode();
  if (huffman.isAtHand()) return huffman.decode();
  return cabac.decode();
}

/** The most turns that `weights` weights of the layer take, zeros included, at most 2^28: should each be a batch of its own. */
export function mostTurns(weights: u32): u32 {
  if (dense.isAtHand()) return weights;
  if (huffman.isAtHand()) return huffman.mostTurns(weights);
  return cabac.mostTurns(weights);
}
