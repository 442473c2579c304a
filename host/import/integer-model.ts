/** A quantized net becomes the integer model that the container holds. */
import { MAX_BORDER, MAX_SUM_FACTOR, MAX_SUM_FACTOR_WIDE } from "../../assembly/format.js";
import { checkTables } from "../container/check.js";
import { MoteError } from "../errors.js";
import { rangeOfBits, wide, type ElementBits } from "../model/elements.js";
import type { QLayer, QModel, QTensor, QWeights } from "../model/model.js";
import { NO_POOL } from "../ops/op.js";
import { checkAccumulators } from "../quantize/accumulators.js";
import { requantizeFactor } from "../quantize/requantize.js";
import { arrange, tensorOrder } from "./arrange.js";
import {
  activationBitsOf,
  type Clamp,
  type ImportedNet,
  type NetLayer,
  type NetWeights,
  type TensorScale,
} from "./net.js";

/** Below it no multiplier and shift exist; TFLite takes it for 0, and the row for a constant (QuantizeMultiplier). */
const LEAST_FACTOR = 2 ** -32;

/**
 * @param imported quantized: every tensor has a scale and all weights are int8
 * @throws MoteError UNSUPPORTED or MISMATCH naming the node: padding above 15, scales that do not fit, accumulators beyond int32
 */
export function integerModel(imported: ImportedNet): QModel {
  const net = arrange(imported);
  const bits = activationBitsOf(imported);
  const order = tensorOrder(net);
  const index = new Map(order.map((tensor, position) => [tensor, position]));
  const borders = bordersOf(net);
  const outputs = [...new Set(net.outputs.map(({ tensor }) => index.get(tensor)!))].sort((a, b) => a - b);
  if (outputs[0] < net.inputs.length + net.states.length)
    throw new MoteError("UNSUPPORTED", "an output is an input, and no layer is between them");
  const tensors = order.map((tensor, position): QTensor => {
    const { shape, nominalChannels = shape[0] } = net.tensors[tensor];
    const { scale, zeroPoint } = scaleOf(net, tensor);
    const isEnd = position < net.inputs.length || outputs.includes(position);
    const bare = { shape, ...wide(bits), nominalChannels, border: borders.get(tensor) ?? 0, zeroPoint };
    const state = net.states.find((one) => one.tensor === tensor);
    if (state !== undefined) return { ...bare, source: index.get(state.source)! };
    return isEnd ? { ...bare, scale } : bare;
  });
  const layers = net.layers.map((layer): QLayer => {
    const edges = { inputs: layer.inputs.map((input) => index.get(input)!), output: index.get(layer.output)! };
    try {
      return integerLayer(net, layer, edges, bits);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new MoteError("MISMATCH", `${layer.name}: ${error.message}`, { cause: error });
    }
  });
  const model: QModel = { tensors, layers, outputs };
  checkAccumulators(
    model,
    net.layers.map(({ name }) => name),
  );
  return model;
}

function scaleOf({ tensors }: ImportedNet, tensor: number): TensorScale {
  const { name, quantization } = tensors[tensor];
  if (quantization === undefined) throw new MoteError("MISMATCH", `tensor ${JSON.stringify(name)} has no scale`);
  return quantization;
}

/** The most zeros that anyone wants around a tensor. Parts of a concatenation and the whole have one border. */
function bordersOf(net: ImportedNet): Map<number, number> {
  const borders = new Map<number, number>();
  const atLeast = (tensor: number, border: number): void =>
    void borders.set(tensor, Math.max(border, borders.get(tensor) ?? 0));
  for (const layer of net.layers) {
    if (!("pads" in layer)) continue;
    const most = Math.max(...layer.pads);
    if (most > MAX_BORDER)
      throw new MoteError("UNSUPPORTED", `${layer.name}: pads by ${most}, expected 0 … ${MAX_BORDER}`);
    atLeast(layer.inputs[0], most);
  }
  const joins = net.layers.filter(({ op }) => op === "concat");
  for (const { inputs, output } of joins) for (const input of inputs) atLeast(output, borders.get(input) ?? 0);
  for (const { inputs, output } of joins.toReversed())
    for (const input of inputs) borders.set(input, borders.get(output) ?? 0);
  return borders;
}

function integerLayer(
  net: ImportedNet,
  layer: NetLayer,
  edges: { readonly inputs: readonly number[]; readonly output: number },
  bits: ElementBits,
): QLayer {
  checkTables(layer, bits, layer.name);
  const from = layer.inputs.map((input) => scaleOf(net, input));
  const to = scaleOf(net, layer.output);
  const clamp = "clamp" in layer ? integerClamp(layer.clamp, to, bits) : rangeOfBits(bits);
  switch (layer.op) {
    case "conv2d": {
      const { kernel, stride, groups, pool = NO_POOL } = layer;
      const pad = [layer.pads[0], layer.pads[1]] as const;
      return {
        op: "conv2d",
        ...edges,
        ...integerWeights(layer.weights, from[0], to),
        clamp,
        kernel,
        stride,
        pad,
        groups,
        pool,
      };
    }
    case "dense":
      return { op: "dense", ...edges, ...integerWeights(layer.weights, from[0], to), clamp };
    case "maxpool":
    case "avgpool": {
      const { kernel, stride } = layer;
      const pool = { ...edges, kernel, stride, pad: [layer.pads[0], layer.pads[1]], clamp } as const;
      if (layer.op === "avgpool") {
        return { op: "avgpool", ...pool, ...averageFactor(from[0].scale / to.scale, kernel[0] * kernel[1]) };
      }
      sameScale(from[0], to);
      return { op: "maxpool", ...pool };
    }
    case "add":
      return {
        op: "add",
        ...edges,
        ...sumFactors(from[0].scale / to.scale, (layer.sign * from[1].scale) / to.scale, bits),
        clamp,
      };
    case "mul":
      return { op: "mul", ...edges, ...requantizeFactor((from[0].scale * from[1].scale) / to.scale), clamp };
    case "concat":
      return { op: "concat", ...edges };
    case "resize":
      sameScale(from[0], to);
      return { op: "resize", ...edges, factor: layer.factor };
    case "crop": {
      sameScale(from[0], to);
      const [channel, y, x] = layer.first;
      return { op: "crop", ...edges, channel, first: [y, x] };
    }
    case "append":
      for (const scale of from) sameScale(scale, to);
      return { op: "append", ...edges };
    case "lut":
      return { op: "lut", ...edges, table: lookUpTable(layer.apply, from[0], to) };
  }
}

function sameScale(from: TensorScale, to: TensorScale): void {
  if (from.scale === to.scale && from.zeroPoint === to.zeroPoint) return;
  throw new RangeError(
    `its output has scale ${to.scale}, zero point ${to.zeroPoint}; expected its input's, ${from.scale} and ${from.zeroPoint}`,
  );
}

/** Inclusive range of the elements that stand for the real one. */
export function integerClamp(
  { low, high }: Clamp,
  { scale, zeroPoint }: TensorScale,
  bits: ElementBits = 8,
): readonly [number, number] {
  const [least, most] = rangeOfBits(bits);
  const bound = (real: number, open: number): number =>
    Number.isFinite(real) ? Math.min(most, Math.max(least, zeroPoint + Math.round(real / scale))) : open;
  return [bound(low, least), bound(high, most)];
}

function integerWeights(
  { rows, columns, values, scales, bias, multiplierBits, hasShortMultipliers }: NetWeights,
  from: TensorScale,
  to: TensorScale,
): Omit<QWeights, "clamp"> {
  if (!(values instanceof Int8Array) || !(bias instanceof Int32Array) || scales === undefined) {
    throw new RangeError("its weights are real numbers, expected a quantized net");
  }
  const factors = Array.from(scales, (scale) => (from.scale * scale) / to.scale);
  const pairOf = (factor: number): { readonly multiplier: number; readonly shift: number } =>
    hasShortMultipliers === true ? shortMultiplierOf(factor) : multiplierOf(factor, multiplierBits);
  const isOne = factors.every((factor) => factor === factors[0]) && factors[0] >= LEAST_FACTOR;
  const pairs = (
    isOne ? [factors[0]] : Array.from({ length: rows }, (_, row) => factors[factors.length > 1 ? row : 0])
  ).map((factor) => (factor < LEAST_FACTOR ? null : pairOf(factor)));
  // Shared where no row is constant: large nets have no room for a copy.
  const hasConstants = pairs.includes(null);
  const [weights, biases] = hasConstants ? [values.slice(), bias.slice()] : [values, bias];
  pairs.forEach((pair, row) => {
    if (pair !== null) return;
    weights.fill(0, row * columns, (row + 1) * columns);
    biases[row] = 0;
  });
  return {
    weights,
    bias: biases,
    multiplier: Int32Array.from(pairs, (pair) => pair?.multiplier ?? 2 ** 30),
    shift: Uint8Array.from(pairs, (pair) => pair?.shift ?? 62),
  };
}

/** What float32 scales that were made for a multiplier of few bits may leave between them. */
const SCALE_ERROR = 1e-6;

/** Of few bits where the scales were made for such a one: see coarseScales. Elsewhere it would multiply wrongly. */
function multiplierOf(factor: number, bits = 30): { readonly multiplier: number; readonly shift: number } {
  const coarse = requantizeFactor(factor, bits);
  const apart = coarse.multiplier / 2 ** coarse.shift / factor - 1;
  return Math.abs(apart) < SCALE_ERROR ? coarse : requantizeFactor(factor);
}

/** The upper 15 bits of the nearest one of 31, rounded, and not beyond what 15 bits hold (MultiplyByQuantizedMultiplier of int64). */
function shortMultiplierOf(factor: number): { readonly multiplier: number; readonly shift: number } {
  const { multiplier, shift } = requantizeFactor(factor);
  return { multiplier: Math.min(2 ** 15 - 1, Math.round(multiplier / 2 ** 16)) * 2 ** 16, shift };
}

/**
 * Of an average. Between tensors of one scale it is rounded up, so that a sum whose average lies between two integers is not taken for less than that; other
 * sums are too far from there to come near.
 */
function averageFactor(ratio: number, elements: number): { readonly multiplier: number; readonly shift: number } {
  const nearest = requantizeFactor(ratio / elements);
  const isBelow = ratio === 1 && nearest.multiplier * elements < 2 ** nearest.shift;
  return isBelow ? { ...nearest, multiplier: nearest.multiplier + 1 } : nearest;
}

/**
 * Multipliers of 21 bits for a sum, as XNNPACK has them (qs8-vadd-minmax, reference init): the larger one is at least 2^20. Of elements of 16 bits they
 * have 14, so that sums stay in int32.
 */
function sumFactors(
  a: number,
  b: number,
  bits: ElementBits,
): { readonly multipliers: readonly [number, number]; readonly shift: number } {
  const most = bits === 16 ? MAX_SUM_FACTOR_WIDE : MAX_SUM_FACTOR;
  const places = Math.log2(most) - 1;
  const largest = Math.max(Math.abs(Math.fround(a)), Math.abs(Math.fround(b)));
  const shift = places - Math.floor(Math.log2(largest));
  if (shift < 1 || shift > 30)
    throw new RangeError(
      `its inputs are ${largest} times as coarse as its output, expected 2^${places - 30} … 2^${places - 1}`,
    );
  const multiplier = (ratio: number): number => Math.round(Math.fround(ratio) * 2 ** shift);
  const multipliers = [multiplier(a), multiplier(b)] as const;
  if (multipliers.some((factor) => Math.abs(factor) > most))
    throw new RangeError(`its factors ${a} and ${b} are too large`);
  return { multipliers, shift };
}

function lookUpTable(apply: (x: number) => number, from: TensorScale, to: TensorScale): Int8Array {
  return Int8Array.from({ length: 256 }, (_, i) => {
    const real = apply(from.scale * (i - 128 - from.zeroPoint));
    return Math.min(127, Math.max(-128, to.zeroPoint + Math.round(real / to.scale)));
  });
}
