/** `mote worker`: runs jobs that sweeps put on a queue, on this machine. */
import { Command } from "commander";
import { printable } from "../host/errors.js";
import { formatDuration } from "../host/node/progress.js";
import { openStore } from "../host/node/sweep/open-store.js";
import { serveQueue } from "../host/node/sweep/queue-worker.js";
import { interruptible } from "./interrupt.js";
import { Output } from "./output.js";
import { threadsOf } from "./threads.js";
import { wholeNumber } from "./whole-number.js";

interface Flags {
  readonly queue: string;
  readonly store: string;
  readonly workers: number;
  readonly threads?: number;
  readonly idle?: number;
  readonly stalledAfter: number;
  readonly json?: true;
}

/** A worker outlives a longer absence than a sweep: nobody sits before it. */
const PATIENCE_MS = 60_000;
const GRACE_MS = 2_000;

export function workerCommand(): Command {
  return new Command("worker")
    .description("run jobs that mote sweep --queue has put on a queue; Ctrl-C gives the running one back")
    .requiredOption("--queue <url>", "redis://host:port of the queue")
    .requiredOption("--store <place>", "the sweep's store: folder or s3://bucket/prefix")
    .option("--workers <n>", "jobs at a time, a process each", wholeNumber(1, 256), 1)
    .option("--threads <n>", "of each process; default: the cores shared out", wholeNumber(1, 64))
    .option("--idle <seconds>", "end when there has been no job for so long; default: never", wholeNumber(1, 86_400))
    .option(
      "--stalled-after <seconds>",
      "take over jobs of workers not heard of for so long",
      wholeNumber(1, 3_600),
      30,
    )
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      [
        "\nThe store's bucket takes AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, elsewhere than at Amazon, AWS_ENDPOINT_URL.",
        "\nExamples:",
        "  mote worker --queue redis://host:6379 --store s3://bucket/sweep",
        "  mote worker --queue rediss://user:password@host --store /shared/sweep --workers 4 --threads 2 --idle 600",
      ].join("\n"),
    )
    .action(work);
}

async function work(flags: Flags): Promise<void> {
  const output = new Output(flags);
  await openStore(flags.store);
  const counts = await interruptible((signal) =>
    serveQueue({
      url: flags.queue,
      store: flags.store,
      workers: flags.workers,
      threads: threadsOf(flags),
      stalledMs: flags.stalledAfter * 1000,
      patienceMs: PATIENCE_MS,
      ...(flags.idle !== undefined && { idleMs: flags.idle * 1000 }),
      signal,
      onNote: (text) => void process.stderr.write(`mote: ${printable(text)}\n`),
      onJob: (name, end, seconds) => output.line(`${name} ${end}, ${formatDuration(seconds)}`),
    }),
  ).finally(() => {
    // Where Redis is gone, loops of BullMQ's would try for ever.
    setTimeout(() => process.exit(), GRACE_MS).unref();
  });
  output.line(`${counts.done} jobs done, ${counts.failed} failed`);
  output.json(() => counts);
}
