/** CSV files of numbers: a sample a line, its label or targets in columns of their own or in another file. */
import { parse } from "csv-parse/sync";
import { MAX_LABEL, toLabels, type Labels } from "../../data/data-set.js";
import { MoteError } from "../../errors.js";

export interface CsvSamples {
  readonly count: number;
  /** Columns of values, those of the label and the targets left out: 0 for a file of labels alone. */
  readonly width: number;
  /** [count, width] */
  readonly values: Float32Array<ArrayBuffer>;
  readonly labels?: Labels;
  /** [count, columns of targets] */
  readonly targets?: Float32Array;
  /** Of labels that are words: the words in alphabetical order, which are the classes 0, 1, … */
  readonly classes?: readonly string[];
}

/** Columns by head, or by number from 0. */
export interface CsvColumns {
  /** By default one with a head like "label"; null for none. */
  readonly label?: string | null | undefined;
  readonly targets?: readonly string[] | undefined;
}

/** Columns with such a head are taken for the label's. */
const LABEL_HEADS = ["label", "labels", "class", "target", "y"];

/**
 * The first line is heads where any cell of it is no number. The label's, where its column is given by number, tells little, since it may be a word: it
 * is a head by its name, or where all others are numbers.
 * @param file its name, for messages
 * @throws MoteError FORMAT that names line and column; ARGUMENT for a column that is not there
 */
export function readCsv(bytes: Uint8Array, file: string, columns: CsvColumns = {}): CsvSamples {
  let heads: readonly string[] | undefined;
  let labelAt = -1;
  let targetsAt: number[] = [];
  let width = 0;
  let count = 0;
  let values = new Float32Array(0);
  const words: string[] = [];
  const targets: number[] = [];
  const labelNumber = isIndex(columns.label) ? Number(columns.label) : -1;
  const areHeads = (row: readonly string[]): boolean =>
    row.some((cell, column) => !isNumber(cell) && (column !== labelNumber || isLabelHead(cell)));
  const addRow = (row: readonly string[], line: number): void => {
    if (count === 0) {
      const find = (wanted: string): number => findColumn(row.length, heads, wanted, file);
      targetsAt = (columns.targets ?? []).map(find);
      const { label } = columns;
      labelAt = label === null ? -1 : label === undefined ? labelColumn(heads, targetsAt) : find(label);
      width = row.length - new Set(labelAt >= 0 ? [labelAt, ...targetsAt] : targetsAt).size;
    }
    if ((count + 1) * width > values.length) {
      const larger = new Float32Array(Math.max(1024, 2 * values.length, width));
      larger.set(values);
      values = larger;
    }
    const number = (column: number): number => toNumber(row[column], file, line, heads?.[column] ?? String(column));
    let to = count++ * width;
    row.forEach((cell, column) => {
      if (column === labelAt) words.push(cell);
      else if (!targetsAt.includes(column)) values[to++] = number(column);
    });
    for (const column of targetsAt) targets.push(number(column));
  };
  try {
    parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
      bom: true,
      trim: true,
      skip_empty_lines: true,
      on_record: (row: string[], { lines }) => {
        if (count === 0 && heads === undefined && areHeads(row)) heads = row;
        else addRow(row, lines);
        return null;
      },
    });
  } catch (error) {
    if (error instanceof MoteError) throw error;
    throw new MoteError("FORMAT", `${file}: ${(error as Error).message}`, { cause: error });
  }
  if (count === 0) throw new MoteError("FORMAT", `${file}: no lines of numbers`);
  const isHead = words.length > 1 && !isNumber(words[0]) && words.slice(1).every(isNumber);
  const first = heads === undefined && isHead ? 1 : 0;
  return {
    count: count - first,
    width,
    values: values.slice(first * width, count * width),
    ...(labelAt < 0 ? {} : readClasses(words.slice(first), file)),
    ...(targetsAt.length === 0 ? {} : { targets: Float32Array.from(targets.slice(first * targetsAt.length)) }),
  };
}

const isLabelHead = (head: string): boolean => LABEL_HEADS.includes(head.toLowerCase());

/** -1 where no head is like a label's. */
function labelColumn(heads: readonly string[] | undefined, targets: readonly number[]): number {
  return heads?.findIndex((head, i) => isLabelHead(head) && !targets.includes(i)) ?? -1;
}

function findColumn(columns: number, heads: readonly string[] | undefined, wanted: string, file: string): number {
  const byHead = heads?.indexOf(wanted) ?? -1;
  if (byHead >= 0) return byHead;
  const index = isIndex(wanted) ? Number(wanted) : columns;
  if (index < columns) return index;
  const named = heads === undefined ? "" : `one of ${heads.slice(0, 20).join(", ")}, or `;
  throw new MoteError("ARGUMENT", `${file}: no column ${wanted}, expected ${named}0 .. ${columns - 1}`);
}

const isIndex = (wanted: string | null | undefined): wanted is string => /^\d+$/.test(wanted ?? "");

function isNumber(cell: string): boolean {
  return cell !== "" && Number.isFinite(Number(cell));
}

function toNumber(cell: string, file: string, line: number, column: string): number {
  const value = isNumber(cell) ? Math.fround(Number(cell)) : NaN;
  if (Number.isFinite(value)) return value;
  const expected = isNumber(cell) ? "a number of float32" : "a number";
  throw new MoteError(
    "FORMAT",
    `${file}: line ${line}, column ${column}: expected ${expected}, got ${JSON.stringify(cell.slice(0, 40))}`,
  );
}

function readClasses(words: readonly string[], file: string): Pick<CsvSamples, "labels" | "classes"> {
  if (words.every(isNumber)) return { labels: toLabels(words.map(Number), file) };
  const classes = [...new Set(words)].toSorted();
  if (classes.length > MAX_LABEL)
    throw new MoteError("FORMAT", `${file}: ${classes.length} classes, at most ${MAX_LABEL}`);
  const index = new Map(classes.map((word, i) => [word, i]));
  return {
    labels: toLabels(
      words.map((word) => index.get(word)!),
      file,
    ),
    classes,
  };
}
