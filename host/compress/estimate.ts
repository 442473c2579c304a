/** Container bytes of a net at any stage of its compression, by the packer's own encoder. */
import { codingsOf, smallestCoding } from "../codecs/index.js";
import type { Net } from "../model/model.js";
import { hasWeights } from "../ops/index.js";
import { own } from "../own.js";
import { likelyIntegers } from "./grid.js";

/** Bytes of a layer's fields and requantization, of a tensor's entry and of the head: about what they are in the shipped models. */
const LAYER_BYTES = 12;
const TENSOR_BYTES = 8;
const HEAD_BYTES = 17;
/** A multiplier and a shift for each row but one, where rows have scales of their own. */
const ROW_SCALE_BYTES = 5;

/**
 * Weights to the bit as the packer would code them, biases at `biasBits` by layer (else 32; none where all are 0), the rest
 * by rule of thumb. Weights that are not on their integers yet are counted as if rounded to a grid of 0.6 × mean |w|.
 */
export function estimateBytes(net: Net, biasBits: Readonly<Record<string, number>> = {}): number {
  return net.graph.layers.reduce(
    (sum, layer) => (hasWeights(layer) ? sum + layerBytes(net, layer.name, biasBits) : sum),
    HEAD_BYTES + TENSOR_BYTES,
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
