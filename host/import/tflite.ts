/**
 * TFLite files, schema 3 (tensorflow/compiler/mlir/lite/schema/schema.fbs): the main subgraph, with its constants where they lie. What an
 * archive behind it says of labels is not read, nor what the file says for runtimes: minimal versions, buffers of metadata, op versions.
 */
import { MoteError } from "../errors.js";
import { decodeElements, elementBits, elementBytes } from "./constants.js";
import { FlatBuffer, type Stretch, type Table, type Tables } from "./flatbuffer.js";
import type {
  Attribute,
  ByteSource,
  Constant,
  ElementType,
  GraphNode,
  GraphTensor,
  ImportedGraph,
  Quantization,
  Signature,
} from "./graph.js";
import { withVariables } from "./tflite-variables.js";
import { builtinOpName, optionsOf, readOptions, TENSOR_TYPES } from "./tflite-ops.js";

const SCHEMA = 3;
/** An index in place of an optional input that is absent. */
const ABSENT = -1;
/** Offsets up to this say that a buffer's bytes lie in the FlatBuffer itself. */
const NO_OFFSET = 1;
/** What a node takes in memory beside its lists, about. */
const NODE_BYTES = 128;

const MODEL = [
  "version",
  "operator_codes",
  "subgraphs",
  "description",
  "buffers",
  "metadata_buffer",
  "metadata",
  "signature_defs",
] as const;
const OPERATOR_CODE = ["deprecated_builtin_code", "custom_code", "version", "builtin_code"] as const;
const SUBGRAPH = ["tensors", "inputs", "outputs", "operators", "name"] as const;
const TENSOR = [
  "shape",
  "type",
  "buffer",
  "name",
  "quantization",
  "is_variable",
  "sparsity",
  "shape_signature",
  "has_rank",
  "variant_tensors",
  "external_buffer",
] as const;
const QUANTIZATION = ["min", "max", "scale", "zero_point", "details_type", "details", "quantized_dimension"] as const;
const OPERATOR = ["opcode_index", "inputs", "outputs", "builtin_options_type", "builtin_options"] as const;
const BUFFER = ["data", "offset", "size"] as const;
const SIGNATURE = ["inputs", "outputs", "signature_key", "deprecated_tag", "subgraph_index"] as const;
const TENSOR_MAP = ["name", "tensor_index"] as const;

type Subgraph = Table<(typeof SUBGRAPH)[number]>;

/** Least and largest zero point, for types that quantized tensors have. */
const ZERO_POINTS: Partial<Record<ElementType, readonly [least: number, most: number]>> = {
  int4: [-8, 7],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
};

/**
 * @throws MoteError FORMAT for a file that breaks the schema or its own graph, naming the part and the byte; UNSUPPORTED for another
 *   schema and for tensors that are sparse, lie in other files or have a quantization of another kind, all of them by name
 */
export function readTflite(source: ByteSource): ImportedGraph {
  const model = new FlatBuffer(source).root("TFL3", "model", MODEL);
  const version = model.uint("version");
  if (version !== SCHEMA) {
    throw new MoteError("UNSUPPORTED", `schema ${version} of TFLite is not read, expected ${SCHEMA}`);
  }
  const subgraphs = model.tables("subgraphs", "subgraph", SUBGRAPH);
  if (subgraphs.length === 0) throw new MoteError("FORMAT", "model: subgraphs: there is none, expected one at least");
  const main = subgraphs.at(0);
  const buffers = model.tables("buffers", "buffer", BUFFER);
  const ops = opNames(model);
  const readSubgraph = (subgraph: Subgraph): { nodes: GraphNode[]; tensors: GraphTensor[] } => {
    const nodes = readNodes(subgraph, ops, graphNames(subgraphs));
    const written = new Set(nodes.flatMap(({ outputs }) => outputs));
    return { nodes, tensors: readTensors(subgraph, buffers, written, source) };
  };
  const { nodes, tensors } = withVariables(readSubgraph(main), (node) => {
    const fields = ["init_subgraph_index"] as const;
    const table = main.tables("operators", "operator", OPERATOR).at(node).table("builtin_options", fields);
    return readSubgraph(subgraphs.at(table?.int("init_subgraph_index") ?? 0));
  });
  const isGiven = (tensor: number): boolean => tensors[tensor].constant === undefined;
  const inputs = readIndices(main, "inputs", tensors.length).filter(isGiven);
  const outputs = readIndices(main, "outputs", tensors.length);
  checkOrder(tensors, nodes, inputs, outputs);
  const signatures = readSignatures(model, tensors.length);
  return {
    format: "tflite",
    kind: "TFLite net",
    version: `schema ${SCHEMA}`,
    opset: SCHEMA,
    tensors,
    nodes,
    inputs,
    outputs,
    ...(signatures.length === 0 ? {} : { signatures }),
  };
}

/** Of each operator code. */
function opNames(model: Table<(typeof MODEL)[number]>): string[] {
  const codes = model.tables("operator_codes", "operator code", OPERATOR_CODE);
  return Array.from({ length: codes.length }, (_, i) => {
    const code = codes.at(i);
    // Files from before the second field have the first alone.
    const number = Math.max(code.byte("deprecated_builtin_code"), code.int("builtin_code"));
    const op = builtinOpName(number);
    return op === "CUSTOM" ? `CUSTOM:${code.string("custom_code") ?? ""}` : op;
  });
}

function graphNames(subgraphs: Tables<(typeof SUBGRAPH)[number]>): (index: number, what: string) => string {
  return (index, what) => {
    if (index < 0 || index >= subgraphs.length) {
      throw new MoteError("FORMAT", `${what}: expected a subgraph, 0 .. ${subgraphs.length - 1}, got ${index}`);
    }
    return subgraphs.at(index).string("name") ?? `subgraph ${index}`;
  };
}

function readNodes(
  main: Subgraph,
  ops: readonly string[],
  graphName: (index: number, what: string) => string,
): GraphNode[] {
  const tensors = main.tables("tensors", "tensor", TENSOR).length;
  const operators = main.tables("operators", "operator", OPERATOR);
  return Array.from({ length: operators.length }, (_, i) => {
    const operator = operators.at(i);
    operator.file.spend(NODE_BYTES, operator.what);
    const code = operator.uint("opcode_index");
    if (code >= ops.length) {
      const range = ops.length === 0 ? "but there are none" : `0 .. ${ops.length - 1}`;
      throw new MoteError("FORMAT", `${operator.what}: opcode_index: expected an operator code, ${range}, got ${code}`);
    }
    const op = ops[code];
    return {
      name: `${op} #${i}`,
      op,
      inputs: readIndices(operator, "inputs", tensors, ABSENT),
      outputs: readIndices(operator, "outputs", tensors),
      attributes: readAttributes(operator, op, graphName),
    };
  });
}

function readAttributes(
  operator: Table<(typeof OPERATOR)[number]>,
  op: string,
  graphName: (index: number, what: string) => string,
): Record<string, Attribute> {
  const options = optionsOf(op);
  if (options === undefined) return {};
  const fields = Object.keys(options.fields);
  const type = operator.ubyte("builtin_options_type");
  const table = operator.table("builtin_options", fields);
  if (type === 0 || table === undefined) return {};
  if (type !== options.type) {
    const expected = `expected type ${options.type} of the schema's BuiltinOptions`;
    throw new MoteError("FORMAT", `${operator.what}: builtin_options of ${op}: ${expected}, got ${type}`);
  }
  operator.file.spend(8 * fields.length, operator.what);
  return readOptions(options, table, (index) => graphName(index, `${operator.what}: ${op}`));
}

function readIndices<F extends string>(table: Table<F>, field: F, tensors: number, least = 0): number[] {
  const indices = table.ints(field) ?? [];
  const wrong = indices.find((index) => index < least || index >= tensors);
  if (wrong === undefined) return indices;
  throw new MoteError("FORMAT", `${table.what}: ${field}: expected tensors, 0 .. ${tensors - 1}, got ${wrong}`);
}

function readTensors(
  main: Subgraph,
  buffers: Tables<(typeof BUFFER)[number]>,
  written: ReadonlySet<number>,
  source: ByteSource,
): GraphTensor[] {
  const tables = main.tables("tensors", "tensor", TENSOR);
  const refused = new Map<string, string[]>();
  const refuse = (why: string, what: string): void => {
    const names = refused.get(why) ?? [];
    names.push(what);
    refused.set(why, names);
  };
  const tensors = Array.from({ length: tables.length }, (_, i): GraphTensor => {
    const table = tables.at(i);
    const name = table.string("name") ?? "";
    const called = name === "" ? `tensor ${i}` : JSON.stringify(name);
    if (table.has("sparsity")) refuse("sparse tensors are not read", called);
    if (table.uint("external_buffer") !== 0) refuse("values in other files are not read", called);
    const type = elementType(table.byte("type"));
    const shape = readShape(table);
    const details = table.table("quantization", QUANTIZATION)?.ubyte("details_type") ?? 0;
    if (details !== 0) refuse("only scales and zero points are read of a quantization", called);
    const constant = refused.size > 0 || written.has(i) ? undefined : readConstant(table, type, shape, buffers, source);
    const quantization = refused.size > 0 ? undefined : readQuantization(table, type, shape);
    const isVariable = table.ubyte("is_variable") !== 0;
    return { name, shape, type, quantization, constant, ...(isVariable ? { isVariable } : {}) };
  });
  if (refused.size === 0) return tensors;
  const reasons = [...refused].map(([why, names]) => `${why}: ${names.join(", ")}`);
  throw new MoteError("UNSUPPORTED", `${reasons.join("; ")}; expected dense tensors within the file`);
}

function elementType(number: number): ElementType {
  const name = TENSOR_TYPES[number]?.toLowerCase();
  return name === undefined || /complex|resource|variant|int2/.test(name) ? "other" : (name as ElementType);
}

function readShape(table: Table<(typeof TENSOR)[number]>): (number | string)[] {
  const shape = table.ints("shape") ?? [];
  const signature = table.ints("shape_signature") ?? [];
  const open = signature.length === shape.length ? signature : shape;
  const wrong = shape.find((size) => size < -1);
  if (wrong !== undefined) {
    throw new MoteError("FORMAT", `${table.what}: shape: expected sizes of at least 0, or -1 for any, got ${wrong}`);
  }
  return shape.map((size, i) => (size === -1 || open[i] === -1 ? "?" : size));
}

function readConstant(
  table: Table<(typeof TENSOR)[number]>,
  type: ElementType,
  shape: readonly (number | string)[],
  buffers: Tables<(typeof BUFFER)[number]>,
  source: ByteSource,
): Constant | undefined {
  const index = table.uint("buffer");
  if (index === 0) return undefined;
  if (index >= buffers.length) {
    throw new MoteError("FORMAT", `${table.what}: buffer: expected 0 .. ${buffers.length - 1}, got ${index}`);
  }
  const stretch = stretchOf(buffers.at(index), source);
  const count = elementCount(shape);
  // Whatever is written while running has a buffer too, an empty one.
  if (stretch.length === 0 && count !== 0) return undefined;
  if (count === undefined) {
    throw new MoteError("FORMAT", `${table.what}: a constant of the shape [${shape.join(", ")}], expected a fixed one`);
  }
  if (elementBits(type) !== undefined && elementBytes(type, count) !== stretch.length) {
    const wanted = `[${shape.join(", ")}] of ${type} takes ${elementBytes(type, count)} bytes`;
    throw new MoteError("FORMAT", `${table.what}: ${wanted}, buffer ${index} has ${stretch.length}`);
  }
  return {
    bytes: stretch.length,
    values: () => decodeElements(type, source.read(stretch.offset, stretch.length), count),
  };
}

/** Undefined where a size is open. */
function elementCount(shape: readonly (number | string)[]): number | undefined {
  const sizes = shape.filter((size) => typeof size === "number");
  return sizes.length === shape.length ? sizes.reduce((product, size) => product * size, 1) : undefined;
}

/** Within the FlatBuffer, or behind it in files above 2 GiB. */
function stretchOf(buffer: Table<(typeof BUFFER)[number]>, source: ByteSource): Stretch {
  const offset = buffer.ulong("offset");
  if (offset <= NO_OFFSET) return buffer.bytes("data") ?? { offset: 0, length: 0 };
  const length = buffer.ulong("size");
  if (offset + length <= source.size) return { offset, length };
  const end = `${length} bytes from ${offset}`;
  throw new MoteError("FORMAT", `${buffer.what}: ${end}, expected them to end at the file's end, ${source.size}`);
}

function readQuantization(
  tensor: Table<(typeof TENSOR)[number]>,
  type: ElementType,
  shape: readonly (number | string)[],
): Quantization | undefined {
  const table = tensor.table("quantization", QUANTIZATION);
  const scales = table?.floats("scale") ?? [];
  if (table === undefined || scales.length === 0) return undefined;
  const wrong = scales.find((scale) => !(scale >= 0 && scale < Infinity));
  if (wrong !== undefined) {
    throw new MoteError("FORMAT", `${table.what}: scale: expected numbers from 0 on, got ${wrong}`);
  }
  const zeroPoints = table.longs("zero_point") ?? [];
  if (zeroPoints.length !== scales.length && zeroPoints.length !== 1) {
    const expected = `expected as many as the ${scales.length} scales, or one`;
    throw new MoteError("FORMAT", `${table.what}: zero_point: ${expected}, got ${zeroPoints.length}`);
  }
  const [least, most] = ZERO_POINTS[type] ?? [-(2 ** 31), 2 ** 31 - 1];
  const outside = zeroPoints.find((point) => point < least || point > most);
  if (outside !== undefined) {
    throw new MoteError("FORMAT", `${table.what}: zero_point: expected ${least} .. ${most} of ${type}, got ${outside}`);
  }
  return {
    scales: Float32Array.from(scales),
    zeroPoints: Int32Array.from(scales, (_, i) => zeroPoints[zeroPoints.length === 1 ? 0 : i]),
    axis: scales.length === 1 ? undefined : axisOf(table, shape, scales.length),
  };
}

function axisOf(
  table: Table<(typeof QUANTIZATION)[number]>,
  shape: readonly (number | string)[],
  scales: number,
): number {
  // Old converters gave a bias the axis of its weights.
  const axis = shape.length === 1 ? 0 : table.int("quantized_dimension");
  if (shape[axis] === scales) return axis;
  const got = `${scales} scales along axis ${axis} of [${shape.join(", ")}]`;
  throw new MoteError("FORMAT", `${table.what}: expected a scale for each index of an axis, got ${got}`);
}

/** Nodes stand in the order in which they run, and each tensor is written once. */
function checkOrder(
  tensors: readonly GraphTensor[],
  nodes: readonly GraphNode[],
  inputs: readonly number[],
  outputs: readonly number[],
): void {
  const known = tensors.map(({ constant, isVariable }) => constant !== undefined || isVariable === true);
  for (const input of inputs) known[input] = true;
  const name = (tensor: number): string => `tensor ${tensor} ${JSON.stringify(tensors[tensor].name)}`;
  for (const node of nodes) {
    const early = node.inputs.find((input) => input !== ABSENT && !known[input]);
    if (early !== undefined) {
      throw new MoteError("FORMAT", `${node.name} reads ${name(early)}, which nothing before it writes`);
    }
    for (const output of node.outputs) {
      if (known[output] && !tensors[output].isVariable) {
        throw new MoteError("FORMAT", `${node.name} writes ${name(output)}, which has its values already`);
      }
      known[output] = true;
    }
  }
  const missing = outputs.find((output) => !known[output]);
  if (missing !== undefined) throw new MoteError("FORMAT", `the output is ${name(missing)}, which nothing writes`);
}

/** Those of the main subgraph. */
function readSignatures(model: Table<(typeof MODEL)[number]>, tensors: number): Signature[] {
  const tables = model.tables("signature_defs", "signature", SIGNATURE);
  const ends = (table: Table<(typeof SIGNATURE)[number]>, field: "inputs" | "outputs"): Signature["inputs"] => {
    const maps = table.tables(field, field.slice(0, -1), TENSOR_MAP);
    return Array.from({ length: maps.length }, (_, i) => {
      const map = maps.at(i);
      const tensor = map.uint("tensor_index");
      if (tensor < tensors) return { name: map.string("name") ?? "", tensor };
      throw new MoteError("FORMAT", `${map.what}: tensor_index: expected 0 .. ${tensors - 1}, got ${tensor}`);
    });
  };
  return Array.from({ length: tables.length }, (_, i) => tables.at(i))
    .filter((table) => table.uint("subgraph_index") === 0)
    .map((table) => ({
      key: table.string("signature_key") ?? "",
      inputs: ends(table, "inputs"),
      outputs: ends(table, "outputs"),
    }));
}
