/** What a model is to be run on, as the command line names it: PNG files, an idx file, or a part of MNIST. */
import { basename } from "node:path";
import { describeFile, isPng } from "../../data/file-kind.js";
import { readIdxImages, readIdxLabels } from "../../data/idx.js";
import { DIGIT_SIDE } from "../../data/image.js";
import { MoteError } from "../../errors.js";
import type { Shape } from "../../model/model.js";
import { readFile } from "../read-file.js";
import { loadMnist } from "./mnist.js";
import { digitFromPng } from "./png.js";

export interface Inputs {
  readonly count: number;
  /** Of one image. */
  readonly shape: Shape;
  /** [count, channels, height, width], 0 .. 255. */
  readonly images: Uint8Array;
  readonly labels?: Uint8Array;
  /** One a sample where samples are files. */
  readonly names?: readonly string[];
  /** One list a sample where samples are pictures: why what is read from it may be wrong. */
  readonly doubts?: readonly (readonly string[])[];
  /** What they are, for people and logs: "mnist:test", "3 PNG files". */
  readonly source: string;
}

const DIGIT_SHAPE: Shape = [1, DIGIT_SIDE, DIGIT_SIDE];

/**
 * @param spec `mnist:test`, `mnist:validation` or `mnist:train`, and `:N` for the first N only
 * @throws MoteError ARGUMENT, or FILE when MNIST is not installed
 */
export function loadDataSpec(spec: string): Inputs & { readonly labels: Uint8Array } {
  const match = /^mnist:(test|validation|train)(?::(\d+))?$/.exec(spec);
  if (match === null) {
    throw new MoteError(
      "ARGUMENT",
      `--data ${spec}: expected mnist:test, mnist:validation or mnist:train, with :N for the first N (mnist:test:100)`,
    );
  }
  const part = match[1] as "test" | "validation" | "train";
  const samples = loadMnist()[part];
  const count = match[2] === undefined ? samples.count : Number(match[2]);
  if (count < 1 || count > samples.count) {
    throw new MoteError("ARGUMENT", `--data ${spec}: expected 1 .. ${samples.count} samples, got ${match[2]}`);
  }
  return {
    count,
    shape: DIGIT_SHAPE,
    images: samples.images.subarray(0, (samples.images.length / samples.count) * count),
    labels: samples.labels.subarray(0, count),
    source: `mnist:${part}`,
  };
}

/**
 * @param paths one idx file of images, or PNG files
 * @param labelsPath an idx file of labels, for an idx file of images only
 * @throws MoteError ARGUMENT, FILE or FORMAT
 */
export function loadInputFiles(paths: readonly string[], labelsPath?: string): Inputs {
  const files = paths.map((path) => ({ path, bytes: readFile(path) }));
  const kinds = files.map(({ path, bytes }) => fileKind(path, bytes));
  if (kinds.includes("idx")) {
    if (files.length > 1) {
      throw new MoteError("ARGUMENT", `${paths.join(" ")}: expected one idx file alone, or PNG files only`);
    }
    return loadIdx(files[0].path, files[0].bytes, labelsPath);
  }
  if (labelsPath !== undefined) {
    throw new MoteError("ARGUMENT", "--labels: expected an idx file of images, the inputs are PNG files");
  }
  const digits = files.map(({ path, bytes }) => digitFromPng(bytes, path));
  const images = new Uint8Array(files.length * DIGIT_SIDE * DIGIT_SIDE);
  digits.forEach(({ pixels }, i) => images.set(pixels, i * DIGIT_SIDE * DIGIT_SIDE));
  const doubts = digits.map((digit) => digit.doubts);
  const names = paths.map((path) => basename(path));
  return { count: files.length, shape: DIGIT_SHAPE, images, names, doubts, source: "PNG" };
}

function fileKind(path: string, bytes: Uint8Array): "png" | "idx" {
  if (isPng(bytes)) return "png";
  // readIdxImages checks the rest of the magic and names what it finds.
  if (bytes[0] === 0 && bytes[1] === 0) return "idx";
  throw new MoteError("FORMAT", `${path}: expected a PNG or an idx file of images, this is ${describeFile(bytes)}`);
}

function loadIdx(path: string, bytes: Uint8Array, labelsPath: string | undefined): Inputs {
  const { count, height, width, images } = readIdxImages(bytes, path);
  const inputs: Inputs = { count, shape: [1, height, width], images, source: basename(path) };
  if (labelsPath === undefined) return inputs;
  const labels = readIdxLabels(readFile(labelsPath), labelsPath);
  if (labels.length !== count) {
    throw new MoteError("MISMATCH", `${labelsPath}: ${labels.length} labels for the ${count} images of ${path}`);
  }
  return { ...inputs, labels };
}
