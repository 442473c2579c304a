/** bench/results.json: the figures as last measured. A run of some groups leaves those of others as they are, with the machine and commit that they are of. */
import { existsSync } from "node:fs";
import { MoteError } from "../../host/errors.js";
import { isRecord, parseJson } from "../../host/json.js";
import { readFile } from "../../host/node/read-file.js";
import type { Figure } from "./figure.js";

/** What one command has measured. */
export interface Run {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly figures: readonly Figure[];
}

/** The last run, and those before it of whose figures some still stand, the latest first. */
export interface Results extends Run {
  readonly earlier?: readonly Run[];
}

/** @param path of results.json; it need not exist @throws MoteError FILE where it cannot be read, FORMAT where it is something else */
export function readResults(path: string): Results | undefined {
  if (!existsSync(path)) return undefined;
  const results = parseJson(Buffer.from(readFile(path)).toString("utf8"), path, "results");
  if (isRecord(results) && isRecord(results.machine) && Array.isArray(results.figures))
    return results as unknown as Results;
  throw new MoteError("FORMAT", `${path}: expected machine and figures, as mote bench --save writes them`);
}

/** A run's figures take the place of earlier ones by their ids. @param saved what there was before a run of some groups */
export function withEarlier(run: Run, saved: Results | undefined): Results {
  if (saved === undefined) return run;
  const measured = new Set(run.figures.map(({ id }) => id));
  const { earlier: before = [], ...last } = saved;
  const earlier = [last, ...before]
    .map(({ machine, figures }) => ({ machine, figures: figures.filter(({ id }) => !measured.has(id)) }))
    .filter(({ figures }) => figures.length > 0);
  return earlier.length === 0 ? run : { ...run, earlier };
}

/** All that stand, the oldest first. */
export function runsOf({ earlier = [], ...last }: Results): readonly Run[] {
  return [last, ...earlier].toReversed();
}
