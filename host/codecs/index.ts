/** The codecs: one line each. */
import { cabac } from "./cabac.js";
import type { Codec, Coding } from "./codec.js";
import { dense } from "./dense.js";
import { huffman } from "./huffman.js";
import { weightStatistics } from "./statistics.js";

/** In the order of their numbers; where two code a layer in as many bits, the first is taken. */
export const CODECS: readonly Codec[] = [dense, huffman, cabac];

/** Those that are tried unless others are asked for. Codec 3 is there to compare with. */
const USUAL_CODECS: readonly Codec[] = CODECS.filter((codec) => codec !== cabac);

/** For people: "codecs 0 … 1". */
export const CODEC_NUMBERS = `codecs 0 … ${CODECS.length - 1}`;

/** The codec of a form byte, if there is one. */
export function codecOf(number: number): Codec | undefined {
  return CODECS.find((codec) => codec.number === number);
}

/**
 * All ways to code a layer.
 * @param weights row-major [rows, columns], 0 = pruned
 * @param codecs that are tried
 * @throws RangeError for another number of weights
 */
export function codingsOf(weights: Int8Array, rows: number, columns: number, codecs = USUAL_CODECS): Coding[] {
  const statistics = weightStatistics(weights, rows, columns);
  return codecs.flatMap((codec) => codec.candidates(weights, statistics));
}

/**
 * The coding of fewest bits.
 * @param codings of a layer, from `codingsOf`
 * @param largestTables bytes its decoding tables may take, unless no coding takes as few
 */
export function smallestCoding(codings: readonly Coding[], largestTables = Infinity): Coding {
  const room = Math.max(largestTables, Math.min(...codings.map(({ tableBytes }) => tableBytes)));
  const fitting = codings.filter(({ tableBytes }) => tableBytes <= room);
  return fitting.reduce((best, coding) => (coding.bits < best.bits ? coding : best));
}
