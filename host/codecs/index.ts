/** The codecs: one line each. */
import type { Codec, Coding } from "./codec.js";
import { dense } from "./dense.js";
import { huffman } from "./huffman.js";
import { weightStatistics } from "./statistics.js";

/** Each at the index that is its number; where two code a layer in as many bits, the first is taken. */
export const CODECS: readonly Codec[] = [dense, huffman];

/** For people: "codecs 0 … 1". */
export const CODEC_NUMBERS = `codecs 0 … ${CODECS.length - 1}`;

/** The codec of a form byte, if there is one. */
export function codecOf(number: number): Codec | undefined {
  return CODECS[number];
}

/**
 * All ways to code a layer.
 * @param weights row-major [rows, columns], 0 = pruned
 * @throws RangeError for another number of weights
 */
export function codingsOf(weights: Int8Array, rows: number, columns: number): Coding[] {
  const statistics = weightStatistics(weights, rows, columns);
  return CODECS.flatMap((codec) => codec.candidates(weights, statistics));
}

/**
 * The coding of fewest bits.
 * @param codings of a layer, from `codingsOf`
 * @param largestTables bytes its decoding tables may take; one that needs none is always among the codings
 */
export function smallestCoding(codings: readonly Coding[], largestTables = Infinity): Coding {
  const fitting = codings.filter(({ tableBytes }) => tableBytes <= largestTables);
  return fitting.reduce((best, coding) => (coding.bits < best.bits ? coding : best));
}
