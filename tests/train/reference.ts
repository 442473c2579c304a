/** The oracle of the gradient tests: forward pass and loss in plain doubles, written as the textbook has them. */
import type { Graph, Layer, Shape } from "../../host/model/model.js";
import { inputOf } from "../../host/model/edges.js";
import { axesOf, sidesOf } from "../../host/ops/attributes.js";
import { outputShape } from "../../host/model/shapes.js";

export type Parameters = ReadonlyMap<string, Float64Array>;

export interface Batch {
  /** [count][C × H × W], 0 .. 1 */
  readonly inputs: readonly Float64Array[];
  readonly labels: readonly number[];
  /** [count][classes] */
  readonly teacher?: readonly Float64Array[];
  readonly alpha?: number;
  readonly temperature?: number;
}

function conv2d(
  layer: Layer & { op: "conv2d" },
  x: Float64Array,
  [channels, height, width]: Shape,
  [rows, outHeight, outWidth]: Shape,
  w: Float64Array,
  bias: Float64Array,
): Float64Array {
  const [kernelHeight, kernelWidth] = layer.kernel;
  const [strideY, strideX] = axesOf(layer.stride);
  const [top, left] = sidesOf(layer.pad);
  const groupInputs = channels / layer.groups;
  const groupRows = rows / layer.groups;
  const y = new Float64Array(rows * outHeight * outWidth);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    const firstChannel = Math.floor(row / groupRows) * groupInputs;
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        let sum = bias[row];
        for (let c = 0; c < groupInputs; c++) {
          for (let ky = 0; ky < kernelHeight; ky++) {
            for (let kx = 0; kx < kernelWidth; kx++) {
              const iy = oy * strideY + ky - top;
              const ix = ox * strideX + kx - left;
              if (iy < 0 || ix < 0 || iy >= height || ix >= width) continue;
              const weight = w[((row * groupInputs + c) * kernelHeight + ky) * kernelWidth + kx];
              sum += weight * x[((firstChannel + c) * height + iy) * width + ix];
            }
          }
        }
        y[at++] = sum;
      }
    }
  }
  return y;
}

function pool(
  layer: Layer & { op: "maxpool" | "avgpool" },
  x: Float64Array,
  [, height, width]: Shape,
  [channels, outHeight, outWidth]: Shape,
): Float64Array {
  const y = new Float64Array(channels * outHeight * outWidth);
  const [kernelHeight, kernelWidth] = axesOf(layer.kernel);
  const [strideY, strideX] = axesOf(layer.stride);
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        const window: number[] = [];
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let kx = 0; kx < kernelWidth; kx++) {
            window.push(x[(c * height + oy * strideY + ky) * width + ox * strideX + kx]);
          }
        }
        const sum = window.reduce((a, b) => a + b, 0);
        y[at++] = layer.op === "maxpool" ? Math.max(...window) : sum / window.length;
      }
    }
  }
  return y;
}

function dense(x: Float64Array, w: Float64Array, bias: Float64Array): Float64Array {
  return bias.map((b, row) => x.reduce((sum, value, i) => sum + w[row * x.length + i] * value, b));
}

/** All tensors of one sample by name. */
export function forward(graph: Graph, parameters: Parameters, input: Float64Array): Map<string, Float64Array> {
  const tensors = new Map([[graph.input.name, input]]);
  const shapes = new Map([[graph.input.name, graph.input.shape]]);
  for (const layer of graph.layers) {
    const x = tensors.get(inputOf(layer))!;
    const shape = shapes.get(inputOf(layer))!;
    const out = outputShape(graph.name, layer, [shape]);
    const w = parameters.get(`${layer.name}.weight`)!;
    const bias = parameters.get(`${layer.name}.bias`)!;
    let y: Float64Array;
    if (layer.op === "conv2d") y = conv2d(layer, x, shape, out, w, bias);
    else if (layer.op === "dense") y = dense(x, w, bias);
    else if (layer.op === "relu") y = x.map((value) => Math.max(0, value));
    else if (layer.op === "maxpool" || layer.op === "avgpool") y = pool(layer, x, shape, out);
    else throw new Error(`no reference for ${layer.op}`);
    tensors.set(layer.output, y);
    shapes.set(layer.output, out);
  }
  return tensors;
}

export function softmax(logits: Float64Array, temperature = 1): Float64Array {
  const top = Math.max(...logits);
  const powers = logits.map((z) => Math.exp((z - top) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/** Mean loss of a batch. */
export function loss(graph: Graph, parameters: Parameters, batch: Batch): number {
  const { alpha = 0, temperature = 1 } = batch;
  const last = graph.layers[graph.layers.length - 1].output;
  let total = 0;
  batch.inputs.forEach((input, n) => {
    const logits = forward(graph, parameters, input).get(last)!;
    total -= (1 - alpha) * Math.log(softmax(logits)[batch.labels[n]]);
    if (alpha === 0 || batch.teacher === undefined) return;
    const target = softmax(batch.teacher[n], temperature);
    const student = softmax(logits, temperature);
    target.forEach((p, c) => {
      total += alpha * temperature ** 2 * p * (Math.log(p) - Math.log(student[c]));
    });
  });
  return total / batch.inputs.length;
}

/** d loss / d parameter by central differences. */
export function numericalGradient(graph: Graph, parameters: Parameters, batch: Batch, name: string): Float64Array {
  const step = 1e-5;
  const values = parameters.get(name)!;
  return values.map((value, i) => {
    values[i] = value + step;
    const above = loss(graph, parameters, batch);
    values[i] = value - step;
    const below = loss(graph, parameters, batch);
    values[i] = value;
    return (above - below) / (2 * step);
  });
}
