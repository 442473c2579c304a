/** Caffe's BlobProto: a layer's weights or biases, whose elements stay in the file until asked for. */
import { MoteError } from "../errors.js";
import { decodeElements, elementsOf, partsOf } from "./constants.js";
import type { Constant, Elements } from "./graph.js";
import { checkValueBytes, pushSize } from "./onnx-tensor.js";
import { Message, type Window } from "./protobuf.js";

/** Parameters of a layer, of which a file may not say how they lie. */
export interface Blob {
  readonly shape: readonly number[] | undefined;
  /** Elements; undefined for as many as the layer wants. */
  readonly count: number | undefined;
  /** @throws MoteError FORMAT where there cannot be so many */
  constant(count: number): Constant;
}

const DATA = 5;
const DOUBLE_DATA = 8;

/** @throws MoteError FORMAT where it holds other than the elements of its shape */
export function readBlob(message: Message, window: Window): Blob {
  const { begin, end } = message;
  const stated: number[] = [];
  /** num, channels, height and width: how shapes were given before 2014. */
  const legacy = [0, 0, 0, 0];
  let isLegacy = false;
  const bytes = { [DATA]: 0, [DOUBLE_DATA]: 0 };
  /** Where the elements stand; undefined in several pieces. */
  let start: number | undefined;
  const addElements = (field: typeof DATA | typeof DOUBLE_DATA): void => {
    start = bytes[field] === 0 ? message.start : undefined;
    bytes[field] += message.length;
  };
  while (message.next()) {
    if (message.field === DATA) {
      message.expectFixed(4);
      addElements(DATA);
    } else if (message.field === DOUBLE_DATA) {
      message.expectFixed(8);
      addElements(DOUBLE_DATA);
    } else if (message.field === 7) {
      const shape = message.message("BlobShape");
      while (shape.next()) if (shape.field === 1) shape.eachInteger((size) => pushSize(stated, size, shape));
    } else if (message.field >= 1 && message.field <= 4) {
      isLegacy = true;
      legacy[message.field - 1] = message.integer();
    }
  }
  const fail = (problem: string): never => message.fail(begin, problem);
  if (bytes[DATA] > 0 && bytes[DOUBLE_DATA] > 0) fail("has elements in data and double_data, expected one");
  const field = bytes[DOUBLE_DATA] > 0 ? DOUBLE_DATA : DATA;
  const count = bytes[field] / (field === DATA ? 4 : 8);
  const shape = isLegacy ? legacy : stated;
  if (elementsOf(shape) !== count && (isLegacy || stated.length > 0)) {
    fail(`has ${count} elements, expected those of [${shape.join(", ")}]`);
  }
  const type = field === DATA ? "float32" : "float64";
  const from = start;
  const constant: Constant = {
    bytes: bytes[field],
    ...(from === undefined ? {} : partsOf(type, (first, length) => window.source.read(from + first, length))),
    values: () => elementsIn(new Message(window, "BlobProto", begin, end), window, field, bytes[field]),
  };
  return {
    shape: isLegacy ? legacy : stated,
    count,
    constant(wanted) {
      return wanted === count ? constant : fail(`has ${count} elements, expected ${wanted}`);
    },
  };
}

/** Of one field as they stand in the file, of several put together: before 2013 each element was one. */
function elementsIn(message: Message, window: Window, field: number, bytes: number): Elements {
  const type = field === DATA ? "float32" : "float64";
  const count = bytes / (field === DATA ? 4 : 8);
  checkValueBytes(bytes, "a blob");
  let all: Uint8Array | undefined;
  let at = 0;
  while (message.next()) {
    if (message.field !== field) continue;
    if (message.length === bytes) return decodeElements(type, window.source.read(message.start, bytes), count);
    all ??= new Uint8Array(bytes);
    all.set(window.slice(message.start, message.length), at);
    at += message.length;
  }
  return decodeElements(type, all ?? new Uint8Array(0), count);
}

/** Where a file of weights has none for a layer. */
export function missing(layer: string, what: string): never {
  throw new MoteError("FORMAT", `layer ${layer} has no ${what} in the file of weights`);
}
