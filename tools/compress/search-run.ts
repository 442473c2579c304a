/** `mote compress NET --data … --target …`: a search for the recipe that reaches a goal; see host/compress/search.ts. */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { goalText, type Goal } from "../../host/compress/goal.js";
import type { RecipeHead } from "../../host/compress/candidates.js";
import { headFor } from "../../host/compress/recipe-head.js";
import {
  planSearch,
  searchRecipe,
  type Budget,
  type SearchOptions,
  type SearchStart,
  type Trial,
} from "../../host/compress/search.js";
import type { OwnData } from "../../host/data/data-spec.js";
import type { Samples } from "../../host/data/samples.js";
import { MoteError, printable } from "../../host/errors.js";
import { dataOf, netOf } from "../../host/node/compress/recipe-files.js";
import { packed } from "../../host/node/compress/integer-model.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import { checkWritable } from "../../host/node/check-writable.js";
import type { Augmentation } from "../../host/train/augment.js";
import type { LossKind, Task } from "../../host/train/losses.js";
import { interruptible } from "../interrupt.js";
import { Output } from "../output.js";
import { checkResultFlags, finish, type ResultFlags } from "./results.js";
import { errorText, StageProgress } from "./stage-table.js";

export interface SearchFlags extends ResultFlags, Omit<Goal, "bytes"> {
  readonly target?: number;
  readonly budget: Budget;
  readonly seed?: number;
  readonly loss?: LossKind;
  readonly augment?: Augmentation;
  readonly threads: number;
  readonly recipeOut?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

/** @param net a file or one of ours @param data as the recipe will have it, paths relative to the working folder */
export async function compressToGoal(net: string, data: OwnData, flags: SearchFlags): Promise<void> {
  const { recipeOut, dryRun } = flags;
  const output = new Output({ json: flags.json, files: [flags.out, flags.checkpoint, recipeOut] });
  if (!dryRun) {
    checkResultFlags(flags);
    if (recipeOut !== undefined) checkWritable(recipeOut);
  }
  const goal = goalOf(flags);
  const progress = new StageProgress();
  const warn = (text: string): void => {
    progress.finish();
    process.stderr.write(`mote: warning: ${printable(text)}\n`);
  };
  const given = netOf(net, ".", { note: (line) => output.line(`${net}: ${line}`) });
  const task = taskOf(flags);
  const samples = dataOf({ data, ...(task && { task }) }, given, ".");
  for (const note of samples.notes) warn(note);
  const { seed = 1, budget } = flags;
  const head = headFor({ net, given, data, train: samples.train, task, seed, budget, augment: flags.augment });
  const banks = new Map<string, Samples>();
  let trial = 0;
  const options = (signal: AbortSignal): SearchOptions => ({
    runtime: nodeRuntime,
    threads: flags.threads,
    data: samples,
    goal,
    head,
    budget,
    pack: (result) => packed(result, samples),
    run: (recipe, steps) =>
      runRecipe({
        recipe,
        ...(steps !== undefined && { steps }),
        data: samples,
        net: given,
        banks,
        work: flags.work,
        threads: flags.threads,
        signal,
        onProgress: (label, done, total, loss) => progress.update(`run ${trial} ${label}`, done, total, loss),
        onWorkProblem: (reason) => warn(`${reason}; the search goes on, with what it has done in memory`),
      }),
    onStart: (start) => {
      progress.finish();
      showStart(start, goal, output);
    },
    onTrial: (result, { at }) => {
      progress.finish();
      if (at === 1) output.line(TRIAL_HEAD);
      output.line(trialRow(result, at));
      trial = at + 1;
    },
  });
  trial = 1;

  if (dryRun) {
    const start = await stoppable(() => interruptible((signal) => planSearch(options(signal))), progress);
    showStart(start, goal, output);
    output.json(() => ({ net, goal, ...start }));
    return;
  }
  const {
    best,
    net: result,
    trials,
    teacherError,
  } = await stoppable(() => interruptible((signal) => searchRecipe(options(signal))), progress);
  const container = packed(result, samples);
  const { measured, written } = finish(result, container, samples, task, flags, warn);
  if (recipeOut !== undefined) {
    writeFileAtomic(recipeOut, Buffer.from(`${JSON.stringify(relativeTo(best.recipe, recipeOut), null, 2)}\n`));
    written.push(recipeOut);
  }
  output.line("the recipe, which mote compress repeats:");
  output.line(JSON.stringify(best.recipe));
  output.lines([
    `container ${container.length} bytes, validation error as integers ${errorText(measured.error, measured)}; ` +
      `the net given: ${errorText(teacherError, measured)}`,
  ]);
  for (const file of written) output.line(`wrote ${file}`);
  output.json(() => ({
    net,
    goal,
    containerBytes: container.length,
    validationError: measured.error,
    givenError: teacherError,
    recipe: best.recipe,
    trials,
    written,
  }));
}

const taskOf = ({ loss }: SearchFlags): Task | undefined => (loss === undefined ? undefined : { loss });

function goalOf({ target, ram, instructions, maxDrop }: SearchFlags): Goal {
  return {
    ...(target !== undefined && { bytes: target }),
    ...(ram !== undefined && { ram }),
    ...(instructions !== undefined && { instructions }),
    ...(maxDrop !== undefined && { maxDrop }),
  };
}

async function stoppable<T>(work: () => Promise<T>, progress: StageProgress): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MoteError && error.code === "INTERRUPTED")) throw error;
    throw new MoteError("INTERRUPTED", `${error.message}: run the same command to go on`, { cause: error });
  } finally {
    progress.finish();
  }
}

function showStart(start: SearchStart, goal: Goal, output: Output): void {
  const { error, epochs, first } = start;
  output.lines([
    `goal: ${goalText(goal)}; the net's validation error is ${errorText(error, start)}; ${epochs} epochs of training with all weights`,
  ]);
  output.line("first come:");
  output.table([
    ["candidate", "weights kept", "epochs"],
    ...first.map((entry) => [entry.candidate, String(entry.keep), String(entry.epochs)]),
  ]);
}

const TRIAL_HEAD = `${"run".padEnd(4)} ${"candidate".padEnd(12)} ${"epochs".padStart(6)} ${"kept".padStart(7)} ${"bytes".padStart(8)} ${"RAM".padStart(8)} ${"instructions".padStart(12)} ${"validation".padStart(10)}`;

function trialRow(trial: Trial, at: number): string {
  const { candidate, epochs, keep, figures, error, isWithin } = trial;
  const { bytes, ram, instructions } = figures;
  const work = Number.isFinite(instructions) ? String(Math.round(instructions)) : "-";
  return `${String(at).padEnd(4)} ${candidate.padEnd(12)} ${String(epochs).padStart(6)} ${String(keep).padStart(7)} ${String(bytes).padStart(8)} ${String(ram).padStart(8)} ${work.padStart(12)} ${errorText(error, trial).padStart(10)}${isWithin ? "" : "  not within the goal"}`;
}

/** Keys of `data` that may be files. */
const DATA_FILES = ["train", "validation", "test", "labels"] as const;

/** The recipe with its files as seen from where it is written. */
function relativeTo(recipe: RecipeHead, file: string): object {
  const folder = dirname(resolve(file));
  const moved = (path: string): string =>
    isAbsolute(path) || !existsSync(path.replace(/:[^:/]*$/, "")) ? path : relative(folder, resolve(path));
  const data = recipe.data as OwnData;
  const files = DATA_FILES.flatMap((key) => {
    const value = data[key];
    return typeof value === "string" ? [[key, moved(value)]] : [];
  });
  return { ...recipe, net: moved(recipe.net), data: { ...data, ...Object.fromEntries(files) } };
}
