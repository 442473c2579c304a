/**
 * Reads Caffe's nets: a .prototxt that describes one, or the .caffemodel itself, with the weights of the .caffemodel. Nodes are ONNX's ops with
 * the layers' names. Layers of the training are left out, as Caffe leaves them out when it tests.
 */
import { MoteError } from "../errors.js";
import type { Blob } from "./caffe-blob.js";
import { CaffeGraph, type BlobsOf, type CaffeLayer } from "./caffe-graph.js";
import { convertLayer } from "./caffe-layers.js";
import { Budget, readFields, type Fields } from "./caffe-message.js";
import { NET } from "./caffe-schema.js";
import type { ByteSource, ImportedGraph, NamedSource } from "./graph.js";
import { MAX_RANK } from "./node-view.js";
import { readPrototxt } from "./prototxt.js";
import { Message, Window } from "./protobuf.js";

/** Layers that give samples. */
const DATA = new Set("Input Data ImageData HDF5Data MemoryData DummyData WindowData".split(" "));
/** Layers that only tell how well a net does. */
const isTraining = (type: string): boolean =>
  type.endsWith("Loss") || ["SoftmaxWithLoss", "Accuracy", "Silence", "HDF5Output"].includes(type);

/** V1LayerParameter's types that are not the newer ones in capitals. */
const V1_NAMES: Readonly<Record<string, string>> = {
  ABSVAL: "AbsVal",
  HDF5_DATA: "HDF5Data",
  HDF5_OUTPUT: "HDF5Output",
  RELU: "ReLU",
  SOFTMAX_LOSS: "SoftmaxWithLoss",
  TANH: "TanH",
};
const ACRONYMS = new Set(["BNLL", "LRN", "MVN"]);

/** A net's description. */
export interface CaffeNet {
  readonly fields: Fields;
  /** All of them, and those that are there when the net is tested. */
  readonly layers: readonly CaffeLayer[];
  readonly kept: readonly CaffeLayer[];
}

/**
 * Takes at most four times the file's bytes and 64 MiB more.
 * @param prototxt that describes the net where the model's own description is not to be taken
 * @throws MoteError FORMAT that names the layer, the line or the offset
 */
export function readCaffe(model: ByteSource, prototxt?: NamedSource): ImportedGraph {
  const window = new Window(model);
  const stored = caffeNet(readFields(new Message(window, NET.name), NET, window, new Budget()));
  if (prototxt === undefined) return caffeGraph(stored, ({ fields }) => fields.blobs("blobs"), "Caffe net");
  const blobs = new Map<string, readonly Blob[]>();
  for (const { name, fields } of stored.layers) {
    const own = fields.blobs("blobs");
    if (own.length > 0) blobs.set(name, own);
  }
  return caffeGraph(caffeNet(readPrototxt(prototxt, NET)), ({ name }) => blobs.get(name), "Caffe net");
}

/** @param fields of a NetParameter */
export function caffeNet(fields: Fields): CaffeNet {
  const all = [...fields.messages("layers").map(v1Layer), ...fields.messages("layer").map(layerOf)];
  if (fields.has("layers") && fields.has("layer")) fields.fail("has layers and layer, expected one of both");
  const state = fields.message("state");
  const level = state.number("level", 0);
  const stages = new Set(state.texts("stage"));
  const isMet = (rule: Fields): boolean =>
    rule.text("phase", "TEST") === "TEST" &&
    level >= rule.number("min_level", -Infinity) &&
    level <= rule.number("max_level", Infinity) &&
    rule.texts("stage").every((stage) => stages.has(stage)) &&
    !rule.texts("not_stage").some((stage) => stages.has(stage));
  const kept = all.filter(({ fields: layer }) => {
    const include = layer.messages("include");
    return include.length > 0 ? include.some(isMet) : !layer.messages("exclude").some(isMet);
  });
  return { fields, layers: all, kept };
}

const named = (name: string): string => (name === "" ? "a layer" : `layer ${name}`);

function layerOf(fields: Fields): CaffeLayer {
  const name = fields.text("name", "");
  const type = fields.text("type", "") || fields.fail(`${named(name)} has no type`);
  return described(fields, name, type);
}

function v1Layer(fields: Fields): CaffeLayer {
  const name = fields.text("name", "");
  const type = fields.text("type", undefined);
  if (type === undefined) {
    return fields.fail(
      `${named(name)} has no type; of nets before 2014 caffe's upgrade_net_proto_binary makes newer ones`,
    );
  }
  const words = type.split("_").map((word) => (ACRONYMS.has(word) ? word : word[0] + word.slice(1).toLowerCase()));
  return described(fields, name, V1_NAMES[type] ?? words.join(""));
}

function described(fields: Fields, name: string, type: string): CaffeLayer {
  const tops = fields.texts("top");
  const bottoms = fields.texts("bottom");
  return { name: name === "" ? `${type} at ${fields.where}` : name, type, bottoms, tops, fields };
}

/** @param blobsOf the parameters of a layer @throws MoteError FORMAT */
export function caffeGraph({ fields, layers, kept }: CaffeNet, blobsOf: BlobsOf, kind: string): ImportedGraph {
  const graph = new CaffeGraph(blobsOf);
  for (const [name, shape] of statedInputs(fields)) graph.input(name, shape);
  for (const layer of kept) if (DATA.has(layer.type)) giveData(layer, graph);
  // A trained net was saved with the layers that gave its samples then.
  const tested = new Set(kept);
  for (const layer of layers) if (DATA.has(layer.type) && !tested.has(layer)) giveData(layer, graph, true);
  for (const layer of kept) if (!DATA.has(layer.type) && !isTraining(layer.type)) convertLayer(layer, graph);
  if (graph.nodes.length === 0) fields.fail("has no layers");
  return graph.graph(kind, `${kept.length} layers`);
}

/** Inputs beside the layers, as deploy files had them before there were Input layers. */
function statedInputs(fields: Fields): [string, readonly number[] | undefined][] {
  const names = fields.texts("input");
  const shapes = fields.messages("input_shape");
  const dims = fields.numbers("input_dim");
  if (dims.length > 0 && dims.length !== 4 * names.length) {
    fields.fail(`has ${dims.length} values of input_dim, expected 4 for each of ${names.length} inputs`);
  }
  if (shapes.length > 0 && shapes.length !== names.length) {
    fields.fail(`has ${shapes.length} values of input_shape for ${names.length} inputs`);
  }
  return names.map((name, i) => [
    name,
    dims.length > 0 ? sizes(fields, dims.slice(4 * i, 4 * i + 4)) : shapes.length > 0 ? shapeOf(shapes[i]) : undefined,
  ]);
}

/** @param isPast it is there in training alone: what it would make and nothing else makes is an input */
function giveData(layer: CaffeLayer, graph: CaffeGraph, isPast = false): void {
  const { fields, type, tops } = layer;
  const shapes = fields.schema.fields.input_param === undefined ? [] : fields.message("input_param").messages("shape");
  tops.forEach((top, i) => {
    if (isPast && graph.has(top)) return;
    const stated = shapes.length === 1 ? shapes[0] : shapes[i];
    const known = stated === undefined ? (i === 0 ? dataShape(type, fields) : undefined) : shapeOf(stated);
    graph.input(top, known);
  });
}

/** Of a data layer, as far as it tells. */
function dataShape(type: string, fields: Fields): readonly number[] | undefined {
  if (type !== "MemoryData") return undefined;
  const data = fields.message("memory_data_param");
  return sizes(
    data,
    ["batch_size", "channels", "height", "width"].map((name) => data.number(name, 0)),
  );
}

function shapeOf(shape: Fields): readonly number[] {
  return sizes(shape, shape.numbers("dim"));
}

function sizes(fields: Fields, dims: readonly number[]): readonly number[] {
  if (dims.length > MAX_RANK || !dims.every((size) => Number.isSafeInteger(size) && size >= 1)) {
    throw new MoteError("FORMAT", `${fields.where}: an input of [${dims.join(", ")}]`);
  }
  return dims;
}
