/** Runs a lowered net of real numbers: for calibration, and to compare an integer model with what it was made from. Sums are doubles. */
import { offsetOf, plainLayout, valuesOf } from "../model/geometry.js";
import type { Axes, Shape } from "../model/model.js";
import { channelsOf } from "../ops/conv2d.js";
import { appendedParts, type Part } from "../ops/parts.js";
import { clamped, type ImportedNet, type NetConv, type NetDense, type NetLayer, type NetPool } from "./net.js";
import { eachBlock } from "./rows.js";

/**
 * @param inputs elements of the inputs, in order, [C, H, W] each
 * @param visit called with each tensor that is written, and with the inputs
 * @param convolve how convolutions are worked out, where plain loops take too long: float-conv.ts has kernels
 * @param states what they hold; afterwards, what they hold for the next run. Default: those of a first run
 * @returns the outputs, in order
 */
export function runFloat(
  net: ImportedNet,
  inputs: readonly Float32Array[],
  visit?: (tensor: number, values: Float32Array) => void,
  convolve: Convolve = convolveByLines,
  states: FloatStates = freshFloatStates(net),
): Float32Array[] {
  const tensors = new Map<number, Float32Array>(states);
  const lastRead = new Map<number, number>();
  net.layers.forEach((layer, index) => layer.inputs.forEach((input) => lastRead.set(input, index)));
  const kept = new Set([...net.outputs.map(({ tensor }) => tensor), ...net.states.map(({ source }) => source)]);
  const set = (tensor: number, values: Float32Array): void => {
    tensors.set(tensor, values);
    visit?.(tensor, values);
  };
  net.inputs.forEach(({ tensor }, index) => set(tensor, inputs[index]));
  net.layers.forEach((layer, index) => {
    const values = layer.inputs.map((input) => tensors.get(input)!);
    const shapes = layer.inputs.map((input) => net.tensors[input].shape);
    set(layer.output, floatLayer(layer, values, shapes, net.tensors[layer.output].shape, convolve));
    for (const input of layer.inputs) if (lastRead.get(input) === index && !kept.has(input)) tensors.delete(input);
  });
  for (const { tensor, source } of net.states) states.set(tensor, tensors.get(source)!);
  return net.outputs.map(({ tensor }) => tensors.get(tensor)!);
}

/** Elements of states, by their tensors. */
export type FloatStates = Map<number, Float32Array>;

/** What states hold before the first run: zeros. */
export const freshFloatStates = ({ states, tensors }: ImportedNet): FloatStates =>
  new Map(states.map(({ tensor }) => [tensor, new Float32Array(valuesOf(tensors[tensor].shape))]));

type Reals = Float32Array | Float64Array;

/** So many zeros, as exact as what they are made of. */
const like = <T extends Reals>(of: T, count: number): T =>
  (of instanceof Float64Array ? new Float64Array(count) : new Float32Array(count)) as T;

/** @param shapes of the inputs @param to shape of the output @returns its elements, as exact as the inputs' */
export function floatLayer<T extends Reals>(
  layer: NetLayer,
  inputs: readonly T[],
  shapes: readonly Shape[],
  to: Shape,
  convolve: Convolve = convolveByLines,
): T {
  const [first, second] = inputs;
  switch (layer.op) {
    case "conv2d":
      return convolved(layer, first, shapes[0], to, convolve);
    case "dense":
      return multiply(layer, first);
    case "maxpool":
    case "avgpool":
      return reduce(layer, first, shapes[0], to);
    case "add":
      return mapped(first, (value, i) => clamped(value + layer.sign * second[i], layer.clamp));
    case "mul": {
      const elementsOfOne = first.length / second.length;
      return mapped(first, (value, i) => clamped(value * second[Math.floor(i / elementsOfOne)], layer.clamp));
    }
    case "concat": {
      const output = like(first, valuesOf(to));
      let at = 0;
      for (const part of inputs) {
        output.set(part, at);
        at += part.length;
      }
      return output;
    }
    case "lut":
      return mapped(first, layer.apply);
    case "resize":
      return enlarge(layer.factor, first, shapes[0], to);
    case "crop": {
      const [channel, y, x] = layer.first;
      return copied([{ input: 0, channel, from: [y, x], to: [0, 0], size: [to[1], to[2]] }], inputs, shapes, to);
    }
    case "append":
      return copied(appendedParts(shapes, to), inputs, shapes, to);
  }
}

const mapped = <T extends Reals>(from: T, apply: (value: number, index: number) => number): T => from.map(apply) as T;

/**
 * Sums of a convolution, before it is cut and pooled: for each row in turn those of all places, line after line.
 * @param places rows and columns of places
 * @param take called with a row, its sums, and how far apart their lines are; the sums hold until the next call
 */
export type Convolve = (
  layer: NetConv,
  input: Reals,
  from: Shape,
  places: Axes,
  take: (row: number, sums: Float32Array | Float64Array, pitch: number) => void,
) => void;

/** Weight by weight over whole lines, so that the inner loop has neither tests nor multiplications of indices. */
const convolveByLines: Convolve = (layer, input, from, [placesY, placesX], take) => {
  const { kernel, stride, pads, groups, weights } = layer;
  const { rows, columns, bias } = weights;
  const layout = plainLayout(from);
  const sums = new Float64Array(placesY * placesX);
  const to: Shape = [rows, placesY, placesX];
  eachBlock(weights, (values, firstRow, count) => {
    for (let row = firstRow; row < firstRow + count; row++) {
      sums.fill(bias[row]);
      const [first, last] = channelsOf(groups, row, from, to);
      let column = (row - firstRow) * columns;
      for (let channel = first; channel < last; channel++) {
        for (let ky = 0; ky < kernel[0]; ky++) {
          for (let kx = 0; kx < kernel[1]; kx++, column++) {
            const weight = values[column];
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
      take(row, sums, placesX);
    }
  });
};

function convolved<T extends Reals>(layer: NetConv, input: T, from: Shape, to: Shape, convolve: Convolve): T {
  const { clamp, pool = { size: [1, 1], stride: [1, 1] } } = layer;
  const [, height, width] = to;
  const places: Axes = [(height - 1) * pool.stride[0] + pool.size[0], (width - 1) * pool.stride[1] + pool.size[1]];
  const output = like(input, valuesOf(to));
  convolve(layer, input, from, places, (row, sums, pitch) => {
    for (let y = 0, out = row * height * width; y < height; y++) {
      for (let x = 0; x < width; x++, out++) {
        let best = -Infinity;
        for (let a = 0; a < pool.size[0]; a++) {
          const line = (y * pool.stride[0] + a) * pitch + x * pool.stride[1];
          for (let b = 0; b < pool.size[1]; b++) best = Math.max(best, sums[line + b]);
        }
        output[out] = clamped(best, clamp);
      }
    }
  });
  return output;
}

function multiply<T extends Reals>({ weights, clamp }: NetDense, input: T): T {
  const { rows, columns, bias } = weights;
  const output = like(input, rows);
  eachBlock(weights, (values, first, count) => {
    for (let row = first, at = 0; row < first + count; row++) {
      let sum = bias[row];
      for (let column = 0; column < columns; column++, at++) sum += values[at] * input[column];
      output[row] = clamped(sum, clamp);
    }
  });
  return output;
}

/** Elements outside are zeros. */
function reduce<T extends Reals>({ op, kernel, stride, pads, clamp }: NetPool, input: T, from: Shape, to: Shape): T {
  const layout = plainLayout(from);
  const output = like(input, valuesOf(to));
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
        output[out++] = clamped(op === "maxpool" ? best : sum / (kernel[0] * kernel[1]), clamp);
      }
    }
  }
  return output;
}

function copied<T extends Reals>(parts: readonly Part[], inputs: readonly T[], shapes: readonly Shape[], to: Shape): T {
  const output = like(inputs[0], valuesOf(to));
  for (const { input, channel, from, to: place, size } of parts) {
    for (let c = 0; c < to[0]; c++) {
      for (let y = 0; y < size[0]; y++) {
        const begin = offsetOf(plainLayout(shapes[input]), channel + c, from[0] + y, from[1]);
        output.set(
          inputs[input].subarray(begin, begin + size[1]),
          offsetOf(plainLayout(to), c, place[0] + y, place[1]),
        );
      }
    }
  }
  return output;
}

function enlarge<T extends Reals>([factorY, factorX]: readonly [number, number], input: T, from: Shape, to: Shape): T {
  const layout = plainLayout(from);
  const output = like(input, valuesOf(to));
  let out = 0;
  for (let channel = 0; channel < to[0]; channel++) {
    for (let y = 0; y < to[1]; y++) {
      for (let x = 0; x < to[2]; x++)
        output[out++] = input[offsetOf(layout, channel, Math.floor(y / factorY), Math.floor(x / factorX))];
    }
  }
  return output;
}
