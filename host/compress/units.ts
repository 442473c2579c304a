/**
 * Which channels of a net go or stay together. A filter makes one; what works on each channel by itself, such as a depthwise convolution or
 * a pool, takes it along, and a sum makes its inputs' channels one: all of that is a unit.
 */
import { inputOf, inputsOf, modelInputs, outputsOf, readOutside, statesOf, type Edges } from "../model/edges.js";
import type { FloatTensor, Graph, Layer, Net, QModel, Shape, WeightedLayer } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { floatOp, floatWeights, groupCount, hasWeights, isWeighted } from "../ops/index.js";

export interface Units<Tensor = string> {
  readonly count: number;
  /** The unit of each channel of a tensor, by the tensor's name, or number. */
  readonly of: ReadonlyMap<Tensor, Int32Array>;
  /**
   * By unit: 1 where it has to stay, being the input's, a result's, a state's, or one that a crop or a convolution in groups of several
   * channels reads or makes.
   */
  readonly fixed: Uint8Array;
}

/** Which units of a layer have to stay, as messages have it. */
export const STAYING = "channels of results, states, crops or convolutions in groups, or tied to another layer's";

/** How a layer with weights reads its input. */
export interface Reading {
  /** Channels of the input that a row reads. */
  readonly channels: number;
  /** Weights of a row, next to each other, that read one of them. */
  readonly span: number;
  /** The first of them. */
  readonly first: (row: number) => number;
}

export function readingOf(layer: WeightedLayer, input: Shape): Reading {
  const weights = floatWeights(layer);
  const groups = weights.groups(layer);
  const channels = input[0] / groups;
  const rowsOfOne = weights.rows(layer) / groups;
  const [height, width] = weights.kernel(layer, input);
  return { channels, span: height * width, first: (row) => Math.floor(row / rowsOfOne) * channels };
}

/** Makes sets of numbers that are joined one by one. */
export class Sets {
  private readonly parent: Int32Array;
  constructor(count: number) {
    this.parent = Int32Array.from({ length: count }, (_, i) => i);
  }
  find(of: number): number {
    let root = of;
    while (this.parent[root] !== root) root = this.parent[root] = this.parent[this.parent[root]];
    return root;
  }
  /** The set is called by its least number. */
  join(a: number, b: number): void {
    const [low, high] = [this.find(a), this.find(b)].toSorted((x, y) => x - y);
    this.parent[high] = low;
  }
}

export const unitsOf = (graph: Graph): Units =>
  unitsAlong({
    channels: new Map([...tensorShapes(graph)].map(([name, [channels]]) => [name, channels])),
    layers: graph.layers.map((layer) => ({
      op: layer.op,
      inputs: inputsOf(layer),
      output: layer.output,
      groups: hasWeights(layer) ? floatWeights(layer).groups(layer) : undefined,
    })),
    staying: [graph.input.name, ...(graph.states ?? []).map(({ tensor }) => tensor), ...readOutside(graph)],
  });

/** The same of an integer model, tensors by their numbers. */
export function unitsOfModel(model: QModel): Units<number> {
  const { tensors, layers } = model;
  const sources = tensors.flatMap(({ source }) => source ?? []);
  return unitsAlong({
    channels: new Map(tensors.map(({ shape }, tensor) => [tensor, shape[0]])),
    layers: layers.map((layer) => ({
      op: layer.op,
      inputs: layer.inputs,
      output: layer.output,
      groups: isWeighted(layer) ? groupCount(model, layer) : undefined,
    })),
    staying: [...modelInputs(model), ...statesOf(model), ...sources, ...outputsOf(model)],
  });
}

/** What a graph's or a model's layers do to channels. */
interface Wiring<Tensor> {
  /** In the order in which tensors are made. */
  readonly channels: ReadonlyMap<Tensor, number>;
  readonly layers: readonly Wire<Tensor>[];
  /** Tensors whose channels have to stay, whatever reads them. */
  readonly staying: readonly Tensor[];
}

interface Wire<Tensor> {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  /** Of a layer with weights. */
  readonly groups: number | undefined;
}

function unitsAlong<Tensor>({ channels: channelsOf, layers, staying }: Wiring<Tensor>): Units<Tensor> {
  const firstOf = new Map<Tensor, number>();
  let places = 0;
  for (const [name, channels] of channelsOf) {
    firstOf.set(name, places);
    places += channels;
  }
  const sets = new Sets(places);
  const kept = [...staying];
  const tie = (from: Tensor, to: Tensor, channels: number, at = 0, each = 1): void => {
    const [source, target] = [firstOf.get(from)!, firstOf.get(to)!];
    for (let channel = 0; channel < channels * each; channel++)
      sets.join(source + Math.floor(channel / each), target + at + channel);
  };
  for (const layer of layers) {
    const { op, inputs, output, groups } = layer;
    const channels = channelsOf.get(inputs[0])!;
    if (groups !== undefined) {
      // Each filter has a channel of its own.
      if (channels > 1 && groups === channels) tie(inputs[0], output, channels, 0, channelsOf.get(output)! / channels);
      else if (groups > 1) kept.push(inputs[0], output);
    } else if (op === "crop") kept.push(inputs[0], output);
    else
      eachJoined(
        layer,
        (input) => channelsOf.get(input)!,
        (input, count, at) => tie(input, output, count, at),
      );
  }
  const numbers = new Map<number, number>();
  const of = new Map<Tensor, Int32Array>();
  for (const [name, channels] of channelsOf) {
    const unit = (_: unknown, channel: number): number => {
      const root = sets.find(firstOf.get(name)! + channel);
      if (!numbers.has(root)) numbers.set(root, numbers.size);
      return numbers.get(root)!;
    };
    of.set(name, Int32Array.from({ length: channels }, unit));
  }
  const fixed = new Uint8Array(numbers.size);
  for (const name of kept) for (const unit of of.get(name)!) fixed[unit] = 1;
  return { count: numbers.size, of, fixed };
}

/**
 * Visits the inputs of a layer without weights, each of whose channels makes one of the output.
 * @param visit gets an input with its channels, and which channel of the output its first one makes
 */
export function eachJoined<Tensor>(
  layer: { readonly op: string } & Edges<Tensor>,
  channelsOf: (tensor: Tensor) => number,
  visit: (input: Tensor, channels: number, at: number) => void,
): void {
  let at = 0;
  for (const input of inputsOf(layer)) {
    const channels = channelsOf(input);
    visit(input, channels, at);
    if (layer.op === "concat") at += channels;
  }
}

/** The channels of a tensor that a net is to have, in their order, by the tensor's name. */
type Kept = (tensor: string) => readonly number[];

/** Each tensor keeps a channel at least. */
function keptChannels(units: Units, gone: Uint8Array): Kept {
  const going = gone.map((flag, unit) => flag & ~units.fixed[unit]);
  for (const channels of units.of.values()) if (channels.every((unit) => going[unit] === 1)) going[channels[0]] = 0;
  return (tensor) => [...units.of.get(tensor)!.keys()].filter((channel) => going[units.of.get(tensor)![channel]] === 0);
}

function graphOf(graph: Graph, kept: Kept): Graph {
  const layers = graph.layers.map((layer): Layer =>
    hasWeights(layer) ? floatWeights(layer).withRows(layer, kept(layer.output).length) : layer,
  );
  return { ...graph, layers };
}

/** The graph without the units that are marked: fixed ones stay, and a channel of each tensor. */
export const graphWithout = (graph: Graph, units: Units, gone: Uint8Array): Graph =>
  graphOf(graph, keptChannels(units, gone));

/** The net without the units that are marked, see `graphWithout`: what made them and what read them. */
export const netWithout = (net: Net, units: Units, gone: Uint8Array): Net => netOf(net, keptChannels(units, gone));

/** The net with the channels of its tensors as given: what makes them and what reads them. Inputs and results have to keep theirs. */
export function netOf(net: Net, kept: Kept): Net {
  const shapes = tensorShapes(net.graph);
  const tensors = new Map(net.tensors);
  const scalesByName = new Map(Object.entries(net.compression?.weightScale ?? {}));
  for (const layer of net.graph.layers) {
    const input = inputOf(layer);
    const rows = kept(layer.output);
    const names = hasWeights(layer) ? ["weight", "bias"] : (floatOp(layer).perChannel ?? []);
    for (const name of names) tensors.set(`${layer.name}.${name}`, rowsOf(tensors.get(`${layer.name}.${name}`)!, rows));
    if (!hasWeights(layer)) continue;
    const scales = scalesByName.get(layer.name);
    if (typeof scales === "object")
      scalesByName.set(
        layer.name,
        rows.map((row) => scales[row]),
      );
    if (floatWeights(layer).groups(layer) > 1) continue;
    const { span } = readingOf(layer, shapes.get(input)!);
    const weight = tensors.get(`${layer.name}.weight`)!;
    tensors.set(`${layer.name}.weight`, columnsOf(weight, kept(input), span));
  }
  const compression = net.compression && { ...net.compression, weightScale: Object.fromEntries(scalesByName) };
  return { ...net, graph: graphOf(net.graph, kept), tensors, ...(compression && { compression }) };
}

/** The elements of a tensor from each of `places` on, `count` each. */
function keep(tensor: FloatTensor, shape: readonly number[], places: readonly number[], count: number): FloatTensor {
  const { data, integers } = tensor;
  const kept = new Float32Array(places.length * count);
  places.forEach((place, i) => kept.set(data.subarray(place, place + count), i * count));
  if (integers === undefined) return { shape, data: kept };
  const keptIntegers = new Int8Array(kept.length);
  places.forEach((place, i) => keptIntegers.set(integers.subarray(place, place + count), i * count));
  return { shape, data: kept, integers: keptIntegers };
}

/** Rows of a tensor whose first dimension counts units. */
function rowsOf(tensor: FloatTensor, rows: readonly number[]): FloatTensor {
  const size = tensor.data.length / tensor.shape[0];
  return keep(
    tensor,
    [rows.length, ...tensor.shape.slice(1)],
    rows.map((row) => row * size),
    size,
  );
}

/** The columns of a weight that read `channels`, `span` consecutive weights each. */
function columnsOf(tensor: FloatTensor, channels: readonly number[], span: number): FloatTensor {
  const [rows, , ...taps] = tensor.shape;
  const columns = tensor.data.length / rows;
  const places = Array.from({ length: rows }, (_, row) => channels.map((c) => row * columns + c * span)).flat();
  const shape = [rows, tensor.shape.length > 2 ? channels.length : channels.length * span, ...taps];
  return keep(tensor, shape, places, span);
}
