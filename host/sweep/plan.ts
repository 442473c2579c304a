/** What a sweep has to make: what several variants need is one job, which those that need it wait for. */

export interface PlannedJob {
  /** Of the last of its results: jobs of the same name make the same bytes, whichever sweep they are of. */
  readonly name: string;
  /** The first variant that needs it, whose recipe it runs. */
  readonly variant: number;
  /** How many of that recipe's results, see `workNames`; those of the jobs that it waits for are there already. */
  readonly steps: number;
  /** Waits for the job of this name. */
  readonly after?: string;
  /** Variants that need it. */
  readonly neededBy: readonly number[];
  /** Whether a variant ends with it, so that a model comes of it. */
  readonly isLast: boolean;
}

/**
 * @param names of each variant's results in the order in which they are made; equal names mean that all before them are equal too
 * @returns jobs, each behind the one that it waits for
 */
export function planJobs(names: readonly (readonly string[])[]): PlannedJob[] {
  const needs = new Map<string, number[]>();
  for (const [variant, results] of names.entries()) {
    for (const name of results) needs.set(name, [...(needs.get(name) ?? []), variant]);
  }
  const ends = new Set(names.map((results) => results.at(-1)!));
  const jobs = new Map<string, PlannedJob>();
  for (const [variant, results] of names.entries()) {
    let after: string | undefined;
    for (const [i, name] of results.entries()) {
      const neededBy = needs.get(name)!;
      const isLast = ends.has(name);
      // A job ends where fewer variants need what follows.
      if (!isLast && needs.get(results[i + 1])!.length === neededBy.length) continue;
      if (!jobs.has(name)) {
        jobs.set(name, { name, variant, steps: i + 1, ...(after !== undefined && { after }), neededBy, isLast });
      }
      after = name;
    }
  }
  return [...jobs.values()];
}
