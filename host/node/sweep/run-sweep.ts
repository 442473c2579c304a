/** A sweep: its variants, the jobs that make them, and what they came to, whoever runs the jobs. */
import type { Recipe } from "../../compress/recipe.js";
import { checkRun, WORK_VERSION, workNames } from "../../compress/run-recipe.js";
import { isNamedData } from "../../data/data-spec.js";
import { MoteError } from "../../errors.js";
import type { Net } from "../../model/model.js";
import type { JobResult, SweepJob } from "../../sweep/job.js";
import { decodeNet, encodeNet } from "../../sweep/net-file.js";
import { planJobs, type PlannedJob } from "../../sweep/plan.js";
import { runInOrder, type JobRunner } from "../../sweep/runner.js";
import { encodeSamples, type SweepData } from "../../sweep/samples-file.js";
import { getObject, putObject, sha256, type Store } from "../../sweep/store.js";
import { rowOf, type SweepRow } from "../../sweep/summary.js";
import type { Variant } from "../../sweep/vary.js";
import { CLASSES, metricOf } from "../../train/losses.js";
import { isNamedNet } from "../../train/nets.js";
import { netWithEnds, readResult } from "./execute.js";

export interface SweepOptions {
  readonly variants: readonly Variant[];
  /** What a recipe names; called once for those that name the same. */
  readonly open: (recipe: Recipe) => { readonly net: Net; readonly teacher?: Net; readonly data: SweepData };
  /** A trained net instead of the recipes' own teachers. */
  readonly from?: Net;
  readonly store: Store;
}

/** What variants name, and the files by which it travels: none of what every machine has. */
interface Named {
  readonly net: Net;
  readonly netFile?: Uint8Array;
  readonly teacher?: Net;
  readonly teacherFile?: Uint8Array;
  readonly data: SweepData;
  readonly dataFile?: Uint8Array;
  readonly dataHash: string;
}

/** Hashes of what a variant's jobs are made of. */
type Objects = Pick<SweepJob, "recipe" | "net" | "teacher" | "from" | "data">;

/** What is to be done, before anything is. */
export class Sweep {
  private constructor(
    private readonly options: SweepOptions,
    /** Of each variant. */
    private readonly named: readonly Named[],
    readonly jobs: readonly PlannedJob[],
    /** The job that makes each variant's model. */
    private readonly lastOf: readonly string[],
  ) {}

  /** @throws MoteError RECIPE, MISMATCH and UNSUPPORTED for what does not fit, naming the variant; what `open` throws */
  static async plan(given: SweepOptions): Promise<Sweep> {
    const { variants } = given;
    // As workers get it, whose names are made of it.
    const trained = given.from && travelled(given.from);
    const opened = new Map<string, Named>();
    const named: Named[] = [];
    const names: string[][] = [];
    for (const [i, { recipe }] of variants.entries()) {
      const key = JSON.stringify([recipe.net, recipe.teacher?.net, recipe.data, recipe.task?.loss]);
      const one = opened.get(key) ?? (await namedBy(recipe, given.open));
      opened.set(key, one);
      const { net, teacher, data, dataHash } = one;
      const from = trained && netWithEnds(trained, data);
      const nets = { net, ...(teacher && { teacher }), ...(from && { from }) };
      try {
        checkRun({ recipe, ...nets, data });
        names.push(await workNames(recipe, { ...nets, data: dataHash }));
      } catch (error) {
        if (!(error instanceof MoteError)) throw error;
        throw new MoteError(error.code, `variant ${i + 1}: ${error.message}`, { cause: error });
      }
      named.push(one);
    }
    const metrics = new Set(variants.map(({ recipe }) => metricOf(recipe.task ?? CLASSES)));
    if (metrics.size > 1) {
      const all = [...metrics].join(" and ");
      throw new MoteError("ARGUMENT", `variants are judged by ${all}, expected one metric to compare them by`);
    }
    const options = { ...given, ...(trained && { from: trained }) };
    return new Sweep(
      options,
      named,
      planJobs(names),
      names.map((results) => results.at(-1)!),
    );
  }

  /** What is there already of a job, of this sweep or of another one. */
  resultOf({ name, isLast }: PlannedJob): Promise<JobResult | undefined> {
    return readResult(this.options.store, name, isLast);
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
    const objects = await this.putObjects();
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
              await runner.run(job.name, jobFor(job, objects), {
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

  /** All that jobs name by its hash. @returns for each variant */
  private async putObjects(): Promise<Objects[]> {
    const { variants, from, store } = this.options;
    const nets = new Map<Named, Pick<Objects, "net" | "teacher">>();
    for (const one of new Set(this.named)) {
      const { dataFile, netFile, teacherFile } = one;
      if (dataFile !== undefined) await putObject(store, dataFile);
      nets.set(one, {
        ...(netFile && { net: await putObject(store, netFile) }),
        ...(teacherFile && { teacher: await putObject(store, teacherFile) }),
      });
    }
    const fromHash = from && (await putObject(store, encodeNet(from)));
    const objects: Objects[] = [];
    for (const [i, { recipe }] of variants.entries()) {
      objects.push({
        recipe: await putObject(store, Buffer.from(JSON.stringify(recipe))),
        ...nets.get(this.named[i]),
        ...(fromHash !== undefined && { from: fromHash }),
        data: this.named[i].dataHash,
      });
    }
    return objects;
  }
}

const travelled = (net: Net): Net => decodeNet(encodeNet(net), "the net");

async function namedBy(recipe: Recipe, open: SweepOptions["open"]): Promise<Named> {
  const { net: opened, teacher, data } = open(recipe);
  const net = netWithEnds(opened, data);
  const dataFile = encodeSamples(data);
  const dataHash = await sha256(dataFile);
  return {
    ...(isNamedNet(recipe.net) ? { net } : { net: travelled(net), netFile: encodeNet(net) }),
    ...(teacher && { teacher: travelled(teacher), teacherFile: encodeNet(teacher) }),
    data,
    ...(!isNamedData(recipe.data) && { dataFile }),
    dataHash,
  };
}

const jobFor = ({ variant, steps, isLast }: PlannedJob, objects: readonly Objects[]): SweepJob => {
  return { version: WORK_VERSION, ...objects[variant], steps, isLast };
};
