/**
 * Optimal Brain Surgeon, layer by layer: weights go that change a layer's outputs least once those that stay make up for them. The Hessian of a row's
 * squared error is the second moment of what the row reads, A = E[x xᵀ], the same for all rows of a group; the bias reads a 1.
 * @see Hassibi, Stork 1993, "Second order derivatives for network pruning"; Frantar, Alistarh 2023, "SparseGPT", for the columns in blocks
 */
import { sliceSamples, type Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import { inputOf } from "../model/edges.js";
import type { Trainer } from "../train/trainer.js";
import { expectToGoOn } from "../turn.js";
import { inverseFactor, solvePositive } from "./cholesky.js";
import { patchesOf, type Patches } from "./patches.js";
import { keepBest, survivors } from "./prune.js";

/** One group of a layer's rows, and what they read. */
export interface Surgery {
  /** The layer's name, for errors. */
  readonly layer: string;
  /** [rows, columns], changed in place; exact zeros stay. */
  readonly weights: Float32Array;
  /** [rows], changed in place. */
  readonly bias: Float32Array;
  /** [columns + 1, columns + 1], whose last column is the bias's: E[x xᵀ], not damped. */
  readonly moments: Float64Array;
  /** What a row's squared error counts. */
  readonly importance: ArrayLike<number>;
}

/** Columns that moments are taken of together; wider layers are looked at in pieces, as if their inputs had nothing to do with each other. */
export const MOST_COLUMNS = 2048;
/** Columns after which it is looked again which weights are the least. */
const BLOCK_COLUMNS = 128;
const LEAST_BLOCKS = 8;
/** Samples at a time whose inputs are kept. */
const CHUNK = 64;
/** Multiplications that the joint solution of a group of rows may take; above, what the sweep over the columns leaves stands. */
const MOST_WORK = 1e10;
/** A weight that reads nothing but zeros goes before all others. */
const NOTHING = 1e-30;

/** Consecutive columns of a layer, by the group of rows that reads them. */
interface Piece {
  readonly group: number;
  readonly from: number;
  readonly to: number;
}

function piecesOf({ groups, columns }: Patches): Piece[] {
  const count = Math.ceil(columns / MOST_COLUMNS);
  const cut = (part: number): number => Math.floor((columns * part) / count);
  return Array.from({ length: groups * count }, (_, i) => {
    const part = i % count;
    return { group: Math.floor(i / count), from: cut(part), to: cut(part + 1) };
  });
}

/** Second moments of what the rows of a layer read, one matrix a piece, by the net as it is now. */
async function momentsOf(
  trainer: Trainer,
  samples: Samples,
  layer: string,
  patches: Patches,
  pieces: readonly Piece[],
  signal: AbortSignal | undefined,
): Promise<Float64Array[]> {
  const { columns, positions, unfold, groups } = patches;
  const input = inputOf(trainer.graph.layers.find(({ name }) => name === layer)!);
  const sums = pieces.map(({ from, to }) => new Float64Array((to - from + 1) ** 2));
  const patch = new Float32Array(columns * positions);
  for (let first = 0; first < samples.count; first += CHUNK) {
    expectToGoOn(signal);
    const some = sliceSamples(samples, first, Math.min(first + CHUNK, samples.count));
    const rows = await trainer.features(some, input);
    const values = rows.length / some.count;
    for (let n = 0; n < some.count; n++) {
      for (let group = 0; group < groups; group++) {
        unfold(rows.subarray(n * values, (n + 1) * values), 1, 0, group, patch);
        pieces.forEach((piece, i) => {
          if (piece.group === group) addMoments(patch, positions, piece, sums[i]);
        });
      }
    }
  }
  const each = 1 / samples.count;
  for (const [i, sum] of sums.entries()) {
    const size = pieces[i].to - pieces[i].from + 1;
    for (let row = 0; row < size; row++)
      for (let column = 0; column <= row; column++) sum[column * size + row] = sum[row * size + column] *= each;
  }
  return sums;
}

/** Floating-point operations that a Surgeon takes of each sample: every layer is looked at twice, once for its scores. */
export function surgeryFlops(trainer: Trainer): number {
  const layers = [...patchesOf(trainer.graph).values()];
  const forward = layers.reduce((sum, { rows, columns, positions }) => sum + 2 * rows * columns * positions, 0);
  const moments = layers.flatMap((layer) =>
    piecesOf(layer).map(({ from, to }) => (to - from + 1) ** 2 * layer.positions),
  );
  return 2 * (layers.length * forward + moments.reduce((sum, flops) => sum + flops, 0));
}

/** The lower triangle. */
function addMoments(patch: Float32Array, positions: number, { from, to }: Piece, sum: Float64Array): void {
  const size = to - from + 1;
  const read = (column: number, p: number): number =>
    column === size - 1 ? 1 : patch[(from + column) * positions + p];
  for (let p = 0; p < positions; p++) {
    for (let row = 0; row < size; row++) {
      const x = read(row, p);
      if (x === 0) continue;
      for (let column = 0, at = row * size; column <= row && column < size - 1; column++, at++)
        sum[at] += x * patch[(from + column) * positions + p];
      if (row === size - 1) sum[row * size + row] += 1;
    }
  }
}

/** A + damping × the mean of its diagonal, of columns that read something; the others have a 1 there. */
function damped(moments: Float64Array, size: number, damping: number): Float64Array {
  const matrix = moments.slice();
  let [sum, live] = [0, 0];
  for (let i = 0; i < size; i++) if (matrix[i * size + i] > 0) [sum, live] = [sum + matrix[i * size + i], live + 1];
  const more = (damping * sum) / Math.max(1, live);
  for (let i = 0; i < size; i++) matrix[i * size + i] = matrix[i * size + i] > 0 ? matrix[i * size + i] + more : 1;
  return matrix;
}

/** @throws MoteError RECIPE where the damping does not make it positive */
function factorOf({ layer, moments, bias, weights }: Surgery, damping: number): Float64Array {
  const size = weights.length / bias.length + 1;
  const factor = damped(moments, size, damping);
  if (inverseFactor(factor, size)) return factor;
  throw new MoteError("RECIPE", `damping: expected more for what ${layer} reads, got ${damping}`);
}

/** The diagonal of the inverse that the rows of a factor from `first` on leave: that of the columns behind. */
function inverseDiagonal(factor: Float64Array, size: number, first: number): Float64Array {
  const diagonal = new Float64Array(size);
  for (let i = first; i < size; i++) for (let j = i; j < size; j++) diagonal[j] += factor[i * size + j] ** 2;
  return diagonal;
}

/**
 * What the going of each weight does to the error when all others of its row may make up for it: importance × w² / (2 [A⁻¹]jj).
 * @returns [rows, columns]
 */
export function obsScores(surgery: Surgery, damping: number): Float32Array {
  const { weights, bias, moments, importance } = surgery;
  const rows = bias.length;
  const columns = weights.length / rows;
  const size = columns + 1;
  const inverse = inverseDiagonal(factorOf(surgery, damping), size, 0);
  return weights.map((w, i) => {
    const column = i % columns;
    if (w === 0) return 0;
    if (moments[column * size + column] === 0) return NOTHING;
    return (importance[Math.floor(i / columns)] * w * w) / (2 * inverse[column]) + NOTHING;
  });
}

/**
 * Prunes to `keep` weights, and lets the others make up for those that go: block after block of columns the least are chosen by what they would do now,
 * and all columns behind take over. Then all weights that are left, and the bias, are solved for together.
 * @throws MoteError RECIPE for too little damping
 */
export function operate(surgery: Surgery, keep: number, damping: number): void {
  const { weights, bias, moments, importance } = surgery;
  const rows = bias.length;
  const columns = weights.length / rows;
  const size = columns + 1;
  const factor = factorOf(surgery, damping);
  const before = Float64Array.from({ length: rows * size }, (_, i) => {
    const row = Math.floor(i / size);
    return i % size === columns ? bias[row] : weights[row * columns + (i % size)];
  });
  const after = before.slice();
  /** 1 = is to be 0. */
  const gone = Uint8Array.from(weights, (w) => (w === 0 ? 1 : 0));
  let open = gone.reduce((count, is) => count + 1 - is, 0) - keep;
  const block = Math.min(BLOCK_COLUMNS, Math.max(1, Math.ceil(columns / LEAST_BLOCKS)));
  for (let first = 0; first < columns; first += block) {
    const last = Math.min(first + block, columns);
    if (open > 0) open -= choose(first, last);
    for (let row = 0; row < rows; row++) {
      for (let column = first; column < last; column++) {
        if (gone[row * columns + column] === 0) continue;
        const at = row * size;
        const error = after[at + column] / factor[column * size + column];
        for (let j = column; j < size; j++) after[at + j] -= error * factor[column * size + j];
        after[at + column] = 0;
      }
    }
  }
  solveRows(before, after, gone, factor, damped(moments, size, damping), rows, columns);
  for (let row = 0; row < rows; row++) {
    bias[row] = after[row * size + columns];
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      weights[at] = gone[at] === 1 ? 0 : after[row * size + column];
    }
  }

  /** Marks those of the block's columns that are among the `open` least of all columns from `first` on. @returns how many */
  function choose(first: number, last: number): number {
    const inverse = inverseDiagonal(factor, size, first);
    const costs = new Float64Array(rows * columns).fill(Infinity);
    for (let at = 0; at < costs.length; at++) {
      const column = at % columns;
      if (column < first || gone[at] === 1) continue;
      const row = Math.floor(at / columns);
      const isDead = moments[column * size + column] === 0;
      costs[at] = isDead ? 0 : (importance[row] * after[row * size + column] ** 2) / inverse[column];
    }
    const most = costs.toSorted()[open - 1];
    let chosen = 0;
    for (let at = 0; at < costs.length && chosen < open; at++) {
      if (at % columns >= last || costs[at] > most || costs[at] === Infinity) continue;
      gone[at] = 1;
      chosen++;
    }
    return chosen;
  }
}

/**
 * What is best of the weights that are left of each row: of the smaller of two systems, those that stay (A_SS d = A_SP w_P) or those that go
 * ([A⁻¹]_PP e = w_P). Rows keep what they have where all of them together were too much work.
 */
function solveRows(
  before: Float64Array,
  after: Float64Array,
  gone: Uint8Array,
  factor: Float64Array,
  matrix: Float64Array,
  rows: number,
  columns: number,
): void {
  const size = columns + 1;
  const lists = Array.from({ length: rows }, (_, row) => {
    const all = Array.from({ length: size }, (_, i) => i);
    const goes = (i: number): boolean => i < columns && gone[row * columns + i] === 1;
    return { goes: all.filter(goes), stays: all.filter((i) => !goes(i)) };
  });
  const work = lists.reduce((sum, { goes, stays }) => sum + Math.min(goes.length, stays.length) ** 3 / 6, 0);
  if (work > MOST_WORK) return;
  const inverse = lists.some(({ goes, stays }) => goes.length < stays.length) ? inverseOf(factor, size) : undefined;
  for (const [row, { goes, stays }] of lists.entries()) {
    if (goes.length === 0) continue;
    const old = before.subarray(row * size, (row + 1) * size);
    const to = after.subarray(row * size, (row + 1) * size);
    const [chosen, from] = goes.length < stays.length ? [goes, inverse!] : [stays, matrix];
    const n = chosen.length;
    const system = Float64Array.from(
      { length: n * n },
      (_, i) => from[chosen[Math.floor(i / n)] * size + chosen[i % n]],
    );
    const right = Float64Array.from(chosen, (i) =>
      from === matrix ? goes.reduce((sum, j) => sum + matrix[i * size + j] * old[j], 0) : old[i],
    );
    if (!solvePositive(system, n, right)) continue;
    if (from === matrix) stays.forEach((i, k) => (to[i] = old[i] + right[k]));
    else for (const i of stays) to[i] = old[i] - goes.reduce((sum, j, k) => sum + from[i * size + j] * right[k], 0);
  }
}

/** VᵀV of an upper V. */
function inverseOf(factor: Float64Array, size: number): Float64Array {
  const inverse = new Float64Array(size * size);
  for (let k = 0; k < size; k++) {
    for (let i = k; i < size; i++) {
      const f = factor[k * size + i];
      if (f === 0) continue;
      for (let j = k; j < size; j++) inverse[i * size + j] += f * factor[k * size + j];
    }
  }
  return inverse;
}

/** Layers of a net in their order, pruned and scored by what they read now. */
export class Surgeon {
  private readonly patches: ReadonlyMap<string, Patches>;

  /**
   * @param importance of each row's squared error, by layer
   * @param damping of the Hessian's diagonal, as a share of its mean
   */
  constructor(
    private readonly trainer: Trainer,
    private readonly samples: Samples,
    private readonly importance: (layer: string) => Float64Array,
    private readonly damping: number,
    private readonly signal?: AbortSignal,
  ) {
    this.patches = patchesOf(trainer.graph);
  }

  /** Of each weight of a layer. @throws MoteError RECIPE for too little damping, INTERRUPTED */
  async scores(layer: string): Promise<Float32Array> {
    const scores = new Float32Array(this.trainer.weight(layer).length);
    for (const { surgery, places } of await this.pieces(layer))
      obsScores(surgery, this.damping).forEach((score, i) => (scores[places[i]] = score));
    return scores;
  }

  /** Leaves a layer so many weights, none of those that are exactly 0, and changes the others and the biases to make up for the rest. */
  async operate(layer: string, keep: number): Promise<void> {
    const pieces = await this.pieces(layer);
    const kept = pieces.length === 1 ? [keep] : this.divided(pieces, keep);
    const weights = this.trainer.weight(layer);
    for (const [i, { surgery, places }] of pieces.entries()) {
      operate(surgery, kept[i], this.damping);
      surgery.weights.forEach((w, at) => (weights[places[at]] = w));
    }
  }

  /** How many weights each piece keeps. */
  private divided(pieces: readonly { readonly surgery: Surgery }[], keep: number): number[] {
    const scores = pieces.map(({ surgery }) => obsScores(surgery, this.damping));
    return keepBest(scores, keep).map(survivors);
  }

  /** A layer's weights by who reads what together. Biases are the trainer's own. */
  private async pieces(layer: string): Promise<{ readonly surgery: Surgery; readonly places: Uint32Array }[]> {
    const patches = this.patches.get(layer)!;
    const pieces = piecesOf(patches);
    const moments = await momentsOf(this.trainer, this.samples, layer, patches, pieces, this.signal);
    const [weights, bias] = [this.trainer.weight(layer), this.trainer.bias(layer)];
    const groupRows = patches.rows / patches.groups;
    return pieces.map(({ group, from, to }, i) => {
      const [width, first] = [to - from, group * groupRows];
      const places = Uint32Array.from(
        { length: groupRows * width },
        (_, at) => (first + Math.floor(at / width)) * patches.columns + from + (at % width),
      );
      const surgery = {
        layer,
        weights: Float32Array.from(places, (at) => weights[at]),
        bias: bias.subarray(first, first + groupRows),
        moments: moments[i],
        importance: this.importance(layer).subarray(first, first + groupRows),
      };
      return { surgery, places };
    });
  }
}
