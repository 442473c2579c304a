/**
 * A narrow sub-network inside a known topology: only so many units of each layer are live, all others count as dead from
 * the start. Since units may be permuted freely, counts say everything.
 */
import { MoteError } from "../errors.js";
import type { Graph, Layer } from "../model/model.js";
import { floatWeights, hasWeights } from "../ops/index.js";
import { own } from "../own.js";
import { tensorShapes } from "../model/shapes.js";

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
  const last = graph.layers.findLast(hasWeights);
  for (const [name, count] of Object.entries(units)) {
    const layer = graph.layers.find((l) => l.name === name);
    if (layer === undefined || !hasWeights(layer)) {
      throw new MoteError("RECIPE", `units.${name}: ${graph.name} has no layer with weights of that name`);
    }
    const weights = floatWeights(layer);
    const nominal = weights.rows(layer);
    if (layer === last) throw new MoteError("RECIPE", `units.${name}: the last layer's units are the classes and stay`);
    if (count < 1 || count > nominal)
      throw new MoteError("RECIPE", `units.${name}: expected 1 .. ${nominal}, got ${count}`);
    if (weights.groups(layer) !== 1)
      throw new MoteError("RECIPE", `units.${name}: grouped convolutions cannot be narrowed`);
  }
  const layers = graph.layers.map((layer): Layer => {
    const count = own(units, layer.name);
    return count === undefined || !hasWeights(layer) ? layer : floatWeights(layer).withRows(layer, count);
  });
  return { ...graph, layers };
}
