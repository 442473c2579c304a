/**
 * Samples and streams, which are what a model with states is reset for. A sample is by itself, and so a stream of its own: of one step, or of several where
 * it has several times the elements of the model's input, step after step. Samples of one step may be said to be the steps of streams, so many in a row.
 * A stream begins with a reset.
 */
import { MoteError } from "../errors.js";
import { valuesOf } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import type { DataSet } from "./data-set.js";

/** How runs make up samples and streams. */
export interface Streams {
  /** Runs of each sample, the last of which gives its result. */
  readonly perSample: number;
  /** Runs of each stream: those of a sample, or of several samples of one; Infinity where all are of one stream. */
  readonly perStream: number;
}

/** What a model is run on, run by run. */
export interface StreamedRuns extends Streams {
  /** A sample for each run, without answers where these are of whole sequences. */
  readonly runs: DataSet;
}

/** Of runs that are one stream. */
export const ONE_STREAM: Streams = { perSample: 1, perStream: Infinity };

/**
 * @param shape of the model's input, a step
 * @param hasStates whether the model keeps anything from run to run: else a sample is a run, and one of another size is refused where it is read
 * @param steps so many samples of one step in a row are a stream; Infinity where all are of one
 * @throws MoteError MISMATCH where steps do not lie one behind the other, ARGUMENT for several samples of several steps as one stream
 */
export function streamsOf(set: DataSet, shape: Shape, hasStates: boolean, steps = 1): StreamedRuns {
  const elements = valuesOf(shape);
  const sizeFrom = (axis: number): number => set.shape.slice(axis).reduce((product, size) => product * size, 1);
  const perSample = sizeFrom(0) / elements;
  if (!hasStates || !(Number.isInteger(perSample) && perSample > 1))
    return { runs: set, perSample: 1, perStream: steps };
  if (steps !== 1) {
    const found = `--steps: each sample is a stream of ${perSample} steps of its own`;
    throw new MoteError("ARGUMENT", `${found}; expected samples of one step, or no --steps`);
  }
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
  return { runs: { ...values, count: set.count * perSample, shape: step }, perSample, perStream: perSample };
}

/** Whether a run is the first of a stream, before which states are reset. @param run from 0 on */
export const beginsStream = (run: number, { perStream }: Pick<Streams, "perStream">): boolean => run % perStream === 0;

/** Which sample a run is of, and of one of several steps which step. */
export interface RunPlace {
  readonly sample: number;
  readonly step?: number;
}

export const placeOfRun = (run: number, { perSample }: Pick<Streams, "perSample">): RunPlace =>
  perSample === 1 ? { sample: run } : { sample: Math.floor(run / perSample), step: run % perSample };

/** @returns the sample whose last step a run is, so that it gives the result; undefined for the steps before */
export const sampleEndedBy = (run: number, { perSample }: Pick<Streams, "perSample">): number | undefined =>
  (run + 1) % perSample === 0 ? Math.floor(run / perSample) : undefined;
