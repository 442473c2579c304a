/**
 * Weight matrices in the formats that Wiedemann, Müller and Samek compare (Compact and Computationally Efficient Representation of Deep Neural
 * Networks, 2019): dense; CSR; and their CER and CSER, which list a row's columns by the value that they share, so that its elements are added
 * up before they are multiplied once. What is counted is counted as there: entries of all arrays, and of the product with one vector the numbers
 * that are loaded, multiplied, added and written.
 */
import { PURPOSES } from "../codecs/codec.js";
import type { Container } from "../container/read.js";
import { columnCount, integerWeights, isWeighted, rowCount } from "../ops/index.js";
import type { LayerReport, WeightReport } from "./container.js";

export const MATRIX_FORMATS = ["dense", "CSR", "CER", "CSER"] as const;
export type MatrixFormat = (typeof MATRIX_FORMATS)[number];

/** Of the product with one vector. */
export interface Operations {
  readonly loads: number;
  readonly multiplications: number;
  readonly additions: number;
  readonly writes: number;
}

export interface FormatCost extends Operations {
  /** Numbers of all arrays. */
  readonly entries: number;
  /** With each as wide as the largest of its array needs. */
  readonly bytes: number;
}

export type FormatCosts = Readonly<Record<MatrixFormat, FormatCost>>;

/** CSR: of each row in turn the weights that are not zero, and their columns. */
export interface SparseRows {
  readonly weights: Int8Array;
  readonly columns: Uint32Array;
  /** [rows + 1] where a row's weights begin, and behind the last where they end. */
  readonly rowPtr: Uint32Array;
}

/** CER and CSER: a row has groups, of each a value and the columns that have it. */
export interface SharedRows {
  /** Ω: zero, then the other values, the most frequent first. */
  readonly values: Int8Array;
  /** colI: of each group in turn the columns. */
  readonly columns: Uint32Array;
  /** ΩI of CSER: of each group the number of its value. CER has none: a row's groups are of values 1, 2, 3 …, those that it lacks empty. */
  readonly groupValues?: Uint8Array;
  /** ΩPtr: where a group's columns begin, and behind the last where they end. */
  readonly groupPtr: Uint32Array;
  /** [rows + 1] where a row's groups begin, and behind the last where they end. */
  readonly rowPtr: Uint32Array;
}

/** @param weights row-major [rows, columns] */
export function sparseRows(weights: Int8Array, rows: number, columns: number): SparseRows {
  const rowPtr = new Uint32Array(rows + 1);
  for (let at = 0; at < weights.length; at++) if (weights[at] !== 0) rowPtr[1 + Math.floor(at / columns)]++;
  for (let row = 0; row < rows; row++) rowPtr[row + 1] += rowPtr[row];
  const sparse = { weights: new Int8Array(rowPtr[rows]), columns: new Uint32Array(rowPtr[rows]), rowPtr };
  for (let at = 0, to = 0; at < weights.length; at++) {
    if (weights[at] === 0) continue;
    sparse.weights[to] = weights[at];
    sparse.columns[to++] = at % columns;
  }
  return sparse;
}

/** @param isPadded as CER has it, which pads rows with empty groups; else CSER */
export function sharedRows({ weights, columns, rowPtr }: SparseRows, isPadded: boolean): SharedRows {
  const values = valuesByFrequency(weights);
  const rank = new Uint8Array(256);
  values.forEach((value, index) => (rank[value + 128] = index));
  const shared = { columns: new Uint32Array(weights.length), rowPtr: new Uint32Array(rowPtr.length) };
  const groupValues: number[] = [];
  const groupPtr = [0];
  let to = 0;
  for (let row = 0; row + 1 < rowPtr.length; row++) {
    const groups = new Map<number, number[]>();
    for (let at = rowPtr[row]; at < rowPtr[row + 1]; at++) {
      const index = rank[weights[at] + 128];
      const group = groups.get(index);
      if (group === undefined) groups.set(index, [columns[at]]);
      else group.push(columns[at]);
    }
    const most = Math.max(0, ...groups.keys());
    for (let index = 1; index <= most; index++) {
      const group = groups.get(index);
      if (group === undefined && !isPadded) continue;
      for (const column of group ?? []) shared.columns[to++] = column;
      groupValues.push(index);
      groupPtr.push(to);
    }
    shared.rowPtr[row + 1] = groupPtr.length - 1;
  }
  return {
    values,
    ...shared,
    groupPtr: Uint32Array.from(groupPtr),
    ...(isPadded ? {} : { groupValues: Uint8Array.from(groupValues) }),
  };
}

/** Zero, which no format has columns for, then the others. */
function valuesByFrequency(weights: Int8Array): Int8Array {
  const counts = new Float64Array(256);
  for (let at = 0; at < weights.length; at++) counts[weights[at] + 128]++;
  const occurring = [...counts.keys()].filter((index) => counts[index] > 0);
  const others = occurring.sort((a, b) => counts[b] - counts[a] || a - b).map((index) => index - 128);
  return Int8Array.from([0, ...others]);
}

/** @param weights row-major [rows, columns] */
export function matrixFormats(weights: Int8Array, rows: number, columns: number): FormatCosts {
  const csr = sparseRows(weights, rows, columns);
  return {
    dense: {
      entries: weights.length,
      bytes: bytesOf([weights]),
      loads: 2 * weights.length,
      multiplications: weights.length,
      additions: weights.length - rows,
      writes: rows,
    },
    CSR: {
      entries: 2 * csr.weights.length + csr.rowPtr.length,
      bytes: bytesOf([csr.weights, csr.columns, csr.rowPtr]),
      loads: 3 * csr.weights.length + 2 * rows,
      multiplications: csr.weights.length,
      additions: additionsOf(csr.rowPtr),
      writes: rows,
    },
    CER: sharedCost(csr, sharedRows(csr, true)),
    CSER: sharedCost(csr, sharedRows(csr, false)),
  };
}

/** Of a group both ends are loaded, as of a row; of one that is not empty the value, in CSER by its number. */
function sharedCost(csr: SparseRows, { values, columns, groupValues, groupPtr, rowPtr }: SharedRows): FormatCost {
  const rows = rowPtr.length - 1;
  const groups = groupPtr.length - 1;
  let filled = 0;
  for (let group = 0; group < groups; group++) if (groupPtr[group + 1] > groupPtr[group]) filled++;
  const numbers = groupValues?.length ?? 0;
  return {
    entries: values.length + columns.length + numbers + groupPtr.length + rowPtr.length,
    bytes: bytesOf([values, columns, ...(groupValues === undefined ? [] : [groupValues]), groupPtr, rowPtr]),
    loads: 2 * columns.length + filled + numbers + 2 * groups + 2 * rows,
    multiplications: filled,
    additions: additionsOf(csr.rowPtr),
    writes: rows,
  };
}

/** Of a row one less than it has weights. */
function additionsOf(rowPtr: Uint32Array): number {
  let additions = 0;
  for (let row = 0; row + 1 < rowPtr.length; row++) additions += Math.max(0, rowPtr[row + 1] - rowPtr[row] - 1);
  return additions;
}

function bytesOf(arrays: readonly (Int8Array | Uint8Array | Uint32Array)[]): number {
  const bits = arrays.reduce((sum, array) => {
    let [least, most] = [0, 0];
    for (let at = 0; at < array.length; at++) {
      least = Math.min(least, array[at]);
      most = Math.max(most, array[at]);
    }
    const width = least < 0 ? 1 + bitLength(Math.max(most, -1 - least)) : bitLength(most);
    return sum + array.length * width;
  }, 0);
  return Math.ceil(bits / 8);
}

const bitLength = (value: number): number => 32 - Math.clz32(value);

/** A layer with weights: its matrix has a row for each filter or output. */
export interface LayerFormats {
  readonly index: number;
  readonly op: string;
  readonly rows: number;
  readonly columns: number;
  /** Vectors that it is multiplied by in a run: places of a convolution. */
  readonly places: number;
  readonly formats: FormatCosts;
  /** The weights as the container has them: with maps, alphabets, code lengths and padding. */
  readonly codedBytes: number;
}

/** @param reports of all of the container's layers */
export function reportMatrixFormats({ model }: Container, reports: readonly LayerReport[]): LayerFormats[] {
  return model.layers.flatMap((layer, index): LayerFormats[] => {
    const { op, weights } = reports[index];
    if (!isWeighted(layer) || weights === undefined) return [];
    const [rows, columns] = [rowCount(model, layer), columnCount(model, layer)];
    const places = integerWeights(layer).places(layer, model.tensors[layer.output].shape);
    const formats = matrixFormats(layer.weights, rows, columns);
    return [{ index, op, rows, columns, places, formats, codedBytes: codedBytes(weights) }];
  });
}

const codedBytes = ({ bits }: WeightReport): number =>
  Math.ceil((bits.padding + PURPOSES.reduce((sum, purpose) => sum + bits[purpose], 0)) / 8);

/** A run: entries and bytes of all layers, operations at all places. */
export function formatTotals(layers: readonly LayerFormats[], format: MatrixFormat): FormatCost {
  const sum = (key: keyof FormatCost, isEach: boolean): number =>
    layers.reduce((all, { formats, places }) => all + formats[format][key] * (isEach ? places : 1), 0);
  return {
    entries: sum("entries", false),
    bytes: sum("bytes", false),
    loads: sum("loads", true),
    multiplications: sum("multiplications", true),
    additions: sum("additions", true),
    writes: sum("writes", true),
  };
}
