/** A whole training run with checkpoints: what it does depends on its settings alone, however often it is stopped and resumed. */
import { fail, integer, number, type Check } from "../../compress/check-value.js";
import type { Samples } from "../../data/samples.js";
import { MoteError } from "../../errors.js";
import type { Graph, Net } from "../../model/model.js";
import { encodeCheckpoint, type Checkpoint, type TrainProgress } from "../../train/checkpoint.js";
import { checkTrainable } from "../../train/classes.js";
import { augmentationText, parseAugmentation, type Augmentation } from "../../train/augment.js";
import { parseTask, taskText, type Task } from "../../train/losses.js";
import type { Evaluation } from "../../train/metrics.js";
import { cosine } from "../../train/schedule.js";
import type { TrainedOn } from "../../train/trained-on.js";
import { Trainer } from "../../train/trainer.js";
import { checkWritable } from "../check-writable.js";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { nodeRuntime } from "./runtime.js";

/** A batch is cut into four shards of whole blocks of eight samples. */
export const BATCH_UNIT = 32;

/** Everything that decides the result, beside the graph and the data. */
export interface RunSettings {
  readonly epochs: number;
  /** Adam's learning rate at the start; it falls along a half cosine to `lrEnd`. */
  readonly lr: number;
  readonly lrEnd: number;
  /** Samples a step, a multiple of BATCH_UNIT. */
  readonly batch: number;
  /** Decoupled: every step multiplies the weights by 1 - lr × weightDecay. */
  readonly weightDecay: number;
  readonly augment: Augmentation;
  readonly seed: number;
  readonly task: Task;
}

export interface EpochReport {
  readonly epoch: number;
  /** Mean over the epoch's steps. */
  readonly loss: number;
  readonly validation: Evaluation;
}

export interface RunOptions {
  readonly graph: Graph;
  readonly settings: RunSettings;
  readonly train: Samples;
  readonly validation: Samples;
  /** What the finished net is measured on. */
  readonly test?: Samples;
  readonly threads: number;
  /** Checkpoint: written after each epoch and when stopped; without the optimizer's state once the run is finished. */
  readonly file: string;
  /** What an earlier run left in `file`, to go on from. */
  readonly resume?: Checkpoint;
  /** Weights to begin with, for a run that is not resumed; absent: noise from the seed. */
  readonly start?: Net;
  /** What the net is trained on, and has been before, for the checkpoint. */
  readonly data?: readonly TrainedOn[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number, loss: number) => void;
  readonly onEpoch?: (report: EpochReport) => void;
}

export interface RunResult {
  readonly net: Net;
  readonly steps: number;
  readonly validation: Evaluation;
  /** Where there are samples to test by. */
  readonly test?: Evaluation;
}

const least0 = number(0, Number.MAX_VALUE);
const whole = integer(0, Number.MAX_SAFE_INTEGER);
const batches: Check<number> = (value, path) =>
  whole(value, path) > 0 && Number(value) % BATCH_UNIT === 0
    ? Number(value)
    : fail(path, `a multiple of ${BATCH_UNIT}`, value);

/** Of which a checkpoint's progress has each by its name, and what they may be. */
const NUMBERS = { epochs: least0, lr: least0, lrEnd: least0, batch: batches, weightDecay: least0, seed: whole };

/**
 * The settings and the place at which a checkpoint of `trainRun` stopped.
 * @throws MoteError MISMATCH for a checkpoint that something else wrote, RECIPE for settings that are none
 */
export function readRun(file: string): { readonly checkpoint: Checkpoint; readonly settings: RunSettings } {
  const checkpoint = readCheckpoint(file);
  const { progress = {} } = checkpoint;
  const missing =
    [...Object.keys(NUMBERS), "step"].find((key) => typeof progress[key] !== "number") ??
    ["augment", "task"].find((key) => typeof progress[key] !== "string");
  if (missing !== undefined) {
    throw new MoteError("MISMATCH", `${file}: holds a net but not the "${missing}" of a training run to go on with`);
  }
  whole(progress.step, `${file}: step`);
  const settings = Object.fromEntries(
    Object.entries(NUMBERS).map(([key, check]) => [key, check(progress[key], `${file}: ${key}`)]),
  ) as unknown as RunSettings;
  const augment = parseAugmentation(String(progress.augment), `${file}: augment`);
  return { checkpoint, settings: { ...settings, augment, task: parseTask(String(progress.task), `${file}: task`) } };
}

/** The settings as a checkpoint's progress has them. */
const progressOf = ({ augment, task, ...settings }: RunSettings): TrainProgress => ({
  ...settings,
  augment: augmentationText(augment),
  task: taskText(task),
});

/**
 * Trains from the start, or from `resume`, to the end. The file it leaves is the same to the byte either way, on any number of threads.
 * @throws MoteError INTERRUPTED when `signal` stopped it: `file` then holds all that was done. DIVERGED or FILE in the middle: `file`
 *   then holds what it did before the epoch at hand. Before the first step MISMATCH, UNSUPPORTED and FILE: nothing is written
 */
export async function trainRun(options: RunOptions): Promise<RunResult> {
  const { graph, settings, train, validation, test, threads, file, resume, start, data, signal } = options;
  const { epochs, lr, lrEnd, batch, weightDecay, augment, seed, task } = settings;
  checkTrainable(graph, options, task);
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph, seed, threads, batch });
  try {
    const perEpoch = trainer.stepsPerEpoch(train.count);
    const total = Math.round(perEpoch * epochs);
    let step = Number(resume?.progress?.step ?? 0);
    if (step > total) throw new MoteError("MISMATCH", `${file}: stopped at step ${step}, the whole run has ${total}`);
    const net = resume?.net ?? start;
    if (net !== undefined) trainer.load(net);
    if (resume?.optimizer !== undefined) trainer.restoreOptimizer(resume.optimizer);
    else if (step > 0 && step < total) throw new MoteError("MISMATCH", `${file}: the optimizer's state is missing`);
    const state = (): Checkpoint => {
      const progress = { ...progressOf(settings), step, steps: total };
      const done = { net: trainer.toNet(), progress, ...(data && { data }) };
      return step === total ? done : { ...done, optimizer: trainer.optimizerState() };
    };
    // A file that cannot be written to is to be found out now and not after an epoch.
    checkWritable(file, encodeCheckpoint(file, state()).length);
    let kept = step;
    const keeping = async <T>(work: () => T | Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof MoteError && ["DIVERGED", "FILE"].includes(error.code))) throw error;
        const left = kept > 0 ? `${file} still holds what was done up to step ${kept}` : `nothing was written`;
        throw new MoteError(error.code, `${error.message}; ${left}`, { cause: error });
      }
    };
    if (total === 0) writeCheckpoint(file, state());
    let measured = await trainer.evaluate(validation, task);
    while (step < total) {
      const from = step;
      const end = Math.min(total, (Math.floor(step / perEpoch) + 1) * perEpoch);
      const { loss, steps } = await keeping(() =>
        trainer.train({
          data: train,
          steps: end - from,
          firstStep: from,
          lr: cosine({ lr, lrEnd }, total),
          weightDecay,
          augment,
          task,
          ...(signal && { signal }),
          onProgress: (done, _, mean) => options.onProgress?.(from + done, total, mean),
        }),
      );
      step += steps;
      await keeping(() => writeCheckpoint(file, state()));
      kept = step;
      if (step < end) {
        throw new MoteError("INTERRUPTED", `stopped after step ${step} of ${total}; ${file} holds what was done`);
      }
      measured = await trainer.evaluate(validation, task);
      options.onEpoch?.({ epoch: Math.ceil(step / perEpoch), loss, validation: measured });
    }
    const tested = test && (await trainer.evaluate(test, task));
    return { net: trainer.toNet(), steps: total, validation: measured, ...(tested && { test: tested }) };
  } finally {
    await trainer.close();
  }
}
