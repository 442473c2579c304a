/**
 * What each weight costs an arithmetic-coded layer, for pruning by bits, ordering and estimates: the walk of codec 2 without its range coder, and back
 * through it.
 */
import type { Axes } from "../model/model.js";
import { ArithmeticModel, type CodeBit } from "./arithmetic-model.js";

/** Of the error of a prediction, what goes to the logit of the row and of the neighbours, and to the column's: see ArithmeticModel. */
const ROW_RATE = 1 / 16;
const NEIGHBOUR_RATE = 1 / 16;
const COLUMN_RATE = 1 / 8;
/** Logits of positions by their neighbours begin in steps of this. */
const NEIGHBOUR_STEP = 16384;
/** Sums of weighted neighbours: 2 + 2 + 1 + 1 at most. */
const NEAREST = 6;
/** How rare weights may be said to be: see ArithmeticHead. */
const MOST_RARITY = 31;
/** A probability of 1, an octave of odds. */
const ONE = 65536;

const bitsOf = (probability: number): number => -Math.log2(probability / ONE);

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

/** What a pass over a layer has seen: its rows are those that have a weight, the others being left out of a net. */
interface Coded {
  readonly bits: number;
  readonly rows: readonly number[];
  /** 1 for a column with a weight. */
  readonly live: Uint8Array;
  /** Of each position of these rows: the probability of a weight in 1/65,536. */
  readonly present: Float64Array;
  /** Of each weight: bits of its sign and magnitude. */
  readonly valueBits: Float64Array;
  readonly weights: Int8Array;
}

function codeLayer(all: Int8Array, allRows: number, kernel: Axes): Coded {
  const columns = all.length / allRows;
  const rows = [...Array(allRows).keys()].filter((row) =>
    all.subarray(row * columns, (row + 1) * columns).some((w) => w !== 0),
  );
  const weights = new Int8Array(rows.length * columns);
  rows.forEach((row, i) => weights.set(all.subarray(row * columns, (row + 1) * columns), i * columns));
  const live = new Uint8Array(columns);
  const isUsed = new Uint8Array(257);
  let nonZeros = 0;
  let largest = 1;
  for (let at = 0; at < weights.length; at++) {
    const w = weights[at];
    if (w === 0) continue;
    live[at % columns] = 1;
    isUsed[w + 128] = 1;
    nonZeros++;
    largest = Math.max(largest, Math.abs(w));
  }
  const liveCount = live.reduce((sum, flag) => sum + flag, 0);
  const present = new Float64Array(weights.length);
  const valueBits = new Float64Array(weights.length);
  if (nonZeros === 0) return { bits: 0, rows, live, present, valueBits, weights };
  const positions = weights.length - (columns - liveCount) * rows.length;
  let bits = 0;
  /** The position at hand; -1 before the first. */
  let at = -1;
  let isPosition = false;
  const code: CodeBit = (bit, probability) => {
    const cost = bitsOf(bit === 1 ? probability : ONE - probability);
    bits += cost;
    if (isPosition) {
      do at++;
      while (live[at % columns] === 0);
      present[at] = ONE - probability;
    } else if (at >= 0) valueBits[at] += cost;
    return bit;
  };
  const rarity = Math.min(MOST_RARITY, Math.round(-4 * Math.log2(nonZeros / positions)));
  const head = { largest, rarity, hasColumnMap: liveCount < columns };
  const model = new ArithmeticModel(head, { rows: rows.length, columns, kernel }, code);
  model.codeAlphabet((value) => isUsed[value + 128] === 1);
  model.codeColumns(live);
  isPosition = true;
  model.codeWeights(
    live,
    weights,
    () => {},
    (isValue) => (isPosition = !isValue),
  );
  return { bits, rows, live, present, valueBits, weights };
}

/**
 * Bits of a layer's weights by codec 2, the few of its head apart.
 * @param weights row-major [rows, columns], 0 = pruned; rows of zeros alone are left out
 */
export const modelBits = (weights: Int8Array, rows: number, kernel: Axes): number =>
  codeLayer(weights, rows, kernel).bits;

/** Of the less likely of two outcomes: whole halvings below 1/2. */
const octavesOf = (present: number): number => Math.floor(Math.log2(ONE / 2 / Math.min(present, ONE - present)));

/** How fast the probability of a weight rises with its logit. */
const slopeOf = (present: number): number => 0.25 / 2 ** octavesOf(present);

/** The probability of a weight where its logit is so much more. */
function shifted(present: number, more: number): number {
  const octaves = octavesOf(present);
  const size = octaves * ONE + 4 * (ONE / 2 - Math.min(present, ONE - present) * 2 ** octaves);
  const logit = (present < ONE / 2 ? -size : size) + more;
  const whole = Math.min(9, Math.floor(Math.abs(logit) / ONE));
  const less = (ONE / 2 - Math.min(ONE, Math.abs(logit) - whole * ONE) / 4) / 2 ** whole;
  return logit < 0 ? less : ONE - less;
}

/**
 * What the layer would have less bits if one weight were 0, for each: its own bits against a zero's there, what its neighbours would cost without it,
 * and what rows, columns and neighbours learn from it, all of which the bits behind it depend on, to first order: the derivative of all bits
 * by each bit, carried backwards through the logits. The last weight of a row or column takes the line's zeros along. Below 0 where a zero would be dearer.
 * @returns 0 for zeros
 */
export function weightPrices(all: Int8Array, allRows: number, kernel: Axes): Float64Array {
  const { rows, live, present, valueBits, weights } = codeLayer(all, allRows, kernel);
  const columns = live.length;
  const near = nearOf(weights, columns, kernel);
  const nearLogits = learntLogits(weights, live, present, near);
  const prices = new Float64Array(all.length);
  const [zerosOfRow, zerosOfColumn] = [new Float64Array(rows.length), new Float64Array(columns)];
  const [inRow, inColumn] = [new Uint32Array(rows.length), new Uint32Array(columns)];
  const columnAdjoints = new Float64Array(columns);
  const nearAdjoints = new Float64Array(NEAREST + 1);
  const bitsAt = (at: number, p: number): number => bitsOf(weights[at] === 0 ? ONE - p : p);
  for (let row = rows.length - 1; row >= 0; row--) {
    let rowAdjoint = 0;
    for (let column = columns - 1; column >= 0; column--) {
      if (live[column] === 0) continue;
      const at = row * columns + column;
      const [k, p] = [near[at], present[at]];
      /** Of all bits behind, by this bit's error. */
      const learnt = rowAdjoint * ROW_RATE + nearAdjoints[k] * NEIGHBOUR_RATE + columnAdjoints[column] * COLUMN_RATE;
      if (weights[at] !== 0) {
        let price = bitsOf(p) - bitsOf(ONE - p) + valueBits[at] + ONE * learnt;
        eachNeighbour(column, kernel, (other, weight) => {
          if (live[other] === 0) return;
          const there = row * columns + other;
          const now = near[there];
          price +=
            bitsAt(there, present[there]) -
            bitsAt(there, shifted(present[there], nearLogits[now - weight] - nearLogits[now]));
        });
        prices[rows[row] * columns + column] = price;
        inRow[row]++;
        inColumn[column]++;
      } else {
        zerosOfRow[row] += bitsOf(ONE - p);
        zerosOfColumn[column] += bitsOf(ONE - p);
      }
      const slope = slopeOf(p);
      const adjoint = slope * ((weights[at] === 0 ? 1 / (ONE - p) : -1 / p) * Math.LOG2E - learnt);
      rowAdjoint += adjoint;
      nearAdjoints[k] += adjoint;
      columnAdjoints[column] += adjoint;
    }
  }
  for (let at = 0; at < weights.length; at++) {
    if (weights[at] === 0) continue;
    const [row, column] = [Math.floor(at / columns), at % columns];
    const price = rows[row] * columns + column;
    const own = bitsOf(present[at]) + valueBits[at];
    if (inRow[row] === 1) prices[price] = Math.max(prices[price], own + zerosOfRow[row]);
    if (inColumn[column] === 1) prices[price] = Math.max(prices[price], own + zerosOfColumn[column]);
  }
  return prices;
}

/** How near each position's neighbours are that have a weight, in all. */
function nearOf(weights: Int8Array, columns: number, kernel: Axes): Uint8Array {
  const near = new Uint8Array(weights.length);
  for (let at = 0; at < weights.length; at++) {
    const column = at % columns;
    if (weights[at] !== 0) eachNeighbour(column, kernel, (other, weight) => (near[at - column + other] += weight));
  }
  return near;
}

/** Logits by neighbours, as they are at the end. */
function learntLogits(weights: Int8Array, live: Uint8Array, present: Float64Array, near: Uint8Array): Float64Array {
  const logits = Float64Array.from({ length: NEAREST + 1 }, (_, k) => k * NEIGHBOUR_STEP);
  for (let at = 0; at < weights.length; at++)
    if (live[at % live.length] === 1)
      logits[near[at]] += ((weights[at] === 0 ? 0 : ONE) - present[at]) * NEIGHBOUR_RATE;
  return logits;
}
