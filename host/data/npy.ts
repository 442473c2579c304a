/** .npy files: an array of NumPy, with a header that is a literal of Python. See numpy.lib.format. */
import { MoteError } from "../errors.js";
import { decodeElements, elementBytes } from "../import/constants.js";
import type { Elements, ElementType } from "../import/graph.js";
import { describeFile } from "./file-kind.js";

export interface NumberArray {
  readonly shape: readonly number[];
  readonly type: ElementType;
  /** Row-major. A view of the file where that has the same order and bytes. */
  readonly values: Elements;
}

/** Behind the byte order: a letter for the kind, and bytes. */
const TYPES: Readonly<Record<string, ElementType>> = {
  b1: "bool",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
};

const MAGIC_BYTES = 6;
/** NumPy writes a few hundred, and refuses to read above 10,000. */
const MAX_HEADER_BYTES = 10_000;

/**
 * @param file its name, for messages
 * @throws MoteError FORMAT, UNSUPPORTED for elements that are no numbers
 */
export function readNpy(bytes: Uint8Array, file: string): NumberArray {
  const { type, isSwapped, isFortran, shape, start } = readHeader(bytes, file);
  const count = shape.reduce((product, size) => product * size, 1);
  const expected = elementBytes(type, count);
  if (bytes.length - start !== expected) {
    const array = `[${shape.join(", ")}] of ${type}`;
    throw new MoteError("FORMAT", `${file}: ${array} takes ${expected} bytes, the file has ${bytes.length - start}`);
  }
  const data = bytes.subarray(start);
  const values = decodeElements(type, isSwapped ? swapped(data, expected / count) : data, count);
  return { shape, type, values: isFortran && shape.length > 1 ? rowMajor(values, shape) : values };
}

interface Header {
  readonly type: ElementType;
  readonly isSwapped: boolean;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
  /** Where the elements begin. */
  readonly start: number;
}

function readHeader(bytes: Uint8Array, file: string): Header {
  if (String.fromCharCode(...bytes.subarray(0, MAGIC_BYTES)) !== "\x93NUMPY") {
    throw new MoteError("FORMAT", `${file}: expected a NumPy array, this is ${describeFile(bytes)}`);
  }
  const version = bytes[MAGIC_BYTES];
  if (!(version >= 1 && version <= 3)) {
    throw new MoteError("UNSUPPORTED", `${file}: version ${version} of .npy is not read, expected 1 .. 3`);
  }
  const head = MAGIC_BYTES + 2 + (version === 1 ? 2 : 4);
  if (bytes.length < head) throw new MoteError("FORMAT", `${file}: ends at byte ${bytes.length}, within its header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > Math.min(MAX_HEADER_BYTES, bytes.length - head)) {
    const most = Math.min(MAX_HEADER_BYTES, bytes.length - head);
    throw new MoteError("FORMAT", `${file}: a header of ${length} bytes, expected at most ${most}`);
  }
  const start = head + length;
  const text = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(bytes.subarray(head, start));
  return { ...parseHeader(text, file), start };
}

/** A dictionary with three keys in any order: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
function parseHeader(text: string, file: string): Omit<Header, "start"> {
  const entry = (key: string, value: string): string | undefined =>
    new RegExp(`[{,]\\s*['"]${key}['"]\\s*:\\s*(?:${value})\\s*[,}]`).exec(text)?.[1];
  const order = entry("fortran_order", "(True|False)");
  const sizes = entry("shape", "\\(((?:\\s*\\d+\\s*,)*\\s*(?:\\d+\\s*)?)\\)");
  const descr = entry("descr", "['\"]([^'\"]*)['\"]");
  if (descr === undefined && /['"]descr['"]\s*:\s*\[/.test(text)) {
    throw new MoteError("UNSUPPORTED", `${file}: an array of records, expected numbers`);
  }
  if (order === undefined || sizes === undefined || descr === undefined) {
    const expected = "expected {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)} or the like";
    throw new MoteError("FORMAT", `${file}: the header is ${JSON.stringify(text.slice(0, 100).trim())}, ${expected}`);
  }
  const [, byteOrder, kind] = /^([<>|=]?)(.*)$/s.exec(descr)!;
  const type = Object.hasOwn(TYPES, kind) ? TYPES[kind] : undefined;
  if (type === undefined) {
    const known = Object.keys(TYPES).join(", ");
    throw new MoteError("UNSUPPORTED", `${file}: elements of ${JSON.stringify(descr)} are not read, expected ${known}`);
  }
  const shape = sizes.split(",").filter((size) => size.trim() !== "");
  return {
    type,
    isSwapped: byteOrder === ">",
    isFortran: order === "True",
    shape: shape.map(Number),
  };
}

function swapped(data: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) result[i] = data[i - (i % size) + size - 1 - (i % size)];
  return result;
}

/** From the order in which the first index runs fastest. */
function rowMajor<T extends Elements>(values: T, shape: readonly number[]): T {
  const result = values.slice() as T;
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < values.length; to++) {
    result[to] = values[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

/** Version 1.0, as NumPy writes it: the header ends at a multiple of 64 bytes. @param values row-major */
export function int8Npy(values: Int8Array, shape: readonly number[]): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '|i1', 'fortran_order': False, 'shape': (${sizes}), }`;
  const head = MAGIC_BYTES + 4;
  const padded = `${text.padEnd(Math.ceil((head + text.length + 1) / 64) * 64 - head - 1)}\n`;
  const bytes = new Uint8Array(head + padded.length + values.length);
  bytes.set(Array.from(`\x93NUMPY\x01\0`, (letter) => letter.charCodeAt(0)));
  new DataView(bytes.buffer).setUint16(MAGIC_BYTES + 2, padded.length, true);
  bytes.set(new TextEncoder().encode(padded), head);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.length), head + padded.length);
  return bytes;
}
