/** Elements of constants as the files of other formats store them: little-endian, the first of a row first. */
import { MoteError } from "../errors.js";
import type { Constant, Elements, ElementType } from "./graph.js";

interface Kind {
  readonly bits: number;
  /** @param bytes as many as the elements take */
  readonly decode: (bytes: Uint8Array, count: number) => Elements;
}

/** A view where the bytes are aligned, else a copy of them. */
function viewed<T extends Elements>(
  make: new (buffer: ArrayBufferLike, offset: number, count: number) => T,
  size: number,
) {
  return (bytes: Uint8Array, count: number): Elements => {
    // Not by slice(), which in Node's Buffer copies nothing.
    const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
    return new make(aligned.buffer, aligned.byteOffset, count);
  };
}

/** Two elements a byte, the first in its lower half; the last byte may have one. */
function nibbles(bytes: Uint8Array, count: number, to: Int8Array | Uint8Array, shift: number): Elements {
  // Shifted up within 32 bits and down again, the sign comes along where the array has one.
  for (let i = 0; i < count; i++) {
    const nibble = (bytes[i >> 1] >> (4 * (i & 1))) & 15;
    to[i] = (nibble << shift) >> shift;
  }
  return to;
}

function wide(bytes: Uint8Array, count: number, isSigned: boolean): Elements {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const high = isSigned ? view.getInt32(8 * i + 4, true) : view.getUint32(8 * i + 4, true);
    values[i] = high * 2 ** 32 + view.getUint32(8 * i, true);
  }
  return values;
}

/** IEEE 754 binary16. */
function halves(bytes: Uint8Array, count: number): Elements {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const half = bytes[2 * i] | (bytes[2 * i + 1] << 8);
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    let magnitude: number;
    if (exponent === 0) magnitude = fraction * 2 ** -24;
    else if (exponent === 31) magnitude = fraction === 0 ? Infinity : NaN;
    else magnitude = (1024 + fraction) * 2 ** (exponent - 25);
    values[i] = half >= 0x8000 ? -magnitude : magnitude;
  }
  return values;
}

/** The upper half of a float32. */
function brains(bytes: Uint8Array, count: number): Elements {
  const upper = new Uint32Array(count);
  for (let i = 0; i < count; i++) upper[i] = (bytes[2 * i] << 16) | (bytes[2 * i + 1] << 24);
  return new Float32Array(upper.buffer);
}

const KINDS: Readonly<Record<ElementType, Kind | undefined>> = {
  float16: { bits: 16, decode: halves },
  bfloat16: { bits: 16, decode: brains },
  float32: { bits: 32, decode: viewed(Float32Array, 4) },
  float64: { bits: 64, decode: viewed(Float64Array, 8) },
  int4: { bits: 4, decode: (bytes, count) => nibbles(bytes, count, new Int8Array(count), 28) },
  uint4: { bits: 4, decode: (bytes, count) => nibbles(bytes, count, new Uint8Array(count), 0) },
  int8: { bits: 8, decode: viewed(Int8Array, 1) },
  uint8: { bits: 8, decode: viewed(Uint8Array, 1) },
  int16: { bits: 16, decode: viewed(Int16Array, 2) },
  uint16: { bits: 16, decode: viewed(Uint16Array, 2) },
  int32: { bits: 32, decode: viewed(Int32Array, 4) },
  uint32: { bits: 32, decode: viewed(Uint32Array, 4) },
  int64: { bits: 64, decode: (bytes, count) => wide(bytes, count, true) },
  uint64: { bits: 64, decode: (bytes, count) => wide(bytes, count, false) },
  bool: { bits: 8, decode: viewed(Uint8Array, 1) },
  string: undefined,
  other: undefined,
};

/** Bits of an element; undefined where a type has no numbers. */
export function elementBits(type: ElementType): number | undefined {
  return KINDS[type]?.bits;
}

/** Bytes that so many elements take, the last one filled up. @throws MoteError UNSUPPORTED for a type that is none of numbers */
export function elementBytes(type: ElementType, count: number): number {
  return Math.ceil((count * kindOf(type).bits) / 8);
}

/**
 * @param bytes little-endian; shared with the result where they are aligned
 * @throws MoteError FORMAT where they are not those of `count` elements, UNSUPPORTED for a type that is none of numbers
 */
export function decodeElements(type: ElementType, bytes: Uint8Array, count: number): Elements {
  const expected = elementBytes(type, count);
  if (bytes.length !== expected) {
    throw new MoteError("FORMAT", `expected ${expected} bytes for ${count} elements of ${type}, got ${bytes.length}`);
  }
  return kindOf(type).decode(bytes, count);
}

function kindOf(type: ElementType): Kind {
  const kind = KINDS[type];
  if (kind === undefined) {
    throw new MoteError(
      "UNSUPPORTED",
      `elements of ${type === "string" ? "strings" : "a type that Mote does not read"}; expected numbers`,
    );
  }
  return kind;
}

/** Elements that lie one after another. @param read bytes from an offset behind the first element */
export function partsOf(
  type: ElementType,
  read: (offset: number, bytes: number) => Uint8Array,
): Pick<Constant, "part"> {
  const size = isNumeric(type) ? elementBytes(type, 8) / 8 : 0;
  if (size < 1) return {};
  return { part: (first, count) => decodeElements(type, read(first * size, count * size), count) };
}

export function isNumeric(type: ElementType): boolean {
  return type !== "string" && type !== "other";
}

/** Elements of a shape; 1 of an empty one. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
