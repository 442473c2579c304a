/** What `--data` and `--labels` name: a data set by its name, or a file or folder of any of the known kinds. */
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { setOf } from "../../data/array-set.js";
import { areNamed, pickSamples, toLabels, type Reading, type SampleSet } from "../../data/data-set.js";
import { describeFile, isGzip, isJpeg, isNpy, isPng, isZip } from "../../data/file-kind.js";
import { idxSize, readIdxImages } from "../../data/idx.js";
import { takesDigits } from "../../data/image.js";
import { readNpy } from "../../data/npy.js";
import { withClassesOf } from "../../data/training-set.js";
import { MoteError } from "../../errors.js";
import type { Shape } from "../../model/model.js";
import { readFile } from "../read-file.js";
import {
  columnsOf,
  findArray,
  findLabels,
  isArrayName,
  isIdx,
  isText,
  labelsOf,
  paired,
  pairedTargets,
  targetsOf,
  withLabels,
  withTargets,
} from "./answers.js";
import { readCsv } from "./csv.js";
import { gunzip } from "./gunzip.js";
import { inputArray } from "./arrays.js";
import { fitDigits, loadDataSpec, loadInputFiles } from "./inputs.js";
import { openNpz, type Npz } from "../../data/npz.js";
import { listPictures, readPictures } from "./pictures.js";
import { chosen, noArrays, parsePlace, type Place } from "./place.js";

export interface DataOptions {
  /** A file of labels, `FILE.npz:ARRAY`, or `column:HEAD` and `column:N` of a CSV file. */
  readonly labels?: string | undefined;
  /** Numbers in place of classes: an array of the archive by its name, `column:HEAD,…` of a CSV file, or a file of them. */
  readonly targets?: string | undefined;
  /** Of the net's input: what pictures are fitted to. */
  readonly shape: Shape;
  /** Names of the net's classes, by which words and folders of pictures are numbered where they have the same: see `areNamed`. */
  readonly classes?: readonly string[] | undefined;
  readonly reading?: Reading | undefined;
  /** The archive's array to take where the spec names none. */
  readonly array?: string;
}

export const NAMED = /^(mnist|fashion):/;
/** What the arrays of an archive are called, the likeliest first. */
const SAMPLE_NAMES = ["x", "images", "data", "samples", "inputs", "arr_0", inputArray(0)];

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
    return { ...fitDigits(loadDataSpec(spec), options.shape), ...reading };
  }
  const place = parsePlace(spec);
  if (statSync(place.path).isDirectory()) return { ...loadFolder(place, options), ...reading };
  const { set: found, isPart } = loadFile(place, options);
  if (found.count === 0) throw new MoteError("FORMAT", `${place.path}: no samples`);
  const { labels, targets } = options;
  let set = found;
  const labelFile = labels !== undefined && columnsOf(labels) === undefined ? labels : undefined;
  if (labelFile !== undefined) set = withLabels(set, labelFile, place);
  if (targets !== undefined && set.targets === undefined) {
    if (isArrayName(targets)) throw noArrays({ ...place, array: targets });
    set = withTargets(set, targets, place);
  }
  const { classes: wanted } = options;
  if (wanted !== undefined && set.classes !== undefined && areNamed(set.classes, wanted, labelFile ?? place.path)) {
    set = withClassesOf({ classes: wanted }, set);
  }
  const indices = chosen(set.count, isPart ? { ...place, part: undefined } : place, set.labels);
  return { ...(indices === undefined ? set : pickSamples(set, indices)), ...reading };
}

/**
 * What `mote run` is given without `--data`: pictures, of digits where the net's input is MNIST's or a smaller square, or one file with many samples.
 * @throws MoteError as `loadData`
 */
export function loadFiles(paths: readonly string[], options: DataOptions): SampleSet {
  const isPicture = (path: string): boolean => {
    // One alone may be the name of a data set; of several each is a file.
    if (paths.length === 1 && !existsSync(path)) return false;
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
  if (takesDigits(options.shape)) return { ...fitDigits(loadInputFiles(paths), options.shape), ...reading };
  const names = paths.map((path) => basename(path));
  const images = readPictures(paths, options.shape);
  return { count: paths.length, shape: options.shape, images, names, colours: "rgb", source: "pictures", ...reading };
}

/** Only the pictures asked for are decoded. */
function loadFolder(place: Place, { shape, labels, targets, classes: wanted }: DataOptions): SampleSet {
  if (labels !== undefined) {
    throw new MoteError("ARGUMENT", `--labels: not with a folder, whose pictures have the labels of their folders`);
  }
  if (targets !== undefined) throw new MoteError("ARGUMENT", "--targets: not with a folder of pictures by class");
  if (place.array !== undefined) throw noArrays(place);
  const { names, labels: all, classes } = listPictures(place.path, wanted);
  const indices = chosen(names.length, place, all) ?? names.map((_, i) => i);
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
  const { path, array } = place;
  const file = readFile(path);
  const source = basename(path);
  if (isZip(file)) return loadArchive(openNpz(file, path), { ...place, array: array ?? options.array }, options);
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
  const { count, width, values, ...answers } = readCsv(file, path, {
    label: columnsOf(options.labels)?.join(),
    targets: columnsOf(options.targets),
  });
  if (width === 0) throw new MoteError("FORMAT", `${path}: a column of labels alone, expected values beside it`);
  return { set: { count, shape: [width], images: values, ...answers, source } };
}

function loadArchive(npz: Npz, place: Place, options: DataOptions): { set: SampleSet; isPart: boolean } {
  const { path, array, part } = place;
  const samples = samplesArray(npz, place);
  const what = (name: string): string => `${path}: ${name}`;
  let set = setOf(npz.array(samples), what(samples), basename(path));
  if (options.targets !== undefined && isArrayName(options.targets)) {
    const targets = findArray(npz, [options.targets], part) ?? unknownArray(npz, path, options.targets);
    set = pairedTargets(set, targetsOf(npz.array(targets), what(targets)), what(targets), path);
  }
  // An array of its own has its labels beside it only where a flag says so.
  const isSilent = array === undefined && options.labels === undefined && options.targets === undefined;
  const labels = isSilent ? findLabels(npz, part) : undefined;
  if (labels !== undefined)
    set = paired(set, { labels: labelsOf(npz.array(labels), what(labels)) }, what(labels), path);
  return { set, isPart: part !== undefined && samples.toLowerCase().endsWith(`_${part}`) };
}

function samplesArray(npz: Npz, { path, array, part }: Place): string {
  const { names } = npz;
  if (array !== undefined) return names.includes(array) ? array : unknownArray(npz, path, array);
  const samples = names.length === 1 ? names[0] : findArray(npz, SAMPLE_NAMES, part);
  if (samples !== undefined) return samples;
  throw new MoteError("ARGUMENT", `${path}: which array has the samples? expected ${path}:ARRAY, one of ${known(npz)}`);
}

function unknownArray(npz: Npz, path: string, array: string): never {
  throw new MoteError("ARGUMENT", `${path}: no array ${array}, expected one of ${known(npz)}`);
}

const known = ({ names }: Npz): string => names.slice(0, 20).join(", ");
