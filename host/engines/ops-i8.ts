/**
 * The integer model in plain loops, as SPEC.md states it: the oracle for every kernel. Tensors are [C, H, W] without borders; a position
 * outside holds the zero point. Accumulators are int32 and wrap.
 */
import { inputsOf, modelInputs, statesOf } from "../model/edges.js";
import { elementsFor, type Elements } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import type { QLayer, QModel } from "../model/model.js";
import { integerOp } from "../ops/index.js";

/** @param inputs elements of the layer's input tensors, in order @returns its output tensor's */
export function runLayer(model: QModel, layer: QLayer, inputs: readonly Elements[]): Elements {
  const from = inputsOf(layer).map((tensor) => model.tensors[tensor]);
  return integerOp(layer).forward(layer, inputs, from, model.tensors[layer.output]);
}

/** Elements of tensors by index, [C, H, W] without borders. */
export type Tensors = Map<number, Elements>;

/** What the states hold before the first run: their zero points. */
export function freshStates({ tensors, layers }: Pick<QModel, "tensors" | "layers">): Tensors {
  return new Map(
    statesOf({ tensors, layers }).map((state) => {
      const tensor = tensors[state];
      return [state, elementsFor(tensor, valuesOf(tensor.shape)).fill(tensor.zeroPoint)];
    }),
  );
}

/**
 * Every layer in turn.
 * @param inputs of the model, in order
 * @param states what they hold; afterwards, what they hold for the next run
 * @param visit called after each layer with its index and its output
 * @returns all tensors that the run had, states as they were
 */
export function runLayers(
  model: QModel,
  inputs: readonly Elements[],
  states: Tensors,
  visit?: (layer: number, output: Elements) => void,
): Tensors {
  const tensors: Tensors = new Map(states);
  modelInputs(model).forEach((tensor, index) => tensors.set(tensor, inputs[index]));
  model.layers.forEach((layer, index) => {
    const elements = inputsOf(layer).map((tensor) => tensors.get(tensor)!);
    const output = runLayer(model, layer, elements);
    tensors.set(layer.output, output);
    visit?.(index, output);
  });
  for (const state of states.keys()) states.set(state, tensors.get(model.tensors[state].source!)!);
  return tensors;
}

/** A first run. @param input of a model that has one, or all of them @returns the output of each layer */
export function runModel(model: QModel, input: Elements | readonly Elements[]): Elements[] {
  const outputs: Elements[] = [];
  const inputs = Array.isArray(input) ? input : [input as Elements];
  runLayers(model, inputs, freshStates(model), (layer, output) => (outputs[layer] = output));
  return outputs;
}
