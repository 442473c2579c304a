/** What `--data` and `--labels` name: a data set by its name, or a file or folder of any of the known kinds. */
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { setOf } from "../../data/array-set.js";
import { pickSamples, toLabels, type DataSet, type Labels, type Reading, type SampleSet } from "../../data/data-set.js";
import { describeFile, isGzip, isJpeg, isNpy, isPng, isZip } from "../../data/file-kind.js";
import { idxSize, readIdxImages, readIdxLabels } from "../../data/idx.js";
import { readNpy, type NumberArray } from "../../data/npy.js";
import { PARTS, splitIndices, type Part } from "../../data/split.js";
import { MoteError } from "../../errors.js";
import type { Shape } from "../../model/model.js";
import { readFile } from "../read-file.js";
import { readCsv } from "./csv.js";
import { gunzip } from "./gunzip.js";
import { inputArray } from "./arrays.js";
import { DIGIT_SHAPE, loadDataSpec, loadInputFiles } from "./inputs.js";
import { openNpz, type Npz } from "../../data/npz.js";
import { listPictures, readPictures } from "./pictures.js";

export interface DataOptions {
  /** A file of labels, `FILE.npz:ARRAY`, or `column:HEAD` and `column:N` of a CSV file. */
  readonly labels?: string | undefined;
  /** Of the net's input: what pictures are fitted to. */
  readonly shape: Shape;
  /** Names of the net's classes, by which folders of pictures are numbered. */
  readonly classes?: readonly string[] | undefined;
  readonly reading?: Reading | undefined;
  /** The archive's array to take where the spec names none. */
  readonly array?: string;
}

const NAMED = /^(mnist|fashion):/;
const COLUMN = /^column:(.+)$/;
/** What the arrays of an archive are called, the likeliest first. */
const SAMPLE_NAMES = ["x", "images", "data", "samples", "inputs", "arr_0", inputArray(0)];
const LABEL_NAMES = ["y", "labels", "targets", "classes", "arr_1"];
/** Of splits that name none. */
const SEED = 1;

/**
 * @param spec `mnist:test`, `fashion:test`, or a path to .npy, .npz, idx, CSV, a picture, or a folder with one of pictures for each class;
 *   behind the path `:ARRAY` of an archive, `:train`, `:validation` or `:test` with `@SEED` for a part, and `:N` for the first N
 * @throws MoteError ARGUMENT, FILE, FORMAT, UNSUPPORTED, MISMATCH, naming the file
 */
export function loadData(spec: string, options: DataOptions): SampleSet {
  const reading = options.reading === undefined ? {} : { reading: options.reading };
  if (NAMED.test(spec)) {
    if (options.labels !== undefined) {
      throw new MoteError("ARGUMENT", "--labels: not with --data, which has labels of its own");
    }
    return { ...loadDataSpec(spec), ...reading };
  }
  const place = parsePlace(spec);
  if (statSync(place.path).isDirectory()) return { ...loadFolder(place, options), ...reading };
  const { set, isPart } = loadFile(place, options);
  if (set.count === 0) throw new MoteError("FORMAT", `${place.path}: no samples`);
  const labelled =
    options.labels === undefined || COLUMN.test(options.labels) ? set : withLabels(set, options.labels, place);
  const indices = chosen(set.count, isPart ? { ...place, part: undefined } : place);
  return { ...(indices === undefined ? labelled : pickSamples(labelled, indices)), ...reading };
}

/**
 * What `mote run` is given without `--data`: pictures, of digits where the net's input is that of MNIST, or one file with many samples.
 * @throws MoteError as `loadData`
 */
export function loadFiles(paths: readonly string[], options: DataOptions): SampleSet {
  const isPicture = (path: string): boolean => {
    if (!existsSync(path)) return false;
    const file = readFile(path);
    return isPng(file) || isJpeg(file);
  };
  const other = paths.find((path) => !isPicture(path));
  if (other !== undefined) {
    if (paths.length === 1) return loadData(other, options);
    throw new MoteError(
      "ARGUMENT",
      `${paths.join(" ")}: expected PNG and JPEG files only, or one file of another kind`,
    );
  }
  if (options.labels !== undefined) {
    throw new MoteError("ARGUMENT", "--labels: expected a file of samples, the inputs are pictures");
  }
  const reading = options.reading === undefined ? {} : { reading: options.reading };
  if (options.shape.join() === DIGIT_SHAPE.join()) return { ...loadInputFiles(paths), ...reading };
  const names = paths.map((path) => basename(path));
  const images = readPictures(paths, options.shape);
  return { count: paths.length, shape: options.shape, images, names, colours: "rgb", source: "pictures", ...reading };
}

interface Place {
  readonly spec: string;
  readonly path: string;
  readonly array: string | undefined;
  readonly part: Part | undefined;
  readonly seed: number;
  readonly first: number | undefined;
}

/** A path may have colons of its own: the longest one that exists is meant. */
function parsePlace(spec: string): Place {
  let path = spec;
  const words: string[] = [];
  while (!existsSync(path)) {
    const at = path.lastIndexOf(":");
    if (at <= 0) {
      const expected = "expected mnist:test, fashion:test (train, validation), or a file or folder that is there";
      throw new MoteError("ARGUMENT", `--data ${spec}: ${expected}`);
    }
    words.unshift(path.slice(at + 1));
    path = path.slice(0, at);
  }
  const first = /^\d+$/.test(words.at(-1) ?? "") ? Number(words.pop()) : undefined;
  const [, part, seed] = new RegExp(`^(${PARTS.join("|")})(?:@(\\d+))?$`).exec(words.at(-1) ?? "") ?? [];
  if (part !== undefined) words.pop();
  const array = words.shift();
  if (words.length > 0)
    throw new MoteError("ARGUMENT", `--data ${spec}: expected FILE:ARRAY:PART@SEED:N, each of them once`);
  return { spec, path, array, part: part as Part | undefined, seed: Number(seed ?? SEED), first };
}

/** Indices of the samples asked for; undefined for all of them in their order. */
function chosen(count: number, { spec, part, seed, first }: Place): number[] | undefined {
  if (part === undefined && first === undefined) return undefined;
  const indices = part === undefined ? Array.from({ length: count }, (_, i) => i) : splitIndices(count, part, seed);
  if (indices.length === 0) throw new MoteError("ARGUMENT", `--data ${spec}: of ${count} samples none is left for it`);
  if (first === undefined) return indices;
  if (first >= 1 && first <= indices.length) return indices.slice(0, first);
  throw new MoteError("ARGUMENT", `--data ${spec}: expected 1 .. ${indices.length} samples, got ${first}`);
}

/** Only the pictures asked for are decoded. */
function loadFolder(place: Place, { shape, labels, classes: wanted }: DataOptions): SampleSet {
  if (labels !== undefined) {
    throw new MoteError("ARGUMENT", `--labels: not with a folder, whose pictures have the labels of their folders`);
  }
  if (place.array !== undefined) throw noArrays(place);
  const { names, labels: all, classes } = listPictures(place.path, wanted);
  const indices = chosen(names.length, place) ?? names.map((_, i) => i);
  const taken = indices.map((index) => names[index]);
  return {
    count: taken.length,
    shape,
    images: readPictures(
      taken.map((name) => join(place.path, name)),
      shape,
    ),
    labels: toLabels(
      indices.map((index) => all[index]),
      place.path,
    ),
    names: taken,
    colours: "rgb",
    classes,
    source: basename(place.path),
  };
}

/** @returns the samples, and whether they are already the part that was asked for */
function loadFile(place: Place, options: DataOptions): { set: SampleSet; isPart?: boolean } {
  const { path, array, part } = place;
  const file = readFile(path);
  const source = basename(path);
  if (isZip(file)) {
    const npz = openNpz(file, path);
    const { samples, labels } = arraysOf(npz, { ...place, array: array ?? options.array });
    const set = setOf(npz.array(samples), `${path}: ${samples}`, source);
    const own = labels === undefined || options.labels !== undefined ? undefined : npz.array(labels);
    return {
      set: own === undefined ? set : paired(set, labelsOf(own, `${path}: ${labels}`), `${path}: ${labels}`, path),
      isPart: part !== undefined && samples.toLowerCase().endsWith(`_${part}`),
    };
  }
  if ((array ?? options.array) !== undefined) throw noArrays({ ...place, array: array ?? options.array });
  if (isNpy(file)) return { set: setOf(readNpy(file, path), path, source) };
  if (isPng(file) || isJpeg(file)) {
    const images = readPictures([path], options.shape);
    return { set: { count: 1, shape: options.shape, images, names: [source], colours: "rgb", source } };
  }
  if (isGzip(file) || isIdx(file)) {
    const { count, height, width, images } = readIdxImages(gunzip(file, path, idxSize), path);
    return { set: { count, shape: [1, height, width], images, source } };
  }
  if (!isText(path, file)) {
    const expected = "expected a PNG or JPEG picture, .npy, .npz, idx, CSV or a folder of pictures by class";
    throw new MoteError("FORMAT", `${path}: ${expected}, this is ${describeFile(file)}`);
  }
  const { count, width, values, ...labelled } = readCsv(file, path, COLUMN.exec(options.labels ?? "")?.[1]);
  if (width === 0) throw new MoteError("FORMAT", `${path}: a column of labels alone, expected values beside it`);
  return { set: { count, shape: [width], images: values, ...labelled, source } };
}

function isIdx(file: Uint8Array): boolean {
  return file[0] === 0 && file[1] === 0;
}

function isText(path: string, file: Uint8Array): boolean {
  return /\.(csv|txt)$/i.test(path) || describeFile(file) === "text";
}

function noArrays({ spec, path, array }: Place): MoteError {
  return new MoteError("ARGUMENT", `--data ${spec}: ${path} is no .npz archive with an array ${array}`);
}

function arraysOf({ names }: Npz, { path, array, part }: Place): { samples: string; labels: string | undefined } {
  const known = names.slice(0, 20).join(", ");
  if (array !== undefined) {
    if (names.includes(array)) return { samples: array, labels: undefined };
    throw new MoteError("ARGUMENT", `${path}: no array ${array}, expected one of ${known}`);
  }
  const find = (candidates: readonly string[]): string | undefined => {
    const named = part === undefined ? candidates : [...candidates.map((name) => `${name}_${part}`), ...candidates];
    return named
      .map((wanted) => names.find((name) => name.toLowerCase() === wanted))
      .find((name) => name !== undefined);
  };
  const samples = names.length === 1 ? names[0] : find(SAMPLE_NAMES);
  if (samples !== undefined) return { samples, labels: find(LABEL_NAMES) };
  throw new MoteError("ARGUMENT", `${path}: which array has the samples? expected ${path}:ARRAY, one of ${known}`);
}

function labelsOf({ shape, values }: NumberArray, what: string): Labels {
  if (shape.length === 1 || (shape.length === 2 && shape[1] === 1)) return toLabels(values, what);
  throw new MoteError(
    "FORMAT",
    `${what}: labels of [${shape.join(", ")}], expected a class for each sample: [samples]`,
  );
}

function withLabels(set: SampleSet, spec: string, { path }: Place): SampleSet {
  const place = parsePlace(spec);
  return paired(set, readLabels(place), place.path, path);
}

function readLabels(place: Place): Labels {
  const { path, array } = place;
  const file = readFile(path);
  if (isZip(file)) {
    const npz = openNpz(file, path);
    const name =
      array ?? (npz.names.length === 1 ? npz.names[0] : LABEL_NAMES.find((label) => npz.names.includes(label)));
    if (name !== undefined && npz.names.includes(name)) return labelsOf(npz.array(name), `${path}: ${name}`);
    throw new MoteError(
      "ARGUMENT",
      `${path}: which array has the labels? expected ${path}:ARRAY, one of ${npz.names.join(", ")}`,
    );
  }
  if (isNpy(file)) return labelsOf(readNpy(file, path), path);
  if (isGzip(file) || isIdx(file)) return readIdxLabels(gunzip(file, path, idxSize), path);
  if (!isText(path, file)) {
    throw new MoteError("FORMAT", `${path}: expected labels as .npy, .npz, idx or CSV, this is ${describeFile(file)}`);
  }
  const { width, values, labels } = readCsv(file, path);
  if (labels !== undefined) return labels;
  if (width === 1) return toLabels(values, path);
  throw new MoteError("FORMAT", `${path}: ${width} columns, expected one of labels`);
}

function paired<T extends DataSet>(set: T, labels: Labels, what: string, path: string): T {
  if (labels.length === set.count) return { ...set, labels };
  throw new MoteError("MISMATCH", `${what}: ${labels.length} labels for the ${set.count} samples of ${path}`);
}
