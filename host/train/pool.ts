/** Runs a task on all threads of a trainer: on workers, or on the calling thread when there is one only. */
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { builtFile } from "../node/paths.js";
import { Control } from "./control.js";
import { compileKernels, instantiateKernels, type SharedHeap } from "./heap.js";
import type { Kernels } from "./kernels.js";
import { makeHands, runTask, type Task } from "./tasks.js";
import type { WorkerReply, WorkerRequest, WorkerSetup } from "./worker.js";

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
    private readonly workers: readonly Worker[],
  ) {
    this.kernels = instantiateKernels(module, heap.memory);
  }

  /** Threads at work; 1 if workers were asked for but could not be started. */
  get threads(): number {
    return Math.max(1, this.workers.length);
  }

  /** @throws MoteError FILE when train.wasm was not built */
  static async create(heap: SharedHeap, threads: number): Promise<ThreadPool> {
    const module = compileKernels();
    const file = builtFile("dist/host/train/worker.js");
    if (threads === 1 || !existsSync(file)) return new ThreadPool(heap, module, []);
    const workers: Worker[] = [];
    try {
      for (let thread = 0; thread < threads; thread++) {
        const workerData: WorkerSetup = { module, memory: heap.memory, thread, threads };
        workers.push(new Worker(file, { workerData }));
      }
      await Promise.all(workers.map(nextReply));
      for (const worker of workers) worker.unref();
      return new ThreadPool(heap, module, workers);
    } catch {
      // A system that grants no threads: the same result, later.
      await Promise.all(workers.map((worker) => worker.terminate()));
      return new ThreadPool(heap, module, []);
    }
  }

  /** @returns steps done, the sum of their mean losses, and whether the next one's was not finite (training only) */
  async run(
    task: Task,
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
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private async runHere(task: Task, control: Control, report: () => void): Promise<void> {
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
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async runOnWorkers(task: Task, control: Control, report: () => void): Promise<void> {
    const timer = setInterval(report, PROGRESS_MS);
    for (const worker of this.workers) worker.ref();
    try {
      const request: WorkerRequest = { task, control: control.buffer };
      const replies = this.workers.map((worker) =>
        nextReply(worker).catch((error: unknown) => {
          control.fail();
          return { error } satisfies WorkerReply;
        }),
      );
      for (const worker of this.workers) worker.postMessage(request);
      const failed = (await Promise.all(replies)).find((reply) => reply.error !== undefined);
      if (failed !== undefined) throw failed.error;
    } finally {
      clearInterval(timer);
      for (const worker of this.workers) worker.unref();
    }
  }
}

function nextReply(worker: Worker): Promise<WorkerReply> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      worker.off("message", onMessage);
      worker.off("error", onError);
      worker.off("exit", onExit);
      then();
    };
    const onMessage = (reply: WorkerReply): void => settle(() => resolve(reply));
    const onError = (error: unknown): void => settle(() => reject(error));
    const onExit = (code: number): void => settle(() => reject(new Error(`a training thread ended with code ${code}`)));
    worker.on("message", onMessage);
    worker.on("error", onError);
    worker.on("exit", onExit);
  });
}
