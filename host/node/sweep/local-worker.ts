/** The process that LocalRunner starts: one job after another, as its parent sends them. Its arguments are the store and the threads. */
import { MoteError } from "../../errors.js";
import { executeJob } from "./execute.js";
import type { FromWorker, ToWorker } from "./local-runner.js";
import { openStore } from "./open-store.js";

const [, , storeName, threads] = process.argv;
const send = (message: FromWorker): void => void process.send?.(message);

let abort: AbortController | undefined;

// A terminal's Ctrl-C goes to this process too: the parent says what becomes of it. Without a parent nobody waits for the job.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(1));
process.on("message", (message: ToWorker) => {
  if (message.kind === "stop") abort?.abort();
  else void run(message.job);
});

async function run(job: unknown): Promise<void> {
  abort = new AbortController();
  try {
    await executeJob(job as never, {
      store: await openStore(storeName),
      threads: Number(threads),
      signal: abort.signal,
      onProgress: (share, label) => send({ kind: "progress", share, label }),
      onNote: (text) => send({ kind: "note", text }),
    });
    send({ kind: "done" });
  } catch (error) {
    if (error instanceof MoteError) send({ kind: "failed", code: error.code, message: error.message });
    else send({ kind: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  } finally {
    abort = undefined;
  }
}
