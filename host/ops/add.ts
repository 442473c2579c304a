import { MAX_SUM_FACTOR, MAX_SUM_FACTOR_WIDE, OP_ADD } from "../../assembly/format.js";
import { checkSameShapes, sameShape } from "./elementwise.js";
import { FORM, signed, u8 } from "./fields.js";
import type { Axes } from "../model/model.js";
import { oneOf, optional } from "./attributes.js";
import { PLAIN_OP, type Edges, type FloatOp, type IntegerOp, type JoiningLayer } from "./op.js";

/** a + sign × b, of one shape. */
export interface AddLayer extends JoiningLayer {
  readonly op: "add";
  /** Absent: 1. */
  readonly sign?: 1 | -1;
}

/**
 * Sum of two tensors of one shape, each less its zero point and times a multiplier of its own:
 * q = zeroPoint + ((a × multiplier[0] + b × multiplier[1] + 2^(shift - 1)) >> shift), clamped. A difference has a negative multiplier.
 * Multipliers of 21 bits keep the sum in int32, as XNNPACK's quantized addition does (qs8-vadd); of int16 elements they have 14.
 */
export interface QAdd extends Edges {
  readonly op: "add";
  readonly multipliers: Axes;
  readonly shift: number;
  readonly clamp: readonly [number, number];
}

export const add = {
  ...PLAIN_OP,
  joins: { least: 2, most: 2 },
  attributes: { sign: optional(oneOf([1, -1])) },
  outputShape: (_layer, inputs, where) => sameShape(inputs, where),
  forward: ({ sign = 1 }, [a, b]) => a.data.map((value, index) => value + sign * b.data[index]),
  constants: { through: ({ sign = 1 }, [a, b]) => a + sign * b, isShift: () => true },
} as const satisfies FloatOp<AddLayer>;

export const qadd = {
  number: OP_ADD,
  arity: 2,
  fields: [
    FORM,
    signed("multiplier", MAX_SUM_FACTOR, MAX_SUM_FACTOR_WIDE),
    signed("otherMultiplier", MAX_SUM_FACTOR, MAX_SUM_FACTOR_WIDE),
    u8("shift", 1, 30),
  ],
  values: ({ multipliers, shift, clamp }) => [...clamp, ...multipliers, shift],
  layer: (edges, [clampMin, clampMax, first, second, shift]) => ({
    op: "add",
    ...edges,
    multipliers: [first, second],
    shift,
    clamp: [clampMin, clampMax],
  }),
  check: checkSameShapes,
  forward({ multipliers, shift, clamp }, [a, b], [fromA, fromB], to) {
    const rounding = 2 ** (shift - 1);
    return a.map((q, i) => {
      const sum = (q - fromA.zeroPoint) * multipliers[0] + (b[i] - fromB.zeroPoint) * multipliers[1];
      return Math.min(clamp[1], Math.max(clamp[0], to.zeroPoint + ((sum + rounding) >> shift)));
    });
  },
  range: ({ clamp }) => clamp,
  weights: null,
  isInPlace: false,
  device: { room: "ops/elementwise" },
} as const satisfies IntegerOp<QAdd>;
