/** `mote compress NET --data … --target …`: a search for the recipe that reaches a goal; see host/compress/search.ts. */
import { dirname } from "node:path";
import { goalText, stepLines, type Goal } from "../../host/compress/goal.js";
import { headFor } from "../../host/compress/recipe-head.js";
import {
  planSearch,
  readRecipe,
  searchRecipe,
  type Budget,
  type SearchOptions,
  type SearchStart,
  type Trial,
} from "../../host/compress/search.js";
import type { OwnData } from "../../host/data/data-spec.js";
import type { Samples } from "../../host/data/samples.js";
import { MoteError, printable } from "../../host/errors.js";
import type { Graph } from "../../host/model/model.js";
import { movedRecipe } from "../../host/node/compress/recipe-files.js";
import { packed } from "../../host/node/compress/integer-model.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { openNet, withData } from "../../host/node/train/open-net.js";
import { errorText } from "../../host/report/error-text.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import { checkWritable } from "../../host/node/check-writable.js";
import type { Augmentation } from "../../host/train/augment.js";
import { CLASSES, taskText } from "../../host/train/losses.js";
import { interruptible } from "../interrupt.js";
import { Output } from "../output.js";
import { balancedTask, dataSpecOf, taskOf, type TaskFlags, type TrainingDataFlags } from "../training-flags.js";
import { recorderFor } from "./record.js";
import { codecOptions, type CodecFlags } from "../codec-flags.js";
import { checkResultFlags, finish, type ResultFlags } from "./results.js";
import { StageProgress } from "./stage-table.js";

export interface GoalFlags extends Omit<Goal, "bytes"> {
  readonly target?: number;
}

export interface SearchFlags extends ResultFlags, CodecFlags, TrainingDataFlags, TaskFlags, GoalFlags {
  readonly budget: Budget;
  readonly seed?: number;
  readonly augment?: Augmentation;
  readonly threads: number;
  readonly recipeOut?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

/** @param name a file or one of ours */
export async function compressToGoal(name: string, flags: SearchFlags): Promise<void> {
  const { recipeOut, dryRun, seed = 1, budget, augment } = flags;
  const output = new Output({ json: flags.json, files: [flags.out, flags.checkpoint, flags.report, recipeOut] });
  const spec = dataSpecOf(flags, undefined);
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
  const asked = taskOf(flags, flags);
  const opened = openNet(name, { colours: flags.colours, note: (line) => output.line(`${name}: ${line}`) });
  const { net, data, trainedOn, warnings } = withData(name, opened, spec, asked);
  warnings.forEach(warn);
  const balanced = balancedTask(flags, asked, net.graph, data);
  const task = taskText(balanced) === taskText(CLASSES) ? undefined : balanced;
  const pack = codecOptions(flags);
  const head = headFor({
    net: name,
    given: net,
    data: data.spec,
    train: data.train,
    task,
    seed,
    budget,
    augment,
    pack,
  });
  const origin = { net, data: data.digest!, source: data.source, folder: ".", work: flags.work, warn };
  const banks = new Map<string, Samples>();
  let trial = 0;
  const options = (signal: AbortSignal): SearchOptions => ({
    runtime: nodeRuntime,
    threads: flags.threads,
    data,
    goal,
    head,
    budget,
    pack: (one) => packed(one, pack),
    run: async (recipe, steps) => {
      const recorder = await recorderFor(recipe, origin);
      return runRecipe({
        recipe,
        ...(steps !== undefined && { steps }),
        data,
        net,
        banks,
        work: flags.work,
        threads: flags.threads,
        signal,
        // What each stage took, for the record of the run that is chosen.
        onStage: (report) => recorder().stage(report),
        onProgress: (label, done, total, loss) => progress.update(`run ${trial} ${label}`, done, total, loss),
        onWorkProblem: (reason) => warn(`${reason}; the search goes on, with what it has done in memory`),
      });
    },
    onStart: (start) => {
      progress.finish();
      showStart(start, goal, net.graph, output);
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
    showStart(start, goal, net.graph, output);
    output.json(() => ({ net: name, goal, ...start }));
    return;
  }
  const {
    best,
    net: result,
    reports,
    trials,
    teacherError,
  } = await stoppable(() => interruptible((signal) => searchRecipe(options(signal))), progress);
  const container = packed(result, pack);
  // As it is written, so that mote report finds its record.
  const folder = recipeOut === undefined ? "." : dirname(recipeOut);
  const recipe = movedRecipe({ ...best.recipe, data: best.recipe.data as OwnData }, ".", folder);
  const recorder = (await recorderFor(readRecipe(recipe), { ...origin, folder }))();
  for (const report of reports) recorder.stage(report);
  const finished = { net: result, container, task, data, trainedOn, recorder };
  const { measured, written } = await finish(finished, flags, warn);
  if (recipeOut !== undefined) {
    writeFileAtomic(recipeOut, Buffer.from(`${JSON.stringify(recipe, null, 2)}\n`));
    written.push(recipeOut);
  }
  output.line("the recipe, which mote compress repeats:");
  output.line(JSON.stringify(best.recipe));
  output.lines([
    `container ${container.length} bytes, validation error as integers ${errorText(measured.error, measured.metric)}; ` +
      `the net given: ${errorText(teacherError, measured.metric)}`,
  ]);
  for (const file of written) output.line(`wrote ${file}`);
  output.json(() => ({
    net: name,
    goal,
    containerBytes: container.length,
    validationError: measured.error,
    givenError: teacherError,
    recipe: best.recipe,
    trials,
    written,
  }));
}

export function goalOf({ target, ram, instructions, maxDrop }: GoalFlags): Goal {
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

function showStart(start: SearchStart, goal: Goal, graph: Graph, output: Output): void {
  const { error, epochs, first } = start;
  output.lines([
    `goal: ${goalText(goal, start.metric)}; the net's validation error is ${errorText(error, start.metric)}; ${epochs} epochs of training with all weights`,
    ...stepLines(graph),
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
  return `${String(at).padEnd(4)} ${candidate.padEnd(12)} ${String(epochs).padStart(6)} ${String(keep).padStart(7)} ${String(bytes).padStart(8)} ${String(ram).padStart(8)} ${work.padStart(12)} ${errorText(error, trial.metric).padStart(10)}${isWithin ? "" : "  not within the goal"}`;
}
