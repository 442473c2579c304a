/** The float graph in plain loops: the oracle for training kernels and for the integer model. */
import { inputsOf } from "../model/edges.js";
import { valuesOf } from "../model/geometry.js";
import type { Net, Shape } from "../model/model.js";
import { parameterShapes, tensorShapes } from "../model/shapes.js";
import { floatOp } from "../ops/index.js";
import type { Parameters } from "../ops/op.js";

/**
 * @param input [C, H, W]; of a net with states all steps, one behind the other
 * @returns every tensor of the graph by name, as it is after the last step
 */
export function runNet(net: Net, input: Float32Array): Map<string, Float64Array> {
  const shapes = tensorShapes(net.graph);
  const parameters = parametersByLayer(net);
  const { states = [], steps = 1 } = net.graph;
  const size = input.length / steps;
  let values = new Map(states.map(({ tensor, shape }) => [tensor, new Float64Array(valuesOf(shape))]));
  for (let step = 0; ; step++) {
    values.set(net.graph.input.name, Float64Array.from(input.subarray(step * size, (step + 1) * size)));
    runStep(net, shapes, parameters, values);
    if (step === steps - 1) return values;
    values = new Map(states.map(({ tensor, source }) => [tensor, values.get(source)!]));
  }
}

/** Runs the layers. @param values of what is given, which takes those of the layers' outputs */
function runStep(
  net: Net,
  shapes: ReadonlyMap<string, Shape>,
  parameters: ReadonlyMap<string, Parameters>,
  values: Map<string, Float64Array>,
): void {
  for (const layer of net.graph.layers) {
    const inputs = inputsOf(layer).map((name) => ({ shape: shapes.get(name)!, data: values.get(name)! }));
    const output = shapes.get(layer.output)!;
    values.set(layer.output, floatOp(layer).forward(layer, inputs, output, parameters.get(layer.name) ?? null));
  }
}

function parametersByLayer({ graph, tensors }: Net): Map<string, Parameters> {
  const byLayer = new Map<string, Record<string, Float32Array>>();
  for (const name of parameterShapes(graph).keys()) {
    const dot = name.lastIndexOf(".");
    const layer = byLayer.get(name.slice(0, dot)) ?? {};
    layer[name.slice(dot + 1)] = tensors.get(name)!.data;
    byLayer.set(name.slice(0, dot), layer);
  }
  return byLayer as unknown as Map<string, Parameters>;
}
