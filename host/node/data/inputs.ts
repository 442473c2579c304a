/** What a model that reads digits is run on: PNG files of them, an idx file, or a part of MNIST or of what has its form. */
import { basename } from "node:path";
import { describeFile, isJpeg, isPng } from "../../data/file-kind.js";
import { idxSize, readIdxImages } from "../../data/idx.js";
import { fitSquares } from "../../data/fit-picture.js";
import { DIGIT_SIDE, digitFromPicture, takesDigits } from "../../data/image.js";
import type { Part } from "../../data/split.js";
import { MoteError } from "../../errors.js";
import type { Shape } from "../../model/model.js";
import type { SampleSet } from "../../data/data-set.js";
import { readFile } from "../read-file.js";
import { gunzip } from "./gunzip.js";
import { loadFashion, loadMnist } from "./mnist.js";
import { readPicture } from "./pictures.js";

/** Of pixels alone. */
export interface Inputs extends SampleSet {
  /** Of one image. */
  readonly shape: Shape;
  /** [count, channels, height, width], 0 .. 255. */
  readonly images: Uint8Array;
  readonly labels?: Uint8Array;
}

export const DIGIT_SHAPE: Shape = [1, DIGIT_SIDE, DIGIT_SIDE];

/**
 * @param spec `mnist:test`, `mnist:validation` or `mnist:train`, or the same of `fashion`, and `:N` for the first N only
 * @throws MoteError ARGUMENT, or FILE when the data is not installed
 */
export function loadDataSpec(spec: string): Inputs & { readonly labels: Uint8Array } {
  const match = /^(mnist|fashion):(test|validation|train)(?::(\d+))?$/.exec(spec);
  if (match === null) {
    throw new MoteError(
      "ARGUMENT",
      `--data ${spec}: expected mnist:test, mnist:validation or mnist:train, with :N for the first N (mnist:test:100)`,
    );
  }
  const [, name, part] = match;
  const samples = (name === "mnist" ? loadMnist() : loadFashion())[part as Part];
  const count = match[3] === undefined ? samples.count : Number(match[3]);
  if (count < 1 || count > samples.count) {
    throw new MoteError("ARGUMENT", `--data ${spec}: expected 1 .. ${samples.count} samples, got ${match[3]}`);
  }
  return {
    count,
    shape: DIGIT_SHAPE,
    images: samples.images.subarray(0, (samples.images.length / samples.count) * count),
    labels: samples.labels.subarray(0, count),
    source: `${name}:${part}`,
  };
}

/**
 * MNIST, or what has its form, for a net that takes smaller squares: resized as photos are. Other nets get it as it is.
 * @param digits of `DIGIT_SHAPE`
 * @param shape of the net's input
 */
export function fitDigits<T extends Inputs>(digits: T, shape: Shape): T {
  const [, side] = shape;
  if (!takesDigits(shape) || side === DIGIT_SIDE) return digits;
  return { ...digits, shape, images: fitSquares(digits.images, DIGIT_SIDE, side) };
}

/**
 * @param paths one idx file of images, or pictures of digits
 * @throws MoteError ARGUMENT, FILE or FORMAT
 */
export function loadInputFiles(paths: readonly string[]): Inputs {
  const files = paths.map((path) => ({ path, bytes: gunzip(readFile(path), path, idxSize) }));
  const kinds = files.map(({ path, bytes }) => fileKind(path, bytes));
  if (kinds.includes("idx")) {
    if (files.length > 1) {
      throw new MoteError("ARGUMENT", `${paths.join(" ")}: expected one idx file alone, or pictures only`);
    }
    const { count, height, width, images } = readIdxImages(files[0].bytes, paths[0]);
    return { count, shape: [1, height, width], images, source: basename(paths[0]) };
  }
  const digits = paths.map((path) => digitFromPicture(readPicture(path), path));
  const images = new Uint8Array(files.length * DIGIT_SIDE * DIGIT_SIDE);
  digits.forEach(({ pixels }, i) => images.set(pixels, i * DIGIT_SIDE * DIGIT_SIDE));
  const doubts = digits.map((digit) => digit.doubts);
  const names = paths.map((path) => basename(path));
  return { count: files.length, shape: DIGIT_SHAPE, images, names, doubts, source: "pictures" };
}

function fileKind(path: string, bytes: Uint8Array): "picture" | "idx" {
  if (isPng(bytes) || isJpeg(bytes)) return "picture";
  // readIdxImages checks the rest of the magic and names what it finds.
  if (bytes[0] === 0 && bytes[1] === 0) return "idx";
  throw new MoteError("FORMAT", `${path}: expected a PNG, a JPEG or an idx file, this is ${describeFile(bytes)}`);
}
