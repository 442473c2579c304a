/** .npy files, right or wrong. */

interface NpyOptions {
  readonly version?: number;
  readonly fortran?: boolean;
  /** In place of the one that the others make. */
  readonly header?: string;
}

export function npy(descr: string, shape: readonly number[], data: Uint8Array, options: NpyOptions = {}): Uint8Array {
  const { version = 1, fortran = false } = options;
  const order = fortran ? "True" : "False";
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.map((size) => BigInt(size)).join(", ");
  const text = options.header ?? `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${sizes}), }`;
  const head = version === 1 ? 10 : 12;
  const padded = text.padEnd(Math.ceil((head + text.length + 1) / 64) * 64 - head - 1) + "\n";
  const bytes = new Uint8Array(head + padded.length + data.length);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, padded.length, true);
  else view.setUint32(8, padded.length, true);
  bytes.set(new TextEncoder().encode(padded), head);
  bytes.set(data, head + padded.length);
  return bytes;
}

export function npyOf(
  values: Uint8Array | Int8Array | Int16Array | Float32Array | Int32Array,
  ...shape: number[]
): Uint8Array {
  const descr = { Uint8Array: "|u1", Int8Array: "|i1", Int16Array: "<i2", Float32Array: "<f4", Int32Array: "<i4" }[
    values.constructor.name
  ]!;
  return npy(descr, shape, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}
