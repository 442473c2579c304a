/** Weights of a lowered net as rows of real numbers, block by block: what is too large to be kept is read anew each time. */
import type { NetWeights } from "./net.js";

/** Numbers of a block: large enough for whatever is done once a block not to count. */
const BLOCK_WEIGHTS = 1 << 20;

/** Rows that are best taken at once, at least one. */
export function rowsAtOnce({ rows, columns, values }: NetWeights): number {
  const wanted = "rowsAtOnce" in values ? values.rowsAtOnce : Math.floor(BLOCK_WEIGHTS / columns);
  return Math.min(rows, Math.max(1, wanted));
}

/** [count, columns], row-major; shared with the net where that keeps them as they are. */
export function realRows({ columns, values, scales }: NetWeights, first: number, count: number): Float32Array {
  if ("read" in values) return values.read(first, count);
  const part = values.subarray(first * columns, (first + count) * columns);
  if (part instanceof Float32Array && scales === undefined) return part;
  const real = new Float32Array(part.length);
  for (let row = 0, at = 0; row < count; row++) {
    const scale = scales?.[scales.length > 1 ? first + row : 0] ?? 1;
    for (let column = 0; column < columns; column++, at++) real[at] = part[at] * scale;
  }
  return real;
}

/** Calls with all rows, a block after the other. @param visit whether that was enough, rows being [count, columns] */
export function eachBlock(
  weights: NetWeights,
  visit: (rows: Float32Array, first: number, count: number) => boolean | void,
): void {
  const most = rowsAtOnce(weights);
  for (let first = 0; first < weights.rows; first += most) {
    const count = Math.min(most, weights.rows - first);
    if (visit(realRows(weights, first, count), first, count) === true) return;
  }
}

/** Weights that share a value, on the average, where a layer is taken to have a codebook. */
const LEAST_SHARERS = 4;

/** Whether the weights that are not 0 share a codebook, of at most so many values. */
export function hasCodebook(weights: NetWeights, most: number): boolean {
  const values = new Set<number>();
  let nonZeros = 0;
  eachBlock(weights, (rows) => {
    for (let at = 0; at < rows.length && values.size <= most; at++) {
      if (rows[at] === 0) continue;
      nonZeros++;
      values.add(rows[at]);
    }
    return values.size > most;
  });
  return values.size <= most && LEAST_SHARERS * values.size <= nonZeros;
}

/**
 * Other values in place of each row's, of as many columns or of others: at once, or when read.
 * @param change puts them into `to`, which is all zeros
 */
export function mapRows(
  weights: NetWeights,
  columns: number,
  change: (from: Float32Array | Int8Array, to: Float32Array | Int8Array, row: number) => void,
): NetWeights {
  const { values, rows, columns: before } = weights;
  const changed = <T extends Float32Array | Int8Array>(from: T, to: T, first: number): T => {
    for (let at = 0; at * columns < to.length; at++) {
      change(from.subarray(at * before, (at + 1) * before), to.subarray(at * columns, (at + 1) * columns), first + at);
    }
    return to;
  };
  if (values instanceof Int8Array) {
    return { ...weights, columns, values: changed(values, new Int8Array(rows * columns), 0) };
  }
  if (values instanceof Float32Array) {
    return { ...weights, columns, values: changed(values, new Float32Array(rows * columns), 0) };
  }
  const read = (first: number, count: number): Float32Array =>
    changed(values.read(first, count), new Float32Array(count * columns), first);
  return { ...weights, columns, values: { rowsAtOnce: values.rowsAtOnce, read } };
}
