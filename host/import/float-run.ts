/** Runs a lowered net of real numbers in plain loops: for calibration, and to compare an integer model with what it was made from. Sums are doubles. */
import { offsetOf, plainLayout, valuesOf } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import { channelsOf } from "../ops/conv2d.js";
import type { Clamp, ImportedNet, NetConv, NetDense, NetLayer, NetPool, NetWeights } from "./net.js";

/**
 * @param inputs elements of the inputs, in order, [C, H, W] each
 * @param visit called with each tensor that is written, and with the inputs
 * @returns the outputs, in order
 */
export function runFloat(
  net: ImportedNet,
  inputs: readonly Float32Array[],
  visit?: (tensor: number, values: Float32Array) => void,
): Float32Array[] {
  const tensors = new Map<number, Float32Array>();
  const lastRead = new Map<number, number>();
  net.layers.forEach((layer, index) => layer.inputs.forEach((input) => lastRead.set(input, index)));
  const kept = new Set(net.outputs.map(({ tensor }) => tensor));
  const set = (tensor: number, values: Float32Array): void => {
    tensors.set(tensor, values);
    visit?.(tensor, values);
  };
  net.inputs.forEach(({ tensor }, index) => set(tensor, inputs[index]));
  net.layers.forEach((layer, index) => {
    const values = layer.inputs.map((input) => tensors.get(input)!);
    const shapes = layer.inputs.map((input) => net.tensors[input].shape);
    set(layer.output, floatLayer(layer, values, shapes, net.tensors[layer.output].shape));
    for (const input of layer.inputs) if (lastRead.get(input) === index && !kept.has(input)) tensors.delete(input);
  });
  return net.outputs.map(({ tensor }) => tensors.get(tensor)!);
}

/** @param shapes of the inputs @param to shape of the output @returns its elements */
export function floatLayer(
  layer: NetLayer,
  inputs: readonly Float32Array[],
  shapes: readonly Shape[],
  to: Shape,
): Float32Array {
  const [first, second] = inputs;
  switch (layer.op) {
    case "conv2d":
      return convolve(layer, first, shapes[0], to);
    case "dense":
      return multiply(layer, first);
    case "maxpool":
    case "avgpool":
      return reduce(layer, first, shapes[0], to);
    case "add":
      return first.map((value, i) => cut(value + layer.sign * second[i], layer.clamp));
    case "mul": {
      const elementsOfOne = first.length / second.length;
      return first.map((value, i) => cut(value * second[Math.floor(i / elementsOfOne)], layer.clamp));
    }
    case "concat": {
      const output = new Float32Array(valuesOf(to));
      let at = 0;
      for (const part of inputs) {
        output.set(part, at);
        at += part.length;
      }
      return output;
    }
    case "lut":
      return first.map(layer.apply);
    case "resize":
      return enlarge(layer.factor, first, shapes[0], to);
  }
}

const cut = (value: number, { low, high }: Clamp): number => Math.min(high, Math.max(low, value));

/** The weight of a row and column as a real number. */
export function realWeight({ values, scales, columns }: NetWeights, row: number, column: number): number {
  const value = values[row * columns + column];
  return scales === undefined ? value : value * scales[scales.length > 1 ? row : 0];
}

/** Weight by weight over whole lines, so that the inner loop has neither tests nor multiplications of indices. */
function convolve(layer: NetConv, input: Float32Array, from: Shape, to: Shape): Float32Array {
  const { kernel, stride, pads, groups, weights, clamp, pool } = layer;
  const [rows, height, width] = to;
  const [placesY, placesX] =
    pool === undefined
      ? [height, width]
      : [0, 1].map((axis) => (to[axis + 1] - 1) * pool.stride[axis] + pool.size[axis]);
  const layout = plainLayout(from);
  const output = new Float32Array(valuesOf(to));
  const sums = new Float64Array(placesY * placesX);
  for (let row = 0; row < rows; row++) {
    sums.fill(weights.bias[row]);
    const [first, last] = channelsOf(groups, row, from, to);
    let column = 0;
    for (let channel = first; channel < last; channel++) {
      for (let ky = 0; ky < kernel[0]; ky++) {
        for (let kx = 0; kx < kernel[1]; kx++, column++) {
          const weight = realWeight(weights, row, column);
          if (weight === 0) continue;
          const firstX = Math.max(0, Math.ceil((pads[1] - kx) / stride[1]));
          const endX = Math.min(placesX, Math.floor((from[2] - 1 + pads[1] - kx) / stride[1]) + 1);
          for (let y = 0; y < placesY; y++) {
            const line = y * stride[0] + ky - pads[0];
            if (line < 0 || line >= from[1]) continue;
            let at = offsetOf(layout, channel, line, firstX * stride[1] + kx - pads[1]);
            for (let place = y * placesX + firstX, end = y * placesX + endX; place < end; place++, at += stride[1]) {
              sums[place] += weight * input[at];
            }
          }
        }
      }
    }
    for (let y = 0, out = row * height * width; y < height; y++) {
      for (let x = 0; x < width; x++, out++) {
        let best = pool === undefined ? sums[y * placesX + x] : -Infinity;
        if (pool !== undefined) {
          for (let a = 0; a < pool.size[0]; a++) {
            for (let b = 0; b < pool.size[1]; b++) {
              best = Math.max(best, sums[(y * pool.stride[0] + a) * placesX + x * pool.stride[1] + b]);
            }
          }
        }
        output[out] = cut(best, clamp);
      }
    }
  }
  return output;
}

function multiply({ weights, clamp }: NetDense, input: Float32Array): Float32Array {
  const { rows, columns, bias } = weights;
  return Float32Array.from({ length: rows }, (_, row) => {
    let sum = bias[row];
    for (let column = 0; column < columns; column++) sum += realWeight(weights, row, column) * input[column];
    return cut(sum, clamp);
  });
}

/** Elements outside are zeros. */
function reduce(
  { op, kernel, stride, pads, clamp }: NetPool,
  input: Float32Array,
  from: Shape,
  to: Shape,
): Float32Array {
  const layout = plainLayout(from);
  const output = new Float32Array(valuesOf(to));
  let out = 0;
  for (let channel = 0; channel < to[0]; channel++) {
    for (let oy = 0; oy < to[1]; oy++) {
      for (let ox = 0; ox < to[2]; ox++) {
        let [sum, best] = [0, -Infinity];
        for (let y = oy * stride[0] - pads[0]; y < oy * stride[0] - pads[0] + kernel[0]; y++) {
          for (let x = ox * stride[1] - pads[1]; x < ox * stride[1] - pads[1] + kernel[1]; x++) {
            const isInside = y >= 0 && y < from[1] && x >= 0 && x < from[2];
            const value = isInside ? input[offsetOf(layout, channel, y, x)] : 0;
            sum += value;
            best = Math.max(best, value);
          }
        }
        output[out++] = cut(op === "maxpool" ? best : sum / (kernel[0] * kernel[1]), clamp);
      }
    }
  }
  return output;
}

function enlarge(
  [factorY, factorX]: readonly [number, number],
  input: Float32Array,
  from: Shape,
  to: Shape,
): Float32Array {
  const layout = plainLayout(from);
  const output = new Float32Array(valuesOf(to));
  let out = 0;
  for (let channel = 0; channel < to[0]; channel++) {
    for (let y = 0; y < to[1]; y++) {
      for (let x = 0; x < to[2]; x++)
        output[out++] = input[offsetOf(layout, channel, Math.floor(y / factorY), Math.floor(x / factorX))];
    }
  }
  return output;
}
