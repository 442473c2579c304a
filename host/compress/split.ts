/** Layers with weights in whose place several stand, one behind the other: what `low-rank` and `flatten` make of one. */
import { MoteError } from "../errors.js";
import type { FloatTensor, Graph, Layer, Net, WeightedLayer } from "../model/model.js";
import { channelsByTensor } from "./narrow.js";
import { byLayer, isName } from "./select.js";

/** Layers by the name of the one that they replace; the last one makes its output. */
export type Replacements = ReadonlyMap<string, readonly Layer[]>;

/** @throws MoteError RECIPE where a part's name or output is another layer's already */
export function replaceLayers(graph: Graph, replacements: Replacements): Graph {
  const layers = graph.layers.flatMap((layer): readonly Layer[] => replacements.get(layer.name) ?? [layer]);
  for (const names of [layers.map(({ name }) => name), [graph.input.name, ...layers.map(({ output }) => output)]]) {
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined)
      throw new MoteError("RECIPE", `${graph.name} has a layer or a tensor named ${twice} already`);
  }
  return { ...graph, layers };
}

/** @param tensors weights and biases of the parts */
export function replaceInNet(net: Net, replacements: Replacements, tensors: ReadonlyMap<string, FloatTensor>): Net {
  const graph = replaceLayers(net.graph, replacements);
  const kept = [...net.tensors].filter(
    ([name]) => ![...replacements.keys()].some((layer) => name === `${layer}.weight` || name === `${layer}.bias`),
  );
  const { compression } = net;
  return {
    graph,
    tensors: new Map([...kept, ...tensors]),
    ...(compression && {
      compression: {
        ...compression,
        nominalChannels: { ...channelsByTensor(graph), ...compression.nominalChannels },
      },
    }),
  };
}

/**
 * Edges of parts that stand one behind the other.
 * @param parts their names behind that of the layer
 */
export function chain(
  { name, input, output }: Pick<WeightedLayer, "name" | "input" | "output">,
  parts: readonly string[],
): { readonly name: string; readonly input: string; readonly output: string }[] {
  const names = parts.map((part) => `${name}.${part}`);
  return names.map((own, i) => ({
    name: own,
    input: i === 0 ? input : names[i - 1],
    output: i === parts.length - 1 ? output : own,
  }));
}

/**
 * The value of each layer that a key selects and that can be split: patterns and ops pass over the others.
 * @param problem why a layer cannot be split, null where it can
 * @throws MoteError RECIPE for a layer that is named and cannot be split, a key that selects none, and where nothing is left
 */
export function splitValues<T>(
  values: Readonly<Record<string, T>>,
  layers: readonly WeightedLayer[],
  place: string,
  problem: (layer: WeightedLayer) => string | null,
): Record<string, T> {
  const selected = byLayer(values, layers, place);
  for (const layer of layers) {
    const why = isName(layer.name) && Object.hasOwn(values, layer.name) ? problem(layer) : null;
    if (why !== null) throw new MoteError("RECIPE", `${place}.${layer.name}: ${why}`);
  }
  const able = layers.filter((layer) => Object.hasOwn(selected, layer.name) && problem(layer) === null);
  if (able.length === 0) throw new MoteError("RECIPE", `${place}: selects no layer that can be split`);
  return Object.fromEntries(able.map(({ name }) => [name, selected[name]]));
}
