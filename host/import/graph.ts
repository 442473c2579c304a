/**
 * A net as its file has it, whatever the format: nodes in the order of the file, with the format's own op names and
 * attributes, and tensors, constant ones with their values where the file has them. Readers make it, and lowering turns it into a model.
 */

/** Names of element types, those of both formats. */
export type ElementType =
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | "int4"
  | "uint4"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool"
  | "string"
  | "other";

/** Real value = scale × (integer − zero point), with one of both for the tensor, or one for each index along `axis`. */
export interface Quantization {
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
  readonly axis: number | undefined;
}

/** Elements as numbers, in the narrowest array that holds each value of their type: float16 as float32, int4 as int8, 64-bit integers as doubles. */
export type Elements =
  Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

/** Elements of a constant, row-major: read when asked for, from the file itself, from one beside it, or from memory. */
export interface Constant {
  /** Bytes where the elements stand: `elements` × the type's size, or as a list of varints. */
  readonly bytes: number;
  /**
   * The elements, which may share memory with the file: not to be written to. 64-bit integers beyond ±2^53 are rounded to the nearest double.
   * @throws MoteError FORMAT when they do not fill the shape, UNSUPPORTED for a type that is none of numbers, FILE when they cannot be read
   */
  values(): Elements;
  /**
   * Some of the elements; absent where all have to be read to find them.
   * @param first index of the first of `count` elements that there are
   * @throws MoteError as `values`
   */
  part?(first: number, count: number): Elements;
}

export interface GraphTensor {
  /** As the file has it: may be empty in TFLite. */
  readonly name: string;
  /** A dimension that the file leaves open is its symbol, or "?" without one; undefined when nothing of the shape is known. */
  readonly shape: readonly (number | string)[] | undefined;
  readonly type: ElementType;
  readonly quantization: Quantization | undefined;
  readonly constant: Constant | undefined;
  /** It keeps its values from one inference to the next, and begins with zeros: a state. TFLite only. */
  readonly isVariable?: true;
  /** It stands for a variable, of which there is one of a name; `initial` is a constant of what it holds at first, where that is said. TFLite only. */
  readonly variable?: { readonly name: string; readonly initial: GraphTensor | undefined };
}

/** What an attribute may be. A tensor has its constant; a graph is the body of a branch or a loop, which nothing runs. */
export type Attribute =
  number | string | boolean | readonly number[] | readonly string[] | GraphTensor | { readonly graph: string };

/** An attribute that is a number. @param otherwise where there is none, or it is none */
export function number(attributes: Readonly<Record<string, Attribute>>, name: string, otherwise: number): number {
  const value = attributes[name];
  return typeof value === "number" ? value : otherwise;
}

export interface GraphNode {
  /** As the file has it, or the op and its index in the file where it has none: "Conv #3". */
  readonly name: string;
  /** The format's name: "Conv", "CONV_2D"; a custom op as "CUSTOM:name", an op of another domain as "domain::name". */
  readonly op: string;
  /** Indices of tensors; -1 where an optional input is absent. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Of a node that no file has: it gives the latest so many steps of its input, a step, along an axis before or behind all others that are not 1. */
  readonly window?: { readonly steps: number; readonly isFirst: boolean };
  /** Why its reader found no op for it, or what else keeps it from running. */
  readonly refused?: string;
}

/** Inputs and outputs as the exporting program called them. */
export interface Signature {
  readonly key: string;
  readonly inputs: readonly { readonly name: string; readonly tensor: number }[];
  readonly outputs: readonly { readonly name: string; readonly tensor: number }[];
}

export interface ImportedGraph {
  /** Whose names the ops and attributes have: readers of other formats use ONNX's. */
  readonly format: "onnx" | "tflite";
  /** What the file is, for people: "ONNX net". */
  readonly kind: string;
  /** "opset 13", "schema 3": for people. */
  readonly version: string;
  readonly opset: number;
  readonly tensors: readonly GraphTensor[];
  readonly nodes: readonly GraphNode[];
  /** Indices of tensors that are given (constants not among them) and asked for. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Where the file has any. TFLite only. */
  readonly signatures?: readonly Signature[];
}

/** Bytes that can be read anywhere: a file by positional reads, or memory. Files may exceed what one buffer can hold. */
export interface ByteSource {
  readonly size: number;
  /** `length` bytes from `offset`, no copy where they lie in memory. The caller has checked the bounds. */
  read(offset: number, length: number): Uint8Array;
}

/** A file beside another. */
export interface NamedSource {
  readonly source: ByteSource;
  /** For messages. */
  readonly path: string;
}

export function memorySource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}
