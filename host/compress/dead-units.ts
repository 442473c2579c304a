/**
 * Units that no longer matter are taken out of a net, exactly: one that nothing reads is dropped; one that has the same value everywhere is
 * a constant, which moves into the biases of what reads it. And a bias with nothing behind it that bends moves on as a whole: pools and
 * sums let a constant through, and the next layer adds weights × constant to its own.
 * A constant other than 0 does not move across a border of zeros, where it ends.
 */
import { inputOf, inputsOf, readOutside } from "../model/edges.js";
import type { FloatTensor, Graph, Layer, Net, Shape, WeightedLayer } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { floatOp, floatWeights, hasWeights } from "../ops/index.js";
import type { Parameters } from "../ops/op.js";
import { eachJoined, netWithout, readingOf, unitsOf } from "./units.js";

const weightOf = (net: Net, layer: WeightedLayer): FloatTensor => net.tensors.get(`${layer.name}.weight`)!;
const biasOf = (net: Net, layer: WeightedLayer): FloatTensor => net.tensors.get(`${layer.name}.bias`)!;

function copyOf(net: Net): Net {
  const tensors = new Map(
    [...net.tensors].map(([name, { shape, data, integers }]) => [
      name,
      { shape: [...shape], data: data.slice(), ...(integers && { integers: integers.slice() }) },
    ]),
  );
  return { ...net, tensors };
}

/** Visits the weights that read one channel, row by row: `count` from `first` on. */
function eachSpan(
  { weight, layer, input }: { weight: FloatTensor; layer: WeightedLayer; input: Shape },
  visit: (row: number, channel: number, first: number, count: number) => void,
): void {
  const { channels, span, first } = readingOf(layer, input);
  for (let row = 0, at = 0; row < weight.shape[0]; row++)
    for (let i = 0; i < channels; i++, at += span) visit(row, first(row) + i, at, span);
}

function clear({ data, integers }: FloatTensor, first: number, count: number): void {
  data.fill(0, first, first + count);
  integers?.fill(0, first, first + count);
}

const isZero = (data: Float32Array, first: number, count: number): boolean => {
  for (let i = first; i < first + count; i++) if (data[i] !== 0) return false;
  return true;
};

/** Adds `constant` × the weights that read a channel to the row's bias. */
function addTo(bias: Float32Array, row: number, weights: Float32Array, constant: number): void {
  bias[row] += constant * weights.reduce((sum, w) => sum + w, 0);
}

const channelsIn =
  (shapes: ReadonlyMap<string, Shape>) =>
  (tensor: string): number =>
    shapes.get(tensor)![0];

/** Layers that read a tensor. */
const readersOf = (graph: Graph, tensor: string): Layer[] =>
  graph.layers.filter((layer) => inputsOf(layer).includes(tensor));

/** Whether all that reads a tensor can make up for its channels being raised by constants. */
function canBeRaised(graph: Graph, tensor: string): boolean {
  if (readOutside(graph).has(tensor)) return false;
  return readersOf(graph, tensor).every((layer) => {
    if (hasWeights(layer)) return floatWeights(layer).pad(layer) === 0;
    const isShift = layer.op === "concat" || floatOp(layer).constants?.isShift(layer) === true;
    return isShift && canBeRaised(graph, layer.output);
  });
}

/** Layers whose bias may be 0 without loss, because those behind can do its work. */
export const foldableBiases = (graph: Graph): string[] =>
  graph.layers.filter((layer) => hasWeights(layer) && canBeRaised(graph, layer.output)).map(({ name }) => name);

/** Gives the channels of a tensor, raised by so much each, to the biases behind it. */
function raise(net: Net, shapes: ReadonlyMap<string, Shape>, tensor: string, by: Float64Array): void {
  for (const layer of readersOf(net.graph, tensor)) {
    if (hasWeights(layer)) {
      const weight = weightOf(net, layer);
      const bias = biasOf(net, layer).data;
      eachSpan({ weight, layer, input: shapes.get(tensor)! }, (row, channel, first, count) =>
        addTo(bias, row, weight.data.subarray(first, first + count), by[channel]),
      );
    } else {
      const given = inputsOf(layer).map((name) => (name === tensor ? by : new Float64Array(shapes.get(name)![0])));
      raise(net, shapes, layer.output, throughLayer(net, layer, given, shapes));
    }
  }
}

/** Moves every bias that has nothing behind it that bends into the next layers. The net computes the same, up to float rounding. */
export function foldBiases(net: Net): Net {
  const result = copyOf(net);
  const shapes = tensorShapes(net.graph);
  const foldable = foldableBiases(net.graph);
  for (const layer of net.graph.layers) {
    if (!hasWeights(layer) || !foldable.includes(layer.name)) continue;
    const bias = biasOf(result, layer).data;
    raise(result, shapes, layer.output, Float64Array.from(bias));
    bias.fill(0);
  }
  return result;
}

/** What becomes of channels with one value everywhere, NaN for others, in a layer without weights. */
function throughLayer(
  net: Net,
  layer: Layer,
  inputs: readonly Float64Array[],
  shapes: ReadonlyMap<string, Shape>,
): Float64Array {
  const output = new Float64Array(shapes.get(layer.output)![0]).fill(NaN);
  const { constants, perChannel } = floatOp(layer);
  if (layer.op === "concat") {
    let index = 0;
    eachJoined(layer, channelsIn(shapes), (_input, _channels, at) => output.set(inputs[index++], at));
  } else if (constants !== null) {
    const entries = perChannel?.map((name) => [name, net.tensors.get(`${layer.name}.${name}`)!.data] as const);
    const parameters = entries === undefined ? null : (Object.fromEntries(entries) as unknown as Parameters);
    output.forEach((_, channel) => {
      const values = inputs.map((input) => input[channel]);
      output[channel] = constants.through(layer, values, channel, parameters);
    });
  }
  return output;
}

/** Moves channels with one value everywhere into the biases of what reads them; no weight reads such a one then. */
function moveConstants(net: Net, shapes: ReadonlyMap<string, Shape>): void {
  const { input, states = [] } = net.graph;
  const given = [input.name, ...states.map(({ tensor }) => tensor)];
  const constants = new Map<string, Float64Array>(
    given.map((name) => [name, new Float64Array(shapes.get(name)![0]).fill(NaN)]),
  );
  for (const layer of net.graph.layers) {
    const inputs = inputsOf(layer).map((name) => constants.get(name)!);
    if (!hasWeights(layer)) {
      constants.set(layer.output, throughLayer(net, layer, inputs, shapes));
      continue;
    }
    const weight = weightOf(net, layer);
    const bias = biasOf(net, layer).data;
    const hasBorder = floatWeights(layer).pad(layer) > 0;
    const columns = weight.data.length / bias.length;
    eachSpan({ weight, layer, input: shapes.get(inputOf(layer))! }, (row, channel, first, count) => {
      const constant = inputs[0][channel];
      if (Number.isNaN(constant) || (hasBorder && constant !== 0)) return;
      addTo(bias, row, weight.data.subarray(first, first + count), constant);
      clear(weight, first, count);
    });
    const isConstant = (row: number): boolean => isZero(weight.data, row * columns, columns);
    constants.set(
      layer.output,
      Float64Array.from(bias, (value, row) => (isConstant(row) ? value : NaN)),
    );
  }
}

/** Marks the channels that a result or a state depends on, by tensor, and makes all weights 0 that make others. */
function clearUnread(net: Net, shapes: ReadonlyMap<string, Shape>): Map<string, Uint8Array> {
  const read = new Map([...shapes].map(([name, [channels]]) => [name, new Uint8Array(channels)]));
  for (const name of readOutside(net.graph)) read.get(name)!.fill(1);
  for (const layer of net.graph.layers.toReversed()) {
    const after = read.get(layer.output)!;
    if (hasWeights(layer)) {
      const before = read.get(inputOf(layer))!;
      const weight = weightOf(net, layer);
      const bias = biasOf(net, layer).data;
      eachSpan({ weight, layer, input: shapes.get(inputOf(layer))! }, (row, channel, first, count) => {
        if (after[row] === 0) clear(weight, first, count);
        else if (!isZero(weight.data, first, count)) before[channel] = 1;
      });
      after.forEach((isRead, row) => (bias[row] = isRead ? bias[row] : 0));
    } else if (layer.op === "crop") {
      const before = read.get(layer.input)!;
      after.forEach((isRead, channel) => (before[layer.channel + channel] |= isRead));
    } else {
      eachJoined(layer, channelsIn(shapes), (input, channels, at) => {
        const before = read.get(input)!;
        for (let channel = 0; channel < channels; channel++) before[channel] |= after[at + channel];
      });
    }
  }
  return read;
}

/**
 * Removes dead and constant units, again and again until none is left. Nominal channel counts (`compression`) are not touched:
 * they keep saying what the topology was. The net computes the same, up to float rounding.
 */
export function removeDeadUnits(net: Net): Net {
  const live = copyOf(net);
  const shapes = tensorShapes(net.graph);
  moveConstants(live, shapes);
  const read = clearUnread(live, shapes);
  const units = unitsOf(net.graph);
  const gone = new Uint8Array(units.count).fill(1);
  for (const [name, channels] of units.of) channels.forEach((unit, i) => (gone[unit] &= 1 - read.get(name)![i]));
  const result = netWithout(live, units, gone);
  const isSame = result.graph.layers.every((layer, i) => outputChannels(layer) === outputChannels(net.graph.layers[i]));
  return isSame ? result : removeDeadUnits(result);
}

const outputChannels = (layer: Layer): number => (hasWeights(layer) ? floatWeights(layer).rows(layer) : 0);
