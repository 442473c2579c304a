/** A worker's side of the queue: takes jobs, runs them in processes of its own, and lets others have what it cannot finish. */
import type { Job } from "bullmq";
import { MoteError } from "../../errors.js";
import { checkJob, type SweepJob } from "../../sweep/job.js";
import { checkVersion } from "./execute.js";
import { LocalRunner } from "./local-runner.js";
import { cancelKey, connectQueue, deferred, isFinal, QUEUE_NAME, reasonOf, within } from "./queue.js";

export interface WorkerOptions {
  readonly url: string;
  /** As `openStore` takes it. */
  readonly store: string;
  /** Jobs at a time, a process each. */
  readonly workers: number;
  readonly threads: number;
  /** A worker that has not been heard of for so long has lost its job to another one. */
  readonly stalledMs: number;
  /** How long Redis may be away. */
  readonly patienceMs: number;
  /** Ends when there has been no job for so long. Default: never. */
  readonly idleMs?: number;
  readonly signal: AbortSignal;
  readonly onNote: (text: string) => void;
  readonly onJob: (name: string, end: string, seconds: number) => void;
}

const LOOK_MS = 1_000;
const CLOSE_MS = 5_000;
/** A job whose workers are killed again and again is taken over as often. */
const MOST_STALLS = 1_000;

/**
 * Runs until it is stopped, or idle.
 * @returns how many jobs it has done, and how many have failed
 * @throws MoteError MISMATCH at a job of another version's sweep, which goes back to the queue; SERVER; as connectQueue
 */
export async function serveQueue(options: WorkerOptions): Promise<{ done: number; failed: number }> {
  const { url, store, workers, threads, stalledMs, patienceMs, idleMs, signal, onNote, onJob } = options;
  const connection = await connectQueue(url, patienceMs);
  const { bullmq, client } = connection;
  const runner = new LocalRunner({ store, workers, threads, onNote });
  const count = { done: 0, failed: 0 };
  const end = deferred<void>();
  const leave = new AbortController();
  let running = 0;
  let idleSince = performance.now();

  const putBack = async (job: Job, token: string | undefined): Promise<never> => {
    await worker.pause(true);
    await job.moveToWait(token);
    throw new bullmq.WaitingError();
  };

  const attempt = async (job: Job, token: string | undefined): Promise<void> => {
    let checked: SweepJob;
    try {
      checked = checkJob(job.data);
    } catch (error) {
      throw new bullmq.UnrecoverableError(reasonOf(error));
    }
    try {
      checkVersion(checked.version);
    } catch (error) {
      end.reject(error);
      return putBack(job, token);
    }
    const cancel = new AbortController();
    let latest: { readonly share: number; readonly label: string } | undefined;
    const look = setInterval(() => {
      const looking = async (): Promise<void> => {
        if ((await client.exists(cancelKey(job.id!))) > 0) cancel.abort();
        if (latest !== undefined) await job.updateProgress(latest);
        latest = undefined;
      };
      // The queue is the worker's concern, and the job's work goes on.
      looking().catch(() => {});
    }, LOOK_MS);
    try {
      await runner.run(job.id!, checked, {
        signal: AbortSignal.any([leave.signal, cancel.signal]),
        onProgress: (share, label) => (latest = { share, label }),
      });
    } catch (error) {
      if (!(error instanceof MoteError)) throw new Error(reasonOf(error), { cause: error });
      if (leave.signal.aborted && error.code === "INTERRUPTED") return await putBack(job, token);
      if (cancel.signal.aborted) throw new bullmq.UnrecoverableError("INTERRUPTED: cancelled");
      if (isFinal(error)) throw new bullmq.UnrecoverableError(reasonOf(error));
      throw new Error(reasonOf(error), { cause: error });
    } finally {
      clearInterval(look);
    }
  };

  const worker = new bullmq.Worker(
    QUEUE_NAME,
    async (job: Job, token?: string) => {
      const started = performance.now();
      running++;
      let said = "done";
      try {
        await attempt(job, token);
        count.done++;
      } catch (error) {
        const isBack = error instanceof bullmq.WaitingError;
        said = isBack ? "goes back to the queue" : `failed: ${(error as Error).message}`;
        if (!isBack) count.failed++;
        throw error;
      } finally {
        running--;
        idleSince = performance.now();
        onJob(String(job.id), said, (idleSince - started) / 1000);
      }
    },
    {
      connection: client as never,
      concurrency: workers,
      lockDuration: stalledMs,
      stalledInterval: stalledMs,
      maxStalledCount: MOST_STALLS,
    },
  );
  worker.on("error", () => {});
  const stop = (): void => end.resolve();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const idle = setInterval(() => {
    if (idleMs !== undefined && running === 0 && performance.now() - idleSince >= idleMs) stop();
  }, LOOK_MS / 4);
  try {
    await Promise.race([end.promise, connection.lost]);
  } finally {
    clearInterval(idle);
    signal.removeEventListener("abort", stop);
    leave.abort();
    await within(CLOSE_MS, worker.close());
    await within(CLOSE_MS, worker.close(true));
    await runner.close();
    connection.close();
  }
  return count;
}
