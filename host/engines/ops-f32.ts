/** The float graph in plain loops: the oracle for training kernels and for the integer model. */
import { inputsOf } from "../model/edges.js";
import type { Net } from "../model/model.js";
import { parameterShapes, tensorShapes } from "../model/shapes.js";
import { floatOp } from "../ops/index.js";
import type { Parameters } from "../ops/op.js";

/** @param input [C, H, W] @returns every tensor of the graph by name */
export function runNet(net: Net, input: Float32Array): Map<string, Float64Array> {
  const shapes = tensorShapes(net.graph);
  const values = new Map<string, Float64Array>([[net.graph.input.name, Float64Array.from(input)]]);
  const parameters = parametersByLayer(net);
  for (const layer of net.graph.layers) {
    const inputs = inputsOf(layer).map((name) => ({ shape: shapes.get(name)!, data: values.get(name)! }));
    const output = shapes.get(layer.output)!;
    values.set(layer.output, floatOp(layer).forward(layer, inputs, output, parameters.get(layer.name) ?? null));
  }
  return values;
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
