/** Chooses how a layer's weights are coded by counting the bits of every choice, and writes them: SPEC.md, "Section", part 3. */
import {
  CODEC_DENSE,
  CODEC_HUFFMAN,
  MAX_CODE_LENGTH,
  MAX_GAP_SYMBOLS,
  MIN_GAP_SYMBOLS,
} from "../../assembly/format.js";
import type { BitWriter } from "./bit-writer.js";
import { codeLengths, minimumLimit, writtenCodes, type CodeLengths } from "./huffman.js";
import {
  columnRanks,
  countGapSymbols,
  gapStatistics,
  weightStatistics,
  type GapStatistics,
  type GapSymbols,
  type WeightStatistics,
} from "./statistics.js";

/** Bits of the Huffman codec's fields that are always there: hasColumnMap, isCodebook, gapSymbols - 2. */
const FIXED_BITS = 1 + 1 + 10;
const LENGTH_BITS = 4;

export interface DenseCoding {
  readonly codec: typeof CODEC_DENSE;
  readonly statistics: WeightStatistics;
  readonly bits: number;
}

/** A decision for codec 1. `bits` is exact: what `writeWeights` will write. */
export interface HuffmanCoding {
  readonly codec: typeof CODEC_HUFFMAN;
  readonly statistics: WeightStatistics;
  readonly bits: number;
  readonly hasColumnMap: boolean;
  readonly isCodebook: boolean;
  /** Ascending; a grid is contiguous. */
  readonly alphabet: Int8Array;
  readonly weightCodes: CodeLengths;
  readonly gaps: GapSymbols;
  readonly gapCodes: CodeLengths;
}

export type Coding = DenseCoding | HuffmanCoding;

/** Bytes of the two decoding tables that a coding asks of the core. */
export function tableBytes(coding: Coding): number {
  if (coding.codec === CODEC_DENSE) return 0;
  return 2 * (2 ** longest(coding.weightCodes) + 2 ** longest(coding.gapCodes));
}

/** Columns whose offsets the core keeps. */
export function keptColumns(coding: Coding): number {
  return coding.codec === CODEC_HUFFMAN && coding.hasColumnMap
    ? coding.statistics.liveCount
    : coding.statistics.columns;
}

/**
 * Finds the smallest coding of a layer.
 * @param weights row-major [rows, columns], 0 = pruned
 * @param largestTables the bytes its decoding tables may take. Codes are shortened to fit; a layer whose alphabets do not fit
 *   at all becomes dense
 */
export function chooseCoding(weights: Int8Array, rows: number, columns: number, largestTables = Infinity): Coding {
  return codingChooser(weights, rows, columns)(largestTables);
}

/** The same in two steps: the passes over the weights are made once, then any number of table sizes are tried. */
export function codingChooser(weights: Int8Array, rows: number, columns: number): (largestTables: number) => Coding {
  const statistics = weightStatistics(weights, rows, columns);
  const dense: DenseCoding = { codec: CODEC_DENSE, statistics, bits: rows * columns * 8 };
  const alphabet = chooseAlphabet(statistics.weightCounts);
  const candidates = [gapCandidate(weights, statistics, false)];
  if (statistics.liveCount > 0 && statistics.liveCount < columns)
    candidates.push(gapCandidate(weights, statistics, true));
  candidates.sort((a, b) => a.bits - b.bits);
  const { hasColumnMap, gaps } = candidates[0];
  const mapBits = hasColumnMap ? columns : 0;
  const weightOptions = limitedCodes(alphabet.counts);
  const gapOptions = limitedCodes(gaps.counts);

  return (largestTables) => {
    let best: Coding = dense;
    for (const weightCodes of weightOptions) {
      for (const gapCodes of gapOptions) {
        const sideBits = FIXED_BITS + mapBits + alphabet.bits + LENGTH_BITS * gaps.counts.length;
        const bits = sideBits + weightCodes.bits + gapCodes.bits;
        if (bits >= best.bits) continue;
        const coding: HuffmanCoding = {
          codec: CODEC_HUFFMAN,
          statistics,
          bits,
          hasColumnMap,
          isCodebook: alphabet.isCodebook,
          alphabet: alphabet.values,
          weightCodes,
          gaps,
          gapCodes,
        };
        if (tableBytes(coding) <= largestTables) best = coding;
      }
    }
    return best;
  };
}

interface Alphabet {
  readonly isCodebook: boolean;
  readonly values: Int8Array;
  readonly counts: Float64Array;
  /** The alphabet and its code lengths in the file. */
  readonly bits: number;
}

/** A grid names two numbers and a length for every value between; a codebook each value that occurs. */
function chooseAlphabet(weightCounts: Float64Array): Alphabet {
  const used: number[] = [];
  for (let value = -128; value <= 127; value++) if (weightCounts[value + 128] > 0) used.push(value);
  // A layer without weights still needs an alphabet with one used symbol, which takes no bits and never comes.
  if (used.length === 0) {
    return { isCodebook: false, values: Int8Array.of(1), counts: Float64Array.of(1), bits: 16 + LENGTH_BITS };
  }
  const first = used[0];
  const span = used[used.length - 1] - first + 1;
  const gridBits = 16 + LENGTH_BITS * span;
  const codebookBits = 8 + (8 + LENGTH_BITS) * used.length;
  const isCodebook = codebookBits < gridBits;
  const values = isCodebook ? Int8Array.from(used) : Int8Array.from({ length: span }, (_, i) => first + i);
  const counts = Float64Array.from(values, (value) => weightCounts[value + 128]);
  return { isCodebook, values, counts, bits: isCodebook ? codebookBits : gridBits };
}

/** The best codes for each limit, shortest codes first, so that of two equal choices the one with the smaller table is met first. */
function limitedCodes(counts: Float64Array): CodeLengths[] {
  const options: CodeLengths[] = [];
  const least = minimumLimit(counts);
  for (let limit = MAX_CODE_LENGTH; limit >= least; limit = Math.min(limit, longest(options[options.length - 1])) - 1) {
    options.push(codeLengths(counts, limit));
  }
  return options.reverse();
}

function longest(codes: CodeLengths): number {
  return codes.lengths.reduce((a, b) => Math.max(a, b), 0);
}

interface GapCandidate {
  readonly hasColumnMap: boolean;
  readonly gaps: GapSymbols;
  /** Of the map, the code lengths and all gap symbols. */
  readonly bits: number;
}

/** The best number of gap symbols G, by all its bits: geometric steps over the whole range, then every step around the best. */
function gapCandidate(weights: Int8Array, statistics: WeightStatistics, hasColumnMap: boolean): GapCandidate {
  const { rows, columns, liveColumns, liveCount } = statistics;
  const ranks = columnRanks(columns, hasColumnMap ? liveColumns : null);
  const all = gapStatistics(weights, rows, columns, ranks, hasColumnMap ? liveCount : columns);
  const tried = new Map<number, GapCandidate>();
  const measure = (gapSymbols: number): GapCandidate => {
    let candidate = tried.get(gapSymbols);
    if (candidate === undefined) {
      const gaps = countGapSymbols(all, gapSymbols);
      const bits =
        codeLengths(gaps.counts, MAX_CODE_LENGTH).bits + LENGTH_BITS * gapSymbols + (hasColumnMap ? columns : 0);
      candidate = { hasColumnMap, gaps, bits };
      tried.set(gapSymbols, candidate);
    }
    return candidate;
  };
  const largest = Math.min(MAX_GAP_SYMBOLS, Math.max(MIN_GAP_SYMBOLS, longestGap(all) + 2));
  let best = measure(largest);
  const improve = (gapSymbols: number): void => {
    const candidate = measure(Math.min(largest, Math.max(MIN_GAP_SYMBOLS, gapSymbols)));
    if (candidate.bits < best.bits) best = candidate;
  };
  for (let size = MIN_GAP_SYMBOLS; size < largest; size = Math.ceil(size * 1.2)) improve(size);
  // Each step costs 4 bits of code lengths and saves some fillers, so the total is nearly convex around its best place.
  const radius = Math.max(8, Math.ceil(best.gaps.counts.length * 0.2));
  const centre = best.gaps.counts.length;
  for (let size = centre - radius; size <= centre + radius; size += Math.max(1, Math.floor(radius / 16))) improve(size);
  return best;
}

function longestGap(gaps: GapStatistics): number {
  for (const gap of gaps.longer.keys()) if (gap >= MAX_GAP_SYMBOLS) return gap;
  let gap = gaps.counts.length - 1;
  while (gap > 0 && gaps.counts[gap] === 0) gap--;
  return Math.max(gap, Math.min(gaps.trailing, MAX_GAP_SYMBOLS));
}

/** Writes part 3 of a section. Linear in the weights. */
export function writeWeights(writer: BitWriter, weights: Int8Array, coding: Coding): void {
  if (coding.codec === CODEC_DENSE) {
    for (const w of weights) writer.write(w, 8);
    return;
  }
  const { statistics, hasColumnMap, isCodebook, alphabet } = coding;
  writer.write(hasColumnMap ? 1 : 0, 1);
  if (hasColumnMap) for (const live of statistics.liveColumns) writer.write(live, 1);
  writer.write(isCodebook ? 1 : 0, 1);
  if (!isCodebook) writer.write(alphabet[0], 8);
  writer.write(alphabet.length - 1, 8);
  if (isCodebook) for (const value of alphabet) writer.write(value, 8);
  for (const length of coding.weightCodes.lengths) writer.write(length, LENGTH_BITS);
  writer.write(coding.gaps.counts.length - MIN_GAP_SYMBOLS, 10);
  for (const length of coding.gapCodes.lengths) writer.write(length, LENGTH_BITS);
  writeSymbols(writer, weights, coding);
}

function writeSymbols(writer: BitWriter, weights: Int8Array, coding: HuffmanCoding): void {
  const { rows, columns, liveColumns, liveCount } = coding.statistics;
  const gapCodes = writtenCodes(coding.gapCodes.lengths);
  const gapBits = bitsToWrite(coding.gapCodes.lengths);
  const filler = gapBits.length - 1;
  const symbolCodes = writtenCodes(coding.weightCodes.lengths);
  const symbolBits = bitsToWrite(coding.weightCodes.lengths);
  const weightCode = new Uint16Array(256);
  const weightBits = new Uint8Array(256);
  for (let symbol = 0; symbol < coding.alphabet.length; symbol++) {
    weightCode[coding.alphabet[symbol] + 128] = symbolCodes[symbol];
    weightBits[coding.alphabet[symbol] + 128] = symbolBits[symbol];
  }
  const ranks = columnRanks(columns, coding.hasColumnMap ? liveColumns : null);
  const live = coding.hasColumnMap ? liveCount : columns;
  let next = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const w = weights[at];
      if (w === 0) continue;
      const position = row * live + ranks[column];
      let gap = position - next;
      for (; gap >= filler; gap -= filler) writer.write(gapCodes[filler], gapBits[filler]);
      writer.write(gapCodes[gap], gapBits[gap]);
      writer.write(weightCode[w + 128], weightBits[w + 128]);
      next = position + 1;
    }
  }
  const { lastFillers, lastSymbol } = coding.gaps;
  if (lastSymbol < 0) return;
  for (let i = 0; i < lastFillers; i++) writer.write(gapCodes[filler], gapBits[filler]);
  writer.write(gapCodes[lastSymbol], gapBits[lastSymbol]);
}

/** An alphabet with one used symbol takes no bits. */
function bitsToWrite(lengths: Uint8Array): Uint8Array {
  return lengths.filter((length) => length > 0).length === 1 ? new Uint8Array(lengths.length) : lengths;
}
