import { OP_AVGPOOL } from "../../assembly/format.js";
import { REQUANTIZE_FIELDS } from "./fields.js";
import { elementsFor } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import { requantizeAway } from "../quantize/requantize.js";
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

export interface AvgPoolLayer extends NamedPool {
  readonly op: "avgpool";
}

/** acc = sum of (q - zeroPoint of the input); the multiplier holds 1 / elements of a window and the change of scale. */
export interface QAvgPool extends Edges, QPooling {
  readonly op: "avgpool";
  readonly multiplier: number;
  readonly shift: number;
  readonly clamp: readonly [number, number];
}

export const avgpool = {
  attributes: poolAttributes,
  outputShape: pooledShape,
  forward: (layer, inputs, to) =>
    poolFloats(layer, inputs, to, (window) => window.reduce((sum, value) => sum + value, 0) / window.length),
  weights: null,
  hasOwnScale: true,
  isRectifier: false,
  constants: poolConstants,
} as const satisfies FloatOp<AvgPoolLayer>;

export const qavgpool = {
  number: OP_AVGPOOL,
  arity: 1,
  fields: [...poolFields, ...REQUANTIZE_FIELDS],
  values: (layer) => [...poolValues(layer), layer.multiplier, layer.shift],
  layer: (edges, values) => {
    const [multiplier, shift] = values.slice(-2);
    return { op: "avgpool", ...edges, ...pooling(values), multiplier, shift };
  },
  check: checkPool,
  forward(layer, [input], [from], to) {
    const output = elementsFor(to, valuesOf(to.shape));
    const { multiplier, shift, clamp } = layer;
    eachWindow(layer, from.shape, to.shape, (out, elements) => {
      let acc = 0;
      elements((at) => (acc = (acc + (at < 0 ? 0 : input[at] - from.zeroPoint)) | 0));
      output[out] = requantizeAway(acc, multiplier, shift, to.zeroPoint, clamp);
    });
    return output;
  },
  range: ({ clamp }) => clamp,
  weights: null,
  isInPlace: false,
  device: { room: "ops/pool" },
} as const satisfies IntegerOp<QAvgPool>;
