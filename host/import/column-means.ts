/** What weights multiply on the average: biases make up for the errors of rounded weights by it (Nagel et al. 2019, section 4.2). */
import type { Shape } from "../model/model.js";
import type { NetLayer, NetWeights } from "./net.js";

/** @param means of the channels of the layer's input @returns for each group of rows the mean of what each column's weights multiply */
export function columnMeans(
  layer: NetLayer & { readonly weights: NetWeights },
  [channels, height, width]: Shape,
  means: Float64Array,
): Float64Array[] {
  const isConv = layer.op === "conv2d";
  const [groups, span] = isConv ? [layer.groups, layer.kernel[0] * layer.kernel[1]] : [1, height * width];
  const perGroup = channels / groups;
  return Array.from({ length: groups }, (_, group) =>
    Float64Array.from(
      { length: layer.weights.columns },
      (_column, at) => means[group * perGroup + Math.floor(at / span)],
    ),
  );
}
