/** What `mote verify` runs a model on: samples, or random elements. */
import { stepsOf } from "../host/data/sequences.js";
import { inputFiller } from "../host/engines/fill-input.js";
import type { Engine } from "../host/engines/engine.js";
import { MoteError } from "../host/errors.js";
import { loadData } from "../host/node/data/load.js";
import { Random } from "../host/rng.js";
import { dataOptions, type DataFlags } from "./data-flags.js";

export interface InputFlags extends DataFlags {
  readonly random?: number;
  readonly seed: number;
}

/** What to run on: `fill` writes the elements of each of the model's inputs for run `index`. */
export interface InputSet {
  readonly count: number;
  /** Of a model with states so many in a row are the steps of a stream; Infinity where all are. */
  readonly steps: number;
  readonly source: string;
  readonly fill: (index: number, inputs: readonly Int8Array[]) => void;
}

const DEFAULT_RANDOM = 100;

/** @throws MoteError that names the file or flag */
export function inputSet(flags: InputFlags, engine: Engine): InputSet {
  return flags.data === undefined
    ? randomInputs(flags.random ?? DEFAULT_RANDOM, flags.seed)
    : dataInputs(flags.data, flags, engine);
}

function randomInputs(count: number, seed: number): InputSet {
  const fill = (index: number, inputs: readonly Int8Array[]): void => {
    const random = new Random(seed, index);
    for (const input of inputs) for (let i = 0; i < input.length; i++) input[i] = random.integer(256) - 128;
  };
  return { count, steps: Infinity, source: `random, seed ${seed}`, fill };
}

function dataInputs(spec: string, flags: DataFlags, engine: Engine): InputSet {
  const set = loadData(spec, dataOptions(flags, engine));
  if (engine.inputs.length > 1) {
    throw new MoteError(
      "MISMATCH",
      `the model takes ${engine.inputs.length} inputs, ${set.source} has one; expected --random`,
    );
  }
  const { runs, perSample } = stepsOf(set, engine.input.shape, engine.hasStates);
  const fill = inputFiller(runs, engine.input);
  const steps = perSample > 1 ? perSample : Infinity;
  return { count: runs.count, steps, source: set.source, fill: (index, [input]) => fill(index, input) };
}
