/** The float graph in plain loops: the oracle for training kernels and for the integer model. */
import { inputsOf } from "../model/edges.js";
import type { Layer, Net } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { floatOp, hasWeights } from "../ops/index.js";
import type { Parameters } from "../ops/op.js";

/** @param input [C, H, W] @returns every tensor of the graph by name */
export function runNet(net: Net, input: Float32Array): Map<string, Float64Array> {
  const shapes = tensorShapes(net.graph);
  const values = new Map<string, Float64Array>([[net.graph.input.name, Float64Array.from(input)]]);
  for (const layer of net.graph.layers) {
    const inputs = inputsOf(layer).map((name) => ({ shape: shapes.get(name)!, data: values.get(name)! }));
    const output = shapes.get(layer.output)!;
    values.set(layer.output, floatOp(layer).forward(layer, inputs, output, parametersOf(net, layer)));
  }
  return values;
}

function parametersOf({ tensors }: Net, layer: Layer): Parameters | null {
  if (!hasWeights(layer)) return null;
  return { weight: tensors.get(`${layer.name}.weight`)!.data, bias: tensors.get(`${layer.name}.bias`)!.data };
}
