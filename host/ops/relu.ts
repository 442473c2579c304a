import type { FloatOp, NamedLayer } from "./op.js";

export interface ReluLayer extends NamedLayer {
  readonly op: "relu";
}

/** A float op alone: an integer model has the clamp of the layer before it instead. */
export const relu = {
  attributes: {},
  outputShape: (_layer, [input]) => input,
  forward: (_layer, [{ data }]) => data.map((value) => Math.max(0, value)),
  weights: null,
  hasOwnScale: false,
  isRectifier: true,
  constants: { through: (_layer, [value]) => Math.max(0, value), isShift: () => false },
} as const satisfies FloatOp<ReluLayer>;
