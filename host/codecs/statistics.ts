/** What has to be known about a layer's weights before its codes are chosen: one pass over the matrix, linear in its size. */
import { MIN_GAP_SYMBOLS } from "../../assembly/format.js";
import type { Kernel } from "./codec.js";

/** Gaps from this length on are counted in a map: there are few of them, at most positions / CAP. */
const CAP = 2048;

/** Runs of zeros before each weight, over the positions of the live columns. */
export interface GapStatistics {
  /** counts[g], g < 2,048: weights with g zeros before them */
  readonly counts: Float64Array;
  /** The same for longer runs. */
  readonly longer: ReadonlyMap<number, number>;
  /** Zeros behind the last weight. */
  readonly trailing: number;
}

export interface WeightStatistics {
  readonly rows: number;
  readonly columns: number;
  readonly kernel: Kernel;
  readonly nonZeros: number;
  /** Non-zero weights of the fullest row. */
  readonly fullestRow: number;
  /** How often each weight occurs, at index weight + 128; zeros are not counted. */
  readonly weightCounts: Float64Array;
  /** 1 for a column with a weight in any row. */
  readonly liveColumns: Uint8Array;
  readonly liveCount: number;
}

/** @param weights row-major [rows, columns] */
export function weightStatistics(
  weights: Int8Array,
  rows: number,
  columns: number,
  kernel: Kernel = [1, 1],
): WeightStatistics {
  if (rows < 1 || columns < 1 || weights.length !== rows * columns) {
    throw new RangeError(`weightStatistics: expected ${rows} × ${columns} weights, got ${weights.length}`);
  }
  const weightCounts = new Float64Array(256);
  const liveColumns = new Uint8Array(columns);
  let nonZeros = 0;
  let fullestRow = 0;
  let liveCount = 0;
  for (let start = 0; start < weights.length; start += columns) {
    const before = weightCounts[128];
    for (let at = start, end = start + columns; at < end; at++) weightCounts[weights[at] + 128]++;
    const inRow = columns - (weightCounts[128] - before);
    nonZeros += inRow;
    fullestRow = Math.max(fullestRow, inRow);
    // Mostly the first few rows have a weight in each column.
    for (let column = 0; liveCount < columns && column < columns; column++) {
      if (liveColumns[column] !== 0 || weights[start + column] === 0) continue;
      liveColumns[column] = 1;
      liveCount++;
    }
  }
  weightCounts[128] = 0;
  return { rows, columns, kernel, nonZeros, fullestRow, weightCounts, liveColumns, liveCount };
}

/** Different weights that occur, zero aside. */
export function distinctWeights(weights: Int8Array): number {
  const occurs = new Uint8Array(256);
  for (let at = 0; at < weights.length; at++) occurs[weights[at] + 128] = 1;
  occurs[128] = 0;
  return occurs.reduce((sum, one) => sum + one, 0);
}

/** @param ranks from `columnRanks`: the numbering of positions the gaps are counted in */
export function gapStatistics(
  weights: Int8Array,
  rows: number,
  columns: number,
  ranks: Int32Array,
  live: number,
): GapStatistics {
  const counts = new Float64Array(CAP);
  const longer = new Map<number, number>();
  let next = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      if (weights[at] === 0) continue;
      const position = row * live + ranks[column];
      const gap = position - next;
      if (gap < CAP) counts[gap]++;
      else longer.set(gap, (longer.get(gap) ?? 0) + 1);
      next = position + 1;
    }
  }
  return { counts, longer, trailing: rows * live - next };
}

/** The number of each live column among the live ones; those of dead columns mean nothing. Without a map all are live. */
export function columnRanks(columns: number, liveColumns: Uint8Array | null): Int32Array {
  const ranks = new Int32Array(columns);
  for (let column = 0, rank = 0; column < columns; column++) {
    ranks[column] = rank;
    if (liveColumns === null || liveColumns[column] !== 0) rank++;
  }
  return ranks;
}

/** How the gaps are written with an alphabet of G symbols, of which the last, the filler, skips G - 1 positions. */
export interface GapSymbols {
  /** [G] */
  readonly counts: Float64Array;
  /** After the last weight: so many fillers, then `lastSymbol`; -1 when the last weight ends the stream. */
  readonly lastFillers: number;
  readonly lastSymbol: number;
}

/** @param gapSymbols G, 2 .. 1,025 */
export function countGapSymbols(gaps: GapStatistics, gapSymbols: number): GapSymbols {
  if (gapSymbols < MIN_GAP_SYMBOLS)
    throw new RangeError(`countGapSymbols: expected G ≥ ${MIN_GAP_SYMBOLS}, got ${gapSymbols}`);
  const filler = gapSymbols - 1;
  const counts = new Float64Array(gapSymbols);
  const add = (gap: number, count: number): void => {
    counts[gap % filler] += count;
    counts[filler] += Math.floor(gap / filler) * count;
  };
  for (let gap = 0; gap < CAP; gap++) if (gaps.counts[gap] > 0) add(gap, gaps.counts[gap]);
  for (const [gap, count] of gaps.longer) add(gap, count);
  if (gaps.trailing === 0) return { counts, lastFillers: 0, lastSymbol: -1 };

  // Any symbol that leads to the end or beyond may close the stream: the most frequent one has the shortest code.
  const lastFillers = Math.floor((gaps.trailing - 1) / filler);
  counts[filler] += lastFillers;
  let lastSymbol = gaps.trailing - lastFillers * filler;
  for (let symbol = lastSymbol + 1; symbol <= filler; symbol++)
    if (counts[symbol] > counts[lastSymbol]) lastSymbol = symbol;
  counts[lastSymbol]++;
  return { counts, lastFillers, lastSymbol };
}
