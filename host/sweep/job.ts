/** What a job is when it travels: a recipe, nets and data by what they are, not where; and what comes back of it. */
import type { StageReport } from "../compress/run-recipe.js";
import { MoteError } from "../errors.js";
import { isRecord } from "../json.js";
import { METRIC_NAMES, type MetricName } from "../train/losses.js";
import { isHash } from "./store.js";

export interface SweepJob {
  /** WORK_VERSION of the sweep's program: another one's results would not be the same. */
  readonly version: number;
  /** SHA-256 of its JSON in the store. */
  readonly recipe: string;
  /** SHA-256 of the net that the recipe names, unless it is one of ours; see `encodeNet`. */
  readonly net?: string;
  /** SHA-256 of what `teacher.net` names, unless one of ours. */
  readonly teacher?: string;
  /** SHA-256 of the trained net that it starts from. */
  readonly from?: string;
  /** SHA-256 of the samples' file, see `encodeSamples`: in the store, unless the recipe names a data set that every machine has. */
  readonly data: string;
  /** See RunOptions. */
  readonly steps: number;
  /** Whether a model is packed of it. */
  readonly isLast: boolean;
}

/** @param value what a queue holds, of which anything may be expected @throws MoteError FORMAT */
export function checkJob(value: unknown): SweepJob {
  const wrong = (what: string): MoteError => new MoteError("FORMAT", `job: ${what}`);
  if (!isRecord(value)) throw wrong("expected an object");
  const { version, recipe, net, teacher, from, data, steps, isLast, ...others } = value;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw wrong(`${unknown}: unknown key`);
  if (!isCount(version)) throw wrong("version: expected a whole number");
  if (!isHash(recipe)) throw wrong("recipe: expected a SHA-256");
  if (net !== undefined && !isHash(net)) throw wrong("net: expected a SHA-256");
  if (teacher !== undefined && !isHash(teacher)) throw wrong("teacher: expected a SHA-256");
  if (from !== undefined && !isHash(from)) throw wrong("from: expected a SHA-256");
  if (!isHash(data)) throw wrong("data: expected a SHA-256");
  if (!isCount(steps)) throw wrong("steps: expected a whole number from 1 on");
  if (typeof isLast !== "boolean") throw wrong("isLast: expected true or false");
  return value as unknown as SweepJob;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;

/** A stage's report without its time, which is another one on each machine, and without what was measured for its settings. */
export type JobStage = Omit<StageReport, "seconds" | "sensitivity">;

export interface JobModel {
  /** SHA-256 of the `.mote` file in the store. */
  readonly container: string;
  readonly bytes: number;
  /** Of the integers on the validation samples, as a stage's report has it. */
  readonly error: number;
  readonly metric: MetricName;
  /** Wrong classes, where each sample has one. */
  readonly errors?: number;
}

export interface JobResult {
  readonly stages: readonly JobStage[];
  /** Of a last job. */
  readonly model?: JobModel;
}

/** @param value what a store holds @param path for messages @throws MoteError FORMAT */
export function checkResult(value: unknown, path: string): JobResult {
  const wrong = (what: string): MoteError => new MoteError("FORMAT", `${path}: ${what}`);
  if (!isRecord(value) || !Array.isArray(value.stages)) throw wrong("stages: expected a list");
  for (const stage of value.stages as unknown[]) {
    if (!isRecord(stage) || typeof stage.stage !== "string") throw wrong("stages: expected reports of stages");
    const { stage: _stage, metric, ...numbers } = stage;
    if (!isMetric(metric)) throw wrong("stages: expected metrics");
    const needed = [numbers.error, numbers.nonZeros, numbers.weights, numbers.estimatedBytes];
    if (![...needed, ...Object.values(numbers)].every(Number.isFinite)) throw wrong("stages: expected numbers");
  }
  const { model } = value;
  if (model === undefined) return value as unknown as JobResult;
  if (value.stages.length === 0) throw wrong("stages: expected those that made the model");
  if (!isRecord(model) || !isHash(model.container)) throw wrong("model.container: expected a SHA-256");
  if (!isMetric(model.metric)) throw wrong(`model.metric: expected one of ${METRIC_NAMES.join(", ")}`);
  for (const name of ["bytes", "error", ...(model.errors === undefined ? [] : ["errors"])]) {
    if (!Number.isFinite(model[name])) throw wrong(`model.${name}: expected a number`);
  }
  return value as unknown as JobResult;
}

const isMetric = (value: unknown): boolean => METRIC_NAMES.some((name) => name === value);
