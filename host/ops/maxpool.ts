import { OP_MAXPOOL } from "../../assembly/format.js";
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
  windowsOf,
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
  takesPool: false,
  isRectifier: false,
  constants: poolConstants,
  // Where windows overlap, places would be computed more than once.
  fuse(layer, before) {
    const { kernel: size, stride, pad } = windowsOf(layer);
    const isPart = before.takesPool && before.pool === null && pad.every((zeros) => zeros === 0);
    return isPart && size.every((extent, axis) => extent <= stride[axis])
      ? { ...before, pool: { size, stride } }
      : null;
  },
  quantize(layer, { edges, inputs: [from], output, clamp, keepsScale, mismatch }) {
    if (!keepsScale) {
      mismatch(
        `its output has scale ${output.scale}, zero point ${output.zeroPoint}; expected its input's, ${from.scale} and ${from.zeroPoint}`,
      );
    }
    return { op: "maxpool", ...edges, ...windowsOf(layer), clamp };
  },
} as const satisfies FloatOp<MaxPoolLayer>;

export const qmaxpool = {
  number: OP_MAXPOOL,
  arity: 1,
  fields: poolFields,
  values: poolValues,
  layer: (edges, values) => ({ op: "maxpool", ...edges, ...pooling(values) }),
  check: checkPool,
  forward(layer, [input], [from], { shape }) {
    const output = new Int8Array(valuesOf(shape));
    eachWindow(layer, from.shape, shape, (out, elements) => {
      let largest = -128;
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
