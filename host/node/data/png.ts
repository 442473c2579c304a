/**
 * PNG files, checked before they are decoded: chunk by chunk, then the compressed pixels against the size that the header gives, so that
 * nothing is allocated for what is not there, and a message says what is wrong with the file. See the PNG specification, third edition.
 */
import { inflateSync } from "node:zlib";
import { PNG } from "pngjs";
import { crc32 } from "../../container/crc32.js";
import { describeFile, isPng } from "../../data/file-kind.js";
import type { Picture } from "../../data/plane.js";
import { MoteError } from "../../errors.js";

/** A file of a few bytes can claim any size. This is the screen of 7680 × 4320, and 128 MiB as RGBA. */
export const MAX_PIXELS = 1 << 25;

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const HEADER_BYTES = 13;
/** Length and type before a chunk's data, CRC behind. */
const CHUNK_HEAD_BYTES = 8;
const CHUNK_BYTES = 12;
const PALETTE = 3;
/** By colour type: samples a pixel, and bits a sample may have. */
const COLOUR_TYPES: Readonly<Record<number, readonly [samples: number, depths: readonly number[]]>> = {
  0: [1, [1, 2, 4, 8, 16]],
  2: [3, [8, 16]],
  [PALETTE]: [1, [1, 2, 4, 8]],
  4: [2, [8, 16]],
  6: [4, [8, 16]],
};
/** First column and row, and steps, of each pass of an interlaced picture. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const FILTERS = 5;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
  readonly hasPalette: boolean;
  readonly interlaced: boolean;
}

/**
 * @param name for messages
 * @throws MoteError FORMAT when it is no PNG, is damaged, or larger than an 8K screen
 */
export function decodePng(bytes: Uint8Array, name: string): Picture {
  if (!isPng(bytes)) throw new MoteError("FORMAT", `${name}: expected a PNG, this is ${describeFile(bytes)}`);
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) {
    throw broken(name, "its first eight bytes are damaged, as by a transfer as text");
  }
  const end = checkChunks(bytes, name);
  try {
    const { width, height, data } = PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, end));
    return { width, height, rgba: data };
  } catch (error) {
    // What is left is a colour without an entry in the palette, or transparency that fits no colour type.
    throw broken(name, "its colours do not fit its palette or its transparency", error);
  }
}

/** @returns where the last chunk ends @throws MoteError FORMAT */
function checkChunks(bytes: Uint8Array, name: string): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Header | undefined;
  let colours = 0;
  const compressed: Uint8Array[] = [];
  for (let at = SIGNATURE.length; ;) {
    if (at + CHUNK_HEAD_BYTES > bytes.length)
      throw broken(name, `it ends at byte ${bytes.length}, before its last part`);
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) throw broken(name, `no chunk begins at byte ${at}`);
    if (length > bytes.length - at - CHUNK_BYTES) {
      throw broken(name, `it ends at byte ${bytes.length}, within the chunk ${type} of ${length} bytes`);
    }
    const dataEnd = at + CHUNK_HEAD_BYTES + length;
    if (view.getUint32(dataEnd) !== crc32(bytes.subarray(at + 4, dataEnd))) {
      throw broken(name, `the checksum of its chunk ${type} at byte ${at} is wrong`);
    }
    const data = bytes.subarray(at + CHUNK_HEAD_BYTES, dataEnd);
    if (header === undefined && type !== "IHDR") throw broken(name, `it begins with the chunk ${type}, not with IHDR`);
    if (type === "IHDR") {
      if (header !== undefined) throw broken(name, `a second header at byte ${at}`);
      header = readHeader(data, name);
    } else if (type === "PLTE") {
      colours = length / 3;
      if (!Number.isInteger(colours) || colours < 1 || colours > 256) {
        throw broken(name, `its palette has ${length} bytes, expected 3 for each of 1 .. 256 colours`);
      }
    } else if (type === "IDAT") {
      if (header!.hasPalette && colours === 0) throw broken(name, "its palette is missing");
      compressed.push(data);
    } else if (type === "IEND") {
      checkPixels(inflate(compressed, header!, name), header!, name);
      return dataEnd + CHUNK_BYTES - CHUNK_HEAD_BYTES;
    } else if (/^[A-Z]/.test(type)) {
      throw broken(name, `the chunk ${type} at byte ${at} is needed to show it, and unknown`);
    }
    at = dataEnd + CHUNK_BYTES - CHUNK_HEAD_BYTES;
  }
}

function readHeader(data: Uint8Array, name: string): Header {
  if (data.length !== HEADER_BYTES) {
    throw broken(name, `its header has ${data.length} bytes, expected ${HEADER_BYTES}`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colourType, compression, filter, interlace] = data.subarray(8);
  if (width === 0 || height === 0) throw broken(name, `its size is ${width} × ${height} pixels`);
  if (width * height > MAX_PIXELS) {
    throw new MoteError("FORMAT", `${name}: PNG of ${width} × ${height} pixels, at most ${MAX_PIXELS} are taken`);
  }
  const [samples, depths] = COLOUR_TYPES[colourType] ?? [0, []];
  if (!depths.includes(depth)) throw broken(name, `colour type ${colourType} with ${depth} bits does not exist`);
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw broken(name, `compression ${compression}, filter ${filter} and interlacing ${interlace} are not all known`);
  }
  return {
    width,
    height,
    bitsPerPixel: samples * depth,
    hasPalette: colourType === PALETTE,
    interlaced: interlace === 1,
  };
}

/** Rows of each pass, a byte for the filter before each. An empty pass has none. */
function passes({ width, height, bitsPerPixel, interlaced }: Header): { rows: number; rowBytes: number }[] {
  const steps = interlaced ? ADAM7 : ([[0, 0, 1, 1]] as const);
  return steps.flatMap(([x, y, stepX, stepY]) => {
    const [columns, rows] = [Math.ceil((width - x) / stepX), Math.ceil((height - y) / stepY)];
    return columns > 0 && rows > 0 ? [{ rows, rowBytes: 1 + Math.ceil((columns * bitsPerPixel) / 8) }] : [];
  });
}

function inflate(compressed: readonly Uint8Array[], header: Header, name: string): Uint8Array {
  const expected = passes(header).reduce((sum, { rows, rowBytes }) => sum + rows * rowBytes, 0);
  let pixels: Uint8Array;
  try {
    pixels = inflateSync(Buffer.concat(compressed), { maxOutputLength: expected });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") throw broken(name, "it has more pixels than its header says", error);
    throw broken(name, `its compressed pixels ${code === "Z_BUF_ERROR" ? "end too early" : "are damaged"}`, error);
  }
  if (pixels.length === expected) return pixels;
  throw broken(name, `its pixels take ${pixels.length} bytes, its header asks for ${expected}`);
}

function checkPixels(pixels: Uint8Array, header: Header, name: string): void {
  let at = 0;
  for (const { rows, rowBytes } of passes(header)) {
    for (let row = 0; row < rows; row++, at += rowBytes) {
      if (pixels[at] >= FILTERS) throw broken(name, `row ${row} has the filter ${pixels[at]}, expected 0 .. 4`);
    }
  }
}

function broken(name: string, what: string, cause?: unknown): MoteError {
  return new MoteError("FORMAT", `${name}: broken PNG: ${what}`, { cause });
}
