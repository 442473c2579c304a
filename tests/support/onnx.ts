/** ONNX models for tests: the golden ones, and messages put together field by field. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { concatBytes } from "../../host/bytes.js";
import { memorySource } from "../../host/import/graph.js";
import { leb128 } from "../../host/module/leb128.js";
import { packageRoot } from "../../host/node/paths.js";

export const IMPORT_FOLDER = join(packageRoot, "tests/golden/import");

export { memorySource };

export function goldenBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(IMPORT_FOLDER, name)));
}

/** Without the ".onnx". */
export function goldenNets(): string[] {
  return readdirSync(IMPORT_FOLDER)
    .filter((name) => name.endsWith(".onnx"))
    .map((name) => name.slice(0, -".onnx".length))
    .sort();
}

/** A field of bytes, such as a message or a text. */
export function field(number: number, ...content: (string | readonly number[] | Uint8Array)[]): number[] {
  const bytes: number[] = [];
  for (const part of content) {
    for (const byte of typeof part === "string" ? new TextEncoder().encode(part) : part) bytes.push(byte);
  }
  return [...leb128(number * 8 + 2), ...leb128(bytes.length)].concat(bytes);
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

/** @param graph fields of GraphProto */
export function model(opset: number, ...graph: (readonly number[])[]): Uint8Array {
  return modelOf(opset, graph);
}

/** Of any number of fields. */
export function modelOf(opset: number, graph: readonly (readonly number[])[]): Uint8Array {
  const fields = concatBytes(graph.map((part) => Uint8Array.from(part)));
  const head = [...integer(1, 8), ...field(8, integer(2, opset)), ...leb128(7 * 8 + 2), ...leb128(fields.length)];
  return concatBytes([Uint8Array.from(head), fields]);
}

/** An attribute of one integer, a list of integers, or a text. */
export function attribute(name: string, value: number | readonly number[] | string): number[] {
  if (typeof value === "string") return field(5, field(1, name), field(4, value), integer(20, 3));
  if (typeof value === "number") return field(5, field(1, name), [...leb128(3 * 8), ...signed(value)], integer(20, 2));
  return field(5, field(1, name), ...value.map((one) => [...leb128(8 * 8), ...signed(one)]), integer(20, 7));
}

/** A number below 0 takes ten bytes. */
function signed(value: number): number[] {
  if (value >= 0) return leb128(value);
  const bytes = Array.from({ length: 10 }, (_, i) =>
    Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(7 * i)) & 0x7fn),
  );
  return bytes.map((byte, i) => (i === 9 ? byte : byte | 0x80));
}

/** An initializer of float32, all zeros or as given. */
export function floats(name: string, shape: readonly number[], values?: readonly number[]): number[] {
  const elements = Float32Array.from(values ?? Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0));
  const sizes = shape.map((size) => integer(1, size));
  return field(5, ...sizes, integer(2, 1), field(8, name), field(9, [...new Uint8Array(elements.buffer)]));
}

/** An initializer of int64. */
export function integers(name: string, values: readonly number[]): number[] {
  return field(5, integer(1, values.length), integer(2, 7), field(8, name), field(7, ...values.map(signed)));
}
