import { OP_MAXPOOL } from "../../assembly/format.js";
import { elementRange, elementsFor } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import type { Edges, FloatOp, IntegerOp } from "./op.js";
import {
  checkPool,
  eachWindow,
  pooledShape,
  poolAttributes,
  poolConstants,
  poolFields,
  poolFloats,
  pooling,
  poolValues,
  type NamedPool,
  type QPooling,
} from "./pool.js";

export interface MaxPoolLayer extends NamedPool {
  readonly op: "maxpool";
}

export interface QMaxPool extends Edges, QPooling {
  readonly op: "maxpool";
  readonly clamp: readonly [number, number];
}

export const maxpool = {
  attributes: poolAttributes,
  outputShape: pooledShape,
  forward: (layer, inputs, to) => poolFloats(layer, inputs, to, (window) => Math.max(...window)),
  weights: null,
  hasOwnScale: false,
  isRectifier: false,
  constants: poolConstants,
} as const satisfies FloatOp<MaxPoolLayer>;

export const qmaxpool = {
  number: OP_MAXPOOL,
  arity: 1,
  fields: poolFields,
  values: poolValues,
  layer: (edges, values) => ({ op: "maxpool", ...edges, ...pooling(values) }),
  check: checkPool,
  forward(layer, [input], [from], to) {
    const output = elementsFor(to, valuesOf(to.shape));
    eachWindow(layer, from.shape, to.shape, (out, elements) => {
      let [largest] = elementRange(to);
      elements((at) => (largest = Math.max(largest, at < 0 ? from.zeroPoint : input[at])));
      output[out] = Math.min(layer.clamp[1], Math.max(layer.clamp[0], largest));
    });
    return output;
  },
  range: ({ clamp }) => clamp,
  weights: null,
  isInPlace: false,
  device: { room: "ops/pool" },
} as const satisfies IntegerOp<QMaxPool>;
