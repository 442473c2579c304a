/**
 * A tensor of four dimensions as a sum of products of four vectors, the canonical polyadic decomposition, by alternating least squares: three
 * vectors of every component are held, the fourth ones follow from a linear system, in turn.
 * @see Kolda, Bader 2009, "Tensor decompositions and applications", section 3.4
 */
import { Random } from "../rng.js";
import { solvePositive } from "./cholesky.js";

export type Shape4 = readonly [number, number, number, number];

/** Of each dimension: [components, length], unit vectors, but for the first dimension, whose vectors have the components' sizes. */
export type Components = readonly Float64Array[];

const MOST_SWEEPS = 200;
/** It ends where a sweep brings the sum nearer by less than this part of the tensor's norm. */
const LEAST_GAIN = 1e-7;
/** Of the mean diagonal, added to it, or as much more as it takes: components may come to lie on each other. */
const RIDGE = 1e-10;

/** Multiplications, of which each of up to 200 sweeps takes some twenty times as many: minutes. */
export const MOST_DECOMPOSE_WORK = 2e8;

/** What a sweep grows with: every weight meets every component, and a system of all components is solved. */
export const decomposeWork = (shape: Shape4, count: number): number =>
  Math.round(shape.reduce((a, b) => a * b, 1) * count + count ** 3 / 6);

/**
 * @param data in C order
 * @param count of components, at least 1
 * @param seed of the vectors that it begins with; the result is near to the best sum, not always the best
 */
export function decompose(shape: Shape4, data: ArrayLike<number>, count: number, seed: number): Components {
  const random = new Random(seed, count);
  const factors: Float64Array[] = shape.map((length) =>
    Float64Array.from({ length: count * length }, () => random.normal()),
  );
  const norm = Math.sqrt(Array.from(data).reduce((sum, value) => sum + value * value, 0));
  if (norm === 0) return factors.map((factor, mode) => (mode === 0 ? factor.fill(0) : factor));
  for (let sweep = 0, before = Infinity; sweep < MOST_SWEEPS; sweep++) {
    // The first dimension last: it has the sizes then.
    for (const mode of [1, 2, 3, 0]) {
      factors[mode] = leastSquares(shape, data, factors, mode, count);
      if (mode > 0) normalize(factors[mode], shape[mode]);
    }
    const error = distance(shape, data, factors, count) / norm;
    if (before - error < LEAST_GAIN) break;
    before = error;
  }
  return factors;
}

/** Root of the summed squared differences between a tensor and the sum of its components. */
export function distance(shape: Shape4, data: ArrayLike<number>, factors: Components, count: number): number {
  const [n0, n1, n2, n3] = shape;
  let sum = 0;
  for (let a = 0, at = 0; a < n0; a++)
    for (let b = 0; b < n1; b++)
      for (let c = 0; c < n2; c++)
        for (let d = 0; d < n3; d++, at++) {
          let value = 0;
          for (let r = 0; r < count; r++)
            value += factors[0][r * n0 + a] * factors[1][r * n1 + b] * factors[2][r * n2 + c] * factors[3][r * n3 + d];
          sum += (data[at] - value) ** 2;
        }
  return Math.sqrt(sum);
}

function normalize(factor: Float64Array, length: number): void {
  for (let at = 0; at < factor.length; at += length) {
    const vector = factor.subarray(at, at + length);
    const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    if (norm > 0) for (let i = 0; i < length; i++) vector[i] /= norm;
  }
}

/** The vectors of one dimension that make the squared error least while the others stay. */
function leastSquares(
  shape: Shape4,
  data: ArrayLike<number>,
  factors: Components,
  mode: number,
  count: number,
): Float64Array {
  const gram = new Float64Array(count * count).fill(1);
  factors.forEach((factor, other) => {
    if (other === mode) return;
    for (let r = 0; r < count; r++)
      for (let s = 0; s < count; s++) gram[r * count + s] *= dotRows(factor, shape[other], r, s);
  });
  let trace = 0;
  for (let r = 0; r < count; r++) trace += gram[r * count + r];
  const right = contracted(shape, data, factors, mode, count);
  for (let ridge = (RIDGE * trace) / count || 1; Number.isFinite(ridge); ridge *= 1e3) {
    const matrix = gram.slice();
    for (let r = 0; r < count; r++) matrix[r * count + r] += ridge;
    if (solvePositive(matrix, count, right, shape[mode])) break;
  }
  return right;
}

function dotRows(factor: Float64Array, length: number, r: number, s: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += factor[r * length + i] * factor[s * length + i];
  return sum;
}

/** The tensor multiplied by the vectors of all other dimensions: [components, length of this one]. */
function contracted(
  shape: Shape4,
  data: ArrayLike<number>,
  factors: Components,
  mode: number,
  count: number,
): Float64Array {
  const [n0, n1, n2, n3] = shape;
  const result = new Float64Array(count * shape[mode]);
  const place = [0, 0, 0, 0];
  const [x, y, z] = [0, 1, 2, 3].filter((other) => other !== mode);
  const [fx, fy, fz] = [factors[x], factors[y], factors[z]];
  let at = 0;
  for (place[0] = 0; place[0] < n0; place[0]++)
    for (place[1] = 0; place[1] < n1; place[1]++)
      for (place[2] = 0; place[2] < n2; place[2]++)
        for (place[3] = 0; place[3] < n3; place[3]++) {
          const value = data[at++];
          const [i, j, k, to] = [place[x], place[y], place[z], place[mode]];
          for (let r = 0; r < count; r++)
            result[r * shape[mode] + to] += value * fx[r * shape[x] + i] * fy[r * shape[y] + j] * fz[r * shape[z] + k];
        }
  return result;
}
