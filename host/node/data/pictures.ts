/** Photos as samples: PNG and JPEG files, alone or in a folder for each class. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { areNamed } from "../../data/data-set.js";
import { describeFile, isJpeg, isPng } from "../../data/file-kind.js";
import { fitPicture } from "../../data/fit-picture.js";
import type { Picture } from "../../data/plane.js";
import { MoteError } from "../../errors.js";
import type { Shape } from "../../model/model.js";
import { readFile } from "../read-file.js";
import { describeSystemError } from "../write-file.js";
import { decodeJpeg } from "./jpeg.js";
import { decodePng } from "./png.js";

/** File names that are taken from a folder; what they are, their bytes say. */
const PICTURE_NAME = /\.(png|jpe?g)$/i;
/** A link that leads nowhere is no folder. */
const MISSING = { throwIfNoEntry: false } as const;

/** @throws MoteError FILE, or FORMAT that says what the file is instead */
export function readPicture(path: string): Picture {
  const bytes = readFile(path);
  if (isPng(bytes)) return decodePng(bytes, path);
  if (isJpeg(bytes)) return decodeJpeg(bytes, path);
  throw new MoteError("FORMAT", `${path}: expected a PNG or a JPEG, this is ${describeFile(bytes)}`);
}

/** [count, C, H, W], each picture fitted to the shape. @throws MoteError FILE, FORMAT, MISMATCH */
export function readPictures(paths: readonly string[], shape: Shape): Uint8Array {
  const size = shape[0] * shape[1] * shape[2];
  const images = new Uint8Array(paths.length * size);
  paths.forEach((path, i) => images.set(fitPicture(readPicture(path), shape, path), i * size));
  return images;
}

export interface PictureFolder {
  /** Relative to the folder, in the order of the classes, then of the names. */
  readonly names: readonly string[];
  readonly labels: readonly number[];
  /** Names of the folders, by class. */
  readonly classes: readonly string[];
}

/**
 * Looks through a folder that has a folder for each class. The classes are numbered as the model names them where each folder has one
 * of its names; by their own names where those are numbers; otherwise in alphabetical order.
 * @param labels names of the model's classes
 * @throws MoteError FILE, FORMAT when there are no such folders or no pictures in them, MISMATCH where only some have a name of the model's
 */
export function listPictures(folder: string, labels: readonly string[] | undefined): PictureFolder {
  const found = list(folder)
    .filter((name) => !name.startsWith(".") && statSync(join(folder, name), MISSING)?.isDirectory() === true)
    .toSorted();
  if (found.length === 0) throw new MoteError("FORMAT", `${folder}: expected a folder for each class, there is none`);
  const isNamed = labels !== undefined && areNamed(found, labels, folder);
  const isNumbered = found.every((name) => /^\d{1,4}$/.test(name));
  const classOf = (name: string, i: number): number => (isNamed ? labels.indexOf(name) : isNumbered ? Number(name) : i);
  const classes: string[] = [];
  const pictures = found.flatMap((name, i) => {
    const label = classOf(name, i);
    classes[label] = name;
    const files = list(join(folder, name)).filter((file) => PICTURE_NAME.test(file));
    return files.map((file) => ({ name: join(name, file), label }));
  });
  if (pictures.length === 0) throw new MoteError("FORMAT", `${folder}: no .png, .jpg or .jpeg files in its folders`);
  const sorted = pictures.toSorted((a, b) => a.label - b.label || (a.name < b.name ? -1 : 1));
  return {
    names: sorted.map(({ name }) => name),
    labels: sorted.map(({ label }) => label),
    classes: Array.from(classes, (name, label) => name ?? String(label)),
  };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw new MoteError("FILE", `${folder}: cannot be read: ${describeSystemError(error)}`, { cause: error });
  }
}
