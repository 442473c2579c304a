/** ONNX files: messages put together field by field, and nets of random weights that are written piece by piece, as nothing holds the whole. */
import { closeSync, openSync, writeSync } from "node:fs";
import { elementsOf } from "../../host/import/constants.js";
import { leb128 } from "../../host/module/leb128.js";
import { Random } from "../../host/rng.js";

/** A field of bytes, such as a message or a text. */
export function field(number: number, ...content: (string | readonly number[] | Uint8Array)[]): number[] {
  const bytes: number[] = [];
  for (const part of content) {
    for (const byte of typeof part === "string" ? new TextEncoder().encode(part) : part) bytes.push(byte);
  }
  return fieldHead(number, bytes.length).concat(bytes);
}

/** What stands in front of a field's bytes. */
function fieldHead(number: number, length: number): number[] {
  return [...leb128(number * 8 + 2), ...leb128(length)];
}

/** A field of an integer, 0 … 2^53 - 1. */
export function integer(number: number, value: number): number[] {
  return [...leb128(number * 8), ...leb128(value)];
}

export function node(op: string, inputs: readonly string[], outputs: readonly string[], ...more: number[][]): number[] {
  return field(
    1,
    ...inputs.map((name) => field(1, name)),
    ...outputs.map((name) => field(2, name)),
    field(4, op),
    ...more,
  );
}

/** A graph's input (11) or output (12) of float32. */
export function edge(number: 11 | 12, name: string, shape: readonly number[]): number[] {
  const sizes = shape.map((size) => field(1, integer(1, size)));
  return field(number, field(1, name), field(2, field(1, integer(1, 1), field(2, ...sizes))));
}

/** An attribute of one integer, a list of integers, or a text. */
export function attribute(name: string, value: number | readonly number[] | string): number[] {
  if (typeof value === "string") return field(5, field(1, name), field(4, value), integer(20, 3));
  if (typeof value === "number") return field(5, field(1, name), [...leb128(3 * 8), ...signed(value)], integer(20, 2));
  return field(5, field(1, name), ...value.map((one) => [...leb128(8 * 8), ...signed(one)]), integer(20, 7));
}

/** A number below 0 takes ten bytes. */
export function signed(value: number): number[] {
  if (value >= 0) return leb128(value);
  const bytes = Array.from({ length: 10 }, (_, i) =>
    Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(7 * i)) & 0x7fn),
  );
  return bytes.map((byte, i) => (i === 9 ? byte : byte | 0x80));
}

/** In front of a graph's fields: what they are and how many bytes they take. */
export function modelHead(opset: number, graphBytes: number): Uint8Array {
  return Uint8Array.from([...integer(1, 8), ...field(8, integer(2, opset)), ...fieldHead(7, graphBytes)]);
}

/** A tensor of float32 whose numbers are drawn when the file is written. */
export interface RandomTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Standard deviation. */
  readonly deviation: number;
}

/** All of a net but its numbers. */
export interface FloatGraph {
  readonly name: string;
  readonly input: readonly number[];
  /** Fields of the graph: nodes, input and output. */
  readonly fields: readonly (readonly number[])[];
  readonly tensors: readonly RandomTensor[];
}

const OPSET = 13;
/** Numbers that tensors are taken from, from a random one on: drawing each would take longer than all the rest. */
const POOL = 1 << 20;

/** Writes a net with random numbers, the same ones each time. */
export function writeRandomNet(path: string, { name, fields, tensors }: FloatGraph): void {
  const graph = [...field(2, name), ...fields.flat()];
  const initializers = tensors.map((tensor) => {
    const bytes = 4 * elementsOf(tensor.shape);
    const sizes = tensor.shape.flatMap((size) => integer(1, size));
    const front = [...sizes, ...integer(2, 1), ...field(8, tensor.name), ...fieldHead(9, bytes)];
    return { ...tensor, bytes, front: [...fieldHead(5, front.length + bytes), ...front] };
  });
  const graphBytes = initializers.reduce((sum, { front, bytes }) => sum + front.length + bytes, graph.length);
  const file = openSync(path, "w");
  try {
    writeSync(file, modelHead(OPSET, graphBytes));
    writeSync(file, Uint8Array.from(graph));
    const random = new Random(16);
    const pool = Float32Array.from({ length: 2 * POOL }, () => random.normal());
    for (const { front, bytes, deviation } of initializers) {
      writeSync(file, Uint8Array.from(front));
      for (let left = bytes / 4; left > 0; left -= POOL) {
        const from = random.integer(POOL);
        const piece = pool.slice(from, from + Math.min(left, POOL)).map((value) => value * deviation);
        writeSync(file, new Uint8Array(piece.buffer));
      }
    }
  } finally {
    closeSync(file);
  }
}
