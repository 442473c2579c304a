/** FlatBuffers written from values, right or wrong: a table is its fields in the schema's order, undefined where one is absent. */

/** Bytes of a field within its table. A number of 4 bytes that is an offset to a value elsewhere is that value. */
export interface Scalar {
  readonly bytes: Uint8Array;
}

/** What an offset leads to: it writes itself at the file's end and returns where. */
export type Value = (file: FlatFile) => number;
export type Field = Scalar | Value | undefined;

/** A file that grows. */
export class FlatFile {
  bytes: number[] = [];

  align(size: number): void {
    while (this.bytes.length % size !== 0) this.bytes.push(0);
  }

  /** Writes a value and makes the four bytes at `at` lead there. */
  link(at: number, value: Value): void {
    this.setUint(at, value(this) - at);
  }

  setUint(at: number, value: number): void {
    for (let i = 0; i < 4; i++) this.bytes[at + i] = (value >>> (8 * i)) & 255;
  }
}

function scalar(size: number, set: (view: DataView) => void): Scalar {
  const bytes = new Uint8Array(size);
  set(new DataView(bytes.buffer));
  return { bytes };
}

export const u8 = (value: number): Scalar => scalar(1, (view) => view.setUint8(0, value));
export const i32 = (value: number): Scalar => scalar(4, (view) => view.setInt32(0, value, true));
export const u64 = (value: number): Scalar => scalar(8, (view) => view.setBigUint64(0, BigInt(value), true));

/** A vector of elements of `size` bytes. */
function vector(length: number, size: number, elements: Uint8Array): Value {
  return (file) => {
    file.align(4);
    while ((file.bytes.length + 4) % size !== 0) file.bytes.push(0);
    const at = file.bytes.length;
    file.bytes.push(0, 0, 0, 0);
    file.setUint(at, length);
    for (const byte of elements) file.bytes.push(byte);
    return at;
  };
}

export const bytes = (...values: readonly number[]): Value => vector(values.length, 1, Uint8Array.from(values));
export const i32s = (...values: readonly number[]): Value =>
  vector(values.length, 4, new Uint8Array(Int32Array.from(values).buffer));
export const f32s = (...values: readonly number[]): Value =>
  vector(values.length, 4, new Uint8Array(Float32Array.from(values).buffer));
export const i64s = (...values: readonly number[]): Value =>
  vector(values.length, 8, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));

export function text(value: string): Value {
  const encoded = new TextEncoder().encode(value);
  return vector(encoded.length, 1, Uint8Array.from([...encoded, 0]));
}

/** A vector of offsets. */
export function tables(...values: readonly Value[]): Value {
  return (file) => {
    const at = vector(values.length, 4, new Uint8Array(4 * values.length))(file);
    values.forEach((value, i) => file.link(at + 4 + 4 * i, value));
    return at;
  };
}

export function table(...fields: readonly Field[]): Value {
  return (file) => {
    // The table begins at a multiple of 8, so that numbers of any size are aligned within it.
    const places: number[] = [];
    let size = 4;
    for (const field of fields) {
      const width = field === undefined ? 1 : typeof field === "function" ? 4 : field.bytes.length;
      size = Math.ceil(size / width) * width;
      places.push(field === undefined ? 0 : size);
      if (field !== undefined) size += width;
    }
    file.align(2);
    const vtable = file.bytes.length;
    for (const short of [4 + 2 * fields.length, size, ...places]) file.bytes.push(short & 255, short >> 8);
    file.align(8);
    const at = file.bytes.length;
    for (let i = 0; i < size; i++) file.bytes.push(0);
    file.setUint(at, at - vtable);
    fields.forEach((field, i) => {
      if (field === undefined) return;
      if (typeof field === "function") file.link(at + places[i], field);
      else field.bytes.forEach((byte, j) => (file.bytes[at + places[i] + j] = byte));
    });
    return at;
  };
}

export function flatBuffer(identifier: string, root: Value): Uint8Array {
  const file = new FlatFile();
  file.bytes.push(0, 0, 0, 0, ...[...identifier].map((character) => character.charCodeAt(0)));
  file.link(0, root);
  return Uint8Array.from(file.bytes);
}
