/** The codecs of weights, one line each in every function: the only place that tells them apart. */
import { CODEC_ARITHMETIC, CODEC_CABAC, CODEC_DENSE, CODEC_GAUSSIAN, CODEC_HUFFMAN } from "../../format";
import * as arithmetic from "./arithmetic";
import * as cabac from "./cabac";
import * as dense from "./dense";
import * as gaussian from "./gaussian";
import * as huffman from "./huffman";

/** Bit i: there is codec i. The layers of a model that needs no others have no others, so that the last one need not be asked. */
export function knownCodecs(): u32 {
  return (
    (1 << CODEC_DENSE) | (1 << CODEC_HUFFMAN) | (1 << CODEC_ARITHMETIC) | (1 << CODEC_CABAC) | (1 << CODEC_GAUSSIAN)
  );
}

/** Begins what the codec has between the biases and the weights. */
export function beginCodec(): void {
  if (dense.isAtHand()) dense.begin();
  else if (huffman.isAtHand()) huffman.begin();
  else if (arithmetic.isAtHand()) arithmetic.begin();
  else if (cabac.isAtHand()) cabac.begin();
  else gaussian.begin();
}

/** Reads a piece of that. @returns whether it was the last: the weights come next */
export function stepCodec(): bool {
  if (dense.isAtHand()) return dense.step();
  if (huffman.isAtHand()) return huffman.step();
  if (arithmetic.isAtHand()) return arithmetic.step();
  if (cabac.isAtHand()) return cabac.step();
  return gaussian.step();
}

/** Reads of the next column whether it is live, from where `stepCodec` asks for columns. */
export function isColumnLive(column: u32): bool {
  if (dense.isAtHand()) return dense.isLive();
  if (huffman.isAtHand()) return huffman.isLive();
  if (arithmetic.isAtHand()) return arithmetic.isLive(column);
  if (cabac.isAtHand()) return cabac.isLive();
  return gaussian.isLive();
}

/**
 * Decodes a batch of records of the row, behind those that are there. A weight that finds no room is an error.
 * @returns the work of its turns
 */
export function decodeBatch(): u32 {
  if (dense.isAtHand()) return dense.decode();
  if (huffman.isAtHand()) return huffman.decode();
  if (arithmetic.isAtHand()) return arithmetic.decode();
  if (cabac.isAtHand()) return cabac.decode();
  return gaussian.decode();
}

/** The most turns that `weights` weights of the layer take, zeros included, at most 2^28, should each be a batch of its own. Adds the work that is not of turns. */
export function mostTurns(weights: u32): u32 {
  if (dense.isAtHand()) return dense.mostTurns(weights);
  if (huffman.isAtHand()) return huffman.mostTurns(weights);
  if (arithmetic.isAtHand()) return arithmetic.mostTurns(weights);
  if (cabac.isAtHand()) return cabac.mostTurns(weights);
  return gaussian.mostTurns(weights);
}
