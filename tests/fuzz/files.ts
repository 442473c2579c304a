/** What `npm run fuzz -- --target` mutates beside containers and modules: files, and the readers that must read them or say what is wrong. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { crc32 } from "../../host/container/crc32.js";
import { IMAGES_MAGIC, readIdxImages } from "../../host/data/idx.js";
import { int8Npy, readNpy } from "../../host/data/npy.js";
import { openNpz, writeNpz } from "../../host/data/npz.js";
import { readSafetensors } from "../../host/data/safetensors.js";
import { MoteError } from "../../host/errors.js";
import type { ByteSource } from "../../host/import/graph.js";
import { DTYPES } from "../../host/import/graph-json.js";
import { readTflite } from "../../host/import/tflite.js";
import { readCsv } from "../../host/node/data/csv.js";
import { decodePng } from "../../host/node/data/png.js";
import { packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { hostileModel, importOutcome, importSeeds } from "./imports.js";
import { mutateBytes, mutateFlatBuffer, mutateHeader, mutateText } from "./mutate-bytes.js";

export interface FileTarget {
  /** The same each time, whole files. */
  readonly seeds: () => readonly Uint8Array[];
  readonly mutate: (seed: Uint8Array, random: Random) => Uint8Array;
  /** @throws MoteError for what is wrong with the file; anything else is a finding */
  readonly read: (bytes: Uint8Array) => void;
}

const golden = join(packageRoot, "tests/golden/import");

function goldenFiles(extension: string): Uint8Array[] {
  return readdirSync(golden)
    .filter((name) => name.endsWith(extension))
    .map((name) => new Uint8Array(readFileSync(join(golden, name))));
}

/** A source that must not be asked for what is beyond its end. */
export function boundedSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
        throw new Error(`asked for ${length} bytes at ${offset} of ${bytes.length}`);
      }
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** Some arrays, of one to four dimensions. */
const SHAPES = [[7], [3, 5], [2, 3, 4], [2, 1, 3, 3]] as const;
const someValues = (shape: readonly number[]): Int8Array =>
  Int8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i * 37);

function idxImages(): Uint8Array {
  const bytes = new Uint8Array(16 + 3 * 4 * 5);
  const view = new DataView(bytes.buffer);
  [IMAGES_MAGIC, 3, 4, 5].forEach((word, index) => view.setUint32(4 * index, word));
  return bytes;
}

/** A picture of each kind that PNG has: grey, with alpha, colours. */
function pictures(): Uint8Array[] {
  return [0, 2, 4, 6].map((colorType) => {
    const png = new PNG({ width: 9, height: 7 });
    png.data.forEach((_, i) => (png.data[i] = i * 41));
    return new Uint8Array(PNG.sync.write(png, { colorType: colorType as 0 | 2 | 4 | 6 }));
  });
}

/** Of a PNG, with the chunks' checksums put right half of the times, so that what is behind them is reached. */
function mutatePng(seed: Uint8Array, random: Random): Uint8Array {
  const bytes = mutateBytes(seed, random);
  if (random.integer(2) === 0) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
    at = end + 4;
  }
  return bytes;
}

export const FILE_TARGETS: Readonly<Record<string, FileTarget>> = {
  onnx: {
    seeds: importSeeds,
    mutate: (seed, random) => hostileModel([seed], random.nextU32(), 0),
    read: (bytes) => void importOutcome(bytes),
  },
  tflite: {
    seeds: () => goldenFiles(".tflite"),
    mutate: mutateFlatBuffer,
    read: (bytes) => {
      const { tensors } = readTflite(boundedSource(bytes));
      for (const { constant, type } of tensors) if (type !== "other" && type !== "string") constant?.values();
    },
  },
  safetensors: {
    seeds: () => goldenFiles(".safetensors"),
    mutate: mutateHeader,
    read: (bytes) => {
      const { tensors } = readSafetensors(boundedSource(bytes), "file", DTYPES);
      for (const { name, offset, bytes: length } of tensors) {
        if (!(offset >= 0 && offset + length <= bytes.length)) throw new Error(`${name} is not inside the file`);
      }
    },
  },
  npy: {
    seeds: () => SHAPES.map((shape) => int8Npy(someValues(shape), shape)),
    mutate: (seed, random) => (random.integer(2) === 0 ? mutateText(seed, random) : mutateBytes(seed, random)),
    read: (bytes) => void readNpy(bytes, "file"),
  },
  npz: {
    seeds: () => [writeNpz(new Map(SHAPES.map((shape) => [`x${shape.length}`, { shape, values: someValues(shape) }])))],
    mutate: mutateBytes,
    read: (bytes) => {
      const { names, array } = openNpz(bytes, "file");
      for (const name of names) array(name);
    },
  },
  png: { seeds: pictures, mutate: mutatePng, read: (bytes) => void decodePng(bytes, "file") },
  csv: {
    seeds: () =>
      ['a,b,label\n1,2,cat\n3.5,-4,dog\n1e3,0,"cat"\n', "0,1,2\n3,4,5\n"].map((text) => new TextEncoder().encode(text)),
    mutate: mutateText,
    read: (bytes) => void readCsv(bytes, "file"),
  },
  idx: { seeds: () => [idxImages()], mutate: mutateBytes, read: (bytes) => void readIdxImages(bytes, "file") },
};

/** The same target and numbers give the same file. */
export function fileAt(target: FileTarget, seeds: readonly Uint8Array[], campaign: number, index: number): Uint8Array {
  const random = new Random(campaign, index);
  return target.mutate(seeds[random.integer(seeds.length)], random);
}

/** @returns "read", or the code of an error @throws whatever is no MoteError */
export function fileOutcome(target: FileTarget, bytes: Uint8Array): string {
  try {
    target.read(bytes);
    return "read";
  } catch (error) {
    if (error instanceof MoteError) return error.code;
    throw error;
  }
}
