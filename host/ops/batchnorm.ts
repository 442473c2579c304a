import { positive } from "./attributes.js";
import { plainLayout } from "../model/geometry.js";
import { PLAIN_OP, type FloatOp, type NamedLayer, type Parameters } from "./op.js";

/**
 * weight × (x − mean) / √(variance + epsilon) + bias, for each channel; while training, mean and variance are the batch's (Ioffe and Szegedy 2015).
 * A float op alone: what is packed has it folded into the weights before it.
 */
export interface BatchNormLayer extends NamedLayer {
  readonly op: "batchnorm";
  readonly epsilon: number;
}

/** What a channel is multiplied by, and what is added then. */
export function affineOf({ epsilon }: Pick<BatchNormLayer, "epsilon">, parameters: Parameters, channel: number) {
  const { weight, bias, mean, variance } = parameters;
  const factor = weight[channel] / Math.sqrt(variance![channel] + epsilon);
  return { factor, offset: bias[channel] - mean![channel] * factor };
}

export const batchnorm = {
  ...PLAIN_OP,
  perChannel: ["weight", "bias", "mean", "variance"],
  attributes: { epsilon: positive },
  outputShape: (_layer, [input]) => input,
  forward(layer, [{ shape, data }], _to, parameters) {
    const { plane } = plainLayout(shape);
    return data.map((value, index) => {
      const { factor, offset } = affineOf(layer, parameters!, Math.floor(index / plane));
      return factor * value + offset;
    });
  },
  constants: {
    through(layer, [value], channel, parameters) {
      const { factor, offset } = affineOf(layer, parameters!, channel);
      return factor * value + offset;
    },
    isShift: () => false,
  },
} as const satisfies FloatOp<BatchNormLayer>;
