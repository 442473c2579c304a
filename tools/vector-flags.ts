/** The flags of `mote pack` for test vectors, and the file that they ask for. */
import { InvalidArgumentError, type Command } from "commander";
import { openReference } from "../host/engines/reference.js";
import { MoteError } from "../host/errors.js";
import { loadRuns, randomRuns } from "../host/node/data/runs.js";
import { makeVectors, vectorsArchive } from "../host/node/data/vectors.js";
import { readingOf, SAMPLES, type DataFlags, type StepsFlag } from "./data-flags.js";

export interface VectorFlags extends DataFlags, StepsFlag {
  readonly vectors?: number;
  readonly vectorsData?: string;
}

/** Of inputs by chance, as `mote verify --random` has them. */
const SEED = 1;
const MOST = 10_000;

export function addVectorFlags(command: Command): Command {
  return command
    .option(
      "--vectors <n>",
      "write so many inputs with their outputs beside it, as NAME.vectors.npz: random, of a model with states as one stream, or the first of --vectors-data",
      parseCount,
    )
    .option("--vectors-data <spec>", `samples for --vectors: ${SAMPLES}`);
}

/** @throws MoteError ARGUMENT */
export function refuseIdleVectors({ vectors, vectorsData }: VectorFlags): void {
  if (vectors !== undefined || vectorsData === undefined) return;
  throw new MoteError("ARGUMENT", "--vectors-data: expected --vectors, how many of its samples to take");
}

/** @returns the archive, or undefined where no flag asks for one @throws MoteError as `loadRuns` and `makeVectors` */
export function vectorsFile(container: Uint8Array, flags: VectorFlags): Uint8Array | undefined {
  const { vectors, vectorsData } = flags;
  if (vectors === undefined) return undefined;
  const runs =
    vectorsData === undefined
      ? randomRuns(vectors, SEED)
      : loadRuns(vectorsData, openReference(container), { reading: readingOf(flags) }, flags.steps);
  return vectorsArchive(makeVectors(container, runs, vectors));
}

function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= 1 && count <= MOST)) throw new InvalidArgumentError(`expected 1 .. ${MOST}.`);
  return count;
}
