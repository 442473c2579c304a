/**
 * Which weights stay. A score says how much a weight is worth; the best `keep` of them survive. All scores are non-negative
 * and a weight that is exactly 0 scores 0: once pruned, always pruned.
 */
import { weightPrices } from "../codecs/weight-prices.js";
import { MoteError } from "../errors.js";
import { inputOf } from "../model/edges.js";
import type { Axes, Graph } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { floatWeights, hasWeights } from "../ops/index.js";
import { own } from "../own.js";
import { likelyIntegers } from "./grid.js";

/** One prunable layer: weights as a row-major matrix, [C_OUT, C_IN / groups × KH × KW] or [OUT, IN]. */
export interface PrunableLayer {
  readonly name: string;
  readonly weights: Float32Array;
  readonly rows: number;
  /** Of the weights in a row that read one channel, for the score "codec": a filter's, or that of the feature map before a dense layer. */
  readonly kernel: Axes;
  /** Multiplications that one weight costs an inference: the positions its filter is laid on. */
  readonly positions: number;
  /** Adam's running mean of the squared gradient, one per weight; asked for by the scores "rate" and "codec" only. */
  readonly secondMoment?: Float32Array;
  /** What the loss rises by when a weight goes; asked for by the scores "obd" and "obs" only. */
  readonly saliency?: Float32Array;
}

export const PRUNE_SCORES = ["magnitude", "lamp", "rate", "codec", "obd", "obs"] as const;
export type PruneScore = (typeof PRUNE_SCORES)[number];

/** What is the same of prunable layers however far they are pruned, in the graph's order. */
export function prunableShapes(graph: Graph): Omit<PrunableLayer, "weights">[] {
  const shapes = tensorShapes(graph);
  return graph.layers.filter(hasWeights).map((layer) => {
    const [rows, height, width] = shapes.get(layer.output)!;
    const kernel = floatWeights(layer).kernel(layer, shapes.get(inputOf(layer))!);
    return { name: layer.name, rows, positions: height * width, kernel };
  });
}

/** |w|. @see Han, Mao, Dally 2016, section 2 */
export function magnitudeScore(weights: Float32Array): Float32Array {
  return weights.map(Math.abs);
}

/**
 * w² over the sum of squares of all weights of the layer that are at least as large: a score in 0 .. 1 that compares between
 * layers and never empties one, since a layer's largest weight always scores 1.
 * @see Lee et al. 2021, "Layer-adaptive sparsity for the magnitude-based pruning", eq. 2
 */
export function lampScore(weights: Float32Array): Float32Array {
  const order = Uint32Array.from(weights, (_, i) => i).sort(
    (a, b) => Math.abs(weights[b]) - Math.abs(weights[a]) || a - b,
  );
  const score = new Float32Array(weights.length);
  let largerSquares = 0;
  for (const i of order) {
    const square = weights[i] * weights[i];
    largerSquares += square;
    score[i] = square === 0 ? 0 : square / largerSquares;
  }
  return score;
}

/** Bits of a survivor's sign and magnitude, 2.6 to 3.5 in the layers of lenet5.mote; its position is what differs more. */
const VALUE_BITS = 3;

/**
 * Bits that each position of a layer costs (or would cost) an entropy coder that knows the density of its row and of its
 * column: -log2(row density × column density / layer density) + the bits of the value. A row or column that is almost
 * empty is dear, so that pruning by value per bit empties it for good.
 */
export function positionBits(weights: Float32Array, rows: number): Float32Array {
  const columns = weights.length / rows;
  const inRow = new Float64Array(rows);
  const inColumn = new Float64Array(columns);
  let survivors = 0;
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      if (weights[i] === 0) continue;
      inRow[row]++;
      inColumn[column]++;
      survivors++;
    }
  }
  const bits = new Float32Array(weights.length);
  const density = (survivors + 1) / (weights.length + 1);
  for (let row = 0, i = 0; row < rows; row++) {
    // Half a survivor more, so that a line about to die costs much but not infinitely much.
    const rowDensity = (inRow[row] + 0.5) / (columns + 0.5);
    for (let column = 0; column < columns; column++, i++) {
      const columnDensity = (inColumn[column] + 0.5) / (rows + 0.5);
      const p = Math.min(1, (rowDensity * columnDensity) / density);
      bits[i] = VALUE_BITS - Math.log2(p);
    }
  }
  return bits;
}

/** What a weight is worth at least, which a zero in its place may be dearer than. */
const LEAST_BITS = 1;

/** Bits that arithmetic coding would save by each weight's going: see weightPrices. Weights that are on no grid yet are taken as on a likely one. */
export function codecBits({ weights, rows, kernel }: PrunableLayer): Float32Array {
  const prices = weightPrices(likelyIntegers(weights), rows, kernel);
  return Float32Array.from(prices, (price) => Math.max(price, LEAST_BITS));
}

/** What the scores "rate" and "codec" divide by. */
export interface Price {
  /** 0 ignores the price, 1 is loss per bit, above 1 favours structure. */
  readonly gamma: number;
  /** Bits that one multiplication an inference is worth: 0 cares for the file's size only. */
  readonly multiplicationBits: number;
}

/**
 * Expected rise of the loss when the weight goes, w²·E[g²] / 2, for what it costs: the bits it takes in the file, and its
 * multiplications in bits.
 * @param bits of each weight
 */
export function rateScore(
  layer: PrunableLayer,
  price: Price,
  bits: Float32Array = positionBits(layer.weights, layer.rows),
): Float32Array {
  const { weights, positions, secondMoment, name } = layer;
  if (secondMoment === undefined) throw new TypeError(`rateScore: ${name} comes without its second moments`);
  const work = price.multiplicationBits * positions;
  // Adam's moments of a well-trained net fall to 1e-12 and below; f32 scores hold them still (down to 1e-38).
  return weights.map((w, i) => (w === 0 ? 0 : (w * w * secondMoment[i] + 1e-30) / (bits[i] + work) ** price.gamma));
}

function requireSaliency({ saliency, name }: PrunableLayer): Float32Array {
  if (saliency === undefined) throw new TypeError(`pruneMasks: ${name} comes without its saliency`);
  return saliency;
}

function scoreLayer(layer: PrunableLayer, score: PruneScore, price: Price): Float32Array {
  switch (score) {
    case "magnitude":
      return magnitudeScore(layer.weights);
    case "lamp":
      return lampScore(layer.weights);
    case "obd":
    case "obs":
      return requireSaliency(layer);
    case "rate":
      return rateScore(layer, price);
    case "codec":
      return rateScore(layer, price, codecBits(layer));
  }
}

/**
 * Marks the `keep` best scores of several layers together, 1 = survives. Ties go to the earlier layer, then the lower index.
 * Scores of 0 never survive, so fewer than `keep` may be marked.
 */
export function keepBest(scores: readonly Float32Array[], keep: number): Uint8Array[] {
  const total = scores.reduce((sum, s) => sum + s.length, 0);
  const masks = scores.map((s) => new Uint8Array(s.length));
  if (keep <= 0) return masks;
  const all = new Float32Array(total);
  let offset = 0;
  for (const s of scores) {
    all.set(s, offset);
    offset += s.length;
  }
  all.sort();
  const threshold = keep >= total ? 0 : all[total - Math.floor(keep)];
  let left = Math.floor(keep);
  scores.forEach((s, layer) => {
    for (let i = 0; i < s.length; i++) {
      if (s[i] > threshold) {
        masks[layer][i] = 1;
        left--;
      }
    }
  });
  scores.forEach((s, layer) => {
    for (let i = 0; i < s.length && left > 0; i++) {
      if (s[i] === threshold && s[i] > 0) {
        masks[layer][i] = 1;
        left--;
      }
    }
  });
  return masks;
}

/** What survives: a count or fraction of all weights together, or a count or fraction of each layer by name. */
export type Keep = number | Readonly<Record<string, number>>;

/** A count stays a count; 0 < value <= 1 is a fraction of `total`. */
export function countOf(value: number, total: number): number {
  return value <= 1 ? Math.round(value * total) : Math.min(total, Math.round(value));
}

/**
 * How many weights survive at progress u (0 .. 1) of a gradual schedule that goes from n0 to n1 weights:
 * n1·(n0/n1)^((1-u)^power). Ever slower steps, in proportion to what is left.
 */
export function gradualKeep(n0: number, n1: number, u: number, power: number): number {
  if (n1 <= 0 || n0 <= n1) return Math.min(n0, n1);
  return Math.round(n1 * (n0 / n1) ** ((1 - u) ** power));
}

/**
 * Masks at progress u of the way from `start` (survivors per layer when the schedule began) to `keep`.
 * @returns one mask per layer, 1 = survives
 * @throws MoteError RECIPE, see `checkKeep`
 */
export function pruneMasks(
  layers: readonly PrunableLayer[],
  start: readonly number[],
  keep: Keep,
  u: number,
  options: Price & { readonly score: PruneScore; readonly power: number },
): Uint8Array[] {
  const { power } = options;
  const scores = layers.map((layer) => scoreLayer(layer, options.score, options));
  if (typeof keep === "number") {
    const total = layers.reduce((sum, l) => sum + l.weights.length, 0);
    const n0 = start.reduce((sum, n) => sum + n, 0);
    return keepBest(scores, gradualKeep(n0, countOf(keep, total), u, power));
  }
  checkKeep(
    keep,
    layers.map((l) => l.name),
  );
  return layers.map((layer, i) => {
    const goal = countOf(own(keep, layer.name)!, layer.weights.length);
    return keepBest([scores[i]], gradualKeep(start[i], goal, u, power))[0];
  });
}

/** @throws MoteError RECIPE when `keep` names a layer that is none of `names`, or leaves one out */
export function checkKeep(keep: Keep, names: readonly string[], place = "keep"): void {
  if (typeof keep === "number") return;
  const unknown = Object.keys(keep).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new MoteError("RECIPE", `${place}.${unknown}: no such layer; there are ${names.join(", ")}`);
  const missing = names.find((name) => !Object.hasOwn(keep, name));
  if (missing !== undefined)
    throw new MoteError("RECIPE", `${place}.${missing}: missing; give every layer or one number`);
}

/** Weights that are not exactly 0. */
export function survivors(weights: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < weights.length; i++) if (weights[i] !== 0) count++;
  return count;
}
