/** idx files, the format of MNIST: a big-endian header with a magic and sizes, then the bytes. */
import { MoteError } from "../errors.js";
import { sharedBytes } from "./samples.js";

export interface IdxImages {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** [count, height, width], SharedArrayBuffer-backed */
  readonly images: Uint8Array;
}

const LABELS_MAGIC = 0x0801;
export const IMAGES_MAGIC = 0x0803;

/** Bytes of the whole file by its header; of what has none, as many as there are. @param head its first bytes */
export function idxSize(head: Uint8Array): number {
  const dimensions = head[3];
  if (head.length < 4 + 4 * dimensions) return head.length;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let size = 1;
  for (let d = 0; d < dimensions; d++) size *= view.getUint32(4 + 4 * d);
  return 4 + 4 * dimensions + size;
}

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
