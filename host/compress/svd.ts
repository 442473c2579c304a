/**
 * Singular values of a matrix by one-sided Jacobi rotations: rows are turned two by two until all are at right angles to each other. It is the
 * same on every machine.
 * @see Hestenes 1958, "Inversion of matrices by biorthogonalization and related results"; Golub, Van Loan, "Matrix computations", section 8.6.3
 */

/** matrix = Σ values[i] × left[i] × right[i]ᵀ, values descending. Vectors stand one behind the other. */
export interface Svd {
  /** As many as the smaller side of the matrix. */
  readonly values: Float64Array;
  /** [values, rows] */
  readonly left: Float64Array;
  /** [values, columns] */
  readonly right: Float64Array;
}

/** Two rows are at right angles when the cosine between them is below this. */
const TOLERANCE = 1e-12;
/** A row is nothing when it is shorter than this part of the matrix's norm: what is left of it is rounding. */
const NOTHING = 1e-14;
/** It takes 6 to 12: convergence is quadratic at the end. */
const MOST_SWEEPS = 60;

/** Multiplications, of which each of some ten sweeps takes a few times as many: minutes. */
export const MOST_SVD_WORK = 2e10;

/** What a sweep grows with: every two rows of the smaller side meet. */
export const svdWork = (rows: number, columns: number): number => rows * columns * Math.min(rows, columns);

/** @param matrix [rows, columns], row-major */
export function svd(matrix: ArrayLike<number>, rows: number, columns: number): Svd {
  if (rows > columns) {
    const { values, left, right } = svd(transposed(matrix, rows, columns), columns, rows);
    return { values, left: right, right: left };
  }
  const turned = Float64Array.from(matrix);
  const turns = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) turns[i * rows + i] = 1;
  for (let sweep = 0, isDone = false; !isDone && sweep < MOST_SWEEPS; sweep++) {
    isDone = true;
    // What turns do to them is known: only a sweep's small errors have to go.
    const squares = squaredNorms(turned, rows, columns);
    const least = NOTHING ** 2 * squares.reduce((sum, square) => sum + square, 0);
    for (let p = 0; p < rows; p++) {
      for (let q = p + 1; q < rows; q++) {
        const product = dot(turned, p * columns, q * columns, columns);
        if (Math.abs(product) <= TOLERANCE * Math.sqrt(squares[p] * squares[q])) continue;
        if (squares[p] <= least || squares[q] <= least) continue;
        isDone = false;
        const zeta = (squares[q] - squares[p]) / (2 * product);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const cosine = 1 / Math.sqrt(1 + tangent * tangent);
        turn(turned, p * columns, q * columns, columns, cosine, cosine * tangent);
        turn(turns, p * rows, q * rows, rows, cosine, cosine * tangent);
        squares[p] = Math.max(0, squares[p] - tangent * product);
        squares[q] += tangent * product;
      }
    }
  }
  return sorted(turned, turns, rows, columns);
}

/** Energy of the first r singular values, as a share of that of all: r = 1, 2, … */
export function energies(values: Float64Array): Float64Array {
  const total = values.reduce((sum, s) => sum + s * s, 0);
  let sum = 0;
  return values.map((s) => (total === 0 ? 1 : (sum += s * s) / total));
}

function transposed(matrix: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) result[c * rows + r] = matrix[r * columns + c];
  return result;
}

function dot(data: Float64Array, p: number, q: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += data[p + i] * data[q + i];
  return sum;
}

const squaredNorms = (data: Float64Array, rows: number, columns: number): Float64Array =>
  Float64Array.from({ length: rows }, (_, row) => dot(data, row * columns, row * columns, columns));

function turn(data: Float64Array, p: number, q: number, length: number, cosine: number, sine: number): void {
  for (let i = 0; i < length; i++) {
    const a = data[p + i];
    const b = data[q + i];
    data[p + i] = cosine * a - sine * b;
    data[q + i] = sine * a + cosine * b;
  }
}

/** Rows that are at right angles are singular values times right vectors, and the turns that made them so are the left ones. */
function sorted(turned: Float64Array, turns: Float64Array, rows: number, columns: number): Svd {
  const lengths = squaredNorms(turned, rows, columns).map(Math.sqrt);
  const least = NOTHING * Math.hypot(...lengths);
  const norms = lengths.map((length) => (length <= least ? 0 : length));
  const order = [...norms.keys()].sort((a, b) => norms[b] - norms[a] || a - b);
  const left = new Float64Array(rows * rows);
  const right = new Float64Array(rows * columns);
  order.forEach((row, i) => {
    left.set(turns.subarray(row * rows, (row + 1) * rows), i * rows);
    const vector = turned.subarray(row * columns, (row + 1) * columns);
    if (norms[row] > 0)
      right.set(
        vector.map((value) => value / norms[row]),
        i * columns,
      );
  });
  return { values: Float64Array.from(order, (row) => norms[row]), left, right };
}
