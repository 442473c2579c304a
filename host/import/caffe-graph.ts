/** A graph as Caffe's layers are turned into ONNX's ops: blobs by their names, of which a layer in place makes a new tensor. */
import { MoteError } from "../errors.js";
import { missing, type Blob } from "./caffe-blob.js";
import type { Fields } from "./caffe-message.js";
import { elementsOf } from "./constants.js";
import type { Attribute, Constant, GraphNode, GraphTensor, ImportedGraph } from "./graph.js";
import { NodeView, type Dims } from "./node-view.js";
import { ONNX_RULES } from "./onnx-shapes.js";

/** Nodes of the largest nets are some thousand. */
const MAX_NODES = 1 << 14;
/** ONNX's, whose ops and attributes the nodes have. */
export const OPSET = 13;

/** A layer of either form of Caffe's files. */
export interface CaffeLayer {
  readonly name: string;
  /** As LayerParameter has it: "Convolution". */
  readonly type: string;
  readonly bottoms: readonly string[];
  readonly tops: readonly string[];
  readonly fields: Fields;
}

/** Parameters of a layer; undefined where the file has no such layer. */
export type BlobsOf = (layer: CaffeLayer) => readonly Blob[] | undefined;

export class CaffeGraph {
  readonly tensors: GraphTensor[] = [];
  readonly nodes: GraphNode[] = [];
  /** The tensor that a blob's name stands for. */
  readonly #blobs = new Map<string, number>();
  readonly #inputs: number[] = [];
  readonly #read = new Set<number>();

  constructor(private readonly blobsOf: BlobsOf) {}

  /** @param shape "N" for its first size, the samples at once, which Caffe's files set for their own needs */
  input(blob: string, shape: readonly number[] | undefined): void {
    if (this.#blobs.has(blob)) throw new MoteError("FORMAT", `two inputs are called ${blob}`);
    const open = shape?.map((size, axis) => (axis === 0 && shape.length > 1 && size !== 1 ? "N" : size));
    this.#inputs.push(this.#define(blob, open));
  }

  has(blob: string): boolean {
    return this.#blobs.has(blob);
  }

  /** The tensor of a bottom. @throws MoteError FORMAT where the layer has none, or nothing makes it */
  bottom({ name, bottoms }: CaffeLayer, i = 0): number {
    const blob = bottoms[i];
    if (blob === undefined) throw new MoteError("FORMAT", `layer ${name}: has ${bottoms.length} bottoms`);
    const tensor = this.#blobs.get(blob);
    if (tensor === undefined) {
      throw new MoteError("FORMAT", `layer ${name}: reads ${blob}, which no layer before it makes`);
    }
    return tensor;
  }

  shape(tensor: number): Dims | undefined {
    return this.tensors[tensor].shape;
  }

  /** Dimensions of a bottom: four where nothing is known of it. */
  rank(layer: CaffeLayer, i = 0): number {
    return this.shape(this.bottom(layer, i))?.length ?? 4;
  }

  /** A name for a top that the layer makes. @throws MoteError FORMAT for one that there are no two of */
  top({ name, tops }: CaffeLayer): string {
    if (tops.length === 1) return tops[0];
    throw new MoteError("FORMAT", `layer ${name}: has ${tops.length} tops, expected one`);
  }

  /** Weights and the like. */
  blob(layer: CaffeLayer, i: number, what: string): Blob {
    const blobs = this.blobsOf(layer) ?? missing(layer.name, "weights");
    return blobs[i] ?? missing(layer.name, what);
  }

  /** A parameter of that shape as a constant. @throws MoteError FORMAT where it has other elements */
  parameter(layer: CaffeLayer, i: number, what: string, shape: readonly number[]): number {
    const { shape: stated, constant } = this.blob(layer, i, what);
    const sizes = (dims: readonly number[]): string => dims.filter((size) => size !== 1).join();
    if (stated !== undefined && stated.length > 0 && sizes(stated) !== sizes(shape)) {
      throw new MoteError(
        "FORMAT",
        `layer ${layer.name}: its ${what} are [${stated.join(", ")}], expected [${shape.join(", ")}]`,
      );
    }
    return this.constant(`${layer.name}.${what}`, shape, constant(elementsOf(shape)));
  }

  constant(name: string, shape: readonly number[], constant: Constant): number {
    return this.tensors.push({ name, shape, type: "float32", quantization: undefined, constant }) - 1;
  }

  /** One number, or one for each channel. */
  values(name: string, shape: readonly number[], values: () => Float32Array): number {
    return this.constant(name, shape, { bytes: 4 * elementsOf(shape), values });
  }

  /** A node, whose output is the tensor of `blob` from here on. @returns its output */
  emit(
    op: string,
    name: string,
    inputs: readonly number[],
    blob: string,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): number {
    return this.#node({ op, name, inputs, outputs: [], attributes }, [blob])[0];
  }

  /** A node that only reports what the layer is, and does not run. */
  refuse(layer: CaffeLayer, op: string, refused?: string): void {
    const inputs = layer.bottoms.map((_, i) => this.bottom(layer, i));
    const bare = { op, name: layer.name, inputs, outputs: [], attributes: {} };
    this.#node(refused === undefined ? bare : { ...bare, refused }, layer.tops);
  }

  /** The top is the bottom by another name. */
  alias(layer: CaffeLayer): void {
    const tensor = this.bottom(layer);
    for (const top of layer.tops) this.#blobs.set(top, tensor);
  }

  graph(kind: string, version: string): ImportedGraph {
    const made = this.nodes.flatMap(({ outputs }) => outputs);
    return {
      format: "onnx",
      kind,
      version,
      opset: OPSET,
      tensors: this.tensors,
      nodes: this.nodes,
      inputs: this.#inputs.filter((tensor) => this.#read.has(tensor)),
      outputs: made.filter((tensor) => !this.#read.has(tensor)),
    };
  }

  #define(blob: string, shape: Dims | undefined): number {
    const tensor = this.tensors.push({
      name: blob,
      shape,
      type: "float32",
      quantization: undefined,
      constant: undefined,
    });
    this.#blobs.set(blob, tensor - 1);
    return tensor - 1;
  }

  /** Shapes are those of the op's rule, since layers behind ask for their channels. */
  #node(node: GraphNode, tops: readonly string[]): readonly number[] {
    if (this.nodes.length === MAX_NODES) throw new MoteError("FORMAT", `has more than ${MAX_NODES} nodes`);
    for (const input of node.inputs) this.#read.add(input);
    const results = ONNX_RULES.get(node.op)?.(new NodeView(node, this.tensors)) ?? [];
    const outputs = tops.map((top, i) => this.#define(top, results[i]?.shape));
    this.nodes.push({ ...node, outputs });
    return outputs;
  }
}
