/** The two jobs that threads share, as every thread runs them. */
import type { Samples } from "../data/samples.js";
import type { Control } from "./control.js";
import { Executor, type StepSettings } from "./execute.js";
import type { Kernels } from "./kernels.js";
import { lossTensors } from "./loss-head.js";
import { layersBefore, type Plan } from "./plan.js";
import { Updater } from "./update.js";

export interface TrainTask {
  readonly kind: "train";
  readonly plan: Plan;
  readonly settings: StepSettings;
  readonly firstStep: number;
  /** Learning rate of each step. */
  readonly rates: Float64Array;
  /** Updates done before this job, since the optimizer's reset. */
  readonly updates: number;
}

/** Values of tensors for each sample. */
export interface RowsTask {
  readonly kind: "rows";
  readonly plan: Plan;
  readonly data: Samples;
  readonly tensors: readonly number[];
  /** [count, values of all tensors], shared between the threads. */
  readonly out: Float32Array;
}

/** What threads do. */
export type ThreadTask = TrainTask | RowsTask;

/** What one thread works with. */
export interface Hands {
  readonly executor: Executor;
  readonly updater: Updater;
}

export function makeHands(
  kernels: Kernels,
  memory: WebAssembly.Memory,
  plan: Plan,
  thread: number,
  threads: number,
): Hands {
  return {
    executor: new Executor(kernels, memory, plan, thread, threads),
    updater: new Updater(kernels, plan, thread, threads),
  };
}

/** Runs this thread's part of the task; yields after each step or chunk, where the calling thread may pause. */
export function* runTask(
  task: ThreadTask,
  { executor, updater }: Hands,
  thread: number,
  threads: number,
  control: Control,
): Generator {
  if (task.kind === "train") {
    const { weightDecay, l1 } = task.settings;
    const trained = layersBefore(task.plan, lossTensors(task.plan, task.settings));
    for (let i = 0; i < task.rates.length && !control.stopping; i++) {
      for (const shard of executor.ownShards()) {
        control.setLoss(shard, executor.trainShard(task.settings, task.firstStep + i, shard));
      }
      control.barrier();
      if (thread === 0) control.finishStep(task.plan.batch);
      updater.update({ lr: task.rates[i], weightDecay, l1, count: task.updates + i + 1, trained });
      control.barrier();
      yield;
    }
    return;
  }
  const chunk = task.plan.shardSamples;
  for (let from = thread * chunk; from < task.data.count; from += threads * chunk) {
    executor.rows(task.data, from, Math.min(from + chunk, task.data.count), task.tensors, task.out);
    yield;
  }
}
