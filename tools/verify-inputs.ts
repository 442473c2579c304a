/** What `mote verify` runs a model on: samples, or random elements. */
import type { Engine } from "../host/engines/engine.js";
import { MoteError } from "../host/errors.js";
import { loadData } from "../host/node/data/load.js";
import { randomRuns, runsOf, type Runs } from "../host/node/data/runs.js";
import { dataOptions, type DataFlags, type StepsFlag } from "./data-flags.js";

export interface InputFlags extends DataFlags, StepsFlag {
  readonly random?: number;
  readonly seed: number;
}

const DEFAULT_RANDOM = 100;

/** @throws MoteError that names the file or flag */
export function inputsFor(flags: InputFlags, engine: Engine): Runs {
  const { data, random = DEFAULT_RANDOM, seed, steps } = flags;
  if (data === undefined) {
    const runs = randomRuns(random, seed);
    return { ...runs, perStream: steps ?? runs.perStream };
  }
  const set = loadData(data, dataOptions(flags, engine));
  if (engine.inputs.length > 1) {
    throw new MoteError(
      "MISMATCH",
      `the model takes ${engine.inputs.length} inputs, ${set.source} has one; expected --random`,
    );
  }
  return runsOf(set, engine.input, engine.hasStates, steps);
}
