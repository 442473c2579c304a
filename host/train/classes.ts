/** What a net that is trained to tell classes apart must have, and when it has learnt nothing. */
import { checkLabels, requireLabels, type Samples } from "../data/samples.js";
import { MAX_LABEL, type Labels } from "../data/data-set.js";
import { MoteError } from "../errors.js";
import type { Graph } from "../model/model.js";
import { chainShapes } from "../model/shapes.js";
import { valuesOf } from "../model/geometry.js";

/**
 * To be called before anything is trained.
 * @throws MoteError UNSUPPORTED for a net of one class or one that is not a chain, MISMATCH for a label that is no class of it, or none
 */
export function checkTrainable(graph: Graph, data: { readonly train: Samples; readonly validation: Samples }): void {
  const classes = valuesOf(chainShapes(graph).at(-1)!);
  if (classes < 2) {
    const { name } = graph.layers.at(-1)!;
    throw new MoteError("UNSUPPORTED", `${graph.name}/${name}: the net has one output, expected two classes or more`);
  }
  checkLabels(requireLabels(data.train, "training"), classes, "training");
  checkLabels(requireLabels(data.validation, "validation"), classes, "validation");
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
