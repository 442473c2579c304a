/** Runs a task on all threads of a trainer: on threads of their own, or on the calling one when there is one only. */
import { nextTurn } from "../turn.js";
import { Control } from "./control.js";
import { instantiateKernels, type SharedHeap } from "./heap.js";
import type { Kernels } from "./kernels.js";
import { makeHands, runTask, type ThreadTask } from "./tasks.js";
import type { ThreadReply, ThreadRequest, ThreadSetup } from "./thread.js";

/** What training takes from where it runs. */
export interface TrainingRuntime {
  /** train.wasm, compiled. @throws MoteError ENGINE when it was not built */
  kernels(): WebAssembly.Module;
  /** A thread for each setup, ready to run, which does what `threadOf` of thread.ts says. None where they cannot be started. */
  startThreads(setups: readonly ThreadSetup[]): Promise<readonly TrainingThread[]>;
}

export interface TrainingThread {
  /** Rejects when the thread has ended. */
  run(request: ThreadRequest): Promise<ThreadReply>;
  close(): Promise<void>;
}

/** How long the calling thread computes before it lets timers and signals in. */
const TURN_MS = 50;
const PROGRESS_MS = 500;

type Progress = (done: number, lossSum: number) => void;

export class ThreadPool {
  /** The calling thread's kernels, for work that is not worth a task. */
  readonly kernels: Kernels;
  private busy = false;

  private constructor(
    private readonly heap: SharedHeap,
    module: WebAssembly.Module,
    private readonly workers: readonly TrainingThread[],
  ) {
    this.kernels = instantiateKernels(module, heap.memory);
  }

  /** Threads at work; 1 if workers were asked for but could not be started. */
  get threads(): number {
    return Math.max(1, this.workers.length);
  }

  /** @throws MoteError ENGINE when train.wasm was not built */
  static async create(runtime: TrainingRuntime, heap: SharedHeap, threads: number): Promise<ThreadPool> {
    const module = runtime.kernels();
    if (threads === 1) return new ThreadPool(heap, module, []);
    const setups = Array.from({ length: threads }, (_, thread) => ({ module, memory: heap.memory, thread, threads }));
    return new ThreadPool(heap, module, await runtime.startThreads(setups));
  }

  /** @returns steps done, the sum of their mean losses, and whether the next one's was not finite (training only) */
  async run(
    task: ThreadTask,
    progress?: Progress,
    signal?: AbortSignal,
  ): Promise<{ done: number; lossSum: number; diverged: boolean }> {
    if (this.busy) throw new Error("a trainer runs one job at a time");
    this.busy = true;
    const control = new Control(this.threads, task.plan.shards);
    const stop = (): void => control.requestStop();
    const report = (): void => progress?.(control.progress.done, control.progress.lossSum);
    if (signal?.aborted === true) stop();
    signal?.addEventListener("abort", stop);
    try {
      if (this.workers.length === 0) await this.runHere(task, control, report);
      else await this.runOnWorkers(task, control, report);
    } finally {
      this.busy = false;
      signal?.removeEventListener("abort", stop);
    }
    return { ...control.progress, diverged: control.diverged };
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
  }

  private async runHere(task: ThreadTask, control: Control, report: () => void): Promise<void> {
    const steps = runTask(task, makeHands(this.kernels, this.heap.memory, task.plan, 0, 1), 0, 1, control);
    let reported = performance.now();
    for (let more = true; more;) {
      const start = performance.now();
      do more = steps.next().done !== true;
      while (more && performance.now() - start < TURN_MS);
      if (performance.now() - reported >= PROGRESS_MS) {
        reported = performance.now();
        report();
      }
      await nextTurn();
    }
  }

  private async runOnWorkers(task: ThreadTask, control: Control, report: () => void): Promise<void> {
    const timer = setInterval(report, PROGRESS_MS);
    try {
      const request: ThreadRequest = { task, control: control.buffer };
      const replies = this.workers.map((worker) =>
        worker.run(request).catch((error: unknown) => {
          control.fail();
          return { error } satisfies ThreadReply;
        }),
      );
      const failed = (await Promise.all<ThreadReply>(replies)).find((reply) => reply.error !== undefined);
      if (failed !== undefined) throw failed.error;
    } finally {
      clearInterval(timer);
    }
  }
}
