/**
 * Reads ONNX models: ModelProto and its graph, without their weights, which stay where they are until asked for.
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto has the messages and the numbers of their fields.
 */
import { MoteError } from "../errors.js";
import type { Attribute, ByteSource, ElementType, GraphNode, GraphTensor, ImportedGraph } from "./graph.js";
import { elementType, pushSize, readTensor, type ExternalData } from "./onnx-tensor.js";
import { BYTES, Message, Window } from "./protobuf.js";

/** Versions of the ai.onnx operators whose meaning the rules here know. */
export const MIN_OPSET = 7;
export const MAX_OPSET = 24;
/** A node or a tensor is an object of a few hundred bytes and may be ten in the file: together they bound the memory. */
const MAX_NODES = 1 << 14;
const MAX_TENSORS = 1 << 16;
/** Numbers of one attribute, and edges of one node. */
const MAX_LIST = 1 << 16;

/**
 * Takes at most four times the file's bytes and 64 MiB more.
 * @param external where the model has elements in files beside it
 * @throws MoteError FORMAT with the offset for what is no sound model, UNSUPPORTED for a version of the operators that is not known
 */
export function readOnnx(source: ByteSource, external?: ExternalData): ImportedGraph {
  const window = new Window(source);
  const model = new Message(window, "ModelProto");
  let graph: Message | undefined;
  let opset: number | undefined;
  while (model.next()) {
    if (model.field === 7) {
      if (graph !== undefined) model.fail(model.start, "has two graphs");
      graph = model.message("GraphProto");
    } else if (model.field === 8) {
      const { domain, version } = readOpset(model.message("OperatorSetIdProto"));
      if (domain === "" || domain === "ai.onnx") opset = version;
    }
  }
  if (graph === undefined) return model.fail(0, "has no graph");
  if (opset === undefined) return model.fail(0, "names no version of the ai.onnx operators");
  if (!(opset >= MIN_OPSET && opset <= MAX_OPSET)) {
    throw new MoteError(
      "UNSUPPORTED",
      `its operators are of opset ${opset}, expected ${MIN_OPSET} … ${MAX_OPSET}; onnx.version_converter converts it`,
    );
  }
  return new GraphReader(window, external).read(graph, opset);
}

function readOpset(message: Message): { domain: string; version: number } {
  let domain = "";
  let version = 0;
  while (message.next()) {
    if (message.field === 1) domain = message.text();
    else if (message.field === 2) version = message.integer();
  }
  return { domain, version };
}

interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[] | undefined;
}

interface Node {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

class GraphReader {
  private readonly tensors: GraphTensor[] = [];
  private readonly indices = new Map<string, number>();
  private readonly infos = new Map<string, ValueInfo>();

  constructor(
    private readonly window: Window,
    private readonly external: ExternalData | undefined,
  ) {}

  read(graph: Message, opset: number): ImportedGraph {
    const nodes: Node[] = [];
    const inputs: ValueInfo[] = [];
    const outputs: ValueInfo[] = [];
    while (graph.next()) {
      if (graph.field === 1) {
        if (nodes.length === MAX_NODES) graph.fail(graph.start, `has more than ${MAX_NODES} nodes`);
        nodes.push(this.readNode(graph.message("NodeProto"), nodes.length));
      } else if (graph.field === 5) {
        const message = graph.message("TensorProto");
        const tensor = readTensor(message, this.window, "initializer", this.external);
        if (tensor.name === "") message.fail(message.begin, "an initializer has no name");
        this.add(tensor, graph);
      } else if (graph.field === 11) {
        inputs.push(readValueInfo(graph.message("ValueInfoProto")));
      } else if (graph.field === 12) {
        outputs.push(readValueInfo(graph.message("ValueInfoProto")));
      } else if (graph.field === 13) {
        const info = readValueInfo(graph.message("ValueInfoProto"));
        this.infos.set(info.name, info);
      } else if (graph.field === 15) {
        graph.fail(graph.start, "has a sparse initializer, expected dense ones");
      }
      if (inputs.length + outputs.length + this.infos.size > MAX_TENSORS) {
        graph.fail(graph.start, `describes more than ${MAX_TENSORS} tensors`);
      }
    }
    for (const info of outputs) this.infos.set(info.name, info);

    // What has a default is a constant here: models of before 2019 list their weights among the inputs.
    const given = inputs.filter(({ name }) => !this.indices.has(name)).map((info) => this.declare(info, graph));
    const kept: GraphNode[] = [];
    for (const node of nodes) this.connect(node, kept, graph);
    const asked = outputs.map(({ name }) => {
      const index = this.indices.get(name);
      return index ?? graph.fail(graph.begin, `nothing makes its output ${name}`);
    });
    return {
      format: "onnx",
      kind: "ONNX net",
      version: `opset ${opset}`,
      opset,
      tensors: this.tensors,
      nodes: kept,
      inputs: given,
      outputs: asked,
    };
  }

  private readNode(message: Message, index: number): Node {
    let name = "";
    let type = "";
    let domain = "";
    const inputs: string[] = [];
    const outputs: string[] = [];
    const attributes: [string, Attribute][] = [];
    while (message.next()) {
      if (message.field === 1) inputs.push(message.text());
      else if (message.field === 2) outputs.push(message.text());
      else if (message.field === 3) name = message.text();
      else if (message.field === 4) type = message.text();
      else if (message.field === 5) attributes.push(this.readAttribute(message.message("AttributeProto")));
      else if (message.field === 7) domain = message.text();
      const longest = Math.max(inputs.length, outputs.length, attributes.length);
      if (longest > MAX_LIST) message.fail(message.start, `has more than ${MAX_LIST} edges or attributes`);
    }
    if (type === "") message.fail(message.begin, `node ${index} has no op_type`);
    const op = domain === "" || domain === "ai.onnx" ? type : `${domain}::${type}`;
    const named = Object.fromEntries(attributes);
    if (Object.keys(named).length !== attributes.length) {
      message.fail(message.begin, `node ${index} (${op}) has an attribute twice`);
    }
    return { name: name === "" ? `${op} #${index}` : name, op, inputs, outputs, attributes: named };
  }

  private readAttribute(message: Message): [string, Attribute] {
    let name = "";
    let single: Attribute | undefined;
    const numbers: number[] = [];
    const texts: string[] = [];
    const add = (value: number): void => {
      if (numbers.length === MAX_LIST) message.fail(message.start, `has more than ${MAX_LIST} numbers`);
      numbers.push(value);
    };
    let type = 0;
    while (message.next()) {
      if (message.field === 1) name = message.text();
      else if (message.field === 2) single = message.float();
      else if (message.field === 3) single = message.integer();
      else if (message.field === 4) single = this.attributeText(message);
      else if (message.field === 5) {
        single = readTensor(message.message("TensorProto"), this.window, `attribute ${name}`, this.external);
      } else if (message.field === 6) single = { graph: graphName(message.message("GraphProto")) };
      else if (message.field === 7) message.eachFloat(add);
      else if (message.field === 8) message.eachInteger(add);
      else if (message.field === 9) {
        if (texts.length === MAX_LIST) message.fail(message.start, `has more than ${MAX_LIST} strings`);
        texts.push(this.attributeText(message));
      } else if (message.field === 20) type = message.integer();
      else if ([10, 11, 14, 15, 21, 22, 23].includes(message.field)) {
        message.fail(message.start, `attribute ${name} is of a kind (field ${message.field}) that Mote does not read`);
      }
    }
    if (name === "") message.fail(message.begin, "an attribute has no name");
    return [
      name,
      attributeOf(type, single, numbers, texts) ?? message.fail(message.begin, `attribute ${name} has no value`),
    ];
  }

  /** Bytes that need not be text: what is none is not of an attribute that anything asks for. */
  private attributeText(message: Message): string {
    message.expect(BYTES);
    return new TextDecoder().decode(this.window.slice(message.start, message.length));
  }

  /** @returns its index */
  private add(tensor: GraphTensor, graph: Message): number {
    if (this.indices.has(tensor.name)) graph.fail(graph.begin, `two things make ${tensor.name}`);
    if (this.tensors.length === MAX_TENSORS) graph.fail(graph.begin, `has more than ${MAX_TENSORS} tensors`);
    this.indices.set(tensor.name, this.tensors.length);
    return this.tensors.push(tensor) - 1;
  }

  private declare({ name, type, shape }: ValueInfo, graph: Message): number {
    return this.add({ name, shape, type, quantization: undefined, constant: undefined }, graph);
  }

  /** Names become indices. Each is made before it is read, so that no graph has a cycle. */
  private connect(node: Node, kept: GraphNode[], graph: Message): void {
    const inputs = node.inputs.map((name) => {
      if (name === "") return -1;
      const index = this.indices.get(name);
      return index ?? graph.fail(graph.begin, `node ${node.name} reads ${name}, which nothing before it makes`);
    });
    if (node.op === "Constant") {
      const value = constantOf(node.attributes);
      if (value !== undefined && node.outputs.length === 1) {
        this.add({ ...value, name: node.outputs[0] }, graph);
        return;
      }
    }
    const outputs = node.outputs.map((name) => {
      if (name === "") return -1;
      return this.declare(this.infos.get(name) ?? { name, type: "other", shape: undefined }, graph);
    });
    kept.push({ ...node, inputs, outputs });
  }
}

/** By the attribute's type where it says one, as it must since 2017: an empty list has no other trace. */
function attributeOf(
  type: number,
  single: Attribute | undefined,
  numbers: readonly number[],
  texts: readonly string[],
): Attribute | undefined {
  if (type === 6 || type === 7) return numbers;
  if (type === 8) return texts;
  if (single !== undefined) return single;
  // Of a value that is the default, proto3 writes nothing.
  if (type === 1 || type === 2) return 0;
  if (type === 3) return "";
  if (numbers.length > 0) return numbers;
  return texts.length > 0 ? texts : undefined;
}

function graphName(message: Message): string {
  let name = "";
  while (message.next()) if (message.field === 2) name = message.text();
  return name;
}

/** What a Constant node holds: a tensor, or numbers of a list or alone. */
export function constantOf(attributes: Readonly<Record<string, Attribute>>): GraphTensor | undefined {
  const { value, value_float, value_floats, value_int, value_ints } = attributes;
  if (typeof value === "object" && "type" in value) return value;
  const float = value_float ?? value_floats;
  const int = value_int ?? value_ints;
  const found = float ?? int;
  if (found === undefined || (typeof found !== "number" && !Array.isArray(found))) return undefined;
  const numbers = (typeof found === "number" ? [found] : found) as readonly number[];
  const elements = float === undefined ? Float64Array.from(numbers) : Float32Array.from(numbers);
  return {
    name: "",
    shape: typeof found === "number" ? [] : [numbers.length],
    type: float === undefined ? "int64" : "float32",
    quantization: undefined,
    constant: { bytes: elements.byteLength, values: () => elements },
  };
}

function readValueInfo(message: Message): ValueInfo {
  let name = "";
  let type: ElementType = "other";
  let shape: (number | string)[] | undefined;
  while (message.next()) {
    if (message.field === 1) name = message.text();
    if (message.field !== 2) continue;
    const types = message.message("TypeProto");
    while (types.next()) {
      if (types.field !== 1) continue;
      const tensor = types.message("TypeProto.Tensor");
      while (tensor.next()) {
        if (tensor.field === 1) type = elementType(tensor.integer());
        else if (tensor.field === 2) shape = readShape(tensor.message("TensorShapeProto"));
      }
    }
  }
  if (name === "") message.fail(message.begin, "an input or output has no name");
  return { name, type, shape };
}

function readShape(message: Message): (number | string)[] {
  const shape: (number | string)[] = [];
  while (message.next()) {
    if (message.field !== 1) continue;
    const dimension = message.message("TensorShapeProto.Dimension");
    let size: number | string = "?";
    while (dimension.next()) {
      if (dimension.field === 1) size = dimension.integer();
      else if (dimension.field === 2) size = dimension.text();
    }
    // Exporters write 0, -1 or a symbol without letters for what is open.
    if (size === "" || (typeof size === "number" && size < 1)) size = "?";
    pushSize(shape, size, message);
  }
  return shape;
}
