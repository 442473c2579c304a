/** Matrices as CSR, CER and CSER against the published example's counts, and their arrays against the product in plain loops. */
import { describe, expect, it } from "vitest";
import { matrixFormats, sharedRows, sparseRows, type SharedRows } from "../../host/report/matrix-formats.js";
import { Random } from "../../host/rng.js";

/**
 * 5 × 12 with the counts that the paper gives, its fourth and fifth row ours: 32 zeros, 21 fours, 4 threes and 3 twos; of its rows the second is the one that it counts operations of, and ten groups of
 * equal weights in all.
 */
const EXAMPLE = [
  [0, 3, 0, 2, 4, 0, 0, 2, 3, 4, 0, 4],
  [4, 4, 0, 0, 0, 4, 0, 0, 4, 4, 0, 4],
  [4, 0, 3, 4, 0, 0, 0, 4, 0, 2, 0, 0],
  [0, 4, 4, 4, 0, 0, 4, 4, 0, 0, 0, 0],
  [0, 0, 0, 4, 4, 0, 4, 0, 0, 3, 0, 4],
];

const SECOND = Int8Array.from(EXAMPLE[1]);

describe("the example of Wiedemann et al. 2019", () => {
  const weights = Int8Array.from(EXAMPLE.flat());

  it("has 60, 62, 49 and 59 entries", () => {
    const { dense, CSR, CER, CSER } = matrixFormats(weights, 5, 12);
    expect([dense, CSR, CER, CSER].map(({ entries }) => entries)).toEqual([60, 62, 49, 59]);
  });

  it("has the values by how often they occur, and no empty group", () => {
    const cer = sharedRows(sparseRows(weights, 5, 12), true);
    expect([...cer.values]).toEqual([0, 4, 3, 2]);
    expect([...cer.rowPtr]).toEqual([0, 3, 4, 7, 8, 10]);
    expect([...cer.groupPtr].slice(0, 5)).toEqual([0, 3, 5, 7, 13]);
    expect([...cer.columns].slice(0, 7)).toEqual([4, 9, 11, 1, 8, 3, 7]);
  });

  it("takes 24, 20, 17 and 18 loads for its second row, and as many other operations as there", () => {
    const { dense, CSR, CER, CSER } = matrixFormats(SECOND, 1, 12);
    const operations = [dense, CSR, CER, CSER].map(({ loads, multiplications, additions, writes }) => [
      loads,
      multiplications,
      additions,
      writes,
    ]);
    expect(operations).toEqual([
      [24, 12, 11, 1],
      [20, 6, 5, 1],
      [17, 1, 5, 1],
      [18, 1, 5, 1],
    ]);
  });
});

it("pads a row that lacks a frequent value in CER, and not in CSER", () => {
  const weights = Int8Array.of(5, 5, 5, 0, 0, -7, 0, 0, 0, 0, 0, 0);
  const csr = sparseRows(weights, 3, 4);
  const [cer, cser] = [sharedRows(csr, true), sharedRows(csr, false)];
  expect([...cer.groupPtr]).toEqual([0, 3, 3, 4]);
  expect([...cser.groupPtr]).toEqual([0, 3, 4]);
  expect([...cser.groupValues!]).toEqual([1, 2]);
  const costs = matrixFormats(weights, 3, 4);
  // Rows' ends 6, groups' ends 6 or 4, values 2 and their numbers 2, columns and elements 8.
  expect([costs.CER.loads, costs.CSER.loads]).toEqual([6 + 6 + 2 + 8, 6 + 4 + 2 + 2 + 8]);
  for (const { additions, writes } of Object.values(costs).slice(1)) expect([additions, writes]).toEqual([2, 3]);
  // Ω of 4 bits, columns of 2, ΩPtr of 3, rowPtr of 2: 12 + 8 + 12 + 8 bits.
  expect(costs.CER.bytes).toBe(5);
  expect(costs.dense.bytes).toBe(6);
});

/** One multiplication for each group. */
function product({ values, columns, groupValues, groupPtr, rowPtr }: SharedRows, vector: readonly number[]): number[] {
  return Array.from({ length: rowPtr.length - 1 }, (_, row) => {
    let sum = 0;
    for (let group = rowPtr[row]; group < rowPtr[row + 1]; group++) {
      const elements = columns.slice(groupPtr[group], groupPtr[group + 1]);
      const value = values[groupValues === undefined ? group - rowPtr[row] + 1 : groupValues[group]];
      sum += value * elements.reduce((all, column) => all + vector[column], 0);
    }
    return sum;
  });
}

it.each([1, 3, 255])("give the product with a vector, of %i values", (count) => {
  const random = new Random(count);
  const [rows, columns] = [7, 90];
  const weights = Int8Array.from({ length: rows * columns }, (_, at) =>
    // A row of nothing.
    Math.floor(at / columns) === 3 || random.uniform() < 0.3 ? 0 : random.integer(count) - 128,
  );
  const vector = Array.from({ length: columns }, () => random.integer(256));
  const expected = Array.from({ length: rows }, (_, row) =>
    vector.reduce((sum, element, column) => sum + element * weights[row * columns + column], 0),
  );
  const csr = sparseRows(weights, rows, columns);
  for (const isPadded of [true, false]) expect(product(sharedRows(csr, isPadded), vector)).toEqual(expected);
});
