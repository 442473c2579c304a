import { LUT_ENTRIES, OP_LUT } from "../../assembly/format.js";
import { checkSameShapes } from "./elementwise.js";
import { bytes } from "./fields.js";
import type { Edges, IntegerOp } from "./op.js";

/** Any function of one element: sigmoid, tanh, hard-swish and so on, or a change of scale. Entry i is the output for the element i - 128. */
export interface QLut extends Edges {
  readonly op: "lut";
  readonly table: Int8Array;
}

export const qlut = {
  number: OP_LUT,
  arity: 1,
  fields: [bytes("table", LUT_ENTRIES)],
  values: ({ table }) => [...table],
  layer: (edges, values) => ({ op: "lut", ...edges, table: Int8Array.from(values) }),
  check: checkSameShapes,
  forward: ({ table }, [input]) => input.map((q) => table[q + 128]),
  range({ table }, [[low, high]]) {
    const reached = [...table.subarray(low + 128, high + 129)];
    return [Math.min(...reached), Math.max(...reached)];
  },
  weights: null,
  scratchBytes: LUT_ENTRIES,
  isInPlace: false,
  device: { room: "ops/lut" },
} as const satisfies IntegerOp<QLut>;
