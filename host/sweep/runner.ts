/** Runs the jobs of a sweep in their order, by whatever runs one: processes of this machine, or workers that listen on a queue. */
import type { SweepJob } from "./job.js";
import type { PlannedJob } from "./plan.js";

export interface RunHooks {
  readonly signal: AbortSignal;
  /** @param share 0 .. 1 of the job @param label such as "3 prune" */
  readonly onProgress: (share: number, label: string) => void;
}

export interface JobRunner {
  /** Takes as many at a time as it is given, and lets those wait that it cannot run yet. */
  run(name: string, job: SweepJob, hooks: RunHooks): Promise<void>;
  close(): Promise<void>;
}

export interface ScheduleOptions {
  readonly jobs: readonly PlannedJob[];
  /** @throws what ends the sweep */
  readonly run: (job: PlannedJob, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Starts each job when the one that it waits for is done, and stops those that run when one fails.
 * @throws what the first job that failed threw, once none runs any more
 */
export async function runInOrder({ jobs, run, signal }: ScheduleOptions): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const done = new Map<string, Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  for (const job of jobs) {
    const start = async (): Promise<void> => {
      if (job.after !== undefined) await done.get(job.after);
      if (failure !== undefined) return;
      try {
        await run(job, both);
      } catch (error) {
        failure ??= { error };
        stop.abort();
      }
    };
    done.set(job.name, start());
  }
  await Promise.all(done.values());
  if (failure !== undefined) throw failure.error;
}
