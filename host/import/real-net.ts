/** A quantized net, or what is quantized of one, as real numbers. */
import { rangeOfBits, type ElementBits } from "../model/elements.js";
import { activationBitsOf, clampTwice, type Clamp, type ImportedNet, type NetLayer, type TensorScale } from "./net.js";
import { realRows } from "./rows.js";

/** Of the same weights, and tensors that are not rounded. What integers cut off stays cut off: quantizers leave it the work of a relu. */
export function realNet(quantized: ImportedNet): ImportedNet {
  const { activationBits: _, ...net } = quantized;
  const layers = net.layers.map((given): NetLayer => {
    const { quantization } = net.tensors[given.output];
    const layer =
      quantization !== undefined && "clamp" in given
        ? { ...given, clamp: clampTwice(given.clamp, rangeOf(quantization, activationBitsOf(quantized))) }
        : given;
    if (!("weights" in layer) || !(layer.weights.bias instanceof Int32Array)) return layer;
    const { rows, columns, scales = Float32Array.of(1), bias: integers } = layer.weights;
    const { scale } = net.tensors[layer.inputs[0]].quantization!;
    const bias = Float32Array.from(integers, (q, row) => q * scale * scales[scales.length > 1 ? row : 0]);
    return { ...layer, weights: { rows, columns, values: realRows(layer.weights, 0, rows), bias } };
  });
  return { ...net, layers, isQuantized: false };
}

function rangeOf({ scale, zeroPoint }: TensorScale, bits: ElementBits): Clamp {
  const [least, most] = rangeOfBits(bits);
  return { low: scale * (least - zeroPoint), high: scale * (most - zeroPoint) };
}
