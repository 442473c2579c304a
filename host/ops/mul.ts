import { OP_MUL } from "../../assembly/format.js";
import { requantize } from "../quantize/requantize.js";
import { checkGate, isGate, sameShape } from "./elementwise.js";
import { FORM, REQUANTIZE_FIELDS } from "./fields.js";
import { PLAIN_OP, type Edges, type FloatOp, type IntegerOp, type JoiningLayer } from "./op.js";

/** a × b. b has the shape of a, or one element a channel, [C, 1, 1]. */
export interface MulLayer extends JoiningLayer {
  readonly op: "mul";
}

/**
 * Product of two tensors, each less its zero point, requantized. The second has the shape of the first, or one element a channel, [C, 1, 1],
 * which then multiplies the whole channel: a gate, as of squeeze and excitation.
 */
export interface QMul extends Edges {
  readonly op: "mul";
  readonly multiplier: number;
  readonly shift: number;
  readonly clamp: readonly [number, number];
}

export const mul = {
  ...PLAIN_OP,
  joins: { least: 2, most: 2 },
  attributes: {},
  outputShape: (_layer, inputs, where) => (isGate(inputs) ? inputs[0] : sameShape(inputs, where)),
  forward(_layer, [a, b]) {
    const elementsOfOne = a.data.length / b.data.length;
    return a.data.map((value, index) => value * b.data[Math.floor(index / elementsOfOne)]);
  },
  constants: { through: (_layer, [a, b]) => (a === 0 || b === 0 ? 0 : a * b), isShift: () => false },
} as const satisfies FloatOp<MulLayer>;

export const qmul = {
  number: OP_MUL,
  arity: 2,
  fields: [FORM, ...REQUANTIZE_FIELDS],
  values: ({ multiplier, shift, clamp }) => [...clamp, multiplier, shift],
  layer: (edges, [clampMin, clampMax, multiplier, shift]) => ({
    op: "mul",
    ...edges,
    multiplier,
    shift,
    clamp: [clampMin, clampMax],
  }),
  check: checkGate,
  forward({ multiplier, shift, clamp }, [a, b], [fromA, fromB], to) {
    const elementsOfOne = a.length / b.length;
    return a.map((q, i) => {
      const product = (q - fromA.zeroPoint) * (b[Math.floor(i / elementsOfOne)] - fromB.zeroPoint);
      return requantize(product, multiplier, shift, to.zeroPoint, clamp[0], clamp[1]);
    });
  },
  range: ({ clamp }) => clamp,
  weights: null,
  isInPlace: false,
  device: { room: "ops/elementwise" },
} as const satisfies IntegerOp<QMul>;
