/** What a net and its data must have to be trained, and when a net has learnt nothing. */
import { checkLabels, requireLabels, type Samples } from "../data/samples.js";
import { MAX_LABEL, type Labels } from "../data/data-set.js";
import { MoteError } from "../errors.js";
import { resultsOf } from "../model/edges.js";
import type { Graph } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { valuesOf } from "../model/geometry.js";
import { checkTask, CLASSES, lossValues, requireTargets, type Task } from "./losses.js";

/**
 * To be called before anything is trained.
 * @throws MoteError UNSUPPORTED for a graph that cannot be, or a net of one class; MISMATCH for labels or targets that the task needs and that
 *   are not there or do not suit the net
 */
export function checkTrainable(
  graph: Graph,
  data: { readonly train: Samples; readonly validation: Samples },
  task: Task = CLASSES,
): void {
  const shapes = tensorShapes(graph);
  const [classes, ...others] = resultsOf(graph).map((name) => valuesOf(shapes.get(name)!));
  const outputValues = others.reduce((a, b) => a + b, classes);
  checkTask(task, lossValues(task, classes, outputValues));
  const sets = [
    [data.train, "training"],
    [data.validation, "validation"],
  ] as const;
  if (task.loss === "softmax" && classes < 2) {
    const maker = graph.layers.find(({ output }) => output === resultsOf(graph)[0])!;
    throw new MoteError(
      "UNSUPPORTED",
      `${graph.name}/${maker.name}: the net has one output, expected two classes or more`,
    );
  }
  for (const [samples, what] of sets) {
    if (task.loss === "softmax") checkLabels(requireLabels(samples, what), classes, what);
    else requireTargets(task, samples, outputValues, what);
  }
}

/** Standard deviations above the share of the most common class that count as more than luck. */
const CHANCE_MARGIN = 3;

/**
 * Whether a net does no better than one that always answers the most common class: at most three standard deviations (of as many
 * independent guesses, right as often as that class occurs) above what such a net gets right. On the 5,000 validation digits of
 * MNIST, 11 % of which are ones, up to 12.6 % right are chance. Too few samples, or of one class only, prove no net.
 * @param errors of the net on the samples
 */
export function noBetterThanChance(errors: number, labels: Labels): boolean {
  const count = labels.length;
  const occurrences = new Uint32Array(MAX_LABEL + 1);
  for (const label of labels) occurrences[label]++;
  const most = occurrences.reduce((a, b) => Math.max(a, b));
  const deviation = Math.sqrt((most * (count - most)) / Math.max(1, count));
  return count - errors <= most + CHANCE_MARGIN * deviation;
}
