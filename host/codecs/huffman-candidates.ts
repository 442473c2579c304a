/** Chooses how codec 1 codes a layer, by counting the bits of every choice. */
import { MAX_CODE_LENGTH, MAX_GAP_SYMBOLS, MIN_GAP_SYMBOLS } from "../../assembly/format.js";
import { codeLengths, longestCode, minimumLimit, type CodeLengths } from "./huffman-codes.js";
import {
  columnRanks,
  countGapSymbols,
  gapStatistics,
  type GapStatistics,
  type GapSymbols,
  type WeightStatistics,
} from "./statistics.js";

/** Bits of the fields that are always there: hasColumnMap, isCodebook, gapSymbols - 2. */
const FIXED_BITS = 1 + 1 + 10;
export const LENGTH_BITS = 4;

/** A decision for codec 1. */
export interface HuffmanChoice {
  /** Exact: of part 3 of the section. */
  readonly bits: number;
  readonly hasColumnMap: boolean;
  readonly isCodebook: boolean;
  /** Whether zeros are written as weights, one symbol for each position and no gaps: shorter where most weights are left. */
  readonly isFull: boolean;
  /** Ascending; a grid is contiguous. */
  readonly alphabet: Int8Array;
  readonly weightCodes: CodeLengths;
  readonly gaps: GapSymbols;
  readonly gapCodes: CodeLengths;
}

/**
 * The best alphabets, map or not, with gaps and without, with codes of every length limit that they bear: shorter codes take more bits and
 * smaller tables.
 * @param weights row-major [rows, columns], 0 = pruned
 */
export function huffmanChoices(weights: Int8Array, statistics: WeightStatistics): HuffmanChoice[] {
  const full = fullChoices(statistics);
  // Gaps are counted by a pass over all weights, which layers that have most of theirs can do without.
  return areWorse(statistics, full) ? full : [...sparseChoices(weights, statistics), ...full];
}

/**
 * Whether codes with gaps take more bits than full ones of as large tables, whatever the gaps. Where there are some zeros, though fewer than weights, gaps of none
 * and others occur, so that each weight has a bit of a gap.
 * @param full the shortest codes first
 */
function areWorse(
  { rows, liveCount, nonZeros, weightCounts }: WeightStatistics,
  full: readonly HuffmanChoice[],
): boolean {
  const zeros = rows * liveCount - nonZeros;
  if (full.length === 0 || zeros === 0 || zeros >= nonZeros) return false;
  const { counts } = chooseAlphabet(weightCounts);
  return limitedCodes(counts).every(({ lengths, bits }) =>
    full.some((one) => longestCode(one.weightCodes.lengths) <= longestCode(lengths) && one.bits < bits + nonZeros),
  );
}

function sparseChoices(weights: Int8Array, statistics: WeightStatistics): HuffmanChoice[] {
  const { columns, liveCount } = statistics;
  const alphabet = chooseAlphabet(statistics.weightCounts);
  const candidates = [gapCandidate(weights, statistics, false)];
  if (liveCount > 0 && liveCount < columns) candidates.push(gapCandidate(weights, statistics, true));
  candidates.sort((a, b) => a.bits - b.bits);
  const { hasColumnMap, gaps } = candidates[0];
  const sideBits = FIXED_BITS + (hasColumnMap ? columns : 0) + alphabet.bits + LENGTH_BITS * gaps.counts.length;
  const gapOptions = limitedCodes(gaps.counts);
  return limitedCodes(alphabet.counts).flatMap((weightCodes) =>
    gapOptions.map((gapCodes) => ({
      bits: sideBits + weightCodes.bits + gapCodes.bits,
      hasColumnMap,
      isCodebook: alphabet.isCodebook,
      isFull: false,
      alphabet: alphabet.values,
      weightCodes,
      gaps,
      gapCodes,
    })),
  );
}

/** The gap of no zeros, alone in its code, takes no bits. Where at least half of the live positions are zeros gaps are shorter. */
function fullChoices({ rows, columns, liveCount, nonZeros, weightCounts }: WeightStatistics): HuffmanChoice[] {
  const zeros = (live: number): number => rows * live - nonZeros;
  if (zeros(liveCount) > nonZeros || liveCount === 0) return [];
  // A bit a column for the map, against symbols of zeros of the columns that it leaves out, which take a bit each at least.
  const hasColumnMap = zeros(columns) - zeros(liveCount) > columns;
  const counts = weightCounts.slice();
  counts[128] = zeros(hasColumnMap ? liveCount : columns);
  const alphabet = chooseAlphabet(counts);
  const gaps: GapSymbols = { counts: Float64Array.of(1, 0), lastFillers: 0, lastSymbol: -1 };
  const gapCodes = codeLengths(gaps.counts, MAX_CODE_LENGTH);
  const sideBits = FIXED_BITS + (hasColumnMap ? columns : 0) + alphabet.bits + LENGTH_BITS * gaps.counts.length;
  return limitedCodes(alphabet.counts).map((weightCodes) => ({
    bits: sideBits + weightCodes.bits,
    hasColumnMap,
    isCodebook: alphabet.isCodebook,
    isFull: true,
    alphabet: alphabet.values,
    weightCodes,
    gaps,
    gapCodes,
  }));
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
  for (
    let limit = MAX_CODE_LENGTH;
    limit >= least;
    limit = Math.min(limit, longestCode(options[options.length - 1].lengths)) - 1
  ) {
    options.push(codeLengths(counts, limit));
  }
  return options.reverse();
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
