import { OP_AVGPOOL } from "../../assembly/format.js";
import { CLAMP_FIELDS, REQUANTIZE_FIELDS } from "./fields.js";
import { valuesOf } from "../model/geometry.js";
import { requantize } from "../quantize/requantize.js";
import type { Edges, FloatOp, IntegerOp } from "./op.js";
import {
  checkPool,
  eachWindow,
  pooledShape,
  poolAttributes,
  poolConstants,
  poolFields,
  poolFloats,
  type NamedPool,
  type Pooling,
} from "./pool.js";

export interface AvgPoolLayer extends NamedPool {
  readonly op: "avgpool";
}

/** acc = sum of (q - zeroPoint of the input); the multiplier holds 1 / kernel² and the change of scale. */
export interface QAvgPool extends Edges, Pooling {
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
  takesPool: false,
  isRectifier: false,
  constants: poolConstants,
  fuse: () => null,
  quantize({ kernel, stride }, { edges, inputs: [from], output, clamp, requantize }) {
    const factor = from.scale / output.scale / (kernel * kernel);
    return { op: "avgpool", ...edges, kernel, stride, ...requantize(factor), clamp };
  },
} as const satisfies FloatOp<AvgPoolLayer>;

export const qavgpool = {
  number: OP_AVGPOOL,
  fields: [...poolFields, ...CLAMP_FIELDS, ...REQUANTIZE_FIELDS],
  values: ({ kernel, stride, clamp, multiplier, shift }) => [kernel, stride, ...clamp, multiplier, shift],
  layer: (edges, [kernel, stride, clampMin, clampMax, multiplier, shift]) => ({
    op: "avgpool",
    ...edges,
    kernel,
    stride,
    multiplier,
    shift,
    clamp: [clampMin, clampMax],
  }),
  check: checkPool,
  forward(layer, [input], [from], to) {
    const output = new Int8Array(valuesOf(to.shape));
    const { multiplier, shift, clamp } = layer;
    eachWindow(layer, from.shape, to.shape, (out, elements) => {
      let acc = 0;
      elements((at) => (acc += input[at] - from.zeroPoint));
      output[out] = requantize(acc, multiplier, shift, to.zeroPoint, clamp[0], clamp[1]);
    });
    return output;
  },
  weights: null,
  device: { room: "ops/pool" },
} as const satisfies IntegerOp<QAvgPool>;
