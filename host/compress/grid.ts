/**
 * Uniform integer grids: every surviving weight of a layer becomes step × q with a small integer q. Weights are frozen to
 * the grid a share at a time, while those still free learn to make up for the rounding.
 * @see Zhou et al. 2017, "Incremental network quantization" (INQ)
 */

/** step = factor × mean |w| over the survivors of a layer, as a float32; 1 when there are none. */
export function gridStep(weights: Float32Array, factor: number): number {
  let sum = 0;
  let count = 0;
  for (const w of weights) {
    if (w === 0) continue;
    sum += Math.abs(w);
    count++;
  }
  return count === 0 ? 1 : Math.fround((factor * sum) / count);
}

/** Biases of all rows are multiples of one power of two of their units: no row's step is less than this part of the layer's. */
const LEAST_PART = 1 / 8;

/** A step for each of `rows` rows, from its own survivors; that of the layer where it has none. */
export const rowSteps = (weights: Float32Array, rows: number, factor: number): Float32Array =>
  eachRow(weights, rows, (some) => gridStep(some, factor));

/** By `stepFor`, the step of a layer, or where it has several rows of each. */
export function eachRow(weights: Float32Array, rows: number, stepFor: (weights: Float32Array) => number): Float32Array {
  const columns = weights.length / rows;
  const all = stepFor(weights);
  if (rows === 1) return Float32Array.of(all);
  return Float32Array.from({ length: rows }, (_, row) => {
    const own = weights.subarray(row * columns, (row + 1) * columns);
    return own.some((w) => w !== 0) ? Math.max(all * LEAST_PART, stepFor(own)) : all;
  });
}

/** The nearest grid point as an integer, -limit .. limit. */
export function toGrid(w: number, step: number, limit: number): number {
  const q = Math.min(limit, Math.round(Math.abs(w) / step));
  return w < 0 && q > 0 ? -q : q;
}

/** Grid step of a net that has none yet: about what recipes end with. */
const LIKELY_STEP = 0.6;

/** Weights as if rounded to a grid of 0.6 × mean |w|. @param least magnitude of what is not 0 */
export function likelyIntegers(weights: Float32Array, least: 0 | 1 = 1): Int8Array {
  const step = gridStep(weights, LIKELY_STEP);
  return Int8Array.from(weights, (w) => (w === 0 ? 0 : Math.sign(w) * Math.max(least, Math.abs(toGrid(w, step, 127)))));
}

/** One layer on its way to the grid. */
export interface GridLayer {
  readonly weights: Float32Array;
  /** 1 = already on the grid; pruned weights (0) need no mark. */
  readonly frozen: Uint8Array;
  readonly secondMoment: Float32Array;
  /** One, or one a row. */
  readonly steps: Float32Array;
}

/** Of the weight at `index`. */
export function stepOf({ weights, steps }: Pick<GridLayer, "weights" | "steps">, index: number): number {
  return steps[steps.length > 1 ? Math.floor((index * steps.length) / weights.length) : 0];
}

/**
 * The next weights to freeze over all layers together: those whose rounding may hurt most come first, at cost E[g²]·step²
 * (the mean rise of the loss when a weight moves by up to half a step), while many others are left to make up for it.
 * @returns for each layer the indices to freeze now, `count` in all at most
 */
export function nextToFreeze(layers: readonly GridLayer[], count: number): number[][] {
  const free: { layer: number; index: number; cost: number }[] = [];
  layers.forEach((from, layer) => {
    const { weights, frozen, secondMoment } = from;
    for (let index = 0; index < weights.length; index++) {
      if (weights[index] === 0 || frozen[index] !== 0) continue;
      const step = stepOf(from, index);
      free.push({ layer, index, cost: secondMoment[index] * step * step });
    }
  });
  free.sort((a, b) => b.cost - a.cost || a.layer - b.layer || a.index - b.index);
  const chosen: number[][] = layers.map(() => []);
  for (const { layer, index } of free.slice(0, count)) chosen[layer].push(index);
  return chosen;
}

/** Moves the chosen weights onto the grid and marks them frozen. A weight that rounds to 0 is pruned thereby. */
export function freeze(layer: GridLayer, indices: readonly number[], limit: number): void {
  for (const i of indices) {
    const step = stepOf(layer, i);
    layer.weights[i] = Math.fround(toGrid(layer.weights[i], step, limit) * step);
    layer.frozen[i] = 1;
  }
}

/** How many weights are frozen after part `done` of `parts`, of `total`: even shares, all at the end. */
export function frozenAfter(total: number, done: number, parts: number): number {
  return done >= parts ? total : Math.floor((total * done) / parts);
}
