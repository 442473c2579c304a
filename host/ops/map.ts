import { oneOf, optional, reals } from "./attributes.js";
import { elementFunction, FUNCTION_NAMES, type FunctionName } from "./functions.js";
import { PLAIN_OP, type FloatOp, type NamedLayer } from "./op.js";

/** A function of each element: functions.ts has them by name. */
export interface MapLayer extends NamedLayer {
  readonly op: "map";
  readonly function: FunctionName;
  /** As many as the function has; absent: none. */
  readonly parameters?: readonly number[];
}

export const map = {
  ...PLAIN_OP,
  attributes: { function: oneOf(FUNCTION_NAMES), parameters: optional(reals) },
  outputShape(layer, [input], where) {
    elementFunction(where, layer.function, layer.parameters);
    return input;
  },
  forward: (layer, [{ data }]) => data.map(elementFunction(layer.name, layer.function, layer.parameters)),
  constants: {
    through: (layer, [value]) =>
      Number.isNaN(value) ? NaN : elementFunction(layer.name, layer.function, layer.parameters)(value),
    isShift: () => false,
  },
} as const satisfies FloatOp<MapLayer>;
