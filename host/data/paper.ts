/** The paper of a picture: how bright it is everywhere, also where light falls unevenly, and how noisy. */
import { median, type Plane } from "./plane.js";

/** Of a surface of second degree: 1, u, v, u², uv, v². */
const TERMS = 6;
/** Enough points for six numbers, and few for many rounds. */
const POINTS = 1500;
const ROUNDS = 10;
/** Points this near to the edge, of half the side, are paper to begin with. */
const EDGE = 0.75;
/** Tukey's biweight leaves out what is further away than this many standard deviations. */
const CUT = 4.685;
/** Median of absolute differences → standard deviation of a normal distribution. */
const MAD_TO_SIGMA = 1.4826;
/** Least standard deviation to go by: pictures are rounded to whole numbers. */
const MIN_SIGMA = 1.5;
/** Paper that is darker in one place than in another by less than this is even, and gets one number. */
const EVEN = 3;

/** Standard deviation of the noise: from what a pixel differs from the mean of its two neighbours by, most pixels being paper. */
export function noiseOf({ width, height, values }: Plane): number {
  if (width < 3) return 0;
  const differences = new Float32Array((width - 2) * height);
  for (let y = 0, k = 0; y < height; y++) {
    for (let i = y * width + 1; i < (y + 1) * width - 1; i++, k++) {
      differences[k] = Math.abs(values[i] - (values[i - 1] + values[i + 1]) / 2);
    }
  }
  return (median(differences) * MAD_TO_SIGMA) / Math.sqrt(1.5);
}

/** Brightness of the paper at every pixel: a surface through most of them, ink left out round after round. */
export function paperOf({ width, height, values }: Plane): Float32Array {
  const step = Math.max(1, Math.floor(Math.sqrt((width * height) / POINTS)));
  const points: Point[] = [];
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      points.push({ terms: termsAt(x, y, width, height), value: values[y * width + x] });
    }
  }
  let weights: number[] = points.map(({ terms }) =>
    Math.max(Math.abs(terms[1]), Math.abs(terms[2])) > EDGE ? 1 : 0.05,
  );
  let surface = fit(points, weights);
  for (let round = 0; round < ROUNDS; round++) {
    const distances = points.map(({ terms, value }) => Math.abs(value - heightOf(surface, terms)));
    const cut = CUT * Math.max(MAD_TO_SIGMA * median(Float32Array.from(distances)), MIN_SIGMA);
    weights = distances.map((distance) => Math.max(0, 1 - (distance / cut) ** 2) ** 2);
    surface = fit(points, weights);
  }
  const paper = new Float32Array(width * height);
  let [lowest, highest] = [Infinity, -Infinity];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = heightOf(surface, termsAt(x, y, width, height));
      paper[y * width + x] = value;
      lowest = Math.min(lowest, value);
      highest = Math.max(highest, value);
    }
  }
  if (highest - lowest >= EVEN) return paper;
  return paper.fill(median(Float32Array.from(points.filter((_, i) => weights[i] > 0.5).map(({ value }) => value))));
}

interface Point {
  readonly terms: readonly number[];
  readonly value: number;
}

/** Of the surface at a pixel, u and v from -1 to 1 across the picture. */
function termsAt(x: number, y: number, width: number, height: number): number[] {
  const [u, v] = [(2 * x + 1) / width - 1, (2 * y + 1) / height - 1];
  return [1, u, v, u * u, u * v, v * v];
}

function heightOf(surface: readonly number[], terms: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < TERMS; i++) sum += surface[i] * terms[i];
  return sum;
}

/** Weighted least squares by the normal equations. The small ridge keeps a surface flat that the points do not determine. */
function fit(points: readonly Point[], weights: readonly number[]): number[] {
  const rows = Array.from({ length: TERMS }, () => new Float64Array(TERMS + 1));
  for (let p = 0; p < points.length; p++) {
    if (weights[p] === 0) continue;
    const { terms, value } = points[p];
    for (let i = 0; i < TERMS; i++) {
      const weighted = weights[p] * terms[i];
      for (let j = i; j < TERMS; j++) rows[i][j] += weighted * terms[j];
      rows[i][TERMS] += weighted * value;
    }
  }
  for (let i = 0; i < TERMS; i++) {
    rows[i][i] += i === 0 ? 1e-9 : 1e-3;
    for (let j = 0; j < i; j++) rows[i][j] = rows[j][i];
  }
  // Positive definite: no pivoting is needed.
  for (let i = 0; i < TERMS; i++) {
    for (let k = i + 1; k < TERMS; k++) {
      const factor = rows[k][i] / rows[i][i];
      for (let j = i; j <= TERMS; j++) rows[k][j] -= factor * rows[i][j];
    }
  }
  const surface = Array.from({ length: TERMS }, () => 0);
  for (let i = TERMS - 1; i >= 0; i--) {
    let sum = rows[i][TERMS];
    for (let j = i + 1; j < TERMS; j++) sum -= rows[i][j] * surface[j];
    surface[i] = sum / rows[i][i];
  }
  return surface;
}
