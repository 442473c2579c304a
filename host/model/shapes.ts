/** Shapes of a graph's tensors, and what a layer's attributes may be. */
import { MoteError } from "../errors.js";
import { floatOp, floatWeights, hasWeights } from "../ops/index.js";
import { inputOf, inputsOf } from "./edges.js";
import type { Graph, Layer, Shape } from "./model.js";

/** @throws MoteError UNSUPPORTED for an attribute of a layer that is not a whole number, or too small */
function checkAttributes(where: string, layer: Layer): void {
  const values = layer as unknown as Readonly<Record<string, number & readonly number[]>>;
  for (const [name, { least, axes }] of Object.entries(floatOp(layer).attributes)) {
    const named: (readonly [string, number])[] =
      axes === undefined ? [[name, values[name]]] : axes.map((axis, i) => [`${name} ${axis}`, values[name][i]]);
    for (const [what, value] of named) {
      if (Number.isInteger(value) && value >= least) continue;
      throw new MoteError("UNSUPPORTED", `${where}: ${what} must be a whole number of at least ${least}, got ${value}`);
    }
  }
}

/** Shape of the layer's output. @throws MoteError UNSUPPORTED for attributes that fit no such layer */
export function outputShape(graph: string, layer: Layer, inputs: readonly Shape[]): Shape {
  const where = `${graph}/${layer.name}`;
  checkAttributes(where, layer);
  return floatOp(layer).outputShape(layer, inputs, where);
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
    const other = inputsOf(layer).find((input) => input !== last);
    if (other !== undefined) {
      throw new MoteError(
        "UNSUPPORTED",
        `${graph.name}/${layer.name}: reads "${other}" where "${last}" was expected, the output of the layer before it: a net is a chain, and its last layer's output is the result`,
      );
    }
    if (names.has(layer.output) || layerNames.has(layer.name)) {
      throw new MoteError("UNSUPPORTED", `${graph.name}/${layer.name}: the layer's name or its output occurs twice`);
    }
    names.add(layer.output);
    layerNames.add(layer.name);
    last = layer.output;
    shapes.push(outputShape(graph.name, layer, [shapes[shapes.length - 1]]));
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
    const inputs = inputsOf(layer).map((name) => {
      const shape = shapes.get(name);
      if (shape !== undefined) return shape;
      throw new MoteError("UNSUPPORTED", `${graph.name}/${layer.name}: no layer before makes its input, "${name}"`);
    });
    shapes.set(layer.output, outputShape(graph.name, layer, inputs));
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
    if (!hasWeights(layer)) continue;
    const weights = floatWeights(layer);
    const rows = weights.rows(layer);
    const columns = weights.columns(layer, shapes.get(inputOf(layer))!);
    parameters.set(`${layer.name}.weight`, [rows, ...columns]);
    parameters.set(`${layer.name}.bias`, [rows]);
  }
  return parameters;
}
