/**
 * Product quantization: each row is cut into sub-vectors, and those at the same columns of all rows share a codebook of a few sub-vectors that k-means
 * finds. Every element of a centroid is a weight that many rows have, so that training moves centroids as it moves those of shared weights.
 * @see Gong et al. 2014, "Compressing deep convolutional networks using vector quantization", section 3.2.3
 */
import { MoteError } from "../errors.js";
import { Random } from "../rng.js";

/** Codebooks of a layer. */
export interface Codebooks {
  /** Elements of centroids: [columns, k], so that those of a sub-space stand together. */
  readonly elements: Float32Array;
  /** Of each weight, the element that it is; -1 for a pruned one (exactly 0). */
  readonly assignment: Int32Array;
}

/** Rounds of Lloyd's algorithm: most of what it gains it gains in the first. */
const MOST_ROUNDS = 30;
/** Multiplications of k-means: some minutes. */
export const MOST_PRODUCT_WORK = 2e11;

export const productWork = (weights: number, k: number): number => weights * k * MOST_ROUNDS;

/** @throws MoteError RECIPE for a layer that would take too long */
export function checkProductWork(layer: string, weights: number, k: number, place: string): void {
  const work = productWork(weights, k);
  if (work > MOST_PRODUCT_WORK)
    throw new MoteError(
      "RECIPE",
      `${place}.${layer}: ${k} centroids of ${weights} weights take too long to find: ` +
        `expected weights × centroids × ${MOST_ROUNDS} of at most ${MOST_PRODUCT_WORK}, got ${work}`,
    );
}

/**
 * @param weights [rows, columns]
 * @param width elements of a sub-vector; the last one of a row has what is left
 * @param k centroids of each sub-space; no more than there are rows
 * @param seed decides which rows centroids begin with
 */
export function productCodebooks(
  weights: Float32Array,
  rows: number,
  width: number,
  k: number,
  seed: number,
): Codebooks {
  const columns = weights.length / rows;
  const count = Math.min(k, rows);
  const elements = new Float32Array(columns * count);
  const assignment = new Int32Array(weights.length);
  for (let first = 0; first < columns; first += width) {
    const size = Math.min(width, columns - first);
    const vectors = new Float32Array(rows * size);
    for (let row = 0; row < rows; row++)
      vectors.set(weights.subarray(row * columns + first, row * columns + first + size), row * size);
    const { centroids, codes } = vectorMeans(vectors, size, count, new Random(seed, first));
    codes.forEach((code, row) => {
      for (let i = 0; i < size; i++) {
        const at = row * columns + first + i;
        assignment[at] = weights[at] === 0 ? -1 : (first + i) * count + code;
      }
    });
    for (let code = 0; code < count; code++)
      for (let i = 0; i < size; i++) elements[(first + i) * count + code] = centroids[code * size + i];
  }
  return { elements, assignment };
}

/** Lloyd's algorithm from vectors that are drawn; a centroid that is no vector's nearest stays where it is. */
function vectorMeans(
  vectors: Float32Array,
  size: number,
  k: number,
  random: Random,
): { readonly centroids: Float32Array; readonly codes: Uint16Array } {
  const count = vectors.length / size;
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < k; i++) {
    const j = i + random.integer(count - i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const centroids = new Float32Array(k * size);
  for (let i = 0; i < k; i++) centroids.set(vectors.subarray(order[i] * size, (order[i] + 1) * size), i * size);
  const codes = new Uint16Array(count);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const moved = toNearest(vectors, size, centroids, codes);
    if (moved === 0 && round > 0) break;
    const sums = new Float64Array(k * size);
    const members = new Uint32Array(k);
    codes.forEach((code, v) => {
      members[code]++;
      for (let i = 0; i < size; i++) sums[code * size + i] += vectors[v * size + i];
    });
    for (let c = 0; c < k; c++)
      if (members[c] > 0) for (let i = 0; i < size; i++) centroids[c * size + i] = sums[c * size + i] / members[c];
  }
  return { centroids, codes };
}

/** Writes each vector's nearest centroid, the first of equals. @returns how many changed theirs */
function toNearest(vectors: Float32Array, size: number, centroids: Float32Array, codes: Uint16Array): number {
  let changed = 0;
  for (let v = 0; v < codes.length; v++) {
    let [best, least] = [0, Infinity];
    for (let c = 0; c * size < centroids.length; c++) {
      let distance = 0;
      for (let i = 0; i < size; i++) distance += (vectors[v * size + i] - centroids[c * size + i]) ** 2;
      if (distance < least) [best, least] = [c, distance];
    }
    if (codes[v] !== best) changed++;
    codes[v] = best;
  }
  return changed;
}

/** Shannon's bound of so many codes, in bits. */
function entropyBits(counts: Iterable<number>, total: number): number {
  let bits = 0;
  for (const count of counts) bits += count * Math.log2(total / count);
  return bits;
}

/**
 * What a product quantized layer would take by a codec of its own: an int8 codebook for each sub-space, and codes at their entropy, sub-space by
 * sub-space. Tables of the entropy coder are left out, so that no codec of this kind is smaller.
 * @param integers [rows, columns]
 * @param width of sub-vectors; "shared": of shared weights, one codebook for the whole layer
 * @returns bytes
 */
export function productBytes(integers: Int8Array, rows: number, width: number | "shared"): number {
  const columns = integers.length / rows;
  if (width === "shared") return Math.ceil(spaceBytes(integers, 1));
  let bytes = 0;
  for (let first = 0; first < columns; first += width) {
    const size = Math.min(width, columns - first);
    const vectors = new Int8Array(rows * size);
    for (let row = 0; row < rows; row++)
      vectors.set(integers.subarray(row * columns + first, row * columns + first + size), row * size);
    bytes += spaceBytes(vectors, size);
  }
  return Math.ceil(bytes);
}

/** Of different vectors, as many as there are, and which of them each is. */
function spaceBytes(vectors: Int8Array, size: number): number {
  const counts = new Map<string, number>();
  for (let at = 0; at < vectors.length; at += size) {
    const key = vectors.subarray(at, at + size).join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts.size * size + entropyBits(counts.values(), vectors.length / size) / 8;
}
