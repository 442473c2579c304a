/** Codec 2, two bytes a weight: larger than Huffman codes and decoded in a third of the time. SPEC.md, "Codec 2, bytes". */
import { CODEC_BYTES, MAX_PAIR_GAP, PAIR_BYTES } from "../../assembly/format.js";
import type { BitReader } from "./bit-reader.js";
import type { BitWriter } from "./bit-writer.js";
import type { WeightStatistics } from "./statistics.js";

/** A decision for codec 2. `bits` is what `writePairs` will write. */
export interface BytesCoding {
  readonly codec: typeof CODEC_BYTES;
  readonly statistics: WeightStatistics;
  readonly bits: number;
}

/** @param statistics of `weights`, row-major [rows, columns] */
export function bytesCoding(weights: Int8Array, statistics: WeightStatistics): BytesCoding {
  let pairs = 0;
  forEachPair(weights, statistics.rows, statistics.columns, () => pairs++);
  return { codec: CODEC_BYTES, statistics, bits: pairs * PAIR_BYTES * 8 };
}

/** Writes the pairs of all rows, from a whole byte on. */
export function writePairs(writer: BitWriter, weights: Int8Array, { statistics }: BytesCoding): void {
  forEachPair(weights, statistics.rows, statistics.columns, (gap, weight) => {
    writer.write(gap, 8);
    writer.write(weight, 8);
  });
}

/** A gap of zeros and the weight behind it; a weight of 0 fills a long gap, or ends the row. */
function forEachPair(
  weights: Int8Array,
  rows: number,
  columns: number,
  visit: (gap: number, weight: number) => void,
): void {
  for (let row = 0; row < rows; row++) {
    let next = 0;
    const goTo = (column: number, weight: number): void => {
      for (; column - next > MAX_PAIR_GAP; next += MAX_PAIR_GAP + 1) visit(MAX_PAIR_GAP, 0);
      visit(column - next, weight);
      next = column + 1;
    };
    for (let column = 0; column < columns; column++) {
      const weight = weights[row * columns + column];
      if (weight !== 0) goTo(column, weight);
    }
    goTo(columns, 0);
  }
}

export interface ReadPairs {
  readonly weights: Int8Array;
  readonly nonZeros: number;
  readonly fullestRow: number;
  /** How many pairs there are. */
  readonly pairs: number;
}

/** @throws MoteError FORMAT where the section ends early, or a row's last pair has a weight */
export function readPairs(reader: BitReader, rows: number, columns: number): ReadPairs {
  const weights = new Int8Array(rows * columns);
  let nonZeros = 0;
  let fullestRow = 0;
  let pairs = 0;
  for (let row = 0; row < rows; row++) {
    const before = nonZeros;
    for (let column = -1; ;) {
      column += reader.read(8, "gap") + 1;
      const weight = reader.readSigned(8, "weight");
      pairs++;
      if (column >= columns) {
        if (weight !== 0) reader.fail(`has weight ${weight} behind the end of row ${row}, expected 0`);
        break;
      }
      weights[row * columns + column] = weight;
      if (weight !== 0) nonZeros++;
    }
    fullestRow = Math.max(fullestRow, nonZeros - before);
  }
  return { weights, nonZeros, fullestRow, pairs };
}

/**
 * A row's bias as codec 2 has it: what a sum over elements in offset binary starts from, so that no zero point is subtracted. Modulo
 * 2^32, as accumulators are.
 * @param zeroPoint of the layer's input
 * @param sign -1 to take the zero point's part off, 1 to put it back
 */
export function shiftedBias(bias: Int32Array, weights: Int8Array, zeroPoint: number, sign: 1 | -1): Int32Array {
  const columns = weights.length / bias.length;
  return bias.map((value, row) => {
    const sum = weights.subarray(row * columns, (row + 1) * columns).reduce((total, w) => total + w, 0);
    return (value + sign * (zeroPoint + 128) * sum) | 0;
  });
}
