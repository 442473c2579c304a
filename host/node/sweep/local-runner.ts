/** Jobs in processes of this machine: one that is killed, or for which there was no memory, takes nothing else with it. */
import { fork, type ChildProcess } from "node:child_process";
import { MoteError, type ErrorCode } from "../../errors.js";
import type { SweepJob } from "../../sweep/job.js";
import type { JobRunner, RunHooks } from "../../sweep/runner.js";
import { builtFile } from "../paths.js";

export type ToWorker = { readonly kind: "run"; readonly job: SweepJob } | { readonly kind: "stop" };

export type FromWorker =
  | { readonly kind: "progress"; readonly share: number; readonly label: string }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly code?: ErrorCode; readonly message: string };

export interface LocalOptions {
  /** As `openStore` takes it. */
  readonly store: string;
  /** Processes at a time. */
  readonly workers: number;
  /** Of each process. */
  readonly threads: number;
  readonly onNote: (text: string) => void;
}

/** A job whose process ends without a word is begun again so often: it goes on from what it has put into the store. */
const TRIES = 3;

export class LocalRunner implements JobRunner {
  private readonly idle: ChildProcess[] = [];
  private readonly all = new Set<ChildProcess>();
  /** Those that wait for a process. */
  private readonly queue: (() => void)[] = [];
  private running = 0;

  constructor(private readonly options: LocalOptions) {}

  async run(name: string, job: SweepJob, hooks: RunHooks): Promise<void> {
    if (this.running >= this.options.workers) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.running++;
    try {
      for (let tries = 1; ; tries++) {
        if (hooks.signal.aborted) throw new MoteError("INTERRUPTED", "stopped");
        const end = await this.runOnce(job, hooks);
        if (end === undefined) return;
        const what = `${name}: its process ended with ${end}`;
        if (tries === TRIES) throw new MoteError("ENGINE", `${what}, ${TRIES} times`);
        this.options.onNote(`${what}; another one goes on`);
      }
    } finally {
      // The place goes to the one that has waited longest.
      const next = this.queue.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }

  async close(): Promise<void> {
    const ends = [...this.all].map((child) => new Promise<void>((resolve) => child.once("exit", () => resolve())));
    for (const child of this.all) if (child.connected) child.disconnect();
    await Promise.all(ends);
  }

  /** @returns how the process ended, if it did before the job was done */
  private runOnce(job: SweepJob, { signal, onProgress }: RunHooks): Promise<string | undefined> {
    const child = this.idle.pop() ?? this.start();
    return new Promise((resolve, reject) => {
      const post = (message: ToWorker): void => void child.send(message, () => {});
      const stop = (): void => post({ kind: "stop" });
      const settle = (then: () => void): void => {
        signal.removeEventListener("abort", stop);
        child.off("message", onMessage);
        child.off("exit", onExit);
        then();
      };
      const onMessage = (message: FromWorker): void => {
        if (message.kind === "progress") return onProgress(message.share, message.label);
        if (message.kind === "note") return this.options.onNote(message.text);
        this.idle.push(child);
        settle(() => (message.kind === "done" ? resolve(undefined) : reject(errorOf(message))));
      };
      const onExit = (code: number | null, killedBy: string | null): void =>
        settle(() => resolve(killedBy ?? `code ${code}`));
      child.on("message", onMessage);
      child.on("exit", onExit);
      signal.addEventListener("abort", stop);
      post({ kind: "run", job });
    });
  }

  private start(): ChildProcess {
    const { store, threads } = this.options;
    const file = builtFile("dist/host/node/sweep/local-worker.js");
    // Its stdout is not the command's.
    const child = fork(file, [store, String(threads)], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.all.add(child);
    child.on("exit", () => {
      this.all.delete(child);
      const at = this.idle.indexOf(child);
      if (at >= 0) this.idle.splice(at, 1);
    });
    return child;
  }
}

function errorOf({ code, message }: { readonly code?: ErrorCode; readonly message: string }): Error {
  return code === undefined ? new Error(message) : new MoteError(code, message);
}
