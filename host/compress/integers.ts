/** What stages leave in a net beside its weights: scales and integers by layer. */
import type { Compression, Graph, Net } from "../model/model.js";
import { weightedLayers } from "./integer-stages.js";
import { channelsByTensor } from "./narrow.js";

export const emptyCompression = (graph: Graph): Compression => ({
  nominalChannels: channelsByTensor(graph),
  weightScale: {},
  activations: {},
});

/** The net with a compression record, from its own graph if it has none yet. */
export const withCompression = (net: Net): Net & { readonly compression: Compression } => ({
  ...net,
  compression: net.compression ?? emptyCompression(net.graph),
});

/** The layers that a setting by layer names, in the net's order. */
export const namesIn = (graph: Graph, values: Readonly<Record<string, unknown>>): string[] =>
  weightedLayers(graph)
    .map(({ name }) => name)
    .filter((name) => Object.hasOwn(values, name));

/** Weights of a layer that a stage has brought to their integers. */
export interface Integers {
  /** One, or one a row. */
  readonly scales: Float32Array;
  readonly integers: Int8Array;
}

/** The net with the integers and scales of these layers, beside those of earlier stages. */
export function withIntegers(net: Net, layers: ReadonlyMap<string, Integers>): Net {
  const { compression } = withCompression(net);
  const tensors = new Map(net.tensors);
  const scalesByName = new Map(Object.entries(compression.weightScale));
  for (const [name, { scales, integers }] of layers) {
    const { shape } = tensors.get(`${name}.weight`)!;
    const columns = integers.length / shape[0];
    const scaleOf = (index: number): number => scales[scales.length > 1 ? Math.floor(index / columns) : 0];
    tensors.set(`${name}.weight`, { shape, data: Float32Array.from(integers, (q, i) => q * scaleOf(i)), integers });
    scalesByName.set(name, scales.length > 1 ? [...scales] : scales[0]);
  }
  const weightScale = Object.fromEntries(scalesByName);
  return { ...net, tensors, compression: { ...compression, weightScale } };
}
