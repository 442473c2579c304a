/** Which tensors a layer reads, and which ones a graph or a model is given and gives back. */
import type { Graph, QModel } from "./model.js";

/** A layer of a model has its inputs in a list, one of a float graph only where there may be several. */
export type Edges<Tensor> = { readonly inputs: readonly Tensor[] } | { readonly input: Tensor };

/** The tensors that a layer reads, one or more: names in a graph, indices in a model. */
export const inputsOf = <Tensor>(layer: Edges<Tensor>): readonly Tensor[] =>
  "inputs" in layer ? layer.inputs : [layer.input];

/** The input of a layer that has one, such as one with weights. */
export const inputOf = <Tensor>(layer: Edges<Tensor>): Tensor => inputsOf(layer)[0];

/** Tensors that are the results of a graph, one or more. */
export const resultsOf = ({ outputs, layers }: Pick<Graph, "outputs" | "layers">): readonly string[] =>
  outputs ?? layers.slice(-1).map(({ output }) => output);

/** Tensors of a graph that are not read by layers alone: its results, and what states take over. */
export const readOutside = (graph: Pick<Graph, "outputs" | "layers" | "states">): ReadonlySet<string> =>
  new Set([...resultsOf(graph), ...(graph.states ?? []).map(({ source }) => source)]);

/** Tensors that are the results of a model, one or more. */
export const outputsOf = ({ outputs }: Pick<QModel, "outputs">): readonly number[] => outputs;

/** The first result, which is what an engine returns. */
export const outputOf = (model: Pick<QModel, "outputs">): number => outputsOf(model)[0];

/** How many tensors are no layer's output: the inputs, then the states. */
export const givenTensors = ({ tensors, layers }: Pick<QModel, "tensors" | "layers">): number =>
  tensors.length - layers.length;

/** Tensors that the host writes before a run. */
export const modelInputs = (model: Pick<QModel, "tensors" | "layers">): readonly number[] =>
  indices(givenTensors(model)).filter((tensor) => model.tensors[tensor].source === undefined);

/** Tensors that keep their values between runs. */
export const statesOf = (model: Pick<QModel, "tensors" | "layers">): readonly number[] =>
  indices(givenTensors(model)).filter((tensor) => model.tensors[tensor].source !== undefined);

const indices = (count: number): number[] => Array.from({ length: Math.max(0, count) }, (_, index) => index);
