/**
 * The integer model in plain loops, as SPEC.md states it: the oracle for every kernel. Tensors are [C, H, W] without borders; a position
 * outside holds the zero point. Accumulators are int32 and wrap.
 */
import { inputsOf } from "../model/edges.js";
import type { QLayer, QModel } from "../model/model.js";
import { integerOp } from "../ops/index.js";

/** @param inputs elements of the layer's input tensors, in order @returns its output tensor's */
export function runLayer(model: QModel, layer: QLayer, inputs: readonly Int8Array[]): Int8Array {
  const from = inputsOf(layer).map((tensor) => model.tensors[tensor]);
  return integerOp(layer).forward(layer, inputs, from, model.tensors[layer.output]);
}

/** Every layer in turn. @returns the output of each layer */
export function runModel(model: QModel, input: Int8Array): Int8Array[] {
  const tensors = new Map([[0, input]]);
  return model.layers.map((layer) => {
    const inputs = inputsOf(layer).map((tensor) => tensors.get(tensor)!);
    const output = runLayer(model, layer, inputs);
    tensors.set(layer.output, output);
    return output;
  });
}
