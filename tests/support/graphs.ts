/** Graphs for tests, node by node, without a file: what is not said of a tensor is as of the input. */
import { runFloat } from "../../host/import/float-run.js";
import type { Attribute, Elements, GraphTensor, ImportedGraph } from "../../host/import/graph.js";
import { lowerGraph } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { inferShapes } from "../../host/import/shapes.js";

/** Of integers with a scale, or of another type, else float32; elements make a constant of it. */
export interface Tensor {
  readonly type?: "int8" | "uint8" | "int16" | "int32" | "int64" | "float16" | "bfloat16" | "float64";
  readonly shape: readonly number[];
  readonly scale?: number;
  readonly zeroPoint?: number;
  readonly values?: readonly number[];
}

export type Node = readonly [op: string, inputs: string, outputs: string, attributes?: Record<string, Attribute>];

/** Elements of a constant, by its type. */
const reals = (values: readonly number[]): Float32Array => Float32Array.from(values);
const ELEMENTS: Readonly<Record<"float32" | NonNullable<Tensor["type"]>, (values: readonly number[]) => Elements>> = {
  float16: reals,
  bfloat16: reals,
  float32: reals,
  float64: reals,
  int8: (values) => Int8Array.from(values),
  uint8: (values) => Uint8Array.from(values),
  int16: (values) => Int16Array.from(values),
  int32: (values) => Int32Array.from(values),
  int64: (values) => Float64Array.from(values),
};

function tensorOf(name: string, { type, shape, scale, zeroPoint = 0, values }: Tensor): GraphTensor {
  const called = type ?? (scale === undefined ? "float32" : "int8");
  const elements = ELEMENTS[called](values ?? []);
  return {
    name,
    shape,
    type: called,
    quantization:
      scale === undefined
        ? undefined
        : { scales: Float32Array.of(scale), zeroPoints: Int32Array.of(zeroPoint), axis: undefined },
    constant: values && { bytes: elements.byteLength, values: () => elements },
    ...(name.startsWith("v") && { variable: { name, initial: zeros(name, shape) } }),
  };
}

const zeros = (name: string, shape: readonly number[]): GraphTensor =>
  tensorOf(`first of ${name}`, { shape, values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0) });

/** Tensors whose names begin with v are variables; what is not listed is as "x". The input is x. */
export function graphOf(
  format: "onnx" | "tflite",
  tensors: Readonly<Record<string, Tensor>>,
  nodes: readonly Node[],
  outputs: string,
  opset = 13,
): ImportedGraph {
  const words = (text: string): string[] => text.split(" ").filter((word) => word !== "");
  const names = [...new Set([...Object.keys(tensors), ...nodes.flatMap(([, from, to]) => words(`${from} ${to}`))])];
  const indices = (text: string): number[] => words(text).map((name) => names.indexOf(name));
  return {
    format,
    kind: "net",
    version: "1",
    opset,
    tensors: names.map((name) => tensorOf(name, tensors[name] ?? tensors.x)),
    nodes: nodes.map(([op, from, to, attributes = {}], index) => ({
      name: `${op} #${index}`,
      op,
      inputs: indices(from),
      outputs: indices(to),
      attributes,
    })),
    inputs: indices("x"),
    outputs: indices(outputs),
  };
}

export const lowered = (...given: Parameters<typeof graphOf>): ImportedNet =>
  lowerGraph(inferShapes(graphOf(...given), { batch: 1 }));

export const run = (net: ImportedNet, ...elements: number[]): number[][] =>
  runFloat(net, [Float32Array.from(elements)]).map((output) => [...output]);
