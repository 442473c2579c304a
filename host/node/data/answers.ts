/** What samples are to give, from files of its own or arrays of an archive: a class for each, or numbers. */
import { toFloats } from "../../data/array-set.js";
import { toLabels, type ClassLabels, type DataSet, type Labels, type SampleSet } from "../../data/data-set.js";
import { describeFile, isGzip, isNpy, isZip } from "../../data/file-kind.js";
import { idxSize, readIdxLabels } from "../../data/idx.js";
import { readNpy, type NumberArray } from "../../data/npy.js";
import { openNpz, type Npz } from "../../data/npz.js";
import type { Part } from "../../data/split.js";
import { MoteError } from "../../errors.js";
import { readFile } from "../read-file.js";
import { readCsv } from "./csv.js";
import { gunzip } from "./gunzip.js";
import { parsePlace, type Place } from "./place.js";

/** What the arrays of an archive are called, the likeliest first. */
const LABEL_NAMES = ["y", "labels", "targets", "classes", "arr_1"];

/** `column:HEAD`, `column:N`, or several of them with commas between, of a CSV file of samples. */
const COLUMN = /^column:(.+)$/;

export const columnsOf = (spec: string | undefined): string[] | undefined => COLUMN.exec(spec ?? "")?.[1].split(",");

/** Whether it names an array of the archive that has the samples, and no file. */
export const isArrayName = (spec: string): boolean => /^\w+$/.test(spec);

export function isIdx(file: Uint8Array): boolean {
  return file[0] === 0 && file[1] === 0;
}

export function isText(path: string, file: Uint8Array): boolean {
  return /\.(csv|txt)$/i.test(path) || describeFile(file) === "text";
}

/** The archive's array of such a name; `y_train` for `y` where that part is asked for. Undefined where there is none. */
export function findArray({ names }: Npz, candidates: readonly string[], part: Part | undefined): string | undefined {
  const named = part === undefined ? candidates : [...candidates.map((name) => `${name}_${part}`), ...candidates];
  return named
    .map((wanted) => names.find((name) => name.toLowerCase() === wanted.toLowerCase()))
    .find((name) => name !== undefined);
}

export const findLabels = (npz: Npz, part: Part | undefined): string | undefined => findArray(npz, LABEL_NAMES, part);

/** @param what names the array in messages @throws MoteError FORMAT for what is not a class for each sample */
export function labelsOf({ shape, values }: NumberArray, what: string): Labels {
  if (shape.length === 1 || (shape.length === 2 && shape[1] === 1)) return toLabels(values, what);
  throw new MoteError(
    "FORMAT",
    `${what}: labels of [${shape.join(", ")}], expected a class for each sample: [samples]; --targets takes numbers`,
  );
}

/** @param what names the array in messages @throws MoteError FORMAT for one number, or one that is not finite */
export function targetsOf({ shape, values }: NumberArray, what: string): Targets {
  if (shape.length === 0) throw new MoteError("FORMAT", `${what}: a single number, expected [samples, …]`);
  return { count: shape[0], values: toFloats(values, what) };
}

export interface Targets {
  readonly count: number;
  /** [count, …] */
  readonly values: Float32Array;
}

/** @param spec a file of labels, and `:ARRAY` of an archive @throws MoteError ARGUMENT, FILE, FORMAT, MISMATCH */
export function withLabels(set: SampleSet, spec: string, { path }: Place): SampleSet {
  const place = parsePlace(spec);
  return paired(set, readLabels(place), place.path, path);
}

/** @param what names where they are from @throws MoteError MISMATCH unless there is one for each sample */
export function paired(set: SampleSet, given: ClassLabels, what: string, path: string): SampleSet {
  const { labels } = given;
  const { classes: _others, ...samples } = set;
  if (labels.length === set.count) return { ...samples, ...given };
  throw new MoteError("MISMATCH", `${what}: ${labels.length} labels for the ${set.count} samples of ${path}`);
}

/** As `withLabels`, of numbers. */
export function withTargets<T extends DataSet>(set: T, spec: string, { path }: Place): T {
  const place = parsePlace(spec);
  return pairedTargets(set, readTargets(place), place.path, path);
}

export function pairedTargets<T extends DataSet>(set: T, { count, values }: Targets, what: string, path: string): T {
  if (count === set.count) return { ...set, targets: values };
  throw new MoteError("MISMATCH", `${what}: targets of ${count} samples for the ${set.count} of ${path}`);
}

function readLabels(place: Place): ClassLabels {
  const { path } = place;
  const file = readFile(path);
  if (isZip(file)) {
    const [array, what] = arrayOf(openNpz(file, path), place, "labels");
    return { labels: labelsOf(array, what) };
  }
  if (isNpy(file)) return { labels: labelsOf(readNpy(file, path), path) };
  if (isGzip(file) || isIdx(file)) return { labels: readIdxLabels(gunzip(file, path, idxSize), path) };
  if (!isText(path, file)) {
    throw new MoteError("FORMAT", `${path}: expected labels as .npy, .npz, idx or CSV, this is ${describeFile(file)}`);
  }
  const { width, values, labels, classes } = readCsv(file, path);
  if (labels !== undefined) return { labels, ...(classes && { classes }) };
  if (width === 1) return { labels: toLabels(values, path) };
  throw new MoteError("FORMAT", `${path}: ${width} columns, expected one of labels`);
}

/** All columns of a CSV file. */
function readTargets(place: Place): Targets {
  const { path } = place;
  const file = readFile(path);
  if (isZip(file)) return targetsOf(...arrayOf(openNpz(file, path), place, "targets"));
  if (isNpy(file)) return targetsOf(readNpy(file, path), path);
  if (!isText(path, file)) {
    throw new MoteError("FORMAT", `${path}: expected targets as .npy, .npz or CSV, this is ${describeFile(file)}`);
  }
  return readCsv(file, path, { label: null });
}

/** @param what is looked for @returns the array, and its name for messages */
function arrayOf(npz: Npz, { path, array, part }: Place, what: string): [array: NumberArray, name: string] {
  const name = array ?? (npz.names.length === 1 ? npz.names[0] : findLabels(npz, part));
  if (name !== undefined && npz.names.includes(name)) return [npz.array(name), `${path}: ${name}`];
  throw new MoteError(
    "ARGUMENT",
    `${path}: which array has the ${what}? expected ${path}:ARRAY, one of ${npz.names.join(", ")}`,
  );
}
