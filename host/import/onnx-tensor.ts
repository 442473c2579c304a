/** Constants of ONNX files: TensorProto, whose elements stand in raw_data, in a field by their type, or in a file beside the model. */
import { concatBytes } from "../bytes.js";
import { MoteError } from "../errors.js";
import { decodeElements, elementBytes, elementsOf, isNumeric, partsOf } from "./constants.js";
import type { ByteSource, Constant, Elements, ElementType, GraphTensor } from "./graph.js";
import { MAX_RANK } from "./node-view.js";
import { Message, type Window } from "./protobuf.js";

/** By number, TensorProto.DataType; those that are missing here are "other". */
const TYPES: readonly (ElementType | undefined)[] = [
  undefined,
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  undefined, // complex64
  undefined, // complex128
  "bfloat16",
  undefined, // float8 in four kinds
  undefined,
  undefined,
  undefined,
  "uint4",
  "int4",
];

/** TensorProto's fields of elements, and the types that each is for. */
const FLOAT_DATA = 4;
const INT32_DATA = 5;
const STRING_DATA = 6;
const INT64_DATA = 7;
const RAW_DATA = 9;
const DOUBLE_DATA = 10;
const UINT64_DATA = 11;
const FIELD_TYPES: Readonly<Record<number, readonly ElementType[]>> = {
  [FLOAT_DATA]: ["float32"],
  [INT32_DATA]: ["int32", "int16", "int8", "int4", "uint16", "uint8", "uint4", "bool", "float16", "bfloat16", "other"],
  [STRING_DATA]: ["string"],
  [INT64_DATA]: ["int64"],
  [DOUBLE_DATA]: ["float64"],
  [UINT64_DATA]: ["uint32", "uint64"],
};
const FIELD_NAMES: Readonly<Record<number, string>> = {
  [FLOAT_DATA]: "float_data",
  [INT32_DATA]: "int32_data",
  [STRING_DATA]: "string_data",
  [INT64_DATA]: "int64_data",
  [RAW_DATA]: "raw_data",
  [DOUBLE_DATA]: "double_data",
  [UINT64_DATA]: "uint64_data",
};

const EXTERNAL_DATA = 13;
/** Varints may be one byte each and become eight: lists of shapes and indices are far shorter, and weights are not 64-bit integers. */
const MAX_WIDE_LIST = 1 << 20;
/** What one array of values may take. */
const MAX_VALUE_BYTES = 2 ** 31 - 1;

/** Opens the file beside the model that holds its external data. @throws MoteError FILE */
export type ExternalData = (location: string) => ByteSource;

interface External {
  readonly location: string;
  readonly offset: number;
  /** Undefined for all the rest of the file. */
  readonly length: number | undefined;
}

export function elementType(number: number): ElementType {
  return TYPES[number] ?? "other";
}

/** Appends one dimension of a shape; a symbol for one that is open. @throws MoteError FORMAT */
export function pushSize<T extends number | string>(shape: T[], size: T, message: Message): void {
  if (typeof size === "number" && !(size >= 0 && size <= Number.MAX_SAFE_INTEGER)) {
    message.fail(message.start, `a dimension is ${size}`);
  }
  if (shape.length === MAX_RANK) message.fail(message.start, `has more than ${MAX_RANK} dimensions`);
  shape.push(size);
}

/**
 * Reads what a TensorProto is, but not its elements.
 * @param what for errors: "initializer", "attribute value of Constant #3"
 */
export function readTensor(message: Message, window: Window, what: string, external?: ExternalData): GraphTensor {
  const { begin, end } = message;
  const shape: number[] = [];
  let name = "";
  let number = 0;
  let field: number | undefined;
  let fieldBytes = 0;
  /** Where the elements begin; -1 once they stand in more than one piece. */
  let fieldStart: number | undefined;
  let isExternal = false;
  const entries = new Map<string, string>();
  while (message.next()) {
    if (message.field === 1) message.eachInteger((size) => pushSize(shape, size, message));
    else if (message.field === 2) number = message.integer();
    else if (message.field === 3) message.fail(message.start, "is a segment of a tensor, which nothing writes");
    else if (message.field === 8) name = message.text();
    else if (message.field === EXTERNAL_DATA) readEntry(message.message("StringStringEntryProto"), entries);
    else if (message.field === 14) isExternal = message.integer() === 1;
    else if (FIELD_NAMES[message.field] !== undefined && message.length > 0) {
      field ??= message.field;
      if (field !== message.field) {
        const both = `${FIELD_NAMES[field]} and ${FIELD_NAMES[message.field]}`;
        message.fail(message.start, `${what} ${name} has elements in ${both}, expected one field`);
      }
      // Of a list that is not packed, each element is a field of its own.
      fieldBytes += message.length;
      fieldStart = fieldStart === undefined ? message.start : -1;
    }
  }
  const type = elementType(number);
  const where = name === "" ? what : `${what} ${name}`;
  const fail = (problem: string): never => message.fail(begin, `${where}: ${problem}`);
  const count = elementsOf(shape);
  if (count > Number.MAX_SAFE_INTEGER) fail(`the shape [${shape.join(", ")}] has too many elements`);
  const tensor = (constant: Constant): GraphTensor => ({ name, shape, type, quantization: undefined, constant });

  if (isExternal) {
    if (field !== undefined) fail(`is external, yet has ${FIELD_NAMES[field]}`);
    const from = externalOf(entries, fail);
    const bytes = from.length ?? (isNumeric(type) ? elementBytes(type, count) : 0);
    if (isNumeric(type) && bytes !== elementBytes(type, count)) {
      fail(`external data of ${bytes} bytes, expected ${elementBytes(type, count)} for [${shape.join(", ")}] ${type}`);
    }
    return tensor({
      bytes,
      values: () => externalValues(type, from, bytes, count, where, external),
      ...partsOf(type, (first, length) =>
        externalBytes({ ...from, offset: from.offset + first }, length, where, external),
      ),
    });
  }
  if (field === undefined && count > 0) fail(`has no elements, expected ${count}`);
  if (field !== undefined && field !== RAW_DATA && !FIELD_TYPES[field].includes(type)) {
    fail(`${type} in ${FIELD_NAMES[field]}`);
  }
  const size = field === FLOAT_DATA ? 4 : field === DOUBLE_DATA ? 8 : undefined;
  const expected =
    field === RAW_DATA && isNumeric(type) ? elementBytes(type, count) : size === undefined ? undefined : size * count;
  if (expected !== undefined && fieldBytes !== expected) {
    fail(`${FIELD_NAMES[field!]} has ${fieldBytes} bytes, expected ${expected} for [${shape.join(", ")}] ${type}`);
  }
  const isInOnePiece = expected !== undefined && fieldStart !== undefined && fieldStart >= 0;
  return tensor({
    bytes: fieldBytes,
    ...(isInOnePiece ? partsOf(type, (first, length) => window.source.read(fieldStart! + first, length)) : {}),
    values: () =>
      inlineValues(new Message(window, "TensorProto", begin, end), window, type, field, fieldBytes, count, where),
  });
}

function readEntry(entry: Message, entries: Map<string, string>): void {
  let key = "";
  let value = "";
  while (entry.next()) {
    if (entry.field === 1) key = entry.text();
    else if (entry.field === 2) value = entry.text();
  }
  if (entries.has(key)) entry.fail(entry.begin, `external data has two entries ${key}`);
  entries.set(key, value);
}

/** @throws MoteError FORMAT where a location could lead out of the model's folder */
function externalOf(entries: ReadonlyMap<string, string>, fail: (problem: string) => never): External {
  const location = entries.get("location") ?? "";
  const parts = location.split("/");
  if (location === "" || /[\\:\0]/.test(location) || parts.some((part) => ["", ".", ".."].includes(part))) {
    fail(`external data in "${location}", expected a path below the model's folder`);
  }
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    return Number.isSafeInteger(value)
      ? value
      : fail(`external data's ${key} is "${text}", expected a number of bytes`);
  };
  return { location, offset: number("offset") ?? 0, length: number("length") };
}

function externalValues(
  type: ElementType,
  from: External,
  bytes: number,
  count: number,
  where: string,
  external: ExternalData | undefined,
): Elements {
  checkValueBytes(bytes, where);
  return decodeElements(type, externalBytes(from, bytes, where, external), count);
}

function externalBytes(
  { location, offset }: External,
  bytes: number,
  where: string,
  external: ExternalData | undefined,
): Uint8Array {
  if (external === undefined) {
    throw new MoteError(
      "FILE",
      `${where}: its elements are in ${location}, a file beside the model that was not given`,
    );
  }
  const source = external(location);
  if (offset + bytes > source.size) {
    throw new MoteError(
      "FORMAT",
      `${location}: ${where} is at byte ${offset} and takes ${bytes}, the file has ${source.size}`,
    );
  }
  return source.read(offset, bytes);
}

/** @throws MoteError UNSUPPORTED */
export function checkValueBytes(bytes: number, where: string): void {
  if (bytes <= MAX_VALUE_BYTES) return;
  throw new MoteError("UNSUPPORTED", `${where}: takes ${bytes} bytes, expected at most ${MAX_VALUE_BYTES}`);
}

/** Goes over the message again, now for the elements. */
function inlineValues(
  message: Message,
  window: Window,
  type: ElementType,
  field: number | undefined,
  fieldBytes: number,
  count: number,
  where: string,
): Elements {
  if (field === undefined) return decodeElements(type, new Uint8Array(0), count);
  checkValueBytes(fieldBytes, where);
  const fail = (problem: string): never => message.fail(message.start, `${where}: ${problem}`);
  if (field === RAW_DATA || field === FLOAT_DATA || field === DOUBLE_DATA) {
    const parts: Uint8Array[] = [];
    while (message.next()) {
      if (message.field === field) parts.push(window.source.read(message.start, message.length));
    }
    return decodeElements(type, parts.length === 1 ? parts[0] : concatBytes(parts), count);
  }
  if (!isNumeric(type)) return decodeElements(type, new Uint8Array(0), count);
  // Two elements of four bits share an entry.
  const isPair = type === "int4" || type === "uint4";
  const entries = isPair ? Math.ceil(count / 2) : count;
  // A varint has at least one byte, so that a shape alone allocates nothing.
  if (entries > fieldBytes) fail(`${FIELD_NAMES[field]} has less than ${entries} entries`);
  if (field === INT64_DATA || field === UINT64_DATA) {
    if (entries > MAX_WIDE_LIST) {
      throw new MoteError(
        "UNSUPPORTED",
        `${where}: ${entries} integers in ${FIELD_NAMES[field]}, expected at most ${MAX_WIDE_LIST}; raw_data takes more`,
      );
    }
    const wide = type === "uint32" ? new Uint32Array(entries) : new Float64Array(entries);
    fill(message, field, entries, fail, (value, i) => {
      const unsigned = field === UINT64_DATA && value < 0 ? value + 2 ** 64 : value;
      wide[i] = unsigned;
      if (wide[i] !== unsigned) fail(`${unsigned} is not of ${type}`);
    });
    return wide;
  }
  const { array, least, most } = int32Entries(type, entries);
  fill(message, field, entries, fail, (value, i) => {
    if (!(value >= least && value <= most)) fail(`${value} is not of ${type}`);
    array[i] = value;
  });
  return decodeElements(type, new Uint8Array(array.buffer), count);
}

function fill(
  message: Message,
  field: number,
  entries: number,
  fail: (problem: string) => never,
  put: (value: number, index: number) => void,
): void {
  let index = 0;
  while (message.next()) {
    if (message.field !== field) continue;
    message.eachInteger((value) => {
      if (index < entries) put(value, index);
      index++;
    });
  }
  if (index !== entries) fail(`${FIELD_NAMES[field]} has ${index} entries, expected ${entries}`);
}

/** An array as wide as the type is stored, and the range of an entry: bits of floats and pairs of nibbles are unsigned. */
function int32Entries(
  type: ElementType,
  entries: number,
): { array: Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array; least: number; most: number } {
  switch (type) {
    case "int8":
      return { array: new Int8Array(entries), least: -128, most: 127 };
    case "int16":
      return { array: new Int16Array(entries), least: -32768, most: 32767 };
    case "int32":
      return { array: new Int32Array(entries), least: -(2 ** 31), most: 2 ** 31 - 1 };
    case "bool":
      return { array: new Uint8Array(entries), least: 0, most: 1 };
    case "uint8":
    case "int4":
    case "uint4":
      return { array: new Uint8Array(entries), least: 0, most: 255 };
    default:
      return { array: new Uint16Array(entries), least: 0, most: 65535 };
  }
}
