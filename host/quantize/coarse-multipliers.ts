/** Scales of activations with which multipliers need few bits. */
import { inputOf } from "../model/edges.js";
import type { Graph } from "../model/model.js";
import { floatOp, hasWeights } from "../ops/index.js";
import { own } from "../own.js";
import { scaleGroups, type ActivationScale } from "./calibrate.js";
import { requantizeFactor } from "./requantize.js";

/**
 * The scales such that each multiplier, input scale × weight scale ÷ output scale, is one of `bits` bits behind its first: what a layer makes is scaled a
 * little otherwise, by 2^(1 / 2^(bits + 1)) at most, instead of being multiplied wrongly. Left as they are, with multipliers of all bits: scales that several layers make values of,
 * those that states have, which layers before read too, and those of layers whose rows have scales of their own.
 */
export function coarseScales(
  graph: Graph,
  weightScale: Readonly<Record<string, number | readonly number[]>>,
  activations: Readonly<Record<string, ActivationScale>>,
  bits: number,
): Record<string, ActivationScale> {
  const coarse = { ...activations };
  const groups = scaleGroups(graph);
  const states = new Set(graph.states?.map(({ tensor }) => tensor));
  for (const layer of graph.layers) {
    const weight = own(weightScale, layer.name);
    if (!hasWeights(layer) || typeof weight !== "number") continue;
    const { tensors, role } = groups.find((group) => group.tensors.includes(layer.output))!;
    const makers = graph.layers.filter((one) => floatOp(one).hasOwnScale && tensors.includes(one.output));
    if (role === "input" || makers.length > 1 || tensors.some((tensor) => states.has(tensor))) continue;
    const real = coarse[inputOf(layer)].scale * weight;
    const factor = real / coarse[layer.output].scale;
    // Beyond, there is no multiplier at all.
    if (!(factor >= 2 ** -32 && factor < 2 ** 28)) continue;
    const { multiplier, shift } = requantizeFactor(factor, bits);
    const scale = Math.fround((real * 2 ** shift) / multiplier);
    for (const tensor of tensors) coarse[tensor] = { ...coarse[tensor], scale };
  }
  return coarse;
}
