/**
 * The integer ops in plain loops, as SPEC.md states them: the oracle for every kernel. Tensors are [C, H, W] without borders; a
 * position outside holds the zero point. Accumulators are int32 and wrap.
 */
import type { QAvgPool, QConv2d, QDense, QLayer, QMaxPool, QModel, QTensor, QWeights } from "../model/model.js";
import { requantize } from "../quantize/requantize.js";

/** @param input the layer's input tensor's elements @returns its output tensor's */
export function runLayer(model: QModel, layer: QLayer, input: Int8Array): Int8Array {
  const from = model.tensors[layer.input];
  const to = model.tensors[layer.output];
  if (layer.op === "conv2d") return conv2d(from, to, layer, input);
  if (layer.op === "dense") return dense(from, to, layer, input);
  if (layer.op === "maxpool") return maxpool(from, to, layer, input);
  return avgpool(from, to, layer, input);
}

/** Every layer in turn. @returns the output of each layer */
export function runModel(model: QModel, input: Int8Array): Int8Array[] {
  const tensors = new Map([[0, input]]);
  return model.layers.map((layer) => {
    const output = runLayer(model, layer, tensors.get(layer.input)!);
    tensors.set(layer.output, output);
    return output;
  });
}

function conv2d(from: QTensor, to: QTensor, layer: QConv2d, input: Int8Array): Int8Array {
  const [channels, height, width] = from.shape;
  const [rows, outHeight, outWidth] = to.shape;
  const [kernelHeight, kernelWidth] = layer.kernel;
  const { stride, pad, pool } = layer;
  const { zeroPoint } = from;
  const groupInputs = channels / layer.groups;
  const groupOutputs = rows / layer.groups;
  const convHeight = (outHeight - 1) * pool.stride + pool.size;
  const convWidth = (outWidth - 1) * pool.stride + pool.size;
  const output = new Int8Array(rows * outHeight * outWidth);
  const acc = new Int32Array(convHeight * convWidth);
  for (let row = 0, at = 0, out = 0; row < rows; row++) {
    acc.fill(layer.bias[row]);
    const firstChannel = Math.floor(row / groupOutputs) * groupInputs;
    for (let channel = firstChannel; channel < firstChannel + groupInputs; channel++) {
      for (let ky = 0; ky < kernelHeight; ky++) {
        for (let kx = 0; kx < kernelWidth; kx++) {
          const w = layer.weights[at++];
          if (w === 0) continue;
          for (let oy = 0; oy < convHeight; oy++) {
            const y = oy * stride + ky - pad;
            if (y < 0 || y >= height) continue;
            for (let ox = 0; ox < convWidth; ox++) {
              const x = ox * stride + kx - pad;
              if (x < 0 || x >= width) continue;
              acc[oy * convWidth + ox] += w * (input[(channel * height + y) * width + x] - zeroPoint);
            }
          }
        }
      }
    }
    for (let py = 0; py < outHeight; py++) {
      for (let px = 0; px < outWidth; px++) {
        let largest = -(2 ** 31);
        for (let y = py * pool.stride; y < py * pool.stride + pool.size; y++) {
          for (let x = px * pool.stride; x < px * pool.stride + pool.size; x++) {
            largest = Math.max(largest, acc[y * convWidth + x]);
          }
        }
        output[out++] = requantizeRow(largest, layer, row, to.zeroPoint);
      }
    }
  }
  return output;
}

function dense(from: QTensor, to: QTensor, layer: QDense, input: Int8Array): Int8Array {
  const rows = to.shape[0];
  const columns = input.length;
  const { weights } = layer;
  const { zeroPoint } = from;
  const output = new Int8Array(rows);
  for (let row = 0; row < rows; row++) {
    let acc = layer.bias[row];
    for (let column = 0; column < columns; column++) {
      acc = (acc + weights[row * columns + column] * (input[column] - zeroPoint)) | 0;
    }
    output[row] = requantizeRow(acc, layer, row, to.zeroPoint);
  }
  return output;
}

function requantizeRow(acc: number, layer: QWeights, row: number, zeroPoint: number): number {
  const i = layer.multiplier.length > 1 ? row : 0;
  return requantize(acc, layer.multiplier[i], layer.shift[i], zeroPoint, layer.clamp[0], layer.clamp[1]);
}

function maxpool(from: QTensor, to: QTensor, layer: QMaxPool, input: Int8Array): Int8Array {
  return eachWindow(from, to, layer, (elements) => {
    let largest = -128;
    elements((at) => (largest = Math.max(largest, input[at])));
    return Math.min(layer.clamp[1], Math.max(layer.clamp[0], largest));
  });
}

function avgpool(from: QTensor, to: QTensor, layer: QAvgPool, input: Int8Array): Int8Array {
  return eachWindow(from, to, layer, (elements) => {
    let acc = 0;
    elements((at) => (acc += input[at] - from.zeroPoint));
    return requantize(acc, layer.multiplier, layer.shift, to.zeroPoint, layer.clamp[0], layer.clamp[1]);
  });
}

/** Calls `reduce` for each output element with an iterator over the indices of its window. */
function eachWindow(
  from: QTensor,
  to: QTensor,
  layer: QMaxPool | QAvgPool,
  reduce: (elements: (visit: (at: number) => void) => void) => number,
): Int8Array {
  const [, height, width] = from.shape;
  const [channels, outHeight, outWidth] = to.shape;
  const output = new Int8Array(channels * outHeight * outWidth);
  let out = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        output[out++] = reduce((visit) => {
          for (let y = oy * layer.stride; y < oy * layer.stride + layer.kernel; y++) {
            for (let x = ox * layer.stride; x < ox * layer.stride + layer.kernel; x++) {
              visit((channel * height + y) * width + x);
            }
          }
        });
      }
    }
  }
  return output;
}
