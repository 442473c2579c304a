/** ONNX models for tests: the golden ones, and messages put together field by field. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { concatBytes } from "../../host/bytes.js";
import { memorySource } from "../../host/import/graph.js";
import { packageRoot } from "../../host/node/paths.js";
import { field, integer, modelHead, signed } from "../../tools/bench/onnx-file.js";

export const IMPORT_FOLDER = join(packageRoot, "tests/golden/import");

/** Those there that are nets of real numbers. */
export const FLOAT_NETS = [
  "conv-float.tflite",
  "conv-float16.tflite",
  "torch-digits.onnx",
  "torch-blocks.onnx",
  "torch-dynamo.onnx",
  "caffe-blocks.caffemodel",
  "caffe-v1.caffemodel",
  "deep-compression.net",
  "graph.safetensors",
];

export { attribute, edge, field, integer, node } from "../../tools/bench/onnx-file.js";
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

/** @param graph fields of GraphProto */
export function model(opset: number, ...graph: (readonly number[])[]): Uint8Array {
  return modelOf(opset, graph);
}

/** Of any number of fields. */
export function modelOf(opset: number, graph: readonly (readonly number[])[]): Uint8Array {
  const fields = concatBytes(graph.map((part) => Uint8Array.from(part)));
  return concatBytes([modelHead(opset, fields.length), fields]);
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
