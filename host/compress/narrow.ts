/**
 * A narrow sub-network inside a known topology: only so many units of each layer are live, all others count as dead from
 * the start. Since units may be permuted freely, counts say everything.
 */
import { MoteError } from "../errors.js";
import type { Graph } from "../model/model.js";
import { hasWeights } from "../ops/index.js";
import { tensorShapes } from "../model/shapes.js";
import { graphWithout, STAYING, unitsOf } from "./units.js";

/** The channels of every tensor by name: what `Compression.nominalChannels` holds for the graph as it was designed. */
export function channelsByTensor(graph: Graph): Record<string, number> {
  return Object.fromEntries([...tensorShapes(graph)].map(([name, shape]) => [name, shape[0]]));
}

/**
 * The same graph with fewer units. Layers whose channels are tied to a layer's, by a sum or as a depthwise convolution's, become as narrow.
 * @param units live units by layer name, 1 .. the layer's own; layers not named and not tied keep theirs
 * @throws MoteError RECIPE for a layer that is not there, has no units to take away, would grow, or is to have fewer units than a layer
 *   that it is tied to leaves it
 */
export function narrowGraph(graph: Graph, units: Readonly<Record<string, number>>): Graph {
  const ties = unitsOf(graph);
  const gone = new Uint8Array(ties.count);
  for (const [name, count] of Object.entries(units)) {
    const layer = graph.layers.find((l) => l.name === name);
    if (layer === undefined || !hasWeights(layer)) {
      throw new MoteError("RECIPE", `units.${name}: ${graph.name} has no layer with weights of that name`);
    }
    const rows = ties.of.get(layer.output)!;
    if (rows.some((unit) => ties.fixed[unit])) {
      throw new MoteError("RECIPE", `units.${name}: the layer's units stay: ${STAYING}`);
    }
    if (count < 1 || count > rows.length)
      throw new MoteError("RECIPE", `units.${name}: expected 1 .. ${rows.length}, got ${count}`);
    for (const unit of rows.subarray(count)) gone[unit] = 1;
  }
  for (const [name, count] of Object.entries(units)) {
    const { output } = graph.layers.find((l) => l.name === name)!;
    const left = ties.of.get(output)!.filter((unit) => gone[unit] === 0).length;
    if (left !== count)
      throw new MoteError("RECIPE", `units.${name}: expected ${left}, as a layer that it is tied to has, got ${count}`);
  }
  return graphWithout(graph, ties, gone);
}
