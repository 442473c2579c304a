/**
 * The adaptive model of arithmetic-coded weights without its coder: what each weight costs in bits where it stands. Whether a position has a
 * weight is told by a sum of logits of its row, its column and its neighbours in the filter; signs and magnitudes by adaptive contexts.
 * For pruning, ordering and estimates, which ask for bits alone.
 */

import type { Axes } from "../model/model.js";

/** One octave of odds: logits are in 1/65,536 of it, probabilities in 1/65,536 of 1. */
export const ONE = 65536;
const LEAST_PROBABILITY = 64;
/** Of the error of a prediction, what goes to the row's and the neighbours' logit, and to the column's. */
const ROW_RATE = 1 / 16;
const NEIGHBOUR_RATE = 1 / 16;
const COLUMN_RATE = 1 / 8;
/** Sums of weighted neighbours: 2 + 2 + 1 + 1 at most. */
const NEAREST = 6;
const SIGN_SPREAD = 4300;
const MAGNITUDES = 32;
/** Of the logit that rows start from, in quarters of an octave. */
const BASE_BITS = 5;

/** Probability of a weight, 0 … 65,536, by its logit: 2^-|t| / 2 or what is left, linear within an octave. */
export function significance(logit: number): number {
  const [octaves, part] = [Math.floor(Math.abs(logit) / ONE), Math.abs(logit) % ONE];
  const p = Math.max(Math.floor(Math.floor(ONE / 2 - part / 4) / 2 ** octaves), LEAST_PROBABILITY);
  return logit < 0 ? p : ONE - p;
}

/** How fast it rises with the logit; 0 where it ends. */
function slope(logit: number): number {
  const octaves = Math.floor(Math.abs(logit) / ONE);
  return significance(-Math.abs(logit)) === LEAST_PROBABILITY ? 0 : 0.25 / 2 ** octaves;
}

const bitsOf = (probability: number): number => -Math.log2(probability / ONE);

/** Probabilities that move towards what was seen, ever slower. */
class Contexts {
  private readonly probabilities: Float64Array;
  private readonly seen: Uint8Array;

  constructor(count: number, start: (context: number) => number) {
    this.probabilities = Float64Array.from({ length: count }, (_, context) => start(context));
    this.seen = new Uint8Array(count);
  }

  bitsFor(context: number, bit: boolean): number {
    const p = this.probabilities[context];
    return bitsOf(bit ? p : ONE - p);
  }

  /** @returns its bits */
  code(context: number, bit: boolean): number {
    const bits = this.bitsFor(context, bit);
    const p = this.probabilities[context];
    const weight = this.seen[context] + 2;
    this.probabilities[context] = bit ? p + Math.floor((65488 - p) / weight) : p - Math.floor((p - 48) / weight);
    if (this.seen[context] < 118) this.seen[context]++;
    return bits;
  }
}

/** Visits the later positions that a weight at `column` is a neighbour of, with how near it is. */
function eachNeighbour(column: number, [height, width]: Axes, visit: (column: number, weight: number) => void): void {
  const x = column % width;
  const below = Math.floor(column / width) % height < height - 1;
  if (x < width - 1) visit(column + 1, 2);
  if (!below) return;
  if (x > 0) visit(column + width - 1, 1);
  visit(column + width, 2);
  if (x < width - 1) visit(column + width + 1, 1);
}

/** Which rows and columns have a weight; the others are not coded. */
function liveLines(weights: Int8Array, rows: number): { readonly inRow: Uint32Array; readonly inColumn: Uint32Array } {
  const columns = weights.length / rows;
  const inRow = new Uint32Array(rows);
  const inColumn = new Uint32Array(columns);
  for (let row = 0, at = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, at++) {
      if (weights[at] === 0) continue;
      inRow[row]++;
      inColumn[column]++;
    }
  return { inRow, inColumn };
}

/** Of each value at index value + 128, its place among those of its sign that occur, from 1 on by magnitude; and the last place of each sign. */
function ranksOf(weights: Int8Array): {
  readonly ranks: Uint8Array;
  readonly last: readonly [below: number, above: number];
} {
  const ranks = new Uint8Array(256);
  for (const w of weights) ranks[w + 128] = 1;
  const last: [number, number] = [0, 0];
  for (let magnitude = 1; magnitude <= 128; magnitude++)
    for (const sign of [0, 1] as const) {
      const index = 128 + (sign === 1 ? magnitude : -magnitude);
      if (ranks[index] === 1) ranks[index] = ++last[sign];
    }
  return { ranks, last };
}

/** Bits of a map of which `live` of `count` are 1, by their entropy. */
function mapBits(live: number, count: number): number {
  if (live === 0 || live === count) return 0;
  const share = live / count;
  return -count * (share * Math.log2(share) + (1 - share) * Math.log2(1 - share));
}

/** What a pass over a layer has seen. */
interface Coded {
  readonly bits: number;
  /** Of each position; only live ones are set. */
  readonly logits: Float64Array;
  /** Sums of the neighbours. */
  readonly near: Uint8Array;
  /** Of each weight: its sign's and magnitude's bits. */
  readonly valueBits: Float64Array;
  /** The neighbours' logits at the end, for the worth of a neighbour. */
  readonly nearLogits: Float64Array;
  readonly inRow: Uint32Array;
  readonly inColumn: Uint32Array;
}

function codeLayer(weights: Int8Array, rows: number, kernel: Axes): Coded {
  const columns = weights.length / rows;
  const { inRow, inColumn } = liveLines(weights, rows);
  const liveRows = inRow.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
  const liveColumns = inColumn.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
  const nonZeros = inRow.reduce((sum, count) => sum + count, 0);
  const { ranks, last } = ranksOf(weights);
  const isPlane = kernel[0] * kernel[1] > 1;
  const quarters = nonZeros === 0 ? 0 : Math.round(4 * Math.log2((liveRows * liveColumns) / nonZeros));
  const base = ONE - (ONE / 4) * Math.min(2 ** BASE_BITS - 1, quarters);
  const nearLogits = Float64Array.from({ length: NEAREST + 1 }, (_, k) => (isPlane ? 10240 * k - 16000 : 0));
  const columnLogits = new Float64Array(columns);
  const signs = new Contexts(2 * NEAREST + 1, (sum) => ONE / 2 + SIGN_SPREAD * (sum - NEAREST));
  const magnitudes = new Contexts(2 * MAGNITUDES, () => ONE / 2);
  const logits = new Float64Array(weights.length);
  const near = new Uint8Array(weights.length);
  const valueBits = new Float64Array(weights.length);
  const signSums = new Int8Array(columns);
  let bits = 0;
  for (let row = 0, start = 0; row < rows; row++, start += columns) {
    if (inRow[row] === 0) continue;
    signSums.fill(0);
    let rowLogit = base;
    for (let column = 0; column < columns; column++) {
      if (inColumn[column] === 0) continue;
      const at = start + column;
      const w = weights[at];
      const k = near[at];
      const t = (logits[at] = rowLogit + columnLogits[column] + nearLogits[k]);
      const p = significance(t);
      const error = (w === 0 ? 0 : ONE) - p;
      rowLogit += Math.floor(error * ROW_RATE);
      nearLogits[k] += Math.floor(error * NEIGHBOUR_RATE);
      columnLogits[column] += Math.floor(error * COLUMN_RATE);
      bits += bitsOf(w === 0 ? ONE - p : p);
      if (w === 0) continue;
      const isPositive = w > 0;
      let ofValue = signs.code(signSums[column] + NEAREST, isPositive);
      const [rank, end, first] = isPositive ? [ranks[w + 128], last[1], MAGNITUDES] : [ranks[w + 128], last[0], 0];
      for (let m = 1; m <= rank && m < end; m++)
        ofValue += magnitudes.code(first + Math.min(m, MAGNITUDES - 1), rank > m);
      valueBits[at] = ofValue;
      bits += ofValue;
      if (!isPlane) continue;
      eachNeighbour(column, kernel, (other, weight) => {
        near[start + other] += weight;
        signSums[other] += isPositive ? weight : -weight;
      });
    }
  }
  bits += BASE_BITS + mapBits(liveColumns, columns);
  return { bits, logits, near, valueBits, nearLogits, inRow, inColumn };
}

/**
 * Bits of a layer, its alphabet apart.
 * @param weights row-major [rows, columns], 0 = pruned
 */
export const modelBits = (weights: Int8Array, rows: number, kernel: Axes): number =>
  codeLayer(weights, rows, kernel).bits;

/**
 * What the layer would have less bits if one weight were 0, for each: its own bits against a zero's there, what its neighbours would cost without it,
 * and what rows, columns and neighbours learn from it, all of which the bits behind it depend on, to first order: the derivative of all bits
 * by each bit, carried backwards through the logits. The last weight of a row or column takes the line's zeros along. Below 0 where a zero would be dearer.
 * @returns 0 for zeros
 */
export function weightPrices(weights: Int8Array, rows: number, kernel: Axes): Float64Array {
  const { logits, near, valueBits, nearLogits, inRow, inColumn } = codeLayer(weights, rows, kernel);
  const columns = weights.length / rows;
  const isPlane = kernel[0] * kernel[1] > 1;
  const prices = new Float64Array(weights.length);
  const zerosOfRow = new Float64Array(rows);
  const zerosOfColumn = new Float64Array(columns);
  const columnAdjoints = new Float64Array(columns);
  const nearAdjoints = new Float64Array(NEAREST + 1);
  const bitsAt = (at: number, logit: number): number =>
    bitsOf(weights[at] === 0 ? ONE - significance(logit) : significance(logit));
  for (let row = rows - 1, start = weights.length - columns; row >= 0; row--, start -= columns) {
    if (inRow[row] === 0) continue;
    let rowAdjoint = 0;
    for (let column = columns - 1; column >= 0; column--) {
      if (inColumn[column] === 0) continue;
      const at = start + column;
      const k = near[at];
      const p = significance(logits[at]);
      /** Of all bits behind, by this bit's error. */
      const learnt = rowAdjoint * ROW_RATE + nearAdjoints[k] * NEIGHBOUR_RATE + columnAdjoints[column] * COLUMN_RATE;
      if (weights[at] !== 0) {
        let price = bitsOf(p) - bitsOf(ONE - p) + valueBits[at] + ONE * learnt;
        if (isPlane)
          eachNeighbour(column, kernel, (other, weight) => {
            if (inColumn[other] === 0) return;
            const [now, logit] = [near[start + other], logits[start + other]];
            const without = logit - nearLogits[now] + nearLogits[now - weight];
            price += bitsAt(start + other, logit) - bitsAt(start + other, without);
          });
        prices[at] = price;
      } else {
        zerosOfRow[row] += bitsOf(ONE - p);
        zerosOfColumn[column] += bitsOf(ONE - p);
      }
      const rising = slope(logits[at]);
      const own = (weights[at] === 0 ? 1 / (ONE - p) : -1 / p) * Math.LOG2E * rising;
      const adjoint = own - rising * learnt;
      rowAdjoint += adjoint;
      nearAdjoints[k] += adjoint;
      columnAdjoints[column] += adjoint;
    }
  }
  for (let row = 0, at = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, at++) {
      if (weights[at] === 0) continue;
      const p = significance(logits[at]);
      const own = bitsOf(p) + valueBits[at];
      if (inRow[row] === 1) prices[at] = Math.max(prices[at], own + zerosOfRow[row]);
      if (inColumn[column] === 1) prices[at] = Math.max(prices[at], own + zerosOfColumn[column]);
    }
  return prices;
}
