/** Symmetric positive matrices, row-major in doubles: factors, and what is solved with them. In place where it says so. */

/**
 * Upper V with VᵀV the inverse of a matrix: the inverse of the factor U of A = U Uᵀ. Its row i, from the diagonal on, is what setting weight i does
 * to the best values of those behind it.
 * @param matrix [n, n], overwritten by V; below the diagonal become zeros
 * @returns whether the matrix was positive definite; else it is of no more use
 */
export function inverseFactor(matrix: Float64Array, n: number): boolean {
  // A = U Uᵀ from the last column on.
  for (let j = n - 1; j >= 0; j--) {
    let pivot = matrix[j * n + j];
    for (let k = j + 1; k < n; k++) pivot -= matrix[j * n + k] ** 2;
    if (!(pivot > 0)) return false;
    const root = Math.sqrt(pivot);
    matrix[j * n + j] = root;
    for (let i = 0; i < j; i++) {
      let sum = matrix[i * n + j];
      for (let k = j + 1, a = i * n + k, b = j * n + k; k < n; k++, a++, b++) sum -= matrix[a] * matrix[b];
      matrix[i * n + j] = sum / root;
    }
  }
  // Row i of the inverse needs the rows below it: e_i / U_ii − Σ_{k > i} U_ik / U_ii × row k.
  const row = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    const scale = 1 / matrix[i * n + i];
    row.fill(0, i);
    for (let k = i + 1; k < n; k++) {
      const factor = matrix[i * n + k] * scale;
      for (let j = k, at = k * n + k; j < n; j++, at++) row[j] -= factor * matrix[at];
    }
    row[i] = scale;
    matrix.fill(0, i * n, i * n + i);
    matrix.set(row.subarray(i), i * n + i);
  }
  return true;
}

/**
 * X of A X = B by Cholesky's factor.
 * @param matrix [n, n] with its lower triangle, overwritten
 * @param b [n, columns], overwritten by X where the matrix was positive definite
 * @returns whether it was
 */
export function solvePositive(matrix: Float64Array, n: number, b: Float64Array, columns = 1): boolean {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * n + j];
      for (let k = 0, a = i * n, c = j * n; k < j; k++, a++, c++) sum -= matrix[a] * matrix[c];
      if (i !== j) matrix[i * n + j] = sum / matrix[j * n + j];
      else if (sum > 0) matrix[i * n + i] = Math.sqrt(sum);
      else return false;
    }
  }
  for (let column = 0; column < columns; column++) {
    for (let i = 0; i < n; i++) {
      let sum = b[i * columns + column];
      for (let k = 0; k < i; k++) sum -= matrix[i * n + k] * b[k * columns + column];
      b[i * columns + column] = sum / matrix[i * n + i];
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = b[i * columns + column];
      for (let k = i + 1; k < n; k++) sum -= matrix[k * n + i] * b[k * columns + column];
      b[i * columns + column] = sum / matrix[i * n + i];
    }
  }
  return true;
}
