/**
 * A narrow sub-network inside a known topology: only so many units of each layer are live, all others count as dead from
 * the start. Since units may be permuted freely, counts say everything.
 */
import { MoteError } from "../errors.js";
import type { Graph, Layer, Shape } from "../model.js";

/** The shape that a layer makes of its input's. */
export function outputShape(layer: Layer, input: Shape): Shape {
  const [channels, height, width] = input;
  switch (layer.op) {
    case "conv2d": {
      const [kernelHeight, kernelWidth] = layer.kernel;
      const extent = (size: number, kernel: number): number =>
        Math.floor((size + 2 * layer.pad - kernel) / layer.stride) + 1;
      return [layer.outChannels, extent(height, kernelHeight), extent(width, kernelWidth)];
    }
    case "dense":
      return [layer.outFeatures, 1, 1];
    case "maxpool":
    case "avgpool": {
      const extent = (size: number): number => Math.floor((size - layer.kernel) / layer.stride) + 1;
      return [channels, extent(height), extent(width)];
    }
    case "relu":
      return input;
  }
}

/** The shape of every tensor by name. */
export function tensorShapes(graph: Graph): Map<string, Shape> {
  const shapes = new Map<string, Shape>([[graph.input.name, graph.input.shape]]);
  for (const layer of graph.layers) {
    const input = shapes.get(layer.input);
    if (input === undefined)
      throw new MoteError("MISMATCH", `${layer.name}: input tensor ${layer.input} is made by no layer before it`);
    shapes.set(layer.output, outputShape(layer, input));
  }
  return shapes;
}

/** The channels of every tensor by name: what `Compression.nominalChannels` holds for the graph as it was designed. */
export function channelsByTensor(graph: Graph): Record<string, number> {
  return Object.fromEntries([...tensorShapes(graph)].map(([name, shape]) => [name, shape[0]]));
}

/**
 * The same graph with fewer units.
 * @param units live units by layer name, 1 .. the layer's own; layers not named keep theirs
 * @throws MoteError RECIPE for a layer that is not there, has no units to take away, or would grow
 */
export function narrowGraph(graph: Graph, units: Readonly<Record<string, number>>): Graph {
  const last = graph.layers.findLast((layer) => layer.op === "conv2d" || layer.op === "dense");
  for (const [name, count] of Object.entries(units)) {
    const layer = graph.layers.find((l) => l.name === name);
    if (layer === undefined || (layer.op !== "conv2d" && layer.op !== "dense")) {
      throw new MoteError("RECIPE", `units.${name}: ${graph.name} has no conv2d or dense layer of that name`);
    }
    const nominal = layer.op === "conv2d" ? layer.outChannels : layer.outFeatures;
    if (layer === last) throw new MoteError("RECIPE", `units.${name}: the last layer's units are the classes and stay`);
    if (count < 1 || count > nominal)
      throw new MoteError("RECIPE", `units.${name}: expected 1 .. ${nominal}, got ${count}`);
    if (layer.op === "conv2d" && layer.groups !== 1)
      throw new MoteError("RECIPE", `units.${name}: grouped convolutions cannot be narrowed`);
  }
  const layers = graph.layers.map((layer): Layer => {
    const count = units[layer.name];
    if (count === undefined) return layer;
    if (layer.op === "conv2d") return { ...layer, outChannels: count };
    return layer.op === "dense" ? { ...layer, outFeatures: count } : layer;
  });
  return { ...graph, layers };
}
