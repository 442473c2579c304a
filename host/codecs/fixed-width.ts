/** A sparse layer without entropy codes, as Deep Compression compares them: its Tables 2 and 3, columns (P+Q). */
import type { FixedWidth } from "./codec.js";
import { columnRanks, distinctWeights, gapStatistics } from "./statistics.js";

/** The index width of 1 … 16 bits with the fewest bits in all: one of w bits covers 2^w positions, longer gaps take filler zeros. */
export function fixedWidth(weights: Int8Array, rows: number, columns: number): FixedWidth {
  const values = distinctWeights(weights);
  const { counts, longer } = gapStatistics(weights, rows, columns, columnRanks(columns, null), columns);
  // One code more: the filler is a weight of zero.
  const weightBits = Math.max(1, Math.ceil(Math.log2(values + 1)));
  let best: FixedWidth | undefined;
  for (let indexBits = 1; indexBits <= 16; indexBits++) {
    let entries = 0;
    counts.forEach((count, gap) => (entries += count * (1 + Math.floor(gap / 2 ** indexBits))));
    for (const [gap, count] of longer) entries += count * (1 + Math.floor(gap / 2 ** indexBits));
    const bits = entries * (weightBits + indexBits) + values * 8;
    if (best === undefined || bits < best.bits) best = { weightBits, indexBits, entries, bits };
  }
  return best!;
}
