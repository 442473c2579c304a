/** The float ops in plain loops: the oracle for training kernels and for the integer model. Sums are doubles, in index order. */
import { tensorShapes } from "../model/shapes.js";
import type { Conv2dLayer, Layer, Net, PoolLayer, Shape } from "../model/model.js";

/** @param input [C, H, W] @returns every tensor of the graph by name */
export function runNet(net: Net, input: Float32Array): Map<string, Float64Array> {
  const shapes = tensorShapes(net.graph);
  const values = new Map<string, Float64Array>([[net.graph.input.name, Float64Array.from(input)]]);
  for (const layer of net.graph.layers) {
    const from = shapes.get(layer.input)!;
    values.set(layer.output, runFloatLayer(net, layer, values.get(layer.input)!, from, shapes.get(layer.output)!));
  }
  return values;
}

function runFloatLayer(net: Net, layer: Layer, x: Float64Array, from: Shape, to: Shape): Float64Array {
  switch (layer.op) {
    case "conv2d":
      return conv2d(net, layer, x, from, to);
    case "dense": {
      const weights = net.tensors.get(`${layer.name}.weight`)!.data;
      return Float64Array.from(net.tensors.get(`${layer.name}.bias`)!.data, (bias, row) =>
        x.reduce((acc, value, column) => acc + weights[row * x.length + column] * value, bias),
      );
    }
    case "relu":
      return x.map((value) => Math.max(0, value));
    case "maxpool":
      return pool(layer, x, from, to, (window) => Math.max(...window));
    case "avgpool":
      return pool(layer, x, from, to, (window) => window.reduce((sum, value) => sum + value, 0) / window.length);
  }
}

function conv2d(
  net: Net,
  layer: Conv2dLayer,
  x: Float64Array,
  [channels, height, width]: Shape,
  to: Shape,
): Float64Array {
  const weights = net.tensors.get(`${layer.name}.weight`)!.data;
  const bias = net.tensors.get(`${layer.name}.bias`)!.data;
  const groupInputs = channels / layer.groups;
  const groupOutputs = to[0] / layer.groups;
  const [kernelHeight, kernelWidth] = layer.kernel;
  return eachElement(to, (row, oy, ox) => {
    let acc = bias[row];
    let at = row * groupInputs * kernelHeight * kernelWidth;
    const firstChannel = Math.floor(row / groupOutputs) * groupInputs;
    for (let channel = firstChannel; channel < firstChannel + groupInputs; channel++) {
      for (let ky = 0; ky < kernelHeight; ky++) {
        for (let kx = 0; kx < kernelWidth; kx++, at++) {
          const y = oy * layer.stride + ky - layer.pad;
          const x0 = ox * layer.stride + kx - layer.pad;
          if (y >= 0 && y < height && x0 >= 0 && x0 < width)
            acc += weights[at] * x[(channel * height + y) * width + x0];
        }
      }
    }
    return acc;
  });
}

function pool(
  layer: PoolLayer,
  x: Float64Array,
  from: Shape,
  to: Shape,
  reduce: (window: number[]) => number,
): Float64Array {
  return eachElement(to, (channel, oy, ox) => {
    const window: number[] = [];
    for (let y = oy * layer.stride; y < oy * layer.stride + layer.kernel; y++) {
      for (let x0 = ox * layer.stride; x0 < ox * layer.stride + layer.kernel; x0++) {
        window.push(x[(channel * from[1] + y) * from[2] + x0]);
      }
    }
    return reduce(window);
  });
}

function eachElement(
  [channels, height, width]: Shape,
  of: (channel: number, y: number, x: number) => number,
): Float64Array {
  const plane = height * width;
  return Float64Array.from({ length: channels * plane }, (_, i) =>
    of(Math.floor(i / plane), Math.floor((i % plane) / width), i % width),
  );
}
