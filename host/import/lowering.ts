/**
 * Lowers a graph as a file has it to layers on planar tensors. Nodes are taken from the outputs backwards, so that what only works out shapes
 * is never looked at; each is lowered by its format's rule. What cannot be lowered is collected, all of it, with the node's name and the reason.
 */
import { MoteError } from "../errors.js";
import type { ElementBits } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import { CannotLower, refusal, type Problem } from "./cannot-lower.js";
import { elementBitsOf, widthOf } from "./element-widths.js";
import type { Format } from "./format.js";
import type { GraphNode, GraphTensor, ImportedGraph } from "./graph.js";
import { KeptStates } from "./kept-states.js";
import { neededNodes } from "./needed-nodes.js";
import {
  WHOLE,
  type ImportedNet,
  type NetEnd,
  type NetLayer,
  type NetState,
  type NetTensor,
  type Pads,
  type TensorScale,
} from "./net.js";
import { realNet } from "./real-net.js";
import { lowerWindow } from "./recurrent.js";
import { WORKLESS } from "./verdict.js";
import { isSamePlace, noPads, planarShape, turning, unpaddedShape, view, type Layout, type View } from "./view.js";

/** Weights of a net that are kept as real numbers: 64 MiB. */
const MOST_KEPT = 1 << 24;

export interface LoweringOptions {
  /** Batch normalizations stay, each a layer; else they become part of the weights before them. */
  readonly keepsBatchNorm?: boolean;
}

type NewLayer<L extends NetLayer = NetLayer> = L extends NetLayer ? Omit<L, "name" | "output"> : never;

export class Lowering {
  readonly tensors: NetTensor[] = [];
  readonly layers: NetLayer[] = [];
  readonly notes: string[] = [];
  /** Of a quantized net's elements. */
  readonly bits: ElementBits;
  readonly #views = new Map<number, View>();
  /** Of an output of the graph that is put together by the host. */
  readonly #parts = new Map<number, readonly View[]>();
  readonly #problems: Problem[] = [];
  readonly #uses: number[];
  /** Tensors of the file that are views of others, which are read by more than this one's readers. */
  readonly #shared = new Set<number>();
  #kept = 0;
  readonly #nodes: readonly GraphNode[];
  readonly #states = new KeptStates();
  readonly #inputs: { readonly tensor: number; readonly graphTensor: number; readonly view: View }[] = [];

  constructor(
    readonly graph: ImportedGraph,
    readonly format: Format,
    readonly options: LoweringOptions = {},
  ) {
    this.#nodes = neededNodes(graph, format);
    this.bits = elementBitsOf(graph);
    this.#uses = graph.tensors.map(() => 0);
    for (const node of this.#nodes) for (const input of format.dataInputs(node)) if (input >= 0) this.#uses[input]++;
    for (const output of graph.outputs) this.#uses[output]++;
  }

  get layout(): Layout {
    return this.format.layout;
  }

  /** @throws MoteError UNSUPPORTED with all that does not run */
  lower(): ImportedNet {
    const { graph } = this;
    const nodes = this.#nodes;
    const needed = new Set(nodes.flatMap((node) => this.format.dataInputs(node)));
    for (const input of graph.inputs) if (needed.has(input) || graph.outputs.includes(input)) this.#giveInput(input);
    for (const node of nodes) this.#lowerNode(node);
    const outputs = graph.outputs.flatMap((output) => this.#ends(output));
    if (this.#problems.length > 0) throw refusal(this.#problems);
    const states = this.#states.names().flatMap((name) => this.#stateOf(name));
    if (this.#problems.length > 0) throw refusal(this.#problems);
    const inputs = this.#inputs.map(({ graphTensor, view }) => this.#endOf(graphTensor, view));
    if (inputs.length === 0) throw new MoteError("UNSUPPORTED", "no input is read by what the outputs need");
    const isQuantized = this.tensors.every(({ quantization }) => quantization !== undefined);
    const { tensors, layers, notes } = this;
    const width = this.bits === 16 ? { activationBits: this.bits } : {};
    const net: ImportedNet = { tensors, layers, inputs, outputs, states, isQuantized, notes, ...width };
    return isQuantized ? net : realNet(net);
  }

  /** The tensor of the file; -1 is none. */
  tensor(index: number): GraphTensor | undefined {
    return this.graph.tensors[index];
  }

  /** The constant elements of an input. @throws CannotLower where it is not constant */
  constant(node: GraphNode, input: number, what: string): ReturnType<NonNullable<GraphTensor["constant"]>["values"]> {
    const constant = this.tensor(node.inputs[input])?.constant;
    if (constant === undefined) throw new CannotLower(`its ${what} is not a constant`);
    return constant.values();
  }

  /** Whether so many more weights as real numbers may stay in memory: few nets have more, and those are read in parts. */
  keeps(weights: number): boolean {
    if (this.#kept + weights > MOST_KEPT) return false;
    this.#kept += weights;
    return true;
  }

  isConstant(node: GraphNode, input: number): boolean {
    return this.tensor(node.inputs[input])?.constant !== undefined;
  }

  /** @throws CannotLower where the input is a constant or absent */
  view(node: GraphNode, input = 0): View {
    const found = this.#views.get(node.inputs[input]);
    if (found !== undefined) return found;
    throw new CannotLower(this.isConstant(node, input) ? `input ${input} is a constant` : `input ${input} is absent`);
  }

  /** What a tensor of the file is, which a node before has made. */
  viewOf(graphTensor: number): View {
    return this.#views.get(graphTensor)!;
  }

  shapeOf(tensor: number): Shape {
    return this.tensors[tensor].shape;
  }

  /** Shape of an output of the node as the file or shape inference has it. @throws CannotLower where it is open */
  dims(node: GraphNode, output = 0): number[] {
    return this.dimsOf(node.outputs[output]);
  }

  dimsOf(tensor: number): number[] {
    const { shape, name } = this.graph.tensors[tensor];
    if (shape === undefined) throw new CannotLower(`the shape of ${JSON.stringify(name)} is not known`);
    return shape.map((size, axis) => {
      if (typeof size === "number") return size;
      if (axis === 0) return 1; // the batch
      throw new CannotLower(`the shape of ${JSON.stringify(name)} is open, [${shape.join(", ")}]; --shape fixes it`);
    });
  }

  /** The node's output is a view of what one of its inputs is. */
  alias(node: GraphNode, aliased: View, input = 0): void {
    this.#views.set(node.outputs[0], aliased);
    if (!this.isSoleReader(node, input)) this.#shared.add(node.outputs[0]);
  }

  /** The node's output is what a variable holds: what the last run has left there, or a node before has put there in this one. */
  readState(node: GraphNode, name: string): void {
    const known = this.#states.of(name);
    if (known.source !== undefined) {
      this.#views.set(node.outputs[0], { ...known.source, dims: this.dims(node) });
      this.#shared.add(node.outputs[0]); // with the next run
      return;
    }
    const shape = planarShape(this.dims(node), this.layout);
    if (shape === null)
      throw new CannotLower(`keeps [${this.dims(node).join(", ")}], expected a batch of one and at most 4 dimensions`);
    const tensor = known.tensor ?? this.newTensor(node.outputs[0], shape);
    this.#states.read(name, tensor);
    this.#views.set(node.outputs[0], view(tensor, this.dims(node), this.layout));
  }

  /** A tensor that a node keeps from run to run. @returns its tensor, which takes over what `keepIn` says */
  newState(node: GraphNode, shape: Shape, quantization?: TensorScale): number {
    const tensor = this.tensors.push({ name: `${node.name} (state)`, shape, quantization }) - 1;
    // No variable's name begins so: those of files have a slash behind their container.
    this.#states.read(`${tensor}`, tensor);
    return tensor;
  }

  /** @param state of `newState` @param source a tensor of its shape, which other layers do not become part of any more */
  keepIn(state: number, source: number): void {
    this.keepState(`${state}`, view(source, this.shapeOf(source), this.layout));
    for (const [graphTensor, seen] of this.#views) if (seen.tensor === source) this.#shared.add(graphTensor);
  }

  /** What a variable holds for the next run. */
  keepState(name: string, source: View): void {
    this.#states.assign(name, source);
  }

  /** The node's output, one of the graph's, is left to the host, which puts it together of these. */
  leaveToHost(node: GraphNode, parts: readonly View[]): void {
    this.#parts.set(node.outputs[0], parts);
  }

  /** Whether only nodes that keep elements as they are stand between a tensor of the file and the graph's outputs. */
  isAtEnd(graphTensor: number): boolean {
    const readers = this.#nodes.filter((node) => this.format.dataInputs(node).includes(graphTensor));
    if (readers.length === 0) return this.graph.outputs.includes(graphTensor);
    return readers.every(({ op, outputs }) => WORKLESS.has(op) && outputs.every((output) => this.isAtEnd(output)));
  }

  /**
   * A planar tensor of an image's shape that the input is, with the padding that a node before put around it.
   * @param given the tensor's shape, where it is another than the file's
   * @throws CannotLower where its elements stand in another order
   */
  image(
    node: GraphNode,
    input = 0,
    given?: Shape,
  ): { readonly tensor: number; readonly shape: Shape; readonly pads: Pads } {
    const seen = this.view(node, input);
    const { tensor, pads } = seen;
    const wanted = given ?? unpaddedShape(seen, this.layout);
    if (wanted === null) {
      throw new CannotLower(
        `input ${input} is [${seen.dims.join(", ")}], expected a batch of one and at most 4 dimensions`,
      );
    }
    const shape = this.shapeOf(tensor);
    const isShape = shape.join() === wanted.join();
    if (isShape && isSamePlace(seen.order.kind, shape, this.layout, wanted)) return { tensor, shape, pads };
    if (this.#turnInput(seen, wanted)) return { tensor, shape: wanted, pads };
    throw new CannotLower(
      `its input is [${shape.join(", ")}] planar and read as [${wanted.join(", ")}], for which elements would have to move`,
    );
  }

  /**
   * Nobody has looked at an input yet: it is ours to say how it stands. All that is known of it moves along.
   * @param wanted its shape, in which what the view shows stands in the format's order
   * @returns false where it is no such input, or its samples would have to be neither planar nor interleaved
   */
  #turnInput({ tensor, order }: View, wanted: Shape): boolean {
    const end = this.#inputs.find((input) => input.tensor === tensor);
    const shape = this.shapeOf(tensor);
    if (end === undefined || this.layers.some(({ inputs }) => inputs.includes(tensor))) return false;
    if (valuesOf(shape) !== valuesOf(wanted)) return false;
    const turned = turning(order.kind, shape, this.layout, wanted);
    if (turned(end.view.order.kind) instanceof Int32Array) return false;
    const all = [end.view, ...this.#views.values()].filter((one) => one.tensor === tensor);
    for (const one of new Set(all.map((each) => each.order))) one.kind = turned(one.kind);
    this.tensors[tensor] = { ...this.tensors[tensor], shape: wanted };
    return true;
  }

  /** A tensor of so many real numbers that the input is, [size, 1, 1]. @throws CannotLower where it is another */
  vector(node: GraphNode, size: number, input = 0): number {
    const { tensor, pads } = this.image(node, input, [size, 1, 1]);
    if (pads.some((zeros) => zeros > 0)) throw new CannotLower("its input has padding around it");
    if (this.tensors[tensor].quantization !== undefined)
      throw new CannotLower("its input is int8; expected real numbers");
    return tensor;
  }

  /** The node's output, where it is read, is a tensor that other layers do not become part of. */
  give(node: GraphNode, tensor: number, output: number): void {
    const graphTensor = node.outputs[output] ?? -1;
    if (graphTensor < 0) return;
    const dims = this.dims(node, output);
    const count = dims.reduce((product, size) => product * size, 1);
    if (count !== valuesOf(this.shapeOf(tensor)))
      throw new CannotLower(
        `its output is [${dims.join(", ")}] in the file, expected ${valuesOf(this.shapeOf(tensor))} elements`,
      );
    this.tensors[tensor] = { ...this.tensors[tensor], name: this.graph.tensors[graphTensor].name };
    this.#views.set(graphTensor, view(tensor, dims, this.layout));
    this.#shared.add(graphTensor);
  }

  /** Adds a layer whose output is the node's, of a planar shape, and stands in the format's order. @returns its tensor */
  emit(node: GraphNode, layer: NewLayer, shape: Shape, output = 0): number {
    return this.emitAs(node, layer, shape, this.layout, output);
  }

  emitAs(node: GraphNode, layer: NewLayer, shape: Shape, kind: NetEnd["order"], output = 0): number {
    const tensor = this.newTensor(node.outputs[output], shape);
    this.layers.push({ ...layer, name: node.name, output: tensor } as NetLayer);
    this.#views.set(node.outputs[output], view(tensor, this.dims(node, output), kind));
    return tensor;
  }

  /** A layer on the way to the node's output, with a scale of its own where the net is quantized. @returns its tensor */
  emitBetween(node: GraphNode, layer: NewLayer, shape: Shape, quantization: TensorScale | undefined): number {
    this.tensors.push({ name: `${node.name} (inside)`, shape, quantization });
    const tensor = this.tensors.length - 1;
    this.layers.push({ ...layer, name: node.name, output: tensor } as NetLayer);
    return tensor;
  }

  /** Whether what the input is read from is read by nothing else, not even by way of a node that keeps elements as they are. */
  isSoleReader(node: GraphNode, input = 0): boolean {
    const tensor = node.inputs[input];
    return this.#uses[tensor] === 1 && !this.#shared.has(tensor);
  }

  /** The layer that writes a tensor; undefined for the net's inputs. */
  producer(tensor: number): NetLayer | undefined {
    return this.layers.find(({ output }) => output === tensor);
  }

  replaceProducer(old: NetLayer, layer: NetLayer): void {
    this.layers[this.layers.indexOf(old)] = layer;
  }

  /** The node's output is the tensor that the layer before writes, by that tensor's new name and scale. */
  rename(node: GraphNode, tensor: number): void {
    const { name, quantization } = this.#described(node.outputs[0]);
    this.tensors[tensor] = { ...this.tensors[tensor], name, quantization };
  }

  /** A quantized graph of real numbers tells scales by nodes. @throws CannotLower where there is another one already */
  setScale(tensor: number, quantization: TensorScale): void {
    const old = this.tensors[tensor].quantization;
    if (old !== undefined && (old.scale !== quantization.scale || old.zeroPoint !== quantization.zeroPoint)) {
      throw new CannotLower(`its input has scale ${old.scale} already, expected ${quantization.scale}`);
    }
    this.tensors[tensor] = { ...this.tensors[tensor], quantization };
  }

  /** Whether nothing reads the node's input but nodes of its op that make the same of it. */
  isReadAlike(node: GraphNode): boolean {
    const [input] = node.inputs;
    const wanted = this.quantizationOf(node.outputs[0]);
    const readers = this.#nodes.filter((one) => this.format.dataInputs(one).includes(input));
    const isAlike = ({ op, outputs }: GraphNode): boolean => {
      const made = this.quantizationOf(outputs[0]);
      return op === node.op && made?.scale === wanted?.scale && made?.zeroPoint === wanted?.zeroPoint;
    };
    return this.#uses[input] === readers.length && !this.#shared.has(input) && readers.every(isAlike);
  }

  /** The node makes int8 of a real input that is read alike: the net begins behind it. */
  adopt(node: GraphNode): void {
    const seen = this.view(node);
    this.rename(node, seen.tensor);
    this.alias(node, { ...seen, dims: this.dims(node) });
  }

  quantizationOf(graphTensor: number): TensorScale | undefined {
    return this.#described(graphTensor).quantization;
  }

  /** Whether a tensor and one of the file, of which one may be real, have one scale. */
  hasScaleOf(tensor: number, graphTensor: number): boolean {
    const a = this.tensors[tensor].quantization;
    const b = this.quantizationOf(graphTensor);
    return a === undefined || b === undefined || (a.scale === b.scale && a.zeroPoint === b.zeroPoint);
  }

  newTensor(graphTensor: number, shape: Shape): number {
    const dims = this.dimsOf(graphTensor);
    const count = dims.reduce((product, size) => product * size, 1);
    if (count !== valuesOf(shape)) {
      throw new CannotLower(`its output is [${dims.join(", ")}] in the file and [${shape.join(", ")}] as computed`);
    }
    this.tensors.push({ ...this.#described(graphTensor), shape });
    return this.tensors.length - 1;
  }

  #described(graphTensor: number): { readonly name: string; readonly quantization: TensorScale | undefined } {
    const tensor = this.graph.tensors[graphTensor];
    const { name, type, quantization } = tensor;
    const called = JSON.stringify(name);
    if (quantization === undefined || widthOf(tensor) !== this.bits) {
      if (this.bits === 16 && type === "int16") throw new CannotLower(`${called} is int16 without a scale`);
      return { name, quantization: undefined };
    }
    if (quantization.scales.length !== 1) throw new CannotLower(`${called} has a scale for each channel, expected one`);
    const zeroPoint = quantization.zeroPoints[0] - (type === "uint8" ? 128 : 0);
    if (this.bits === 16 && zeroPoint !== 0)
      throw new CannotLower(`${called} is int16 with zero point ${zeroPoint}, expected 0`);
    return { name, quantization: { scale: quantization.scales[0], zeroPoint } };
  }

  #giveInput(graphTensor: number): void {
    this.#attempt(this.graph.tensors[graphTensor].name, "input", () => {
      const dims = this.dimsOf(graphTensor);
      const shape = planarShape(dims, this.layout);
      if (shape === null)
        throw new CannotLower(`is [${dims.join(", ")}], expected a batch of one and at most 4 dimensions`);
      const tensor = this.newTensor(graphTensor, shape);
      const seen = view(tensor, dims, this.layout);
      this.#views.set(graphTensor, seen);
      this.#inputs.push({ tensor, graphTensor, view: seen });
    });
  }

  /** @returns undefined where it cannot be done, which is kept with the other reasons */
  #attempt<T>(node: string, op: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof CannotLower)) throw error;
      this.#problems.push({ node, op, reason: error.message });
      return undefined;
    }
  }

  #lowerNode(node: GraphNode): void {
    const rule = node.window === undefined ? this.format.rule(node.op) : lowerWindow;
    if (rule === undefined) {
      this.#problems.push({ node: node.name, op: node.op, reason: "there is no such op here" });
      return;
    }
    // What comes of a node that does not run cannot run either, and need not be told.
    const isKnown = (input: number): boolean =>
      input < 0 || this.#views.has(input) || this.graph.tensors[input].constant !== undefined;
    if (!this.format.dataInputs(node).every(isKnown)) return;
    this.#attempt(node.name, node.op, () => rule(node, this));
  }

  /** None where it cannot be kept. */
  #stateOf(name: string): NetState[] {
    const pair = this.#attempt(name, "variable", () => this.#states.pair(name, this.tensors, this.layout));
    if (pair === undefined) return [];
    const { tensor, source } = pair;
    // A state takes over a layer's output or an input.
    return [{ tensor, source: this.#states.has(source) ? this.#copy(source) : source }];
  }

  #copy(tensor: number): number {
    const copied = this.tensors.push({ ...this.tensors[tensor] }) - 1;
    this.layers.push({ ...WHOLE, name: this.tensors[tensor].name, inputs: [tensor], output: copied });
    return copied;
  }

  #ends(output: number): NetEnd[] {
    const seen = this.#views.get(output);
    const views = this.#parts.get(output) ?? (seen === undefined ? [] : [seen]);
    if (views.length === 0 && this.#problems.length === 0) {
      this.#problems.push({ node: this.graph.tensors[output].name, op: "output", reason: "is a constant" });
    }
    const ends = this.#attempt(this.graph.tensors[output].name, "output", () => {
      views.forEach(noPads);
      return views.map((view) => this.#endOf(output, view));
    });
    return ends ?? [];
  }

  #endOf(graphTensor: number, { tensor, dims, order, softmax }: View): NetEnd {
    const { name, type } = this.graph.tensors[graphTensor];
    const isByte = this.bits === 8 && (type === "int8" || type === "uint8");
    const bare = { tensor, name, dims, order: order.kind, bias: isByte && type === "uint8" ? 128 : 0 } as const;
    const end: NetEnd = isByte ? { ...bare, isInteger: true } : bare;
    if (softmax === undefined) return end;
    return { ...end, softmax: { ...softmax, quantization: this.#described(graphTensor).quantization } };
  }
}
