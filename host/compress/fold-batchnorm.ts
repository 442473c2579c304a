/** Batch normalizations leave a net before it is compressed: each is one line a channel, which the weights before it can have in them. */
import { MoteError } from "../errors.js";
import { inputsOf, resultsOf } from "../model/edges.js";
import type { BatchNormLayer, FloatTensor, Graph, Layer, Net, WeightedLayer } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { affineOf } from "../ops/batchnorm.js";
import { hasWeights } from "../ops/index.js";

/**
 * The net computes the same, up to float rounding. A normalization behind a layer with weights that nothing else reads becomes a part of it;
 * another one a convolution of 1 × 1 for each channel, of the same name.
 * @throws MoteError MISMATCH where weights that would have to change are on their integers already
 */
export function foldBatchNorm(net: Net): Net {
  if (!net.graph.layers.some(({ op }) => op === "batchnorm")) return net;
  const tensors = new Map(net.tensors);
  const graph = fold(net.graph, (layer, before) => {
    const lines = linesOf(layer, tensors);
    if (before === undefined) addConvolution(layer, lines, tensors);
    else foldInto(before, lines, tensors);
  });
  return { ...net, graph, tensors };
}

/** The graph of a net that foldBatchNorm gives, for those who have no weights yet. */
export const foldedGraph = (graph: Graph): Graph => fold(graph, () => {});

/** @param take called with each normalization, and the layer that it becomes a part of, if it does */
function fold(graph: Graph, take: (layer: BatchNormLayer, before: WeightedLayer | undefined) => void): Graph {
  const shapes = tensorShapes(graph);
  const results = new Set(resultsOf(graph));
  const readers = (tensor: string): number =>
    graph.layers.filter((layer) => inputsOf(layer).includes(tensor)).length + (results.has(tensor) ? 1 : 0);
  const layers: Layer[] = [];
  for (const layer of graph.layers) {
    if (layer.op !== "batchnorm") {
      layers.push(layer);
      continue;
    }
    const at = layers.findIndex(({ output }) => output === layer.input);
    const before = layers[at];
    const { name, input, output } = layer;
    if (before !== undefined && hasWeights(before) && readers(input) === 1) {
      take(layer, before);
      // At the normalization's place: results stand in the order in which they are made.
      layers.splice(at, 1);
      layers.push({ ...before, output });
      continue;
    }
    take(layer, undefined);
    const [channels] = shapes.get(input)!;
    const one = { kernel: [1, 1], stride: 1, pad: 0 } as const;
    layers.push({ op: "conv2d", name, input, output, outChannels: channels, ...one, groups: channels });
  }
  return { ...graph, layers };
}

/** By channel. */
export type Lines = readonly { readonly factor: number; readonly offset: number }[];

/** Takes the normalization's parameters away. */
export function linesOf(layer: BatchNormLayer, tensors: Map<string, FloatTensor>): Lines {
  const take = (kind: string): Float32Array => {
    const name = `${layer.name}.${kind}`;
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new MoteError("MISMATCH", `${name}: missing from the net`);
    tensors.delete(name);
    return tensor.data;
  };
  const parameters = { weight: take("weight"), bias: take("bias"), mean: take("mean"), variance: take("variance") };
  return Array.from(parameters.weight, (_, channel) => affineOf(layer, parameters, channel));
}

function foldInto(before: WeightedLayer, lines: Lines, tensors: Map<string, FloatTensor>): void {
  const weight = tensors.get(`${before.name}.weight`)!;
  const bias = tensors.get(`${before.name}.bias`)!;
  if (weight.integers !== undefined) {
    throw new MoteError(
      "MISMATCH",
      `${before.name}.weight: on its integers, expected real numbers, since a batch normalization is folded into it`,
    );
  }
  const columns = weight.data.length / lines.length;
  tensors.set(`${before.name}.weight`, {
    ...weight,
    data: weight.data.map((value, index) => value * lines[Math.floor(index / columns)].factor),
  });
  tensors.set(`${before.name}.bias`, {
    ...bias,
    data: bias.data.map((value, row) => value * lines[row].factor + lines[row].offset),
  });
}

function addConvolution({ name }: BatchNormLayer, lines: Lines, tensors: Map<string, FloatTensor>): void {
  const channels = lines.length;
  tensors.set(`${name}.weight`, {
    shape: [channels, 1, 1, 1],
    data: Float32Array.from(lines, ({ factor }) => factor),
  });
  tensors.set(`${name}.bias`, { shape: [channels], data: Float32Array.from(lines, ({ offset }) => offset) });
}
