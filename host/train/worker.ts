/** A training thread: waits for tasks, runs its part of each, says when it is done. See pool.ts for the other end. */
import { parentPort, workerData } from "node:worker_threads";
import { Control, OtherThreadFailed } from "./control.js";
import { instantiateKernels } from "./heap.js";
import { makeHands, runTask, type Task } from "./tasks.js";

export interface WorkerSetup {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly threads: number;
}

export interface WorkerRequest {
  readonly task: Task;
  readonly control: SharedArrayBuffer;
}

/** `error` is there when this thread failed; `stopped` when another one did. */
export interface WorkerReply {
  readonly error?: unknown;
  readonly stopped?: boolean;
}

const port = parentPort;
if (port === null) throw new Error("worker.ts runs as a worker thread only");
const { module, memory, thread, threads } = workerData as WorkerSetup;
const kernels = instantiateKernels(module, memory);

port.on("message", ({ task, control: buffer }: WorkerRequest) => {
  const control = new Control(threads, task.plan.shards, buffer);
  let reply: WorkerReply = {};
  try {
    memory.grow(0); // this thread's view of memory.buffer follows growth by others only when asked
    const hands = makeHands(kernels, memory, task.plan, thread, threads);
    const steps = runTask(task, hands, thread, threads, control);
    while (steps.next().done !== true);
  } catch (error) {
    control.fail();
    reply = error instanceof OtherThreadFailed ? { stopped: true } : { error };
  }
  port.postMessage(reply);
});
port.postMessage({} satisfies WorkerReply);
