/** What a model is run on, one run after another: samples for its input, or for each of several, or elements by chance. */
import type { Labels } from "../../data/data-set.js";
import type { Engine, TensorInfo } from "../../engines/engine.js";
import { inputFiller } from "../../engines/fill-input.js";
import { MoteError } from "../../errors.js";
import { fillRandom, type Elements } from "../../model/elements.js";
import { Random } from "../../rng.js";
import { inputArray } from "./arrays.js";
import type { SampleSet } from "../../data/data-set.js";
import { ONE_STREAM, streamsOf, type Streams } from "../../data/sequences.js";
import { loadData, type DataOptions } from "./load.js";

export interface Runs extends Streams {
  /** Of runs: a step each, where samples have several. */
  readonly count: number;
  /** For people: "mnist:test", "random, seed 1". */
  readonly source: string;
  /** Writes the elements of each of the model's inputs for run `index`. */
  readonly fill: (index: number, inputs: readonly Elements[]) => void;
  /** [count, channels, height, width], where a device may be given the samples as bytes, as mote_input_u8 takes them. */
  readonly pixels?: Uint8Array;
  /** [count], the class of each. */
  readonly labels?: Labels;
}

/** The same elements for a seed and an index, whatever the count. They are one stream, so that states have something to hold. */
export function randomRuns(count: number, seed: number): Runs {
  const fill = (index: number, inputs: readonly Elements[]): void => {
    const random = new Random(seed, index);
    for (const input of inputs) fillRandom(input, random);
  };
  return { ...ONE_STREAM, count, source: `random, seed ${seed}`, fill };
}

/**
 * @param spec as `loadData` takes it; for several inputs an .npz archive with the arrays input0, input1 and so on
 * @param steps as of `streamsOf`
 * @throws MoteError as `loadData`, `streamsOf` and `inputFiller`, MISMATCH for arrays of different counts
 */
export function loadRuns(
  spec: string,
  { inputs, hasStates }: Pick<Engine, "inputs" | "hasStates">,
  options: Omit<DataOptions, "shape">,
  steps?: number,
): Runs {
  const runsFrom = (from: string, input: TensorInfo): Runs =>
    runsOf(loadData(from, { ...options, shape: input.shape }), input, hasStates, steps);
  if (inputs.length === 1) return runsFrom(spec, inputs[0]);
  const [part] = /(?::(?:train|validation|test)(?:@\d+)?)?(?::\d+)?$/.exec(spec)!;
  const archive = spec.slice(0, spec.length - part.length);
  const each = inputs.map((input, index) => runsFrom(`${archive}:${inputArray(index)}${part}`, input));
  for (const [what, counts] of [
    ["samples", each.map(({ count, perSample }) => count / perSample)],
    ["steps", each.map(({ perSample }) => perSample)],
  ] as const) {
    if (new Set(counts).size === 1) continue;
    throw new MoteError(
      "MISMATCH",
      `${spec}: ${counts.join(" and ")} ${what} for the inputs, expected as many for each`,
    );
  }
  const { count, perSample, perStream, source, labels } = each[0];
  return {
    count,
    perSample,
    perStream,
    source,
    fill: (index, elements) => each.forEach(({ fill }, input) => fill(index, [elements[input]])),
    ...(labels === undefined ? {} : { labels }),
  };
}

/**
 * Of a model with one input.
 * @param hasStates whether it keeps anything from run to run @param steps as of `streamsOf`
 * @throws MoteError as `streamsOf` and `inputFiller`
 */
export function runsOf(set: SampleSet, input: TensorInfo, hasStates: boolean, steps?: number): Runs {
  const { runs, perSample, perStream } = streamsOf(set, input.shape, hasStates, steps);
  const { count, images, labels, shape, reading } = runs;
  const fill = inputFiller(runs, input);
  const isAsItIs = images instanceof Uint8Array && reading === undefined && shape.join() === input.shape.join();
  return {
    count,
    perSample,
    perStream,
    source: set.source,
    fill: (index, [elements]) => fill(index, elements),
    ...(isAsItIs ? { pixels: images } : {}),
    ...(labels === undefined ? {} : { labels }),
  };
}
