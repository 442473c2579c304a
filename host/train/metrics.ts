/** How good a net's outputs are. */
import { requireLabels, type Samples } from "../data/samples.js";
import { meanLoss, metricOf, requireTargets, type MetricName, type Task } from "./losses.js";

export interface Evaluation {
  /** Mean over the samples. */
  readonly loss: number;
  readonly metric: MetricName;
  readonly value: number;
  /** Smaller is better: 1 - value, or the mean squared error. */
  readonly error: number;
  /** Wrong classes, of samples with one class each. */
  readonly errors?: number;
}

/** Of samples with one class each. */
export type ClassEvaluation = Evaluation & { readonly errors: number };

/** Probability from which a label counts as given. */
const GIVEN = 0.5;

/**
 * @param outputs [count, values]: logits, with "mse" values; see lossValues
 * @throws MoteError MISMATCH for samples without the labels or targets that the task needs
 */
export function evaluateOutputs(task: Task, outputs: Float32Array, values: number, data: Samples): Evaluation {
  const metric = metricOf(task);
  const loss = meanLoss(task, outputs, values, data);
  if (metric === "mse") {
    // Of the values alike, whatever they count in the loss.
    const value = meanLoss({ loss: "mse" }, outputs, values, data);
    return { loss, metric, value, error: value };
  }
  if (task.loss === "softmax") {
    const labels = requireLabels(data, "samples");
    const best = bestClasses(outputs, values);
    const errors = best.reduce((sum, label, n) => sum + (label === labels[n] ? 0 : 1), 0);
    const isOf = (n: number, c: number): boolean => labels[n] === c;
    const value =
      metric === "accuracy"
        ? 1 - errors / Math.max(1, data.count)
        : metric === "f1"
          ? macroF1(data.count, values, isOf, (n, c) => best[n] === c)
          : macroAuc(softmaxRows(outputs, values), values, isOf);
    return { loss, metric, value, error: 1 - value, errors };
  }
  const targets = requireTargets(task, data, values, "samples");
  const isOf = (n: number, c: number): boolean => targets[n * values + c] >= GIVEN;
  const isFound = (n: number, c: number): boolean => outputs[n * values + c] >= 0;
  const value =
    metric === "auc"
      ? macroAuc(outputs, values, isOf)
      : metric === "f1"
        ? macroF1(data.count, values, isOf, isFound)
        : agreement(data.count, values, isOf, isFound);
  return { loss, metric, value, error: 1 - value };
}

/** The class of the largest value of each row, the first of equals. */
function bestClasses(outputs: Float32Array, values: number): number[] {
  return Array.from({ length: outputs.length / values }, (_, n) => {
    const row = outputs.subarray(n * values, (n + 1) * values);
    let best = 0;
    for (let c = 1; c < values; c++) if (row[c] > row[best]) best = c;
    return best;
  });
}

function softmaxRows(outputs: Float32Array, values: number): Float64Array {
  const rows = new Float64Array(outputs.length);
  for (let from = 0; from < outputs.length; from += values) {
    const row = outputs.subarray(from, from + values);
    const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
    let sum = 0;
    for (let c = 0; c < values; c++) sum += rows[from + c] = Math.exp(row[c] - top);
    for (let c = 0; c < values; c++) rows[from + c] /= sum;
  }
  return rows;
}

/** Whether sample n is of class c. */
type Membership = (n: number, c: number) => boolean;

/** Share of labels, each of each sample, that are right. */
function agreement(count: number, values: number, isOf: Membership, isFound: Membership): number {
  let right = 0;
  for (let n = 0; n < count; n++) for (let c = 0; c < values; c++) if (isOf(n, c) === isFound(n, c)) right++;
  return right / Math.max(1, count * values);
}

/** Mean over the classes that there are samples of, or that are found, of 2 TP / (2 TP + FP + FN). 0 where there are none. */
export function macroF1(count: number, values: number, isOf: Membership, isFound: Membership): number {
  const scores: number[] = [];
  for (let c = 0; c < values; c++) {
    let both = 0;
    let either = 0;
    for (let n = 0; n < count; n++) {
      const [is, found] = [isOf(n, c), isFound(n, c)];
      if (is && found) both++;
      else if (is || found) either++;
    }
    if (both + either > 0) scores.push((2 * both) / (2 * both + either));
  }
  return mean(scores);
}

/**
 * Area under the ROC curve of each class against all others, by ranks (Mann and Whitney; equals share theirs), averaged over the
 * classes that have samples on both sides. 0.5, as of guesses, where there are none.
 */
export function macroAuc(scores: ArrayLike<number>, values: number, isOf: Membership): number {
  const count = scores.length / values;
  const areas: number[] = [];
  for (let c = 0; c < values; c++) {
    const score = (n: number): number => scores[n * values + c];
    const ascending = Array.from({ length: count }, (_, n) => n).sort((a, b) => score(a) - score(b));
    let members = 0;
    let ranks = 0;
    for (let from = 0; from < count;) {
      let to = from + 1;
      while (to < count && score(ascending[to]) === score(ascending[from])) to++;
      const rank = (from + 1 + to) / 2;
      for (let i = from; i < to; i++) {
        if (!isOf(ascending[i], c)) continue;
        members++;
        ranks += rank;
      }
      from = to;
    }
    const others = count - members;
    if (members > 0 && others > 0) areas.push((ranks - (members * (members + 1)) / 2) / (members * others));
  }
  return areas.length === 0 ? 0.5 : mean(areas);
}

const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / Math.max(1, numbers.length);
