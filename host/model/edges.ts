/** Which tensors a layer reads, and which ones a graph or a model gives back. */
import type { QModel } from "./model.js";

/** The tensors that a layer reads, one or more: names in a graph, indices in a model. */
export const inputsOf = <Tensor>(layer: { readonly input: Tensor }): readonly Tensor[] => [layer.input];

/** The input of a layer that has one, such as one with weights. */
export const inputOf = <Tensor>(layer: { readonly input: Tensor }): Tensor => inputsOf(layer)[0];

/** Tensors that are the results of a model, one or more. */
export const outputsOf = ({ layers }: Pick<QModel, "layers">): readonly number[] => [layers[layers.length - 1].output];

/** The first result, which is what an engine returns. */
export const outputOf = (model: Pick<QModel, "layers">): number => outputsOf(model)[0];
