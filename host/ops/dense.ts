import { OP_DENSE } from "../../assembly/format.js";
import { whole } from "./attributes.js";
import { FORM } from "./fields.js";
import { elementsFor } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import type { QWeights } from "../model/model.js";
import type { Edges, FloatOp, IntegerOp, NamedLayer } from "./op.js";
import { NO_WEIGHTS, requantizeRow } from "./weighted.js";

export interface DenseLayer extends NamedLayer {
  readonly op: "dense";
  readonly outFeatures: number;
}

export interface QDense extends QWeights, Edges {
  readonly op: "dense";
}

export const dense = {
  attributes: { outFeatures: whole(1) },
  outputShape: ({ outFeatures }) => [outFeatures, 1, 1],
  forward: (_layer, [{ data }], _to, parameters) =>
    Float64Array.from(parameters!.bias, (bias, row) =>
      data.reduce((acc, value, column) => acc + parameters!.weight[row * data.length + column] * value, bias),
    ),
  weights: {
    rows: ({ outFeatures }) => outFeatures,
    columns: (_layer, input) => [valuesOf(input)],
    kernel: (_layer, [, height, width]) => [height, width],
    groups: () => 1,
    pad: () => 0,
    withRows: (layer, outFeatures) => ({ ...layer, outFeatures }),
  },
  hasOwnScale: true,
  isRectifier: false,
  constants: null,
} as const satisfies FloatOp<DenseLayer>;

export const qdense = {
  number: OP_DENSE,
  arity: 1,
  fields: [FORM],
  values: ({ clamp }) => clamp,
  layer: (edges, [clampMin, clampMax]) => ({ op: "dense", ...edges, ...NO_WEIGHTS, clamp: [clampMin, clampMax] }),
  check(_layer, _inputs, { shape }, where, fail) {
    if (shape[1] !== 1 || shape[2] !== 1) {
      fail(where, `output shape is [${shape.join(", ")}], expected [${shape[0]}, 1, 1]`);
    }
  },
  forward(layer, [input], [{ zeroPoint }], to) {
    const columns = input.length;
    const { weights } = layer;
    const output = elementsFor(to, to.shape[0]);
    for (let row = 0; row < output.length; row++) {
      let acc = layer.bias[row];
      for (let column = 0; column < columns; column++) {
        acc = (acc + weights[row * columns + column] * (input[column] - zeroPoint)) | 0;
      }
      output[row] = requantizeRow(acc, layer, row, to.zeroPoint);
    }
    return output;
  },
  range: ({ clamp }) => clamp,
  weights: {
    columns: (_layer, input) => valuesOf(input),
    kernel: (_layer, [, height, width]) => [height, width],
    places: () => 1,
    needsWholeRow: false,
  },
  isInPlace: false,
  device: { room: "ops/dense" },
} as const satisfies IntegerOp<QDense>;
