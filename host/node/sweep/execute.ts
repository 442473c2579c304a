/** What a worker does with a job: fetches what it needs, runs the recipe as far as the job says, and puts all that it makes into the store. */
import { parseRecipe, type Recipe } from "../../compress/recipe.js";
import { runRecipe, WORK_VERSION, workNames } from "../../compress/run-recipe.js";
import { MoteError } from "../../errors.js";
import {
  checkJob,
  checkResult,
  nameWith,
  type DataSource,
  type JobModel,
  type JobResult,
  type SweepJob,
} from "../../sweep/job.js";
import { decodeSamples, encodeSamples, type TrainingSamples } from "../../sweep/samples-file.js";
import { StoreWorkFolder } from "../../sweep/store-work-folder.js";
import { getObject, getResult, putObject, putResult, sha256, type Store } from "../../sweep/store.js";
import { decodeCheckpoint } from "../../train/checkpoint.js";
import { measureIntegers, packed } from "../compress/integer-model.js";
import { loadFashion, loadMnist } from "../data/mnist.js";
import { nodeRuntime } from "../train/runtime.js";

export interface ExecuteOptions {
  readonly store: Store;
  /** The result does not depend on it. */
  readonly threads: number;
  readonly signal: AbortSignal;
  /** @param share 0 .. 1 of the job @param label such as "3 prune" */
  readonly onProgress: (share: number, label: string) => void;
  /** What is worth knowing and does not end the job. */
  readonly onNote: (text: string) => void;
}

/**
 * @throws MoteError INTERRUPTED when stopped, after which any worker goes on from there; MISMATCH for another version's job and for
 *   data that differ; FILE and SERVER where the store fails; all that runRecipe throws
 */
export async function executeJob(job: SweepJob, options: ExecuteOptions): Promise<void> {
  const { version, data, steps, isLast } = checkJob(job);
  const { store, threads, signal, onProgress, onNote } = options;
  checkVersion(version);
  const recipe = parseRecipe(
    Buffer.from(await getObject(store, job.recipe, "the recipe")).toString("utf8"),
    "the job's recipe",
  );
  const from =
    job.from === undefined
      ? undefined
      : decodeCheckpoint(await getObject(store, job.from, "the net"), `objects/${job.from}`).net;
  const samples = await samplesOf(store, data.source, data.hash);
  const names = await workNames(recipe, { ...(from && { from }), data: data.hash });
  const name = names[steps - 1];
  if (name === undefined) throw new MoteError("FORMAT", `job: ${steps} steps, its recipe has ${names.length}`);
  const nameOf = (result: string): string => nameWith(data.hash, result);
  const folder = await StoreWorkFolder.open(store, names.slice(0, steps), nameOf, (reason) =>
    onNote(`${reason}; it will be tried again`),
  );
  const shares = new Shares(recipe, from === undefined, steps);
  let result: Awaited<ReturnType<typeof runRecipe>>;
  try {
    result = await runRecipe({
      runtime: nodeRuntime,
      recipe,
      data: { ...samples, digest: data.hash },
      openWork: () => folder,
      threads,
      ...(from && { from }),
      steps,
      signal,
      onStage: ({ stage }) => onProgress(shares.after(stage), stage),
      onProgress: (label, done, total) => onProgress(shares.within(label, done / total), label),
    });
  } catch (error) {
    if (error instanceof MoteError && error.code === "INTERRUPTED") await folder.settle();
    throw error;
  }
  const { net, reports } = result;
  let model: JobModel | undefined;
  if (isLast) {
    const container = packed(net);
    const measured = measureIntegers(container, samples.validation, recipe.task);
    model = { container: await putObject(store, container), bytes: container.length, ...measured };
  }
  await folder.settle();
  const stages = reports.map(({ seconds: _seconds, sensitivity: _sensitivity, ...stage }) => stage);
  const made: JobResult = { stages, ...(model && { model }) };
  await putResult(store, reportName(nameOf(name)), Buffer.from(JSON.stringify(made)));
}

/** @throws MoteError MISMATCH */
export function checkVersion(version: number): void {
  if (version === WORK_VERSION) return;
  const who = `the sweep's program is of work version ${version}, this worker's of ${WORK_VERSION}`;
  throw new MoteError("MISMATCH", `${who}: their results would differ; use the same mote for both`);
}

const reportName = (name: string): string => `${name}.json`;

/**
 * What a job came to.
 * @param name of the job
 * @param isLast whether a model must be there
 */
export async function readResult(store: Store, name: string, isLast: boolean): Promise<JobResult | undefined> {
  const bytes = await getResult(store, reportName(name));
  if (bytes === undefined) return undefined;
  const path = `${store.name}: results/${reportName(name)}`;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new MoteError("FORMAT", `${path}: not JSON`, { cause });
  }
  const result = checkResult(value, path);
  return isLast && result.model === undefined ? undefined : result;
}

/** A worker has one job after another on the same data. */
let latest: { readonly hash: string; readonly samples: TrainingSamples } | undefined;

async function samplesOf(store: Store, source: DataSource, hash: string): Promise<TrainingSamples> {
  if (latest?.hash === hash) return latest.samples;
  let samples: TrainingSamples;
  if (source === "store") {
    samples = decodeSamples(await getObject(store, hash, "the samples"), `objects/${hash}`);
  } else {
    samples = source === "mnist" ? loadMnist() : loadFashion();
    if ((await sha256(encodeSamples(samples))) !== hash)
      throw new MoteError("MISMATCH", `${source}: this machine's files are not those of the sweep's`);
  }
  latest = { hash, samples };
  return samples;
}

/** How far a job is, in epochs: what is not trained takes no time to speak of. */
class Shares {
  private readonly labels: readonly string[];
  private readonly epochs: readonly number[];

  constructor({ teacher, bank, stages }: Recipe, hasTeacher: boolean, steps: number) {
    const all = [
      ...(hasTeacher ? [{ label: "teacher", epochs: teacher?.epochs ?? 0 }] : []),
      ...(bank === undefined ? [] : [{ label: "bank", epochs: 1 }]),
      ...stages.map((stage, i) => ({ label: `${i + 1} ${stage.kind}`, epochs: "epochs" in stage ? stage.epochs : 0 })),
    ].slice(0, steps);
    this.labels = all.map(({ label }) => label);
    this.epochs = all.map(({ epochs }) => epochs + 0.01);
  }

  within(label: string, share: number): number {
    const at = this.labels.indexOf(label);
    if (at < 0) return 0;
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    return (sum(this.epochs.slice(0, at)) + share * this.epochs[at]) / sum(this.epochs);
  }

  after(label: string): number {
    return this.within(label, 1);
  }
}
