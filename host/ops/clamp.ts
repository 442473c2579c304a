import { optional, real } from "./attributes.js";
import { MoteError } from "../errors.js";
import { PLAIN_OP, type FloatOp, type NamedLayer } from "./op.js";

/** min(high, max(low, x)): relu6 and other cut-offs. Absent: no limit on that side. */
export interface ClampLayer extends NamedLayer {
  readonly op: "clamp";
  readonly low?: number;
  readonly high?: number;
}

export const limitsOf = ({ low = -Infinity, high = Infinity }: Pick<ClampLayer, "low" | "high">) => ({ low, high });

const cut = (layer: ClampLayer, value: number): number => {
  const { low, high } = limitsOf(layer);
  return Math.min(high, Math.max(low, value));
};

/** A float op alone: an integer model has the clamp of the layer before it instead. */
export const clamp = {
  ...PLAIN_OP,
  attributes: { low: optional(real), high: optional(real) },
  outputShape(layer, [input], where) {
    const { low, high } = limitsOf(layer);
    if (low > high) throw new MoteError("UNSUPPORTED", `${where}: low ${low} is above high ${high}`);
    return input;
  },
  forward: (layer, [{ data }]) => data.map((value) => cut(layer, value)),
  hasOwnScale: false,
  constants: { through: (layer, [value]) => cut(layer, value), isShift: () => false },
} as const satisfies FloatOp<ClampLayer>;
