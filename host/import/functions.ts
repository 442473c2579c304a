/** Functions of one element that nets have, as ONNX and TensorFlow define them. */

export const FUNCTIONS = {
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  "hard-sigmoid": (x: number) => Math.min(1, Math.max(0, x / 6 + 0.5)),
  "hard-swish": (x: number) => (x * Math.min(6, Math.max(0, x + 3))) / 6,
  silu: (x: number) => x / (1 + Math.exp(-x)),
  "gelu by tanh": (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  gelu: (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  softplus: (x: number) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(0, x),
  softsign: (x: number) => x / (1 + Math.abs(x)),
  mish: (x: number) => x * Math.tanh(Math.log1p(Math.exp(-Math.abs(x))) + Math.max(0, x)),
} satisfies Record<string, (x: number) => number>;

export const leakyRelu =
  (alpha: number) =>
  (x: number): number =>
    x < 0 ? alpha * x : x;

export const elu =
  (alpha: number) =>
  (x: number): number =>
    x < 0 ? alpha * Math.expm1(x) : x;

/** Abramowitz and Stegun, 7.1.26: off by at most 1.5e-7, far below a step of int8. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}
