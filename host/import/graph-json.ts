/**
 * Reads a graph that a JSON file describes, over the tensors of a safetensors file: for nets of PyTorch whose export to ONNX is not to be had.
 * docs/graph-json.md has the schema. Ops and attributes are ONNX's.
 */
import { readSafetensors } from "../data/safetensors.js";
import { MoteError } from "../errors.js";
import { isRecord, parseJson } from "../json.js";
import { decodeElements, elementsOf, partsOf } from "./constants.js";
import type {
  Attribute,
  ByteSource,
  ElementType,
  GraphNode,
  GraphTensor,
  ImportedGraph,
  NamedSource,
} from "./graph.js";
import { MAX_RANK } from "./node-view.js";
import { constantOf, MAX_OPSET, MIN_OPSET } from "./onnx.js";
import { checkValueBytes } from "./onnx-tensor.js";

const GRAPH_FORMAT = "mote-graph";
const VERSION = 1;
/** JSON takes some ten times its bytes in memory; a node has about a hundred. */
const MAX_BYTES = 1 << 22;
const DEFAULT_OPSET = 13;

export const DTYPES: ReadonlyMap<string, ElementType> = new Map([
  ["F64", "float64"],
  ["F32", "float32"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["I64", "int64"],
  ["I32", "int32"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
]);

/** Opens the safetensors file of a name, that of the JSON where it names none. @throws MoteError FILE */
export type OpenWeights = (name: string | undefined) => NamedSource;

/** Whether a file says that it is such a graph, sound or not; recipes and settings are JSON too. */
export function isGraphJson(source: ByteSource): boolean {
  return source.size <= MAX_BYTES && textOf(source).includes(`"${GRAPH_FORMAT}"`);
}

/** @throws MoteError FORMAT that says where in the file, UNSUPPORTED for another version */
export function readGraphJson({ source, path }: NamedSource, openWeights: OpenWeights): ImportedGraph {
  if (source.size > MAX_BYTES) {
    throw new MoteError("FORMAT", `${path}: has ${source.size} bytes, expected at most ${MAX_BYTES}`);
  }
  return new Reader(path).read(parseJson(textOf(source), path, "the graph"), openWeights);
}

const textOf = (source: ByteSource): string => new TextDecoder().decode(source.read(0, source.size));

class Reader {
  readonly #tensors: GraphTensor[] = [];
  readonly #indices = new Map<string, number>();

  constructor(readonly path: string) {}

  read(value: unknown, openWeights: OpenWeights): ImportedGraph {
    const keys = ["format", "version", "opset", "weights", "inputs", "outputs", "nodes"];
    const graph = this.#record(value, "the graph", keys);
    if (graph.format !== GRAPH_FORMAT) this.#fail("format", `expected "${GRAPH_FORMAT}"`);
    if (graph.version !== VERSION) {
      throw new MoteError("UNSUPPORTED", `${this.path}: version ${JSON.stringify(graph.version)}, expected ${VERSION}`);
    }
    const opset = graph.opset ?? DEFAULT_OPSET;
    if (typeof opset !== "number" || !(Number.isInteger(opset) && opset >= MIN_OPSET && opset <= MAX_OPSET)) {
      return this.#fail("opset", `expected ${MIN_OPSET} … ${MAX_OPSET}`);
    }
    const inputs = this.#list(graph.inputs, "inputs").map((input, i) => this.#input(input, `inputs[${i}]`));
    this.#addWeights(openWeights(graph.weights === undefined ? undefined : this.#text(graph.weights, "weights")));
    const nodes: GraphNode[] = [];
    this.#list(graph.nodes, "nodes").forEach((node, i) => this.#node(node, i, nodes));
    const outputs = this.#list(graph.outputs, "outputs").map((name, i) => this.#index(name, `outputs[${i}]`));
    if (inputs.length === 0 || outputs.length === 0)
      this.#fail("the graph", "expected an input and an output at least");
    const version = `opset ${opset}`;
    return { format: "onnx", kind: "net by its graph", version, opset, tensors: this.#tensors, nodes, inputs, outputs };
  }

  #input(value: unknown, where: string): number {
    const { name, shape } = this.#record(value, where, ["name", "shape"]);
    const sizes = this.#list(shape, `${where}.shape`).map((size, i) => {
      const isSize = typeof size === "number" && Number.isSafeInteger(size) && size >= 1;
      if (isSize || (typeof size === "string" && size !== "")) return size;
      return this.#fail(`${where}.shape[${i}]`, "expected a size of at least 1, or the name of one that is open");
    });
    if (sizes.length > MAX_RANK) this.#fail(`${where}.shape`, `expected at most ${MAX_RANK} sizes`);
    return this.#add({ ...UNKNOWN, name: this.#text(name, `${where}.name`), type: "float32", shape: sizes }, where);
  }

  #addWeights({ source, path }: NamedSource): void {
    for (const { name, type, shape, offset, bytes } of readSafetensors(source, path, DTYPES).tensors) {
      if (shape.length > MAX_RANK) {
        throw new MoteError("FORMAT", `${path}: ${name} has ${shape.length} dimensions, expected at most ${MAX_RANK}`);
      }
      const values = (): ReturnType<typeof decodeElements> => {
        checkValueBytes(bytes, `${path}: ${name}`);
        return decodeElements(type, source.read(offset, bytes), elementsOf(shape));
      };
      const parts = partsOf(type, (first, length) => source.read(offset + first, length));
      this.#add({ ...UNKNOWN, name, type, shape, constant: { bytes, values, ...parts } }, path);
    }
  }

  #node(value: unknown, index: number, nodes: GraphNode[]): void {
    const where = `nodes[${index}]`;
    const node = this.#record(value, where, ["name", "op", "inputs", "outputs", "attributes"]);
    const op = this.#text(node.op, `${where}.op`);
    const name = node.name === undefined ? `${op} #${index}` : this.#text(node.name, `${where}.name`);
    const inputs = this.#list(node.inputs ?? [], `${where}.inputs`).map((input, i) =>
      input === "" ? -1 : this.#index(input, `${where}.inputs[${i}]`),
    );
    const given = this.#record(node.attributes ?? {}, `${where}.attributes`);
    const attributes = Object.fromEntries(
      Object.entries(given).map(([key, attribute]) => [key, this.#attribute(attribute, `${where}.attributes.${key}`)]),
    );
    const names = this.#list(node.outputs, `${where}.outputs`).map((output, i) =>
      this.#text(output, `${where}.outputs[${i}]`),
    );
    const constant = op === "Constant" && names.length === 1 ? constantOf(attributes) : undefined;
    if (constant !== undefined) {
      this.#add({ ...constant, name: names[0] }, where);
      return;
    }
    const outputs = names.map((output) => this.#add({ ...UNKNOWN, name: output }, where));
    nodes.push({ name, op, inputs, outputs, attributes });
  }

  #attribute(value: unknown, where: string): Attribute {
    const isScalar = (kind: string) => (scalar: unknown) => typeof scalar === kind;
    if (typeof value === "number" || typeof value === "string") return value;
    if (Array.isArray(value)) {
      if (value.every(isScalar("number"))) return value as readonly number[];
      if (value.every(isScalar("string"))) return value as readonly string[];
    }
    return this.#fail(where, "expected a number, a text, or a list of them");
  }

  #add(tensor: GraphTensor, where: string): number {
    if (this.#indices.has(tensor.name)) this.#fail(where, `two things make ${tensor.name}`);
    this.#indices.set(tensor.name, this.#tensors.length);
    return this.#tensors.push(tensor) - 1;
  }

  #index(name: unknown, where: string): number {
    const known = this.#text(name, where);
    return this.#indices.get(known) ?? this.#fail(where, `${known} is no input, weight or output of a node before`);
  }

  #text(value: unknown, where: string): string {
    return typeof value === "string" && value !== "" ? value : this.#fail(where, "expected a text");
  }

  #list(value: unknown, where: string): readonly unknown[] {
    return Array.isArray(value) ? value : this.#fail(where, "expected a list");
  }

  /** @param keys all that it may have */
  #record(value: unknown, where: string, keys?: readonly string[]): Readonly<Record<string, unknown>> {
    if (!isRecord(value)) return this.#fail(where, "expected an object");
    const odd = keys && Object.keys(value).find((key) => !keys.includes(key));
    return odd === undefined ? value : this.#fail(where, `${odd} is none of ${keys!.join(", ")}`);
  }

  #fail(where: string, problem: string): never {
    throw new MoteError("FORMAT", `${this.path}: ${where}: ${problem}`);
  }
}

/** A tensor of which nothing is known but its name. */
const UNKNOWN = { shape: undefined, type: "other", quantization: undefined, constant: undefined } as const;
