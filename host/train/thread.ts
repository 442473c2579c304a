/** A training thread: runs its part of each task that it is asked for. See pool.ts for the other end. */
import { Control, OtherThreadFailed } from "./control.js";
import { instantiateKernels } from "./heap.js";
import { makeHands, runTask, type ThreadTask } from "./tasks.js";

/** What a thread is started with. */
export interface ThreadSetup {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly threads: number;
}

export interface ThreadRequest {
  readonly task: ThreadTask;
  readonly control: SharedArrayBuffer;
}

/** `error` is there when this thread failed; `stopped` when another one did. */
export interface ThreadReply {
  readonly error?: unknown;
  readonly stopped?: boolean;
}

/** @returns what the thread does with a request, one at a time */
export function threadOf({ module, memory, thread, threads }: ThreadSetup): (request: ThreadRequest) => ThreadReply {
  const kernels = instantiateKernels(module, memory);
  return ({ task, control: buffer }) => {
    const control = new Control(threads, task.plan.shards, buffer);
    try {
      memory.grow(0); // this thread's view of memory.buffer follows growth by others only when asked
      const hands = makeHands(kernels, memory, task.plan, thread, threads);
      const steps = runTask(task, hands, thread, threads, control);
      while (steps.next().done !== true);
      return {};
    } catch (error) {
      control.fail();
      return error instanceof OtherThreadFailed ? { stopped: true } : { error };
    }
  };
}
