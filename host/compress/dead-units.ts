/**
 * Units that no longer matter are taken out of a net, exactly: one whose outgoing weights are all 0 is dropped; one whose
 * incoming weights are all 0 is a constant, which moves into the next layer's bias. And a bias with no relu behind it moves on
 * as a whole: max-pooling and average pooling let a constant through, and the next layer adds weights × constant to its own.
 * None of it holds across a padded convolution (its border is 0, not the constant) or a grouped one: those are left alone.
 */
import type { FloatTensor, Graph, Net, WeightedLayer } from "../model/model.js";
import { floatOp, floatWeights, hasWeights } from "../ops/index.js";
import { tensorShapes } from "../model/shapes.js";
import { narrowGraph } from "./narrow.js";

/** A weighted layer, the next one down the chain, and what lies between. */
interface Link {
  readonly from: WeightedLayer;
  readonly to: WeightedLayer;
  /** What a unit of `from` that is a constant has become where it arrives in `to`. */
  readonly arriving: (constant: number) => number;
  /** It arrives as one: no border of zeros is around it. */
  readonly carriesConstants: boolean;
  /** A bias of `from` can do its work in `to`: outputs raised by it arrive raised by it. */
  readonly carriesBias: boolean;
  /** Units of `from` can be removed one by one. */
  readonly removable: boolean;
  /** Consecutive weights in a row of `to` that read one unit of `from`: taps, or a plane's elements. */
  readonly span: number;
}

function links(graph: Graph): Link[] {
  const shapes = tensorShapes(graph);
  const weighted = graph.layers.filter(hasWeights);
  return weighted.slice(0, -1).map((from, i): Link => {
    const to = weighted[i + 1];
    const between = graph.layers.slice(graph.layers.indexOf(from) + 1, graph.layers.indexOf(to));
    const constants = between.map((layer) => floatOp(layer).constants);
    const target = floatWeights(to);
    const isPlain = target.groups(to) === 1 && target.pad(to) === 0;
    const isChannelwise = constants.every((one) => one !== null);
    return {
      from,
      to,
      arriving: (constant) => constants.reduce((value, one) => one?.through(value) ?? value, constant),
      carriesConstants: isPlain,
      carriesBias: isPlain && isChannelwise && constants.every((one) => one.isShift),
      removable: isChannelwise && target.groups(to) === 1 && floatWeights(from).groups(from) === 1,
      span: target.span(to, shapes.get(to.input)!),
    };
  });
}

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

/** Adds `constant` × the weights that read unit `unit` to the bias of the layer behind the link. */
function moveConstant(net: Net, link: Link, unit: number, constant: number): void {
  const { data } = weightOf(net, link.to);
  const bias = biasOf(net, link.to).data;
  const columns = data.length / bias.length;
  for (let row = 0; row < bias.length; row++) {
    let sum = 0;
    const first = row * columns + unit * link.span;
    for (let i = first; i < first + link.span; i++) sum += data[i];
    bias[row] += constant * sum;
  }
}

/** Layers whose bias may be 0 without loss, because the next layer's can do its work. */
export function foldableBiases(graph: Graph): string[] {
  return links(graph)
    .filter((link) => link.carriesBias)
    .map((link) => link.from.name);
}

/** Moves every bias that has no relu behind it into the next layer. The net computes the same, up to float rounding. */
export function foldBiases(net: Net): Net {
  const result = copyOf(net);
  for (const link of links(net.graph)) {
    if (!link.carriesBias) continue;
    const bias = biasOf(result, link.from).data;
    bias.forEach((constant, unit) => moveConstant(result, link, unit, constant));
    bias.fill(0);
  }
  return result;
}

const isZero = (data: Float32Array, first: number, count: number): boolean => {
  for (let i = first; i < first + count; i++) if (data[i] !== 0) return false;
  return true;
};

/** Units of the link's first layer that nothing reads, after constants have been moved on. At least one unit is kept. */
function liveUnits(net: Net, link: Link): number[] {
  const weight = weightOf(net, link.from).data;
  const bias = biasOf(net, link.from).data;
  const next = weightOf(net, link.to);
  const rows = next.shape[0];
  const nextColumns = next.data.length / rows;
  const columns = weight.length / bias.length;
  const live: number[] = [];
  for (let unit = 0; unit < bias.length; unit++) {
    const constant = link.arriving(bias[unit]);
    if (isZero(weight, unit * columns, columns) && (link.carriesConstants || constant === 0)) {
      moveConstant(net, link, unit, constant);
      for (let row = 0; row < rows; row++) {
        const first = row * nextColumns + unit * link.span;
        next.data.fill(0, first, first + link.span);
        next.integers?.fill(0, first, first + link.span);
      }
    }
    let read = false;
    for (let row = 0; row < rows && !read; row++)
      read = !isZero(next.data, row * nextColumns + unit * link.span, link.span);
    if (read) live.push(unit);
  }
  return live.length > 0 ? live : [0];
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

/** The rows `units` of a tensor whose first dimension counts units. */
function keepRows(tensor: FloatTensor, units: readonly number[]): FloatTensor {
  const size = tensor.data.length / tensor.shape[0];
  const places = units.map((unit) => unit * size);
  return keep(tensor, [units.length, ...tensor.shape.slice(1)], places, size);
}

/** The columns of a weight that read `units`, `span` consecutive weights each. */
function keepColumns(tensor: FloatTensor, units: readonly number[], span: number): FloatTensor {
  const [rows, , ...taps] = tensor.shape;
  const columns = tensor.data.length / rows;
  const places = Array.from({ length: rows }, (_, row) => units.map((unit) => row * columns + unit * span)).flat();
  const shape = [rows, tensor.shape.length > 2 ? units.length : units.length * span, ...taps];
  return keep(tensor, shape, places, span);
}

/**
 * Removes dead and constant units, again and again until none is left. Nominal channel counts (`compression`) are not touched:
 * they keep saying what the topology was. The net computes the same, up to float rounding.
 */
export function removeDeadUnits(net: Net): Net {
  let current = copyOf(net);
  for (let again = true; again;) {
    again = false;
    for (const link of links(current.graph)) {
      if (!link.removable) continue;
      const units = liveUnits(current, link);
      if (units.length === biasOf(current, link.from).data.length) continue;
      const tensors = new Map(current.tensors);
      tensors.set(`${link.from.name}.weight`, keepRows(weightOf(current, link.from), units));
      tensors.set(`${link.from.name}.bias`, keepRows(biasOf(current, link.from), units));
      tensors.set(`${link.to.name}.weight`, keepColumns(weightOf(current, link.to), units, link.span));
      current = { ...current, graph: narrowGraph(current.graph, { [link.from.name]: units.length }), tensors };
      again = true;
    }
  }
  return current;
}
