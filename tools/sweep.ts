/** `mote sweep`: a recipe in many variants, by processes of this machine or by workers on a queue, and their sizes against their errors. */
import { join } from "node:path";
import { Command } from "commander";
import { MoteError, printable } from "../host/errors.js";
import { checkWritable } from "../host/node/check-writable.js";
import { folderOf, openRecipe } from "../host/node/compress/recipe-files.js";
import { packageRoot } from "../host/node/paths.js";
import { Progress } from "../host/node/progress.js";
import { readFile } from "../host/node/read-file.js";
import { LocalRunner } from "../host/node/sweep/local-runner.js";
import { openStore } from "../host/node/sweep/open-store.js";
import { QueueRunner } from "../host/node/sweep/queue-runner.js";
import { Sweep } from "../host/node/sweep/run-sweep.js";
import { openNet } from "../host/node/train/open-net.js";
import { readCheckpoint } from "../host/node/train/checkpoint.js";
import type { SweepRow } from "../host/sweep/summary.js";
import { parseVariation, variantsOf, type Variant, type Variation } from "../host/sweep/vary.js";
import { interruptible } from "./interrupt.js";
import { Output } from "./output.js";
import { SWEEP_FILES, showSweep, writeSweep } from "./sweep-results.js";
import { threadsOf } from "./threads.js";
import { wholeNumber } from "./whole-number.js";

/** A Redis that is restarted comes back sooner. */
const PATIENCE_MS = 15_000;
const ANSWER_MS = 30_000;

interface Flags {
  readonly vary?: readonly Variation[];
  readonly out?: string;
  readonly from?: string;
  readonly workers: number;
  readonly threads?: number;
  readonly store?: string;
  readonly queue?: string;
  readonly cancel?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

export function sweepCommand(): Command {
  return new Command("sweep")
    .description("compress a net by many variants of a recipe, and compare their sizes and errors")
    .argument("<recipe>", "JSON file, such as models/lenet5.json; docs/compress.md describes its keys")
    .option(
      "--vary <path=values>",
      "a place in the recipe and what stands there: 1..8, or values with commas between them; several make a grid",
      (text: string, before: Variation[] = []) => [...before, parseVariation(text)],
    )
    .option("-o, --out <folder>", "where tables, picture and models go")
    .option("--from <file>", "start from this trained net (.safetensors) instead of the recipe's teacher")
    .option("--workers <n>", "processes at a time", wholeNumber(1, 256), 1)
    .option("--threads <n>", "of each process; default: the cores shared out", wholeNumber(1, 64))
    .option(
      "--store <place>",
      "folder or s3://bucket/prefix for all that jobs make, which the same command goes on from; default: build/sweep",
    )
    .option("--queue <url>", "redis://host:port of a queue: the workers that listen there run the jobs")
    .option("--cancel", "take the jobs of this sweep off the queue, and stop those that run")
    .option("--dry-run", "check every variant, show the jobs, run none")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      [
        "\nExamples:",
        "  mote sweep models/lenet300.json --vary seed=1..8 -o build/seeds",
        '  mote sweep models/lenet5.json --vary seed=1..4 --vary "stages[2].keep=2000,3000" --workers 2 -o build/keep',
        "",
        "On several machines, with mote worker on each:",
        "  mote sweep models/lenet5.json --vary seed=1..8 --queue redis://host:6379 --store s3://bucket/sweep -o build/seeds",
      ].join("\n"),
    )
    .action(sweep);
}

async function sweep(recipePath: string, flags: Flags): Promise<void> {
  const { out, vary = [], queue } = flags;
  const output = new Output(flags);
  if (queue !== undefined && flags.store === undefined)
    throw new MoteError("ARGUMENT", "--queue: --store says where workers and sweep have what they make");
  if (flags.cancel && queue === undefined) throw new MoteError("ARGUMENT", "--cancel: --queue says whose jobs");
  if (out === undefined && !flags.dryRun && !flags.cancel)
    throw new MoteError("ARGUMENT", "sweep: --out says where tables, picture and models go");
  const variants = variantsOf(Buffer.from(readFile(recipePath)).toString("utf8"), recipePath, vary);
  const from = flags.from === undefined ? undefined : readCheckpoint(flags.from).net;
  if (out !== undefined) for (const name of SWEEP_FILES) checkWritable(join(out, name));
  const where = flags.store ?? join(packageRoot, "build", "sweep");
  const store = await openStore(where);
  const note = (text: string): void => {
    Progress.clear();
    process.stderr.write(`mote: ${printable(text)}\n`);
  };
  const plan = await inRecipe(recipePath, () =>
    Sweep.plan({
      variants,
      open: (recipe) => {
        const folder = folderOf(recipePath);
        const line = (text: string): void => output.line(`${recipe.net}: ${text}`);
        // A net that is given sees the data as it was trained to.
        const { net, teacher, data, warnings } = openRecipe(recipe, folder, { from: flags.from, note: line });
        warnings.forEach(note);
        const named = flags.from === undefined ? net : openNet(recipe.net, { folder }).net;
        return { net: named, ...(teacher && { teacher }), data };
      },
      ...(from && { from }),
      store,
    }),
  );
  if (flags.dryRun) return showPlan(output, plan, variants);
  if (flags.cancel) {
    const runner = await QueueRunner.open({ url: queue!, patienceMs: PATIENCE_MS, onNote: note });
    try {
      const cancelled = await runner.cancel(plan.jobs.map(({ name }) => name));
      output.line(cancelledLine(cancelled));
      output.json(() => cancelled);
    } finally {
      await runner.close();
    }
    return;
  }
  const runner =
    queue === undefined
      ? new LocalRunner({ store: where, workers: flags.workers, threads: threadsOf(flags), onNote: note })
      : await QueueRunner.open({ url: queue, patienceMs: PATIENCE_MS, onNote: note });
  const rows = await runJobs(plan, runner, note);
  const written = await writeSweep(out!, recipePath, variants, rows, (row) => plan.model(row));
  showSweep(output, recipePath, rows, written);
  if (rows.every((row) => row.problem !== undefined))
    throw new MoteError("DIVERGED", `no variant came to a model: ${rows[0].problem}`);
}

async function inRecipe<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof MoteError && error.code === "RECIPE")) throw error;
    throw new MoteError("RECIPE", printable(`${path}: ${error.message}`), { cause: error });
  }
}

async function runJobs(
  plan: Sweep,
  runner: LocalRunner | QueueRunner,
  note: (text: string) => void,
): Promise<SweepRow[]> {
  const jobs = plan.jobs.length;
  const progress = new Progress("sweep", jobs);
  try {
    return await interruptible((signal) =>
      plan.run(runner, signal, (share, running) => {
        progress.update(Number((share * jobs).toFixed(1)), running.join(", "));
      }),
    );
  } catch (error) {
    if (!(error instanceof MoteError && error.code === "INTERRUPTED")) throw error;
    progress.finish();
    let where = "the store holds all that was done";
    if (runner instanceof QueueRunner) {
      if (await isToBeCancelled()) note(cancelledLine(await runner.cancel(plan.jobs.map(({ name }) => name))));
      else where = "workers go on with the jobs on the queue (--cancel takes them off)";
    }
    throw new MoteError("INTERRUPTED", `stopped; ${where}: run the same command to go on`, { cause: error });
  } finally {
    progress.finish();
    await runner.close();
  }
}

const cancelledLine = ({ removed, stopping }: { removed: number; stopping: number }): string =>
  `${removed} jobs taken off the queue, ${stopping} that run are to stop`;

/** Asks who sits at the terminal. Where nobody does, the jobs stay. */
async function isToBeCancelled(): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await terminal.question("\nWorkers have the jobs: cancel them? [y/N] ", { signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    return false; // No answer, or another Ctrl-C.
  } finally {
    terminal.close();
  }
}

async function showPlan(output: Output, plan: Sweep, variants: readonly Variant[]): Promise<void> {
  const jobs = await Promise.all(
    plan.jobs.map(async (job) => ({
      name: job.name,
      results: job.steps,
      variants: job.neededBy.map((variant) => variant + 1),
      after: plan.jobs.findIndex(({ name }) => name === job.after) + 1 || undefined,
      done: (await plan.resultOf(job)) !== undefined,
    })),
  );
  const done = jobs.filter((job) => job.done).length;
  output.lines([`${variants.length} variants by ${jobs.length} jobs; ${done} of these are done`]);
  output.table(
    [
      ["job", "ends with", "after", "variants", "done"],
      ...jobs.map((job, i) => [
        String(i + 1),
        job.name,
        job.after === undefined ? "" : String(job.after),
        job.variants.length > 4 ? `${job.variants.length} of them` : job.variants.join(", "),
        job.done ? "yes" : "",
      ]),
    ],
    [0, 1, 3, 4],
  );
  output.json(() => ({ variants: variants.map(({ values }) => values), jobs }));
}
