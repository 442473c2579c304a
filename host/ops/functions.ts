/** Functions of one element that nets have, as ONNX and TensorFlow define them, by the names that a float graph has for them. */
import { MoteError } from "../errors.js";
import type { Layer } from "../model/model.js";
import { own } from "../own.js";

export interface ElementFunction {
  /** What its parameters are called, in their order. */
  readonly parameters: readonly string[];
  /** @param parameters as many as it has */
  value(x: number, parameters: readonly number[]): number;
}

const plain = (value: (x: number) => number): ElementFunction => ({ parameters: [], value });

const softplus = (x: number): number => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(0, x);

export const FUNCTIONS = {
  /** Of a layer that only changes the scale. */
  identity: plain((x) => x),
  square: plain((x) => x * x),
  /** Of a binarized layer: 1 above 0, else 0. Training takes its gradient for that of a cut to ± 1. */
  step: plain((x) => Number(x > 0)),
  /** Of a cut that changes the scale as well; a float graph has a layer for it, clamp.ts. */
  clamp: { parameters: ["low", "high"], value: (x, [low, high]) => Math.min(high, Math.max(low, x)) },
  sigmoid: plain((x) => 1 / (1 + Math.exp(-x))),
  tanh: plain(Math.tanh),
  "hard-sigmoid": {
    parameters: ["alpha", "beta"],
    value: (x, [alpha, beta]) => Math.min(1, Math.max(0, alpha * x + beta)),
  },
  "hard-swish": plain((x) => (x * Math.min(6, Math.max(0, x + 3))) / 6),
  /** x × sigmoid(alpha × x) */
  silu: { parameters: ["alpha"], value: (x, [alpha]) => x / (1 + Math.exp(-alpha * x)) },
  "gelu-tanh": plain((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  gelu: plain((x) => 0.5 * x * (1 + erf(x / Math.SQRT2))),
  softplus: plain(softplus),
  softsign: plain((x) => x / (1 + Math.abs(x))),
  mish: plain((x) => x * Math.tanh(softplus(x))),
  "leaky-relu": { parameters: ["alpha"], value: (x, [alpha]) => (x < 0 ? alpha * x : x) },
  elu: { parameters: ["alpha"], value: (x, [alpha]) => (x < 0 ? alpha * Math.expm1(x) : x) },
  /** What local response normalization multiplies by, of a sum of squares: (k + alpha × x)^-beta. */
  normalization: {
    parameters: ["alpha", "beta", "k"],
    value: (x, [alpha, beta, k]) => (k + alpha * Math.max(0, x)) ** -beta,
  },
} satisfies Record<string, ElementFunction>;

export type FunctionName = keyof typeof FUNCTIONS;

export const FUNCTION_NAMES = Object.keys(FUNCTIONS) as FunctionName[];

/** @throws MoteError UNSUPPORTED for a name that is none, or another number of parameters */
export function elementFunction(
  where: string,
  name: string,
  parameters: readonly number[] = [],
): (x: number) => number {
  const found = own<ElementFunction>(FUNCTIONS, name);
  if (found === undefined)
    throw new MoteError(
      "UNSUPPORTED",
      `${where}: no function ${JSON.stringify(name)}; there are ${FUNCTION_NAMES.join(", ")}`,
    );
  if (parameters.length !== found.parameters.length) {
    const expected = found.parameters.length === 0 ? "none" : found.parameters.join(", ");
    throw new MoteError("UNSUPPORTED", `${where}: ${name} has ${parameters.length} parameters, expected ${expected}`);
  }
  return (x) => found.value(x, parameters);
}

/** Abramowitz and Stegun, 7.1.26: off by at most 1.5e-7, far below a step of int8. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

/** Whether a layer's outputs are 0 and 1: see `step` of FUNCTIONS. */
export const isStep = (layer: Layer): boolean => layer.op === "map" && layer.function === "step";
