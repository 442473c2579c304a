import { OP_CONCAT } from "../../assembly/format.js";
import { elementsFor } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import { MoteError } from "../errors.js";
import { PLAIN_OP, type Edges, type FloatOp, type IntegerOp, type JoiningLayer } from "./op.js";

/** Channels of two tensors or more, one behind the other. */
export interface ConcatLayer extends JoiningLayer {
  readonly op: "concat";
}

/**
 * Channels of two tensors one behind the other. Nothing is copied: the inputs lie within the output, at the places of their channels, with
 * its border and zero point. More are joined by several of these.
 */
export interface QConcat extends Edges {
  readonly op: "concat";
}

export const concat = {
  ...PLAIN_OP,
  joins: { least: 2, most: Infinity },
  attributes: {},
  outputShape(_layer, inputs, where) {
    const [, height, width] = inputs[0];
    const other = inputs.find((shape) => shape[1] !== height || shape[2] !== width);
    if (other !== undefined) {
      const planes = `${height} × ${width} and ${other[1]} × ${other[2]}`;
      throw new MoteError("UNSUPPORTED", `${where}: its inputs are ${planes}, expected planes of one size`);
    }
    return [inputs.reduce((sum, [channels]) => sum + channels, 0), height, width];
  },
  forward(_layer, inputs, to) {
    const output = new Float64Array(valuesOf(to));
    let at = 0;
    for (const { data } of inputs) {
      output.set(data, at);
      at += data.length;
    }
    return output;
  },
  hasOwnScale: false,
} as const satisfies FloatOp<ConcatLayer>;

export const qconcat = {
  number: OP_CONCAT,
  arity: 2,
  fields: [],
  values: () => [],
  layer: (edges) => ({ op: "concat", ...edges }),
  check(_layer, inputs, output, where, fail) {
    const [channels, height, width] = output.shape;
    const all = inputs.reduce((sum, { shape }) => sum + shape[0], 0);
    if (all !== channels) fail(where, `inputs have ${all} channels, expected the output's ${channels}`);
    inputs.forEach(({ shape, border, zeroPoint }, index) => {
      if (shape[1] !== height || shape[2] !== width) {
        fail(where, `input ${index} is ${shape[1]} × ${shape[2]}, expected the output's ${height} × ${width}`);
      }
      if (border !== output.border || zeroPoint !== output.zeroPoint) {
        fail(where, `input ${index} has another border or zero point than the output`);
      }
    });
  },
  forward(_layer, inputs, _from, to) {
    const output = elementsFor(to, valuesOf(to.shape));
    let at = 0;
    for (const elements of inputs) {
      output.set(elements, at);
      at += elements.length;
    }
    return output;
  },
  range: (_layer, inputs) => [Math.min(...inputs.map(([low]) => low)), Math.max(...inputs.map(([, high]) => high))],
  weights: null,
  isInPlace: true,
  device: { room: "ops/concat" },
} as const satisfies IntegerOp<QConcat>;
