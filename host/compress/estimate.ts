/** Container bytes of a net at any stage of its compression, by the packer's own encoder. */
import { codingsOf, smallestCoding } from "../codecs/index.js";
import type { Net } from "../model/model.js";
import { hasWeights } from "../ops/index.js";
import { own } from "../own.js";
import { fused, type Fused } from "../quantize/quantize.js";
import { likelyIntegers } from "./grid.js";

/** Bytes of a layer's fields and requantization, of a tensor's entry and of the head: about what they are in the shipped models. */
const LAYER_BYTES = 12;
const TENSOR_BYTES = 8;
const HEAD_BYTES = 17;
/** Of a layer without weights, with its tensor. */
const PLAIN_BYTES = 10;
/** Of a function's table, or of the input where it is copied to what it is joined with, in another scale. */
const TABLE_BYTES = 256;
/** A multiplier and a shift for each row but one, where rows have scales of their own. */
const ROW_SCALE_BYTES = 5;

/** Layers of the container without weights: cuts and pools that run as parts of others are none. */
function plainBytes({ layer }: Fused, given: ReadonlySet<string>, input: string): number {
  const joined = layer.op === "concat" ? layer.inputs : [];
  const copies = joined.filter((one) => given.has(one)).length;
  const tables = layer.op === "map" ? 1 : joined.filter((one) => one === input).length;
  return (1 + copies) * PLAIN_BYTES + tables * TABLE_BYTES;
}

/**
 * Weights to the bit as the packer would code them, biases at `biasBits` by layer (else 32; none where all are 0), the rest
 * by rule of thumb. Weights that are not on their integers yet are counted as if rounded to a grid of 0.6 × mean |w|.
 */
export function estimateBytes(net: Net, biasBits: Readonly<Record<string, number>> = {}): number {
  const { input, states = [] } = net.graph;
  const given = new Set([input.name, ...states.map(({ tensor }) => tensor)]);
  return fused(net.graph).reduce(
    (sum, part) =>
      sum + (hasWeights(part.layer) ? layerBytes(net, part.layer.name, biasBits) : plainBytes(part, given, input.name)),
    HEAD_BYTES + given.size * TENSOR_BYTES,
  );
}

/** What one layer takes of `estimateBytes`. */
export function layerBytes(net: Net, name: string, biasBits: Readonly<Record<string, number>> = {}): number {
  const { data, shape, integers = likelyIntegers(data, 0) } = net.tensors.get(`${name}.weight`)!;
  const bias = net.tensors.get(`${name}.bias`)!.data;
  const bitsEach = bias.every((b) => b === 0) ? 0 : (own(biasBits, name) ?? 32);
  const coding = smallestCoding(codingsOf(integers, shape[0], data.length / shape[0]));
  const bits = coding.bits + bitsEach * shape[0];
  const scales = own(net.compression?.weightScale ?? {}, name);
  const scaleBytes = Array.isArray(scales) ? ROW_SCALE_BYTES * (scales.length - 1) : 0;
  return Math.ceil(bits / 8) + scaleBytes + LAYER_BYTES + TENSOR_BYTES;
}
