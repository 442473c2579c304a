/** From pixels to a class: what stands before and behind an engine when a model tells digits apart. */
import { MoteError } from "../errors.js";
import type { DataSet } from "../data/data-set.js";
import { checkLabels } from "../data/samples.js";
import { beginsStream, sampleEndedBy, streamsOf } from "../data/sequences.js";
import { elementsFor, type Elements } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import { Slices } from "../turn.js";
import type { Engine, TensorInfo } from "./engine.js";
import { inputFiller } from "./fill-input.js";
import { argmax, probability } from "./values.js";

export { argmax, probability };

/** A class that is less probable than this has another close behind it. Chosen on validation digits: `mote bench --only images`. */
const SURE_PROBABILITY = 0.9;

export interface Classification {
  readonly class: number;
  readonly probability: number;
}

/** The best classes, the best first, of equals the first. @param count how many at most */
export function topClasses(logits: Elements, count: number, { scale }: TensorInfo): Classification[] {
  const values = Array.from(logits);
  const best = values.reduce((a, b) => Math.max(a, b));
  const sum = values.reduce((total, logit) => total + Math.exp(scale * (logit - best)), 0);
  return values
    .map((logit, index) => ({ class: index, logit }))
    .sort((a, b) => b.logit - a.logit || a.class - b.class)
    .slice(0, count)
    .map(({ class: index, logit }) => ({ class: index, probability: Math.exp(scale * (logit - best)) / sum }));
}

/**
 * Why the class of a picture is unsure, in words; none for a sure one. Images of a data set are taken as they are.
 * @param doubts what finding the digit in the picture has left
 */
export function reasonsToDoubt(doubts: readonly string[], { probability: p }: Classification): readonly string[] {
  return p < SURE_PROBABILITY ? [...doubts, "another class is close"] : doubts;
}

/** What a run over many images came to. */
export interface Tally {
  readonly samples: number;
  /** Runs of each sample, which are its steps. */
  readonly perSample: number;
  /** Wrong classes; undefined without labels. */
  readonly errors: number | undefined;
  /** Model bytes fetched through the window for one run, loading not counted; 0 where the model is in linear memory. */
  readonly bytesRead: number;
  /** Mean time of one run, microseconds. */
  readonly usPerInference: number;
}

export interface ClassifyOptions {
  /** Called after each sample with its index. */
  readonly onResult?: (index: number, result: Classification, logits: Elements) => void;
  /** As of `streamsOf`, 1 by default. */
  readonly steps?: number;
}

/**
 * Runs every image through the engine. What states hold of one stream (sequences.ts) is nothing to the next. The result of an image that is a sequence is
 * that of its last step.
 * @throws MoteError MISMATCH when the model takes more than one input, the samples have another shape than it or a label is no class of the model,
 *   ARGUMENT for a reading that does not fit them, or several steps of samples that are sequences, ENGINE from the engine
 */
export async function classifyAll(
  engine: Engine,
  set: DataSet,
  { onResult, steps = 1 }: ClassifyOptions = {},
): Promise<Tally> {
  if (engine.inputs.length > 1) {
    throw new MoteError("MISMATCH", `the model takes ${engine.inputs.length} inputs, expected one, which is a sample`);
  }
  const streams = streamsOf(set, engine.input.shape, engine.hasStates, steps);
  const { runs, perSample } = streams;
  const fill = inputFiller(runs, engine.input);
  if (set.labels !== undefined) checkLabels(set.labels, valuesOf(engine.output.shape), "labels");
  const input = elementsFor(engine.input, valuesOf(engine.input.shape));
  const firstByte = engine.bytesRead;
  let errors = 0;
  let busyMs = 0;
  const slices = new Slices();
  for (let run = 0; run < runs.count; run++) {
    fill(run, input);
    if (beginsStream(run, streams)) engine.reset();
    const began = performance.now();
    const logits = engine.run(input);
    const ended = performance.now();
    busyMs += ended - began;
    const index = sampleEndedBy(run, streams);
    if (index !== undefined) {
      const winner = argmax(logits);
      if (set.labels !== undefined && winner !== set.labels[index]) errors++;
      onResult?.(index, { class: winner, probability: probability(logits, winner, engine.output) }, logits);
    }
    if (slices.isOver()) await slices.next();
  }
  return {
    samples: set.count,
    perSample,
    errors: set.labels === undefined ? undefined : errors,
    bytesRead: runs.count === 0 ? 0 : Math.round((engine.bytesRead - firstByte) / runs.count),
    usPerInference: runs.count === 0 ? 0 : (busyMs * 1000) / runs.count,
  };
}
