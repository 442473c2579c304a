/** Shapes of a graph's tensors, and what a layer's attributes may be. */
import { MoteError } from "../errors.js";
import { valuesOf, windowsIn } from "./geometry.js";
import type { Graph, Layer, Shape } from "./model.js";

function requireInteger(where: string, what: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new MoteError("UNSUPPORTED", `${where}: ${what} must be a whole number of at least ${least}, got ${value}`);
}

function outputSize(where: string, size: number, kernel: number, stride: number): number {
  if (kernel > size) throw new MoteError("UNSUPPORTED", `${where}: kernel ${kernel} is larger than its input, ${size}`);
  return windowsIn(size, kernel, stride);
}

/** Shape of the layer's output. @throws MoteError UNSUPPORTED for attributes that fit no such layer */
export function outputShape(graph: string, layer: Layer, input: Shape): Shape {
  const where = `${graph}/${layer.name}`;
  const [channels, height, width] = input;
  switch (layer.op) {
    case "relu":
      return input;
    case "dense":
      requireInteger(where, "outFeatures", layer.outFeatures, 1);
      return [layer.outFeatures, 1, 1];
    case "maxpool":
    case "avgpool":
      requireInteger(where, "kernel", layer.kernel, 1);
      requireInteger(where, "stride", layer.stride, 1);
      return [
        channels,
        outputSize(where, height, layer.kernel, layer.stride),
        outputSize(where, width, layer.kernel, layer.stride),
      ];
    case "conv2d": {
      requireInteger(where, "outChannels", layer.outChannels, 1);
      requireInteger(where, "kernel height", layer.kernel[0], 1);
      requireInteger(where, "kernel width", layer.kernel[1], 1);
      requireInteger(where, "stride", layer.stride, 1);
      requireInteger(where, "pad", layer.pad, 0);
      requireInteger(where, "groups", layer.groups, 1);
      if (channels % layer.groups !== 0 || layer.outChannels % layer.groups !== 0) {
        const got = `${layer.groups} groups, ${channels} input and ${layer.outChannels} output channels`;
        throw new MoteError("UNSUPPORTED", `${where}: groups must divide both channel counts, got ${got}`);
      }
      return [
        layer.outChannels,
        outputSize(where, height + 2 * layer.pad, layer.kernel[0], layer.stride),
        outputSize(where, width + 2 * layer.pad, layer.kernel[1], layer.stride),
      ];
    }
  }
}

/**
 * Shapes of the input and of every layer's output, in order.
 * @throws MoteError UNSUPPORTED for a graph that is not a chain or has attributes out of range
 */
export function chainShapes(graph: Graph): Shape[] {
  const shapes: Shape[] = [graph.input.shape];
  const names = new Set([graph.input.name]);
  const layerNames = new Set<string>();
  let last = graph.input.name;
  for (const layer of graph.layers) {
    if (layer.input !== last) {
      throw new MoteError(
        "UNSUPPORTED",
        `${graph.name}/${layer.name}: reads "${layer.input}" where "${last}" was expected, the output of the layer before it: a net is a chain, and its last layer's output is the result`,
      );
    }
    if (names.has(layer.output) || layerNames.has(layer.name)) {
      throw new MoteError("UNSUPPORTED", `${graph.name}/${layer.name}: the layer's name or its output occurs twice`);
    }
    names.add(layer.output);
    layerNames.add(layer.name);
    last = layer.output;
    shapes.push(outputShape(graph.name, layer, shapes[shapes.length - 1]));
  }
  if (graph.layers.length === 0) throw new MoteError("UNSUPPORTED", `${graph.name}: a graph needs at least one layer`);
  return shapes;
}

/**
 * The shape of every tensor by name.
 * @throws MoteError UNSUPPORTED for attributes out of range or a layer whose input is not made before it
 */
export function tensorShapes(graph: Graph): Map<string, Shape> {
  const shapes = new Map([[graph.input.name, graph.input.shape]]);
  for (const layer of graph.layers) {
    const input = shapes.get(layer.input);
    if (input === undefined)
      throw new MoteError(
        "UNSUPPORTED",
        `${graph.name}/${layer.name}: no layer before makes its input, "${layer.input}"`,
      );
    shapes.set(layer.output, outputShape(graph.name, layer, input));
  }
  return shapes;
}

/**
 * Names and shapes of a graph's weights and biases, as Net has them.
 * @throws MoteError UNSUPPORTED, see tensorShapes
 */
export function parameterShapes(graph: Graph): Map<string, number[]> {
  const shapes = tensorShapes(graph);
  const parameters = new Map<string, number[]>();
  for (const layer of graph.layers) {
    if (layer.op !== "dense" && layer.op !== "conv2d") continue;
    const input = shapes.get(layer.input)!;
    const [rows] = shapes.get(layer.output)!;
    const columns = layer.op === "dense" ? [valuesOf(input)] : [input[0] / layer.groups, ...layer.kernel];
    parameters.set(`${layer.name}.weight`, [rows, ...columns]);
    parameters.set(`${layer.name}.bias`, [rows]);
  }
  return parameters;
}
