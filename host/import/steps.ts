/**
 * Nets of recurrent layers as nets that take one step of a sequence a run. What a recurrent layer reads is followed back to the net's inputs, by ops that
 * work on each step alone; these and all behind them lose their axis of time. Who reads a whole sequence gets a window of as many steps, who
 * reads the last step the step itself: after the last step both are what the file's net has.
 */
import { elementsOf } from "./constants.js";
import type { GraphNode, GraphTensor, ImportedGraph } from "./graph.js";
import { isWhole, NodeView } from "./node-view.js";
import { sliced, sliceSteps } from "./onnx-layout.js";

export interface Stepped {
  readonly graph: ImportedGraph;
  /** Of a sequence; 1 where the net has none. */
  readonly steps: number;
  /** Where each of the file's nodes is among the graph's, which has windows besides. */
  readonly places: readonly number[];
}

/** @param graph with its shapes worked out @returns the graph itself where no recurrent layer takes several steps */
export function inSteps(graph: ImportedGraph): Stepped {
  const steps = neededNodes(graph).reduce((most, node) => Math.max(most, stepsAt(graph, node)), 1);
  if (steps === 1) return { graph, steps, places: graph.nodes.map((_, index) => index) };
  return new Sequences(graph, steps).stepped();
}

/** Those that run, by format. */
const RECURRENT: Readonly<Record<ImportedGraph["format"], ReadonlySet<string>>> = {
  onnx: new Set(["LSTM", "GRU"]),
  tflite: new Set(["UNIDIRECTIONAL_SEQUENCE_LSTM"]),
};

/** Whether what the net gives depends on a recurrent layer. */
export const isRecurrent = (graph: ImportedGraph): boolean =>
  neededNodes(graph).some(({ op }) => RECURRENT[graph.format].has(op));

/** Of a recurrent layer the axis of its input and its first output that time runs along; the other of the first two is the batch. */
export function timeAxisOf({ op, attributes }: GraphNode): 0 | 1 {
  if (op === "UNIDIRECTIONAL_SEQUENCE_LSTM") return attributes.time_major === true ? 0 : 1;
  return attributes.layout === 1 ? 1 : 0;
}

const timeAxis = ({ format }: ImportedGraph, node: GraphNode): 0 | 1 | undefined =>
  RECURRENT[format].has(node.op) ? timeAxisOf(node) : undefined;

/** Those that outputs and variables are made by, the last first. */
function neededNodes({ nodes, outputs }: ImportedGraph): GraphNode[] {
  const read = new Set(outputs);
  const isNeeded = (node: GraphNode): boolean => node.outputs.length === 0 || node.outputs.some((at) => read.has(at));
  return nodes.toReversed().filter((node) => {
    if (!isNeeded(node)) return false;
    for (const input of node.inputs) read.add(input);
    return true;
  });
}

/** Steps that a node takes at once. */
function stepsAt(graph: ImportedGraph, node: GraphNode): number {
  const axis = timeAxis(graph, node);
  const size = axis === undefined ? 1 : graph.tensors[node.inputs[0]]?.shape?.[axis];
  return typeof size === "number" ? size : 1;
}

/** Ops that make each element of those at its place. */
const EACH: ReadonlySet<string> = new Set(
  (
    "Add Sub Mul Div Sum Max Min Relu Clip LeakyRelu PRelu Sigmoid Tanh HardSigmoid HardSwish Elu Swish Gelu Identity Dropout Cast " +
    "ADD SUB MUL DIV RELU RELU6 RELU_N1_TO_1 LOGISTIC TANH HARD_SWISH LEAKY_RELU ELU GELU QUANTIZE DEQUANTIZE"
  ).split(" "),
);
/** Ops that keep elements in their order. */
const RESHAPES: ReadonlySet<string> = new Set(
  "Reshape Flatten Squeeze Unsqueeze RESHAPE SQUEEZE EXPAND_DIMS".split(" "),
);
/** Ops of the elements along the last axis, by constant weights. */
const DENSE: ReadonlySet<string> = new Set(["MatMul", "Gemm", "FULLY_CONNECTED"]);
const TRANSPOSES: ReadonlySet<string> = new Set(["Transpose", "TRANSPOSE"]);
const CONCATS: ReadonlySet<string> = new Set(["Concat", "CONCATENATION"]);

class Sequences {
  private readonly tensors: GraphTensor[];
  private readonly writers: ReadonlyMap<number, GraphNode>;
  /** The axis of time of each sequence, by its tensor. */
  private readonly axes = new Map<number, number>();
  /** Of sequences that are read whole. */
  private readonly windows = new Map<number, number>();
  /** Name of an input whose steps are not one behind the other. */
  private scattered: string | undefined;

  constructor(
    private readonly graph: ImportedGraph,
    private readonly steps: number,
  ) {
    this.tensors = [...graph.tensors];
    this.writers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  }

  stepped(): Stepped {
    const { graph, steps } = this;
    for (const node of graph.nodes) {
      const axis = timeAxis(graph, node);
      if (axis !== undefined) this.followBack(node.inputs[0], axis);
    }
    const changed: GraphNode[] = [];
    const places = graph.nodes.map((node) => {
      const one = this.changed(node, (window) => changed.push(window));
      return changed.push(one) - 1;
    });
    const stepSizes = (index: number): number[] => this.sizes(index)!.toSpliced(this.axes.get(index)!, 1);
    const areVectors = [...this.axes.keys()].every((index) => stepSizes(index).filter((size) => size !== 1).length < 2);
    const tensors = this.tensors.map((tensor, index): GraphTensor => {
      const axis = this.axes.get(index);
      if (axis === undefined) return tensor;
      const shape = areVectors ? [1, elementsOf(stepSizes(index))] : this.sizes(index)!.with(axis, 1);
      return { ...tensor, shape };
    });
    const nodes = areVectors ? changed.map((node) => this.ofVectors(node)) : changed;
    return { graph: { ...graph, nodes, tensors }, steps, places };
  }

  /** The node where each step is [1, features], whatever other axes of one element the file has. */
  private ofVectors(node: GraphNode): GraphNode {
    if (!this.axes.has(node.outputs[0])) return node;
    if (TRANSPOSES.has(node.op)) return this.reshaped(node);
    const isAlong = CONCATS.has(node.op) || node.op === "Softmax";
    return isAlong ? { ...node, attributes: { ...node.attributes, axis: 1 } } : node;
  }

  private reshaped(node: GraphNode): GraphNode {
    const op = this.graph.format === "onnx" ? "Reshape" : "RESHAPE";
    return { ...node, op, inputs: node.inputs.slice(0, 1), attributes: {} };
  }

  /** Finds the inputs of the net that a sequence is made of. */
  private followBack(tensor: number, axis: number): void {
    const stack = [{ tensor, axis }];
    const seen = new Set<number>();
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { tensor: at, axis: along } = next;
      if (seen.has(at) || this.sizes(at)?.[along] !== this.steps) continue;
      seen.add(at);
      if (this.graph.inputs.includes(at)) {
        // Samples are cut into their steps as they lie.
        if (elementsOf(this.sizes(at)!.slice(0, along)) === 1) this.axes.set(at, along);
        else this.scattered = this.graph.tensors[at].name;
      }
      const writer = this.writers.get(at);
      if (writer === undefined || timeAxis(this.graph, writer) !== undefined) continue;
      for (const input of this.readOf(writer)) {
        const before = this.through(writer, at, along, input);
        if (before !== undefined) stack.push({ tensor: input, axis: before });
      }
    }
  }

  /** The node as it is for one step. @param put takes a window that is made in front of it */
  private changed(node: GraphNode, put: (window: GraphNode) => void): GraphNode {
    const own = timeAxis(this.graph, node);
    const [first] = node.inputs;
    if (own !== undefined) {
      if (this.axes.get(first) !== own || this.sizes(first)?.[own] !== this.steps) {
        const refused =
          this.scattered === undefined
            ? `its input is no sequence of ${this.steps} steps that ops of each step alone make of an input`
            : `steps of input ${this.scattered} lie behind other axes; expected them first`;
        return { ...node, refused };
      }
      if (this.sizes(node.outputs[0])?.[own] === this.steps) this.axes.set(node.outputs[0], own);
      return node;
    }
    const read = this.readOf(node);
    const sequences = read.filter((input) => this.axes.has(input));
    if (sequences.length === 0) return node;
    if (this.takesLast(node)) return this.reshaped(node);
    const [output] = node.outputs;
    const axes = sequences.map((input) => this.through(node, input, this.axes.get(input)!, output));
    const isEach = sequences.length === read.length && axes.every((axis) => axis !== undefined && axis === axes[0]);
    if (isEach && !node.outputs.slice(1).some((other) => this.isRead(other))) {
      this.axes.set(output, axes[0]!);
      return node;
    }
    const windows = new Map(sequences.map((input) => [input, this.window(input, put)]));
    if ([...windows.values()].includes(undefined))
      return {
        ...node,
        refused: "reads a sequence whose steps lie between other axes; expected them before or behind",
      };
    return { ...node, inputs: node.inputs.map((input) => windows.get(input) ?? input) };
  }

  /** @returns undefined where the steps of a sequence are neither its slowest elements nor its fastest */
  private window(tensor: number, put: (window: GraphNode) => void): number | undefined {
    const known = this.windows.get(tensor);
    if (known !== undefined) return known;
    const [sizes, axis] = [this.sizes(tensor)!, this.axes.get(tensor)!];
    const isFirst = elementsOf(sizes.slice(0, axis)) === 1;
    if (!isFirst && elementsOf(sizes.slice(axis + 1)) !== 1) return undefined;
    const whole = { ...this.graph.tensors[tensor], name: `${this.graph.tensors[tensor].name} (window)` };
    const index = this.tensors.push(whole) - 1;
    this.windows.set(tensor, index);
    const name = this.writers.get(tensor)?.name ?? this.graph.tensors[tensor].name;
    put({
      name,
      op: "window",
      inputs: [tensor],
      outputs: [index],
      attributes: {},
      window: { steps: this.steps, isFirst },
    });
    return index;
  }

  /** Inputs that are made while the net runs. */
  private readOf({ inputs, outputs }: GraphNode): number[] {
    const isMade = (tensor: number): boolean => tensor >= 0 && this.graph.tensors[tensor].constant === undefined;
    return outputs.some(isMade) ? inputs.filter(isMade) : [];
  }

  private isRead(tensor: number): boolean {
    return this.graph.outputs.includes(tensor) || this.graph.nodes.some(({ inputs }) => inputs.includes(tensor));
  }

  private sizes(tensor: number): readonly number[] | undefined {
    const shape = this.graph.tensors[tensor]?.shape;
    return isWhole(shape) ? shape : undefined;
  }

  /**
   * @param from an input or the output of a node, and the axis of time there
   * @param to one of the other side
   * @returns the axis of time there; undefined where the node does not work on each step alone
   */
  private through(node: GraphNode, from: number, axis: number, to: number): number | undefined {
    const [before, after] = [this.sizes(from), this.sizes(to)];
    if (before === undefined || after === undefined) return undefined;
    const { op } = node;
    const found = this.axisThrough(node, axis, to, before, after);
    const isStep = found !== undefined && after[found] === this.steps && (!DENSE.has(op) || axis < before.length - 1);
    return isStep ? found : undefined;
  }

  private axisThrough(
    node: GraphNode,
    axis: number,
    to: number,
    before: readonly number[],
    after: readonly number[],
  ): number | undefined {
    const { op, inputs } = node;
    const behind = before.length - axis;
    // Operands stand by their last axes; a constant for each step is none of one step.
    const hasOther = (DENSE.has(op) ? inputs.slice(2) : inputs).some((input) => {
      const sizes = this.graph.tensors[input]?.constant === undefined ? undefined : this.sizes(input);
      return sizes !== undefined && (sizes[sizes.length - behind] ?? 1) !== 1;
    });
    if (EACH.has(op)) return hasOther ? undefined : after.length - behind;
    if (DENSE.has(op) && hasOther) return undefined;
    if (RESHAPES.has(op) || DENSE.has(op)) {
      const passed = elementsOf(before.slice(0, axis));
      const found = after.findIndex((size, at) => size === before[axis] && elementsOf(after.slice(0, at)) === passed);
      return found < 0 ? undefined : found;
    }
    const view = new NodeView(node, this.graph.tensors);
    if (TRANSPOSES.has(op)) {
      const order = view.list("perm", undefined) ?? view.numbers(1) ?? before.map((_, i) => before.length - 1 - i);
      const place = inputs.includes(to) ? order[axis] : order.indexOf(axis);
      return place !== undefined && place >= 0 ? place : undefined;
    }
    if (CONCATS.has(op)) {
      const given = view.number("axis", op === "Concat" ? 1 : 0);
      return (given < 0 ? given + before.length : given) === axis ? undefined : axis;
    }
    if (op === "Softmax" || op === "SOFTMAX") {
      const given = view.number("axis", -1);
      return (given < 0 ? given + before.length : given) === axis ? undefined : axis;
    }
    return undefined;
  }

  /** Whether a node takes the last step of the sequence that is its first input, and all of that. */
  private takesLast(node: GraphNode): boolean {
    const [first] = node.inputs;
    const [axis, sizes, output] = [this.axes.get(first), this.sizes(first), this.sizes(node.outputs[0])];
    if (axis === undefined || sizes === undefined || output === undefined) return false;
    if (elementsOf(output) * this.steps !== elementsOf(sizes)) return false;
    const view = new NodeView(node, this.graph.tensors);
    const last = this.steps - 1;
    const isLast = (at: number | undefined): boolean => at === last || at === -1;
    if (node.op === "Gather") {
      const given = view.number("axis", 0);
      const indices = view.numbers(1);
      return (given < 0 ? given + sizes.length : given) === axis && indices?.length === 1 && isLast(indices[0]);
    }
    if (node.op === "Slice") {
      const all = sliceSteps(view, sizes.length);
      const taken = all?.[axis];
      if (all === undefined || taken === undefined || taken === null) return false;
      const { first: from, count } = sliced(taken.start, taken.end, taken.step, this.steps);
      return from === last && count === 1 && all.every((other, at) => at === axis || (other?.step ?? 1) === 1);
    }
    if (node.op !== "STRIDED_SLICE" && node.op !== "SLICE") return false;
    // New axes and an ellipsis move those behind them.
    if (view.number("ellipsis_mask", 0) !== 0 || view.number("new_axis_mask", 0) !== 0) return false;
    if (node.op === "STRIDED_SLICE" && view.numbers(3)?.every((stride) => stride === 1) !== true) return false;
    const isOpen = Math.floor(view.number("begin_mask", 0) / 2 ** axis) % 2 === 1;
    return !isOpen && isLast(view.numbers(1)?.[axis]);
  }
}
