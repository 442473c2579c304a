/** What training takes from Node: train.wasm and worker threads. */
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { TrainingRuntime, TrainingThread } from "../../train/pool.js";
import type { ThreadReply } from "../../train/thread.js";
import { builtModule } from "../built.js";
import { builtFile } from "../paths.js";

export const nodeRuntime: TrainingRuntime = {
  kernels: () => new WebAssembly.Module(builtModule("build/train.wasm")),
  startThreads: async (setups) => {
    const file = builtFile("dist/host/node/train/worker.js");
    if (!existsSync(file)) return [];
    const workers: Worker[] = [];
    try {
      for (const workerData of setups) workers.push(new Worker(file, { workerData }));
      await Promise.all(workers.map(nextReply));
      for (const worker of workers) worker.unref();
      return workers.map(threadOn);
    } catch {
      // A system that grants no threads: the same result, later.
      await Promise.all(workers.map((worker) => worker.terminate()));
      return [];
    }
  },
};

/** Keeps the process alive only while it has something to do. */
function threadOn(worker: Worker): TrainingThread {
  let hasEnded = false;
  worker.once("exit", () => (hasEnded = true));
  return {
    async run(request) {
      if (hasEnded) throw new Error("a training thread has ended");
      worker.ref();
      try {
        const reply = nextReply(worker);
        worker.postMessage(request);
        return await reply;
      } finally {
        worker.unref();
      }
    },
    async close() {
      await worker.terminate();
    },
  };
}

function nextReply(worker: Worker): Promise<ThreadReply> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      worker.off("message", onMessage);
      worker.off("error", onError);
      worker.off("exit", onExit);
      then();
    };
    const onMessage = (reply: ThreadReply): void => settle(() => resolve(reply));
    const onError = (error: unknown): void => settle(() => reject(error));
    const onExit = (code: number): void => settle(() => reject(new Error(`a training thread ended with code ${code}`)));
    worker.on("message", onMessage);
    worker.on("error", onError);
    worker.on("exit", onExit);
  });
}
