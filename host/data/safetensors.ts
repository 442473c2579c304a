/**
 * The head of a safetensors file: what tensors it has, and where. See the section "Format" of the safetensors README.
 *
 *   u64 header length | JSON header, padded with spaces | tensors, one after another
 */
import { MoteError } from "../errors.js";
import { elementBytes, elementsOf } from "../import/constants.js";
import type { ByteSource, ElementType } from "../import/graph.js";
import { isRecord, parseJson } from "../json.js";

export const LENGTH_BYTES = 8;
/** JSON of so many bytes takes some ten times the memory; tensors have about a hundred each. */
const MAX_HEADER_BYTES = 1 << 22;

export interface StoredTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Within the file. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Checks every length: tensors follow one another without holes and fill the file.
 * @param path for messages
 * @param dtypes those that are taken
 * @returns the tensors in the order in which they stand
 * @throws MoteError FORMAT with the offset
 */
export function readSafetensors(
  source: ByteSource,
  path: string,
  dtypes: ReadonlyMap<string, ElementType>,
): { readonly metadata: Readonly<Record<string, string>>; readonly tensors: readonly StoredTensor[] } {
  const fail = (offset: number, what: string): never => {
    throw new MoteError("FORMAT", `${path}: offset ${offset}: ${what}`);
  };
  if (source.size < LENGTH_BYTES)
    fail(0, `a safetensors file has at least ${LENGTH_BYTES} bytes, this one ${source.size}`);
  const length = source.read(0, LENGTH_BYTES);
  const headerBytes = new DataView(length.buffer, length.byteOffset).getBigUint64(0, true);
  const room = source.size - LENGTH_BYTES;
  if (headerBytes > BigInt(room)) fail(0, `the header should have ${headerBytes} bytes, only ${room} follow`);
  if (headerBytes > BigInt(MAX_HEADER_BYTES)) {
    fail(0, `the header has ${headerBytes} bytes, expected at most ${MAX_HEADER_BYTES}`);
  }
  const dataStart = LENGTH_BYTES + Number(headerBytes);
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(source.read(LENGTH_BYTES, Number(headerBytes)));
  const header = parseJson(text, path, `offset ${LENGTH_BYTES}: header`);
  if (!isRecord(header)) return fail(LENGTH_BYTES, "the header is not a JSON object");
  const metadata: Record<string, string> = {};
  const described: { name: string; type: ElementType; shape: number[]; from: number; to: number }[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (!isRecord(value)) return fail(LENGTH_BYTES, `${name}: expected an object`);
    if (name === "__metadata__") {
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== "string") return fail(LENGTH_BYTES, `metadata ${key}: expected a string`);
        metadata[key] = text;
      }
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = value;
    const type = typeof dtype === "string" ? dtypes.get(dtype) : undefined;
    if (type === undefined) {
      return fail(
        LENGTH_BYTES,
        `${name}: expected dtype ${[...dtypes.keys()].join(", ").replace(/, (\w+)$/, " or $1")}, got ${JSON.stringify(dtype)}`,
      );
    }
    if (!isSizes(shape)) return fail(LENGTH_BYTES, `${name}: expected a shape of whole numbers`);
    if (!isSizes(offsets) || offsets.length !== 2) return fail(LENGTH_BYTES, `${name}: expected two data_offsets`);
    described.push({ name, type, shape, from: offsets[0], to: offsets[1] });
  }
  described.sort((a, b) => a.from - b.from || a.to - b.to);
  let at = 0;
  const tensors = described.map(({ name, type, shape, from, to }): StoredTensor => {
    const bytes = elementBytes(type, elementsOf(shape));
    if (from !== at || to - from !== bytes) {
      fail(dataStart + at, `${name}: expected ${bytes} bytes from here for [${shape}], got ${from} .. ${to}`);
    }
    if (to > source.size - dataStart)
      fail(dataStart + at, `${name}: ends at ${dataStart + to}, the file at ${source.size}`);
    at = to;
    return { name, type, shape, offset: dataStart + from, bytes };
  });
  if (dataStart + at !== source.size) fail(dataStart + at, `the last tensor ends here, the file at ${source.size}`);
  return { metadata, tensors };
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
