/** Samples that are sequences: for a model with states, one of several times its input's elements is a stream of its own, step after step. */
import { MoteError } from "../errors.js";
import { valuesOf } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import type { DataSet } from "./data-set.js";

/** What a model is run on, run by run. */
export interface Steps {
  /** A sample for each run, without answers, which are those of whole sequences. */
  readonly runs: DataSet;
  /** Runs of each sample, the last of which gives its result. */
  readonly perSample: number;
}

/**
 * @param shape of the model's input, a step
 * @param hasStates whether the model keeps anything from run to run: else a sample is a run, and one of another size is refused where it is read
 * @throws MoteError MISMATCH where steps do not lie one behind the other
 */
export function stepsOf(set: DataSet, shape: Shape, hasStates: boolean): Steps {
  const elements = valuesOf(shape);
  const sizeFrom = (axis: number): number => set.shape.slice(axis).reduce((product, size) => product * size, 1);
  const perSample = sizeFrom(0) / elements;
  if (!hasStates || !(Number.isInteger(perSample) && perSample > 1)) return { runs: set, perSample: 1 };
  // The axes behind that of time, where that is one of its own.
  const axis = set.shape.findIndex((_, each) => sizeFrom(each) === elements);
  // Of a sample of one axis, or where a step is several of the rows that its shape has, steps are taken as they lie.
  const hasRows = set.shape.some((_, each) => sizeFrom(each) > 1 && shape.includes(sizeFrom(each)));
  if (axis < 0 && !hasRows && set.shape.filter((size) => size !== 1).length > 1) {
    const found = `samples of [${set.shape.join(", ")}]`;
    throw new MoteError("MISMATCH", `${found}, expected steps of ${elements} one behind the other`);
  }
  const { labels: _labels, targets: _targets, ...values } = set;
  const step = axis < 0 ? [elements] : set.shape.slice(axis);
  return { runs: { ...values, count: set.count * perSample, shape: step }, perSample };
}

/** @param steps of a stream; Infinity where all runs are of one, each a sample */
export const stepsOfSample = (steps: number): number => (steps === Infinity ? 1 : steps);

/** @returns the sample whose last step a run is, so that it gives the result; undefined for the steps before */
export const sampleEndedBy = (run: number, perSample: number): number | undefined =>
  (run + 1) % perSample === 0 ? Math.floor(run / perSample) : undefined;
