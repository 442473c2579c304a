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
  takesPool: false,
  isRectifier: true,
  constants: { through: (value) => Math.max(0, value), isShift: false },
  // Relu and max commute, so their order does not matter.
  fuse: (_layer, before) => ({ ...before, relu: true }),
  /** Nothing to be fused with: a pool over one element only clamps, and changes the scale where it has to. */
  quantize(_layer, { edges, inputs: [from], output, clamp, keepsScale, requantize }) {
    const pool = { ...edges, kernel: [1, 1], stride: [1, 1], pad: [0, 0], clamp } as const;
    if (keepsScale) return { op: "maxpool", ...pool };
    return { op: "avgpool", ...pool, ...requantize(from.scale / output.scale) };
  },
} as const satisfies FloatOp<ReluLayer>;
