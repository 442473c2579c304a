/** The sweep's side of the queue: puts jobs on it and waits for what workers make of them. */
import type { Job, Queue, QueueEvents } from "bullmq";
import { MoteError } from "../../errors.js";
import { isRecord } from "../../json.js";
import type { SweepJob } from "../../sweep/job.js";
import type { JobRunner, RunHooks } from "../../sweep/runner.js";
import {
  CANCEL_SECONDS,
  cancelKey,
  connectQueue,
  deferred,
  errorOfReason,
  QUEUE_NAME,
  within,
  type QueueConnection,
} from "./queue.js";

export interface QueueOptions {
  readonly url: string;
  /** How long Redis may be away. */
  readonly patienceMs: number;
  readonly onNote: (text: string) => void;
}

/** An error that another try may mend is tried so often, after 1, 2, 4 … seconds. */
const ATTEMPTS = 5;
const BACKOFF_MS = 1_000;
/** Events may be missed while Redis is away. */
const POLL_MS = 2_000;
const CLOSE_MS = 2_000;
const KEEP_SECONDS = { completed: 3_600, failed: 86_400 };

interface Waiter {
  /** Once it is on the queue. */
  isThere: boolean;
  readonly done: () => void;
  readonly failed: (error: MoteError) => void;
  readonly progress: (data: unknown) => void;
}

export class QueueRunner implements JobRunner {
  private readonly waiters = new Map<string, Waiter>();
  private readonly timer: NodeJS.Timeout;
  private isTold = false;

  private constructor(
    private readonly connection: QueueConnection,
    private readonly queue: Queue,
    private readonly events: QueueEvents,
    private readonly options: QueueOptions,
  ) {
    events.on("completed", ({ jobId }) => this.waiters.get(jobId)?.done());
    events.on("failed", ({ jobId, failedReason }) => this.waiters.get(jobId)?.failed(errorOfReason(failedReason)));
    events.on("progress", ({ jobId, data }) => this.waiters.get(jobId)?.progress(data));
    this.timer = setInterval(() => void this.poll().catch(() => {}), POLL_MS);
  }

  /** @throws MoteError as connectQueue */
  static async open(options: QueueOptions): Promise<QueueRunner> {
    const connection = await connectQueue(options.url, options.patienceMs);
    const { bullmq, client } = connection;
    // Away is what `lost` is for.
    const queue = new bullmq.Queue(QUEUE_NAME, { connection: client as never });
    const events = new bullmq.QueueEvents(QUEUE_NAME, { connection: client as never });
    queue.on("error", () => {});
    events.on("error", () => {});
    const runner = new QueueRunner(connection, queue, events, options);
    try {
      await Promise.race([Promise.all([queue.waitUntilReady(), events.waitUntilReady()]), connection.lost]);
    } catch (error) {
      await runner.close();
      if (error instanceof MoteError) throw error;
      throw new MoteError("SERVER", `--queue: cannot be reached any more: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return runner;
  }

  /** @throws MoteError INTERRUPTED when stopped, which leaves the job to the workers; SERVER; what the job threw */
  async run(name: string, job: SweepJob, { signal, onProgress }: RunHooks): Promise<void> {
    const { promise, resolve, reject } = deferred<void>();
    const stop = (): void => reject(new MoteError("INTERRUPTED", "stopped"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    const waiter: Waiter = {
      isThere: false,
      done: resolve,
      failed: reject,
      progress: (data) => {
        // Of whatever stands on the queue.
        if (isRecord(data) && Number.isFinite(data.share) && typeof data.label === "string")
          onProgress(Math.min(1, Math.max(0, data.share as number)), data.label.slice(0, 40));
      },
    };
    this.waiters.set(name, waiter);
    try {
      promise.catch(() => {});
      await Promise.race([this.add(name, job), promise, this.connection.lost]);
      waiter.isThere = true;
      await Promise.race([promise, this.connection.lost]);
    } finally {
      this.waiters.delete(name);
      signal.removeEventListener("abort", stop);
    }
  }

  /**
   * Takes jobs off the queue; those that run are to stop.
   * @throws MoteError SERVER
   */
  async cancel(names: readonly string[]): Promise<{ removed: number; stopping: number }> {
    const cancelled = { removed: 0, stopping: 0 };
    const work = async (): Promise<void> => {
      for (const name of names) {
        const job = (await this.queue.getJob(name)) as Job | undefined;
        if (job === undefined) continue;
        const state = await job.getState();
        if (state === "completed" || state === "failed") continue;
        // One that has begun meanwhile is locked.
        if (state !== "active" && (await isDone(job.remove()))) cancelled.removed++;
        else {
          await this.connection.client.set(cancelKey(name), "1", "EX", CANCEL_SECONDS);
          cancelled.stopping++;
        }
      }
    };
    await Promise.race([work(), this.connection.lost]);
    return cancelled;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await within(CLOSE_MS, Promise.all([this.events.close(), this.queue.close()]));
    this.connection.close();
  }

  /** What another sweep has put there already is waited for; what was done or failed before is tried anew. */
  private async add(name: string, job: SweepJob): Promise<void> {
    await this.connection.client.del(cancelKey(name));
    const earlier = (await this.queue.getJob(name)) as Job | undefined;
    if (earlier !== undefined && ["completed", "failed"].includes(await earlier.getState()))
      await isDone(earlier.remove());
    await this.queue.add("job", job, {
      jobId: name,
      attempts: ATTEMPTS,
      backoff: { type: "exponential", delay: BACKOFF_MS },
      removeOnComplete: { age: KEEP_SECONDS.completed },
      removeOnFail: { age: KEEP_SECONDS.failed },
    });
  }

  private async poll(): Promise<void> {
    for (const [name, waiter] of this.waiters) {
      if (!waiter.isThere) continue;
      const job = (await this.queue.getJob(name)) as Job | undefined;
      const state = await job?.getState();
      if (job === undefined) waiter.failed(new MoteError("INTERRUPTED", "cancelled"));
      else if (state === "completed") waiter.done();
      else if (state === "failed") waiter.failed(errorOfReason(job.failedReason ?? ""));
    }
    if (this.isTold || this.waiters.size === 0 || (await this.queue.getWorkersCount()) > 0) return;
    this.isTold = true;
    this.options.onNote("no worker listens on the queue yet: mote worker starts one");
  }
}

const isDone = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );
