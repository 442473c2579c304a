/** What a host has to know of the inputs and outputs of a model. */
import type { QModel, QTensor } from "../model/model.js";
import type { TensorInfo } from "./engine.js";

export interface Ends {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

/**
 * @param inputs indices of the tensors that the model is given, and of those that it gives back: all have scales
 * @param metadata names are those of the inputs, then of the outputs
 */
export function endsOf(
  tensors: readonly Pick<QTensor, "shape" | "bits" | "scale" | "zeroPoint">[],
  inputs: readonly number[],
  outputs: readonly number[],
  { names, labels, preprocessing }: Pick<QModel, "names" | "labels" | "preprocessing">,
): Ends {
  const ends = [...inputs, ...outputs].map((tensor, index): TensorInfo => {
    const { shape, bits, scale, zeroPoint } = tensors[tensor];
    return {
      ...(names === undefined ? {} : { name: names[index] }),
      shape,
      ...(bits === undefined ? {} : { bits }),
      scale: scale!,
      zeroPoint,
      ...(labels === undefined || index !== inputs.length ? {} : { labels }),
      ...(preprocessing === undefined || index !== 0 ? {} : { preprocessing }),
    };
  });
  return { inputs: ends.slice(0, inputs.length), outputs: ends.slice(inputs.length) };
}
