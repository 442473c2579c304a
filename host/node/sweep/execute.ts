/** What a worker does with a job: fetches what it needs, runs the recipe as far as the job says, and puts all that it makes into the store. */
import { parseRecipe, type Recipe } from "../../compress/recipe.js";
import { runRecipe, WORK_VERSION, workNames } from "../../compress/run-recipe.js";
import { isNamedData } from "../../data/data-spec.js";
import { withEnds } from "../../data/training-set.js";
import { MoteError } from "../../errors.js";
import type { FloatTensor, Net } from "../../model/model.js";
import { sampleShape } from "../../model/shapes.js";
import { checkJob, checkResult, type JobModel, type JobResult, type SweepJob } from "../../sweep/job.js";
import { decodeNet } from "../../sweep/net-file.js";
import { decodeSamples, encodeSamples, type SweepData } from "../../sweep/samples-file.js";
import { StoreWorkFolder } from "../../sweep/store-work-folder.js";
import { getObject, getResult, putObject, putResult, sha256, type Store } from "../../sweep/store.js";
import { CLASSES } from "../../train/losses.js";
import { namedNet } from "../../train/nets.js";
import { measureIntegers, packed } from "../compress/integer-model.js";
import { withData } from "../train/open-net.js";
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
  const { version, data: hash, steps, isLast } = checkJob(job);
  const { store, threads, signal, onProgress, onNote } = options;
  checkVersion(version);
  const recipe = parseRecipe(
    Buffer.from(await getObject(store, job.recipe, "the recipe")).toString("utf8"),
    "the job's recipe",
  );
  const netOf = async (hash: string, what: string): Promise<Net> =>
    decodeNet(await getObject(store, hash, what), `objects/${hash}`);
  const named =
    job.net === undefined
      ? { graph: namedNet(recipe.net), tensors: new Map<string, FloatTensor>() }
      : await netOf(job.net, "the recipe's net");
  const teacher = job.teacher === undefined ? undefined : await netOf(job.teacher, "the recipe's teacher");
  const trained = job.from === undefined ? undefined : await netOf(job.from, "the trained net");
  const data = await dataFor(store, recipe, trained ?? named, hash);
  const net = netWithEnds(named, data);
  const from = trained && netWithEnds(trained, data);
  const nets = { net, ...(teacher && { teacher }), ...(from && { from }) };
  const names = await workNames(recipe, { ...nets, data: hash });
  const name = names[steps - 1];
  if (name === undefined) throw new MoteError("FORMAT", `job: ${steps} steps, its recipe has ${names.length}`);
  const folder = await StoreWorkFolder.open(store, names.slice(0, steps), (reason) =>
    onNote(`${reason}; it will be tried again`),
  );
  const shares = new Shares(recipe, from === undefined && recipe.teacher !== undefined, steps);
  let result: Awaited<ReturnType<typeof runRecipe>>;
  try {
    result = await runRecipe({
      runtime: nodeRuntime,
      recipe,
      data: { ...data, digest: hash },
      ...nets,
      openWork: () => folder,
      threads,
      steps,
      signal,
      onStage: ({ stage }) => onProgress(shares.after(stage), stage),
      onProgress: (label, done, total) => onProgress(shares.within(label, done / total), label),
    });
  } catch (error) {
    if (error instanceof MoteError && error.code === "INTERRUPTED") await folder.settle();
    throw error;
  }
  const { reports } = result;
  let model: JobModel | undefined;
  if (isLast) {
    const container = packed(result.net, recipe.pack);
    const measured = measureIntegers(container, data.validation, recipe.task);
    model = { container: await putObject(store, container), bytes: container.length, ...measured };
  }
  await folder.settle();
  const stages = reports.map(({ seconds: _seconds, sensitivity: _sensitivity, ...stage }) => stage);
  const made: JobResult = { stages, ...(model && { model }) };
  await putResult(store, reportName(name), Buffer.from(JSON.stringify(made)));
}

/** The net with what its model is to tell of the data. */
export const netWithEnds = (net: Net, data: SweepData): Net => ({ ...net, graph: withEnds(net.graph, data) });

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
let latest: { readonly key: string; readonly data: SweepData } | undefined;

async function dataFor(store: Store, recipe: Recipe, net: Net, hash: string): Promise<SweepData> {
  const shape = sampleShape(net.graph);
  const key = `${hash} ${shape.join()}`;
  if (latest?.key === key) return latest.data;
  let data: SweepData;
  if (isNamedData(recipe.data)) {
    ({ data } = withData(recipe.net, { net, trainedOn: [] }, recipe.data, recipe.task ?? CLASSES));
    if ((await sha256(encodeSamples(data))) !== hash)
      throw new MoteError("MISMATCH", `${recipe.data.train}: this machine's files are not those of the sweep's`);
  } else {
    data = decodeSamples(await getObject(store, hash, "the samples"), `objects/${hash}`, shape);
  }
  latest = { key, data };
  return data;
}

/** How far a job is, in epochs: what is not trained takes no time to speak of. */
class Shares {
  private readonly labels: readonly string[];
  private readonly epochs: readonly number[];

  constructor({ teacher, bank, stages }: Recipe, hasTeacher: boolean, steps: number) {
    const all = [
      ...(hasTeacher ? [{ label: "teacher", epochs: teacher ? teacher.epochs * teacher.members : 0 }] : []),
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
