/**
 * How the loss bends along each weight: the diagonal of its Hessian in the Gauss-Newton approximation, Jᵀ H J with J the derivative of the
 * outputs by the weight and H that of the loss by the outputs twice. Exact where the net is piecewise linear, as with relu and max-pooling.
 * Labels do not matter for it.
 * @see LeCun, Denker, Solla 1990, "Optimal Brain Damage", section 2.2
 */
import { sliceSamples, type Samples } from "../data/samples.js";
import { Random } from "../rng.js";
import { CLASSES, type Task } from "../train/losses.js";
import type { Trainer } from "../train/trainer.js";
import { expectToGoOn } from "../turn.js";
import { patchesOf, type Patches } from "./patches.js";

/** Of a layer, means over the samples. */
export interface Curvature {
  /** Of each weight; empty where rows alone were asked for. */
  readonly diagonal: Float32Array;
  /** Of each row's outputs: the sum over the positions, divided by them. */
  readonly rows: Float64Array;
}

/** Outputs up to so many are looked at one by one, of more as many random mixtures, which come to the same in the mean. */
const MOST_PASSES = 16;
/** As many samples as this work allows, which is a few seconds. */
const WORK_FLOPS = 2e10;
const MOST_SAMPLES = 1000;

/** The first of the samples, as many as the work allows, at least one. @param flops that each takes */
export const affordableSamples = (samples: Samples, flops: number): Samples =>
  sliceSamples(samples, 0, Math.min(samples.count, MOST_SAMPLES, Math.max(1, Math.floor(WORK_FLOPS / flops))));

/** Floating-point operations that `gaussNewton` takes of each sample. */
export const curvatureFlops = (trainer: Trainer, task: Task): number =>
  (trainer.stepFlops / trainer.batch) * passesOf(trainer, task);

/** By layer. @param samples all of which are used @throws MoteError INTERRUPTED */
export async function gaussNewton(
  trainer: Trainer,
  samples: Samples,
  task: Task = CLASSES,
  { rowsOnly = false, signal }: { readonly rowsOnly?: boolean; readonly signal?: AbortSignal } = {},
): Promise<Map<string, Curvature>> {
  const patches = patchesOf(trainer.graph);
  const sums = new Map(
    [...patches].map(([name, { rows, columns }]) => [
      name,
      {
        diagonal: new Float64Array(rowsOnly ? 0 : rows * columns),
        rows: new Float64Array(rows),
        squares: new Float32Array(0),
      },
    ]),
  );
  const passes = passesOf(trainer, task);
  const roots = rootsOf(task, samples, passes);
  await trainer.backpropagate(samples, task, {
    passes,
    gradients: roots,
    visit: (name, pass, shown, n) => {
      expectToGoOn(signal);
      const layer = patches.get(name)!;
      const sum = sums.get(name)!;
      const dy = shown.dy();
      const isLast = pass === passes - 1;
      addRows(dy, n, layer.rows, layer.positions, sum.rows);
      if (rowsOnly) return;
      if (!layer.isDense) {
        addPatches(layer, shown.x(), dy, n, sum.diagonal);
        return;
      }
      // Where a row reads all of the input its gradient is dy x, and its squares can be added up over the passes before x comes in.
      if (pass === 0) sum.squares = new Float32Array(dy.length);
      for (let i = 0; i < dy.length; i++) sum.squares[i] += dy[i] * dy[i];
      if (isLast) addOuter(layer, shown.x(), sum.squares, n, sum.diagonal);
    },
  });
  const { count } = samples;
  return new Map(
    [...patches].map(([name, { positions }]) => {
      const { diagonal, rows } = sums.get(name)!;
      return [
        name,
        { diagonal: Float32Array.from(diagonal, (h) => h / count), rows: rows.map((h) => h / (count * positions)) },
      ];
    }),
  );
}

/**
 * h w² / 2: the rise of the loss when the weight goes and the others stay, by the diagonal of the Hessian.
 * @see LeCun, Denker, Solla 1990, "Optimal Brain Damage", eq. 5
 */
export const obdScores = (weights: Float32Array, diagonal: Float32Array): Float32Array =>
  // As with rateScore: what the loss does not depend on goes first, but keeps its place before what is gone.
  weights.map((w, i) => (w === 0 ? 0 : (diagonal[i] * w * w) / 2 + 1e-30));

/** Backward passes that `gaussNewton` takes of each sample. */
export const passesOf = (trainer: Trainer, { loss }: Task): number => Math.min(MOST_PASSES, trainer.outputValues(loss));

/**
 * Gradients whose squares, added up over the passes, have the Hessian of a sample's loss by its outputs as their mean: columns of a root of it, one a
 * pass, or where there are too many sums of all columns with random signs.
 */
function rootsOf(
  { loss, classWeights }: Task,
  { labels }: Samples,
  passes: number,
): (sample: number, outputs: Float32Array, pass: number, to: Float32Array) => void {
  let probabilities = new Float64Array(0);
  return (sample, outputs, pass, to) => {
    const { length } = outputs;
    const random = length > passes ? new Random(sample, pass) : undefined;
    const share = 1 / Math.sqrt(passes);
    /** What a column counts in this pass. */
    const sign = (column: number): number =>
      random === undefined ? Number(column === pass) : random.integer(2) === 0 ? -share : share;
    if (loss !== "softmax") {
      for (let i = 0; i < length; i++) {
        const p = 1 / (1 + Math.exp(-outputs[i]));
        const bend = loss === "mse" ? 2 : p * (1 - p);
        to[i] = sign(i) * Math.sqrt((bend * (classWeights?.[i] ?? 1)) / length);
      }
      return;
    }
    // H = diag(p) − p pᵀ is the sum over classes k of p_k (p − e_k) (p − e_k)ᵀ.
    if (probabilities.length !== length) probabilities = new Float64Array(length);
    softmax(outputs, probabilities);
    const weight = Math.sqrt(classWeights?.[labels![sample]] ?? 1);
    let all = 0;
    for (let k = 0; k < length; k++) {
      const part = sign(k) * Math.sqrt(probabilities[k]) * weight;
      all += part;
      to[k] = -part;
    }
    for (let k = 0; k < length; k++) to[k] += all * probabilities[k];
  };
}

function softmax(logits: Float32Array, to: Float64Array): void {
  let top = -Infinity;
  for (const z of logits) top = Math.max(top, z);
  let sum = 0;
  for (let k = 0; k < logits.length; k++) sum += to[k] = Math.exp(logits[k] - top);
  for (let k = 0; k < logits.length; k++) to[k] /= sum;
}

function addRows(dy: Float32Array, n: number, rows: number, positions: number, to: Float64Array): void {
  for (let row = 0, i = 0; row < rows; row++) {
    let sum = 0;
    for (const end = i + positions * n; i < end; i++) sum += dy[i] * dy[i];
    to[row] += sum;
  }
}

/** @param squares of the outputs' gradients, [rows, n] */
function addOuter(
  { rows, columns }: { readonly rows: number; readonly columns: number },
  x: Float32Array,
  squares: Float32Array,
  n: number,
  to: Float64Array,
): void {
  const inputs = x.map((value) => value * value);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      let sum = 0;
      for (let s = 0; s < n; s++) sum += squares[row * n + s] * inputs[column * n + s];
      to[at] += sum;
    }
  }
}

function addPatches(
  { rows, columns, positions, groups, unfold }: Patches,
  x: Float32Array,
  dy: Float32Array,
  n: number,
  to: Float64Array,
): void {
  const patch = new Float32Array(columns * positions);
  const gradient = new Float32Array(positions);
  const groupRows = rows / groups;
  for (let s = 0; s < n; s++) {
    for (let row = 0; row < rows; row++) {
      if (row % groupRows === 0) unfold(x, n, s, row / groupRows, patch);
      for (let p = 0; p < positions; p++) gradient[p] = dy[(row * positions + p) * n + s];
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let p = 0, at = column * positions; p < positions; p++) sum += gradient[p] * patch[at + p];
        to[row * columns + column] += sum * sum;
      }
    }
  }
}
