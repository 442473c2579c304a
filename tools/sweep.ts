/** `mote sweep`: a recipe in many variants, by processes of this machine or by workers on a queue, and their sizes against their errors. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { MoteError, printable } from "../host/errors.js";
import { checkWritable } from "../host/node/check-writable.js";
import { loadMnist } from "../host/node/data/mnist.js";
import { packageRoot } from "../host/node/paths.js";
import { Progress } from "../host/node/progress.js";
import { readFile } from "../host/node/read-file.js";
import { LocalRunner } from "../host/node/sweep/local-runner.js";
import { openStore } from "../host/node/sweep/open-store.js";
import { Sweep } from "../host/node/sweep/run-sweep.js";
import { readCheckpoint } from "../host/node/train/checkpoint.js";
import type { JobRunner } from "../host/sweep/runner.js";
import type { SweepRow } from "../host/sweep/summary.js";
import { parseVariation, variantsOf, type Variant, type Variation } from "../host/sweep/vary.js";
import { interruptible } from "./interrupt.js";
import { Output } from "./output.js";
import { SWEEP_FILES, showSweep, writeSweep } from "./sweep-results.js";
import { wholeNumber } from "./whole-number.js";

interface Flags {
  readonly vary?: readonly Variation[];
  readonly out?: string;
  readonly from?: string;
  readonly workers: number;
  readonly threads?: number;
  readonly store?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

export function sweepCommand(): Command {
  return new Command("sweep")
    .description("compress a net by many variants of a recipe, and compare their sizes and errors")
    .argument("<recipe>", "JSON file, such as models/lenet5.json; models/README.md describes its keys")
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
      "--store <folder>",
      "a folder for all that jobs make, which the same command goes on from; default: build/sweep",
    )
    .option("--dry-run", "check every variant, show the jobs, run none")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      [
        "\nExamples:",
        "  mote sweep models/lenet300.json --vary seed=1..8 -o build/seeds",
        '  mote sweep models/lenet5.json --vary seed=1..4 --vary "stages[2].keep=2000,3000" --workers 2 -o build/keep',
      ].join("\n"),
    )
    .action(sweep);
}

async function sweep(recipePath: string, flags: Flags): Promise<void> {
  const { out, vary = [] } = flags;
  const output = new Output(flags);
  if (out === undefined && !flags.dryRun)
    throw new MoteError("ARGUMENT", "sweep: --out says where tables, picture and models go");
  const variants = variantsOf(Buffer.from(readFile(recipePath)).toString("utf8"), recipePath, vary);
  const from = flags.from === undefined ? undefined : readCheckpoint(flags.from).net;
  if (out !== undefined) for (const name of SWEEP_FILES) checkWritable(join(out, name));
  const where = flags.store ?? join(packageRoot, "build", "sweep");
  const store = await openStore(where);
  const options = { variants, data: loadMnist(), source: "mnist" as const, store, ...(from && { from }) };
  const plan = await inRecipe(recipePath, () => Sweep.plan(options));
  if (flags.dryRun) return showPlan(output, plan, variants);

  const threads = flags.threads ?? Math.max(1, Math.floor(availableParallelism() / flags.workers));
  const note = (text: string): void => {
    Progress.clear();
    process.stderr.write(`mote: ${printable(text)}\n`);
  };
  const runner: JobRunner = new LocalRunner({ store: where, workers: flags.workers, threads, onNote: note });
  const rows = await runJobs(plan, runner);
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

async function runJobs(plan: Sweep, runner: JobRunner): Promise<SweepRow[]> {
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
    throw new MoteError("INTERRUPTED", "stopped; the store holds all that was done: run the same command to go on", {
      cause: error,
    });
  } finally {
    progress.finish();
    await runner.close();
  }
}

async function showPlan(output: Output, plan: Sweep, variants: readonly Variant[]): Promise<void> {
  const jobs = await Promise.all(
    plan.jobs.map(async (job) => ({
      name: plan.nameOf(job),
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
        job.name.replace(/^[0-9a-f]+-/, ""),
        job.after === undefined ? "" : String(job.after),
        job.variants.length > 4 ? `${job.variants.length} of them` : job.variants.join(", "),
        job.done ? "yes" : "",
      ]),
    ],
    [0, 1, 3, 4],
  );
  output.json(() => ({ variants: variants.map(({ values }) => values), jobs }));
}
