/** The codecs: one line each. */
import { arithmetic } from "./arithmetic.js";
import { cabac } from "./cabac.js";
import type { Codec, Coding, Kernel } from "./codec.js";
import { dense } from "./dense.js";
import { gaussian } from "./gaussian.js";
import { huffman } from "./huffman.js";
import { weightStatistics } from "./statistics.js";

/** Each at the index that is its number; where two code a layer in as many bits, the first is taken. */
export const CODECS: readonly Codec[] = [dense, huffman, arithmetic, cabac, gaussian];

/** For people: "codecs 0 … 1". */
export const CODEC_NUMBERS = `codecs 0 … ${CODECS.length - 1}`;

/** The codec of a form byte, if there is one. */
export function codecOf(number: number): Codec | undefined {
  return CODECS[number];
}

/**
 * What may code a layer, by the name of the choice: a codec, or dense where that takes fewer bits or smaller tables; auto: whichever of these. Huffman is what
 * goes without saying: a run decodes each layer anew, and arithmetic codes take twice the instructions for a tenth of the bytes.
 * Gaussian is for nets of a few hundred weights, where a packed module's core does not count that has to know codec 4 as well. Codec 3 is there to compare with.
 */
export const CODEC_CHOICES = {
  dense: [dense],
  huffman: [dense, huffman],
  arithmetic: [dense, arithmetic],
  auto: [dense, huffman, arithmetic],
  gaussian: [dense, arithmetic, gaussian],
  cabac: [dense, cabac],
} satisfies Record<string, readonly Codec[]>;
export type CodecChoice = keyof typeof CODEC_CHOICES;
export const CODEC_NAMES = Object.keys(CODEC_CHOICES) as readonly CodecChoice[];
export const DEFAULT_CODEC: CodecChoice = "huffman";

/**
 * All ways to code a layer.
 * @param weights row-major [rows, columns], 0 = pruned
 * @throws RangeError for another number of weights
 */
export function codingsOf(
  weights: Int8Array,
  rows: number,
  columns: number,
  { kernel, codec = DEFAULT_CODEC }: { readonly kernel?: Kernel; readonly codec?: CodecChoice } = {},
): Coding[] {
  const statistics = weightStatistics(weights, rows, columns, kernel);
  return CODEC_CHOICES[codec].flatMap((one) => one.candidates(weights, statistics));
}

/**
 * The coding of fewest bits, or of the lowest price where decoding has one.
 * @param codings of a layer, from `codingsOf`
 * @param largestTables bytes its decoding tables may take; one that needs none is always among the codings
 * @param decodeCost bytes that 1,000 instructions of decoding the layer once count as
 */
export function smallestCoding(codings: readonly Coding[], largestTables = Infinity, decodeCost = 0): Coding {
  const fitting = codings.filter(({ tableBytes }) => tableBytes <= largestTables);
  return fitting.reduce((best, coding) => (price(coding, decodeCost) < price(best, decodeCost) ? coding : best));
}

/** Bits of a coding, and what its decoding counts as. */
export function price({ bits, instructions }: Coding, decodeCost: number): number {
  return bits + (8 * decodeCost * instructions) / 1000;
}
