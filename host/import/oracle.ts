/**
 * The arithmetic of a quantized net as its own runtime has it: exact sums of integers, then real scales. It shares nothing with the integer code that
 * a container runs, and so tells whether that is right. Of int8, convolutions, dense layers and products round as XNNPACK's float requantization does, halves
 * to the even (qs8-requantization, fp32 variants), of int16 halves up, as TensorFlow Lite's kernels for int64; sums halves up (qs8-vadd); averages and
 * functions halves away from zero, as TensorFlow Lite's kernels.
 */
import { elementsFor, rangeOfBits, wide, type ElementBits, type Elements } from "../model/elements.js";
import type { Axes } from "../model/model.js";
import { floatLayer } from "./float-run.js";
import {
  activationBitsOf,
  NO_CLAMP,
  type Clamp,
  type ImportedNet,
  type NetLayer,
  type NetWeights,
  type TensorScale,
} from "./net.js";

/**
 * @param net quantized and arranged
 * @param inputs elements of the layer's inputs, [C, H, W] each
 * @returns its output's
 */
export function oracleLayer(net: ImportedNet, layer: NetLayer, inputs: readonly Elements[]): Elements {
  const { tensors } = net;
  const bits = activationBitsOf(net);
  const scaleOf = (tensor: number): TensorScale => tensors[tensor].quantization!;
  const from = layer.inputs.map(scaleOf);
  const to = scaleOf(layer.output);
  const { shape } = tensors[layer.output];
  const centred = inputs.map((elements, index) => Float64Array.from(elements, (q) => q - from[index].zeroPoint));
  const steps = (of: NetLayer): Float64Array =>
    floatLayer(
      "clamp" in of ? { ...of, clamp: NO_CLAMP } : of,
      centred,
      layer.inputs.map((input) => tensors[input].shape),
      shape,
    );
  const isWide = bits === 16;
  const [low, high] = "clamp" in layer ? bounds(layer.clamp, to, bits) : rangeOfBits(bits);
  const { zeroPoint } = to;
  /** Of steps of the output, rounded. */
  const cut = (values: Float64Array, rounded: (value: number, index: number) => number): Elements =>
    elementsFor(
      wide(bits),
      values.map((value, i) => Math.min(high, Math.max(low, zeroPoint + rounded(value, i)))),
    );
  switch (layer.op) {
    case "conv2d":
    case "dense": {
      const { scales = new Float32Array(1), ...integers } = layer.weights;
      const sums = steps({ ...layer, weights: integers });
      const elementsOfOne = sums.length / integers.rows;
      const factors = isWide ? wideFactors(layer.weights, from[0], to) : narrowFactors(scales, from[0], to);
      const factor = (i: number): number => factors[factors.length > 1 ? Math.floor(i / elementsOfOne) : 0];
      return isWide
        ? cut(sums, (sum, i) => halfUp(sum * factor(i)))
        : cut(sums, (sum, i) => halfToEven(Math.fround(sum * factor(i))));
    }
    case "mul": {
      const factor = Math.fround(Math.fround(from[0].scale * from[1].scale) / to.scale);
      return isWide
        ? cut(steps(layer), (product) => halfUp(product * factor))
        : cut(steps(layer), (product) => halfToEven(Math.fround(product * factor)));
    }
    case "add": {
      const [a, b] = [from[0].scale / to.scale, (layer.sign * from[1].scale) / to.scale];
      return cut(centred[0], (x, i) => halfUp(x * a + centred[1][i] * b));
    }
    case "avgpool":
      // With the zero point, since that is what is away from zero.
      return cut(steps(layer), (mean) => halfAway(zeroPoint + (mean * from[0].scale) / to.scale) - zeroPoint);
    case "lut":
      return cut(centred[0], (x) => halfAway(layer.apply(x * from[0].scale) / to.scale));
    case "maxpool":
    case "resize":
    case "crop":
    case "append":
    case "concat": // of parts that have the scale of the whole
      return cut(steps(layer), (x) => x);
  }
}

const narrowFactors = (scales: ArrayLike<number>, from: TensorScale, to: TensorScale): number[] =>
  Array.from(scales, (scale) => Math.fround(Math.fround(from.scale * scale) / to.scale));

/** Convolutions whose biases are int64 multiply by 15 bits of a factor. */
function wideFactors({ scales, hasShortMultipliers }: NetWeights, from: TensorScale, to: TensorScale): number[] {
  const factors = Array.from(scales ?? [1], (scale) => (from.scale * scale) / to.scale);
  if (hasShortMultipliers !== true) return factors;
  return factors.map((factor) => {
    const unit = 2 ** (Math.floor(Math.log2(factor)) - 14);
    return unit * Math.min(2 ** 15 - 1, Math.round(factor / unit));
  });
}

/** Inclusive range of integers of the real one. */
function bounds({ low, high }: Clamp, { scale, zeroPoint }: TensorScale, bits: ElementBits): Axes {
  const [least, most] = rangeOfBits(bits);
  const bound = (real: number): number => Math.min(most, Math.max(least, zeroPoint + halfAway(real / scale)));
  return [bound(low), bound(high)];
}

const halfUp = (x: number): number => Math.floor(x + 0.5);

const halfAway = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

function halfToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}
