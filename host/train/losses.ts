/** What a net is trained for: which loss is made small, and by which metric the result is judged. */
import { requireLabels, type Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import { isRecord, parseJson } from "../json.js";

/**
 * "softmax": cross-entropy of one class a sample, from the first output. "sigmoid": cross-entropy of each value of all outputs with a
 * target 0 .. 1, for samples that may have several labels. "mse": mean squared error of all values, for regression and autoencoders.
 */
export type LossKind = "softmax" | "sigmoid" | "mse";
export type MetricName = "accuracy" | "auc" | "f1" | "mse";

export interface Task {
  readonly loss: LossKind;
  /** Absent: accuracy with softmax, AUC with sigmoid, MSE with mse. */
  readonly metric?: MetricName;
  /** What the loss of a sample of each class counts, or with "sigmoid" and "mse" that of each value of the outputs. Absent: 1. */
  readonly classWeights?: readonly number[];
}

/** One class a sample. */
export const CLASSES: Task = { loss: "softmax" };

/** The metrics that suit each loss, the usual one first. */
const METRICS: Readonly<Record<LossKind, readonly MetricName[]>> = {
  softmax: ["accuracy", "auc", "f1"],
  sigmoid: ["auc", "f1", "accuracy"],
  mse: ["mse"],
};

export const METRIC_NAMES: readonly MetricName[] = [...new Set(Object.values(METRICS).flat())];

export const LOSS_KINDS = Object.keys(METRICS) as readonly LossKind[];

/** @throws MoteError ARGUMENT for a metric that does not suit the loss */
export function metricOf({ loss, metric = METRICS[loss][0] }: Task): MetricName {
  if (METRICS[loss].includes(metric)) return metric;
  throw new MoteError("ARGUMENT", `metric ${metric} does not suit loss ${loss}; ${METRICS[loss].join(", ")} do`);
}

/**
 * Values that a loss looks at.
 * @param classes values of the first output
 * @param outputValues of all outputs
 */
export const lossValues = ({ loss }: Task, classes: number, outputValues: number): number =>
  loss === "softmax" ? classes : outputValues;

/** As a checkpoint keeps it. */
export const taskText = ({ loss, metric, classWeights }: Task): string =>
  JSON.stringify({
    loss,
    metric: metricOf({ loss, ...(metric && { metric }) }),
    ...(classWeights && { classWeights }),
  });

/** @param where for messages @throws MoteError FORMAT for text that is no task */
export function parseTask(text: string, where: string): Task {
  const task = parseJson(text, where, "a task");
  const { loss, metric, classWeights = [] } = isRecord(task) ? task : {};
  const isTask =
    LOSS_KINDS.some((kind) => kind === loss && METRICS[kind].some((name) => name === metric)) &&
    Array.isArray(classWeights) &&
    classWeights.every((weight) => Number.isFinite(weight));
  if (!isTask) throw new MoteError("FORMAT", `${where}: expected a loss and a metric, got ${text}`);
  return task as unknown as Task;
}

/** @param values see lossValues @throws MoteError ARGUMENT, MISMATCH for class weights that do not fit */
export function checkTask(task: Task, values: number): void {
  metricOf(task);
  const { classWeights } = task;
  if (classWeights === undefined) return;
  if (classWeights.length !== values) {
    throw new MoteError("MISMATCH", `class weights: ${classWeights.length} of them, the net has ${values} values`);
  }
  const wrong = classWeights.find((weight) => !Number.isFinite(weight) || weight < 0);
  if (wrong !== undefined) {
    throw new MoteError("ARGUMENT", `class weights: ${wrong} is not a number of at least 0`);
  }
}

/**
 * @param outputValues of all outputs
 * @param what the samples are, for the message
 * @throws MoteError MISMATCH for targets that are not there or do not suit the loss
 */
export function requireTargets(task: Task, data: Samples, outputValues: number, what: string): Float32Array {
  const { targets, count } = data;
  if (targets === undefined) {
    throw new MoteError("MISMATCH", `${what}: no targets, expected ${outputValues} numbers for each sample`);
  }
  if (targets.length !== count * outputValues) {
    const expected = `${outputValues} for each of ${count} samples`;
    throw new MoteError("MISMATCH", `${what}: ${targets.length} targets, expected ${expected}`);
  }
  const [low, high] = task.loss === "sigmoid" ? [0, 1] : [-Number.MAX_VALUE, Number.MAX_VALUE];
  const wrong = targets.findIndex((target) => !(target >= low && target <= high));
  if (wrong < 0) return targets;
  const expected = task.loss === "sigmoid" ? "0 .. 1" : "a finite number";
  const place = `target ${wrong % outputValues} of sample ${Math.floor(wrong / outputValues)}`;
  throw new MoteError("MISMATCH", `${what}: ${place} is ${targets[wrong]}, expected ${expected}`);
}

/**
 * Mean loss of samples, as training has it, without a teacher.
 * @param outputs [count, values], see lossValues
 */
export function meanLoss(task: Task, outputs: Float32Array, values: number, data: Samples): number {
  const { count } = data;
  if (task.loss === "softmax") {
    const labels = requireLabels(data, "samples");
    let loss = 0;
    for (let n = 0; n < count; n++) {
      const row = outputs.subarray(n * values, (n + 1) * values);
      const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
      let sum = 0;
      for (const z of row) sum += Math.exp(z - top);
      loss += (Math.log(sum) + top - row[labels[n]]) * (task.classWeights?.[labels[n]] ?? 1);
    }
    return loss / Math.max(1, count);
  }
  const targets = requireTargets(task, data, values, "samples");
  let loss = 0;
  for (let i = 0; i < outputs.length; i++) {
    const weight = task.classWeights?.[i % values] ?? 1;
    loss += weight * (task.loss === "sigmoid" ? binaryEntropy(outputs[i], targets[i]) : (outputs[i] - targets[i]) ** 2);
  }
  return loss / Math.max(1, count * values);
}

/** Of a target 0 .. 1 and the probability whose logit is z. */
const binaryEntropy = (z: number, target: number): number =>
  Math.max(z, 0) - z * target + Math.log1p(Math.exp(-Math.abs(z)));
