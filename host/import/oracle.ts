/**
 * The arithmetic of a quantized net as its own runtime has it: exact sums of integers, then real scales. It shares nothing with the integer code that
 * a container runs, and so tells whether that is right. Convolutions, dense layers and products round as XNNPACK's float requantization does, halves to
 * the even (qs8-requantization, fp32 variants); sums halves up (qs8-vadd); averages and functions halves away from zero, as TensorFlow Lite's kernels.
 */
import type { Elements } from "../model/elements.js";
import { floatLayer } from "./float-run.js";
import { NO_CLAMP, type ImportedNet, type NetLayer, type TensorScale } from "./net.js";

/**
 * @param net quantized and arranged
 * @param inputs int8 elements of the layer's inputs, [C, H, W] each
 * @returns its output's
 */
export function oracleLayer({ tensors }: ImportedNet, layer: NetLayer, inputs: readonly Elements[]): Int8Array {
  const scaleOf = (tensor: number): TensorScale => tensors[tensor].quantization!;
  const from = layer.inputs.map(scaleOf);
  const to = scaleOf(layer.output);
  const { shape } = tensors[layer.output];
  const centred = inputs.map((elements, index) => Float32Array.from(elements, (q) => q - from[index].zeroPoint));
  const steps = (of: NetLayer): Float32Array =>
    floatLayer(
      "clamp" in of ? { ...of, clamp: NO_CLAMP } : of,
      centred,
      layer.inputs.map((input) => tensors[input].shape),
      shape,
    );
  const [low, high] = "clamp" in layer ? bounds(layer.clamp, to) : [-128, 127];
  const cut = (q: number): number => Math.min(high, Math.max(low, q));
  const { zeroPoint } = to;
  switch (layer.op) {
    case "conv2d":
    case "dense": {
      const { scales = new Float32Array(1), ...integers } = layer.weights;
      const factors = Array.from(scales, (scale) => Math.fround(Math.fround(from[0].scale * scale) / to.scale));
      const sums = steps({ ...layer, weights: integers });
      const elementsOfOne = sums.length / integers.rows;
      return Int8Array.from(sums, (sum, i) => {
        const factor = factors[factors.length > 1 ? Math.floor(i / elementsOfOne) : 0];
        return cut(zeroPoint + halfToEven(Math.fround(sum * factor)));
      });
    }
    case "mul": {
      const factor = Math.fround(Math.fround(from[0].scale * from[1].scale) / to.scale);
      return Int8Array.from(steps(layer), (product) => cut(zeroPoint + halfToEven(Math.fround(product * factor))));
    }
    case "add": {
      const [a, b] = [from[0].scale / to.scale, (layer.sign * from[1].scale) / to.scale];
      return Int8Array.from(centred[0], (x, i) => cut(zeroPoint + Math.floor(x * a + centred[1][i] * b + 0.5)));
    }
    case "avgpool":
      return Int8Array.from(steps(layer), (mean) => cut(halfAway(zeroPoint + (mean * from[0].scale) / to.scale)));
    case "lut":
      return Int8Array.from(centred[0], (x) => cut(zeroPoint + halfAway(layer.apply(x * from[0].scale) / to.scale)));
    case "maxpool":
    case "resize":
    case "crop":
    case "append":
      return Int8Array.from(steps(layer), (x) => cut(zeroPoint + x));
    case "concat": {
      // Parts have the scale of the whole.
      return Int8Array.from(steps(layer), (x) => zeroPoint + x);
    }
  }
}

/** Inclusive int8 range of the real one. */
function bounds({ low, high }: { readonly low: number; readonly high: number }, { scale, zeroPoint }: TensorScale) {
  const bound = (real: number): number => Math.min(127, Math.max(-128, zeroPoint + halfAway(real / scale)));
  return [bound(low), bound(high)] as const;
}

const halfAway = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

function halfToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}
