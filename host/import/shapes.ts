/** Shapes of all tensors of a graph, and constants in place of what can be worked out from shapes and constants. */
import { MoteError } from "../errors.js";
import { elementsOf } from "./constants.js";
import { deferred, elementArray } from "./deferred.js";
import { OPEN } from "./dims.js";
import { ONNX_FOLDS } from "./fold.js";
import type { Constant, GraphNode, GraphTensor, ImportedGraph } from "./graph.js";
import { isWhole, knownConstant, MAX_KNOWN, MAX_RANK, NodeView, type Dim, type Dims, type Known } from "./node-view.js";
import { ONNX_RULES } from "./onnx-shapes.js";
import { TFLITE_FOLDS } from "./tflite-fold.js";

/** Elements of all folded tensors together: a net has a few thousand, and a file of many nodes cannot ask for more. */
const MAX_FOLDED = 1 << 18;
/** Constants made of others are worked out one within the other. */
const MAX_DEPTH = 64;

export interface ShapeOptions {
  /** Sizes of inputs by name, for those that the file leaves open. */
  readonly shapes?: ReadonlyMap<string, readonly number[]>;
  /** What an input's open first size is taken for: the batch. */
  readonly batch?: number;
}

/**
 * TFLite files state their shapes; in those only an open batch is filled in.
 * @throws MoteError ARGUMENT where the shapes given do not fit the inputs, FORMAT that names a node whose inputs and attributes contradict each other
 */
export function inferShapes(graph: ImportedGraph, { shapes, batch }: ShapeOptions = {}): ImportedGraph {
  return new Inference(graph, bindings(graph, shapes ?? new Map(), batch)).run();
}

/** What the inputs' open sizes are: by symbol, and for those without one by tensor and axis. */
interface Bindings {
  readonly symbols: ReadonlyMap<string, number>;
  readonly shapes: ReadonlyMap<number, Dims>;
}

function bindings(graph: ImportedGraph, given: ReadonlyMap<string, readonly number[]>, batch?: number): Bindings {
  const symbols = new Map<string, number>();
  const shapes = new Map<number, Dims>();
  const byName = new Map(graph.inputs.map((index) => [graph.tensors[index].name, index]));
  const bind = (size: Dim, value: number): void => {
    if (typeof size === "string" && size !== OPEN) symbols.set(size, value);
  };
  for (const [name, sizes] of given) {
    const index = byName.get(name);
    if (index === undefined) {
      throw new MoteError("ARGUMENT", `shape of ${name}: the net's inputs are ${[...byName.keys()].join(", ")}`);
    }
    const stated = graph.tensors[index].shape;
    const fits =
      stated === undefined ||
      (stated.length === sizes.length && stated.every((size, i) => typeof size === "string" || size === sizes[i]));
    if (!fits) {
      throw new MoteError(
        "ARGUMENT",
        `shape of ${name}: ${sizes.join(",")} does not fit the net's ${stated.join(",")}`,
      );
    }
    stated?.forEach((size, i) => bind(size, sizes[i]));
    shapes.set(index, sizes);
  }
  for (const index of graph.inputs) {
    const stated = graph.tensors[index].shape;
    if (batch === undefined || shapes.has(index) || typeof stated?.[0] !== "string") continue;
    if (!symbols.has(stated[0])) bind(stated[0], batch);
    shapes.set(index, [symbols.get(stated[0]) ?? batch, ...stated.slice(1)]);
  }
  return { symbols, shapes };
}

class Inference {
  private readonly tensors: GraphTensor[];
  /** By index of the tensor; of constants those that were asked for. */
  private readonly known = new Map<number, Known | undefined>();
  private readonly depths = new Map<number, number>();
  private readonly isOnnx: boolean;
  private folded = 0;

  constructor(
    private readonly graph: ImportedGraph,
    { symbols, shapes }: Bindings,
  ) {
    this.isOnnx = graph.format === "onnx";
    this.tensors = graph.tensors.map((tensor, index) => {
      const shape = shapes.get(index) ?? this.stated(tensor, shapes);
      if (shape === undefined || isWhole(shape)) return { ...tensor, shape };
      return { ...tensor, shape: shape.map((size) => (typeof size === "string" ? (symbols.get(size) ?? size) : size)) };
    });
  }

  /** Of TFLite an open first size is the batch, that of the first input that has one. */
  private stated({ shape, constant }: GraphTensor, shapes: Bindings["shapes"]): Dims | undefined {
    const [batch] = [...shapes.values()].map(([first]) => first);
    if (this.isOnnx || constant !== undefined || batch === undefined || shape?.[0] !== OPEN) return shape;
    return [batch, ...shape.slice(1)];
  }

  run(): ImportedGraph {
    for (const node of this.graph.nodes) this.infer(node);
    return { ...this.graph, tensors: this.tensors };
  }

  private infer(node: GraphNode): void {
    const view = new NodeView(node, this.tensors, (index) => this.elements(index));
    const results = (this.isOnnx ? ONNX_RULES.get(node.op)?.(view) : undefined) ?? [];
    node.outputs.forEach((index, i) => {
      if (index < 0) return;
      const stated = this.tensors[index];
      const type = results[i]?.type ?? (stated.type === "other" ? (view.input(0)?.type ?? "other") : stated.type);
      const shape = merged(results[i]?.shape, stated.shape);
      if (shape !== undefined) check(view, shape);
      this.tensors[index] = { ...stated, shape, type };
      if (isWhole(shape)) this.fold(view, index, i, shape);
    });
  }

  private fold(node: NodeView, index: number, output: number, shape: readonly number[]): void {
    const count = elementsOf(shape);
    const { type } = this.tensors[index];
    if (count <= MAX_KNOWN && this.folded + count <= MAX_FOLDED) {
      const folds = this.isOnnx ? ONNX_FOLDS : TFLITE_FOLDS;
      const data = (output === 0 || node.op === "Split" ? folds.get(node.op) : undefined)?.(node, shape, output);
      if (data?.length === count) {
        this.folded += count;
        this.known.set(index, { shape, data });
        if (isWhole(data)) this.tensors[index] = { ...this.tensors[index], constant: constantOf(type, data) };
        return;
      }
    }
    const depth = 1 + Math.max(0, ...node.node.inputs.slice(0, 4).map((input) => this.depths.get(input) ?? 0));
    const constant = output === 0 && depth < MAX_DEPTH ? deferred(node, shape, type) : undefined;
    if (constant === undefined) return;
    this.depths.set(index, depth);
    this.tensors[index] = { ...this.tensors[index], constant };
  }

  private elements(index: number): Known | undefined {
    if (!this.known.has(index)) this.known.set(index, knownConstant(this.tensors[index]));
    return this.known.get(index);
  }
}

function constantOf(type: GraphTensor["type"], data: readonly number[]): Constant | undefined {
  if (type === "string" || type === "other") return undefined;
  const elements = elementArray(type, data.length);
  elements.set(data);
  return { bytes: elements.byteLength, values: () => elements };
}

/** What has been worked out goes before what the file states, which may be of another batch. */
function merged(inferred: Dims | undefined, stated: Dims | undefined): Dims | undefined {
  if (inferred === undefined || stated === undefined || inferred.length !== stated.length) return inferred ?? stated;
  return inferred.map((size, i) =>
    typeof size === "number" || (size !== OPEN && typeof stated[i] === "string") ? size : stated[i],
  );
}

function check(node: NodeView, shape: Dims): void {
  if (shape.length > MAX_RANK) node.fail(`makes ${shape.length} dimensions, expected at most ${MAX_RANK}`);
  let elements = 1;
  for (const size of shape) {
    if (typeof size === "string") continue;
    elements *= size;
    if (!(Number.isSafeInteger(size) && size >= 0 && elements <= Number.MAX_SAFE_INTEGER)) {
      node.fail(`makes the shape [${shape.join(", ")}]`);
    }
  }
}
