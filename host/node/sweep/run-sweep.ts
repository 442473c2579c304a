/** A sweep: its variants, the jobs that make them, and what they came to, whoever runs the jobs. */
import { checkRecipe } from "../../compress/check-recipe.js";
import { WORK_VERSION, workNames } from "../../compress/run-recipe.js";
import { MoteError } from "../../errors.js";
import type { Net } from "../../model/model.js";
import { nameWith, type DataSource, type JobResult, type SweepJob } from "../../sweep/job.js";
import { planJobs, type PlannedJob } from "../../sweep/plan.js";
import { runInOrder, type JobRunner } from "../../sweep/runner.js";
import { encodeSamples, type TrainingSamples } from "../../sweep/samples-file.js";
import { getObject, putObject, sha256, type Store } from "../../sweep/store.js";
import { rowOf, type SweepRow } from "../../sweep/summary.js";
import type { Variant } from "../../sweep/vary.js";
import { encodeCheckpoint } from "../../train/checkpoint.js";
import { checkTrainable } from "../../train/classes.js";
import { namedNet } from "../../train/nets.js";
import { readResult } from "./execute.js";

export interface SweepOptions {
  readonly variants: readonly Variant[];
  /** A trained net instead of the recipes' own teachers. */
  readonly from?: Net;
  readonly data: TrainingSamples;
  readonly source: DataSource;
  readonly store: Store;
}

/** What is to be done, before anything is. */
export class Sweep {
  private constructor(
    private readonly options: SweepOptions,
    private readonly dataFile: Uint8Array,
    private readonly dataHash: string,
    readonly jobs: readonly PlannedJob[],
    /** The job that makes each variant's model. */
    private readonly lastOf: readonly string[],
  ) {}

  /** @throws MoteError RECIPE, MISMATCH and UNSUPPORTED for what does not fit, naming the variant */
  static async plan(options: SweepOptions): Promise<Sweep> {
    const { variants, from, data } = options;
    for (const [i, { recipe }] of variants.entries()) {
      const graph = from?.graph ?? namedNet(recipe.net);
      if (graph.name !== recipe.net)
        throw new MoteError("MISMATCH", `the recipe is for ${recipe.net}, the net given is ${graph.name}`);
      if (from === undefined && recipe.teacher === undefined)
        throw new MoteError("RECIPE", "teacher: missing; a recipe without one needs a trained net (--from)");
      try {
        checkRecipe(recipe, graph);
      } catch (error) {
        if (!(error instanceof MoteError)) throw error;
        throw new MoteError(error.code, `variant ${i + 1}: ${error.message}`, { cause: error });
      }
      checkTrainable(graph, data);
    }
    const dataFile = encodeSamples(data);
    const dataHash = await sha256(dataFile);
    const origin = { ...(from && { from }), data: dataHash };
    const names = await Promise.all(variants.map(({ recipe }) => workNames(recipe, origin)));
    return new Sweep(
      options,
      dataFile,
      dataHash,
      planJobs(names),
      names.map((results) => results.at(-1)!),
    );
  }

  /** Of a job in the store and on the queue. */
  nameOf(job: PlannedJob): string {
    return nameWith(this.dataHash, job.name);
  }

  /** What is there already of a job, of this sweep or of another one. */
  resultOf(job: PlannedJob): Promise<JobResult | undefined> {
    return readResult(this.options.store, this.nameOf(job), job.isLast);
  }

  /**
   * Runs what is not in the store yet. A variant whose training diverges has no model, and the others go on.
   * @param onProgress with the share of the sweep that is done, 0 .. 1, and what runs
   * @returns a row for each variant
   * @throws MoteError INTERRUPTED, after which the same call goes on from there; what a job throws
   */
  async run(
    runner: JobRunner,
    signal: AbortSignal,
    onProgress: (share: number, running: readonly string[]) => void,
  ): Promise<SweepRow[]> {
    const { variants, store } = this.options;
    const recipes = await this.putObjects();
    const results = new Map<string, JobResult>();
    const problems = new Map<string, string>();
    const shares = new Map<string, number>();
    const running = new Map<string, string>();
    const progress = (job: PlannedJob, share: number, label?: string): void => {
      shares.set(job.name, share);
      if (label === undefined) running.delete(job.name);
      else running.set(job.name, label);
      const sum = [...shares.values()].reduce((total, value) => total + value, 0);
      onProgress(sum / this.jobs.length, [...running.values()]);
    };
    await runInOrder({
      jobs: this.jobs,
      signal,
      run: async (job, stop) => {
        const earlier = job.after === undefined ? undefined : problems.get(job.after);
        if (earlier !== undefined) problems.set(job.name, earlier);
        else {
          const there = await this.resultOf(job);
          try {
            if (there === undefined) {
              await runner.run(this.nameOf(job), this.jobFor(job, recipes), {
                signal: stop,
                onProgress: (share, label) => progress(job, share, label),
              });
            }
            const result = there ?? (await this.resultOf(job));
            if (result === undefined)
              throw new MoteError(
                "MISMATCH",
                `${store.name} has no result of a job that is done: is it the workers' store?`,
              );
            results.set(job.name, result);
          } catch (error) {
            if (!(error instanceof MoteError && error.code === "DIVERGED")) throw error;
            problems.set(job.name, error.message);
          }
        }
        progress(job, 1);
      },
    });
    return variants.map((variant, i) => {
      const name = this.lastOf[i];
      return rowOf(i + 1, variant, results.get(name) ?? { problem: problems.get(name)! });
    });
  }

  /** The `.mote` file of a variant. @throws MoteError FILE, FORMAT, SERVER */
  model(row: SweepRow): Promise<Uint8Array> {
    return getObject(this.options.store, row.sha256!, `the model of variant ${row.variant}`);
  }

  /** All that jobs name by its hash. @returns the hash of each variant's recipe */
  private async putObjects(): Promise<{ readonly variants: readonly string[]; readonly from?: string }> {
    const { variants, from, source, store } = this.options;
    if (source === "store") await putObject(store, this.dataFile);
    const hashes: string[] = [];
    for (const { recipe } of variants) hashes.push(await putObject(store, Buffer.from(JSON.stringify(recipe))));
    return {
      variants: hashes,
      ...(from && { from: await putObject(store, encodeCheckpoint("the net", { net: from })) }),
    };
  }

  private jobFor(
    { variant, steps, isLast }: PlannedJob,
    { variants, from }: { readonly variants: readonly string[]; readonly from?: string },
  ): SweepJob {
    return {
      version: WORK_VERSION,
      recipe: variants[variant],
      ...(from !== undefined && { from }),
      data: { source: this.options.source, hash: this.dataHash },
      steps,
      isLast,
    };
  }
}
