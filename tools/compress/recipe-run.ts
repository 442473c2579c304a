/** `mote compress RECIPE`: a recipe → a net whose weights are integers on a scale, and the container packed from it. */
import { folderOf, openRecipe, readRecipe } from "../../host/node/compress/recipe-files.js";
import { packed } from "../../host/node/compress/integer-model.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { DiskWorkFolder } from "../../host/node/compress/work-folder.js";
import { workNames, type StageReport } from "../../host/compress/run-recipe.js";
import { MoteError, printable } from "../../host/errors.js";
import { checkWritable } from "../../host/node/check-writable.js";
import type { Net } from "../../host/model/model.js";
import { readCheckpoint } from "../../host/node/train/checkpoint.js";
import { RunRecorder } from "../../host/report/run-record.js";
import { noBetterThanChance } from "../../host/train/classes.js";
import { interruptible } from "../interrupt.js";
import { Output } from "../output.js";
import { checkResultFlags, finish, type ResultFlags } from "./results.js";
import { errorText, StageProgress, StageTable } from "./stage-table.js";

export interface RecipeFlags extends ResultFlags {
  readonly from?: string;
  /** The HTML file of its report. */
  readonly report?: string;
  readonly seed?: number;
  readonly threads: number;
  readonly json?: true;
}

export async function compressByRecipe(path: string, flags: RecipeFlags): Promise<void> {
  const given = readRecipe(path);
  const recipe = flags.seed === undefined ? given : { ...given, seed: flags.seed };
  const output = new Output({ json: flags.json, files: [flags.out, flags.checkpoint, flags.report] });
  checkResultFlags(flags);
  if (flags.report !== undefined) checkWritable(flags.report);
  const progress = new StageProgress();
  const warn = (text: string): void => {
    progress.finish();
    process.stderr.write(`mote: warning: ${printable(text)}\n`);
  };
  const { net: named, data } = openRecipe(recipe, folderOf(path), {
    note: (line) => output.line(`${recipe.net}: ${line}`),
  });
  for (const note of data.notes) warn(note);
  const from = flags.from === undefined ? undefined : readCheckpoint(flags.from).net;
  if (from !== undefined && from.graph.name !== named.graph.name)
    throw new MoteError("MISMATCH", `${flags.from}: a ${from.graph.name}, ${path} is for ${named.graph.name}`);

  const table = new StageTable(output);
  let recorder: RunRecorder | undefined;
  let result: { net: Net; reports: StageReport[] };
  try {
    const names = await workNames(recipe, { net: named, ...(from && { from }), data: data.digest! });
    const begin = (): RunRecorder => {
      const folder = new DiskWorkFolder(flags.work, (reason) => warn(`${reason}; the run's record is not complete`));
      return new RunRecorder(folder, { recipe, names, data: data.source });
    };
    result = await interruptible((signal) =>
      runRecipe({
        recipe,
        data,
        net: named,
        work: flags.work,
        threads: flags.threads,
        ...(from && { from }),
        signal,
        onStage: (report) => {
          progress.finish();
          table.add(report);
          (recorder ??= begin()).stage(report);
          const { labels } = data.validation;
          const isTeacher = report.stage === "teacher" && report.validationErrors !== undefined;
          if (isTeacher && labels && noBetterThanChance(report.validationErrors!, labels))
            warn("the teacher does no better than chance; another lr or more epochs may help it");
        },
        onProgress: (label, done, total, loss) => progress.update(label, done, total, loss),
        onWorkProblem: (reason) => warn(`${reason}; the run goes on, with what it has done in memory`),
      }),
    );
  } catch (error) {
    if (error instanceof MoteError && error.code === "RECIPE")
      throw new MoteError("RECIPE", printable(`${path}: ${error.message}`), { cause: error });
    if (!(error instanceof MoteError && error.code === "INTERRUPTED")) throw error;
    throw new MoteError("INTERRUPTED", `${error.message}: run the same command to go on`, { cause: error });
  } finally {
    progress.finish();
  }

  const { net, reports } = result;
  const container = packed(net, data);
  const { measured, written } = finish(net, container, data, recipe.task, flags, warn);
  const { record } = recorder!.finish({ bytes: container.length, error: measured.error });
  if (flags.report !== undefined) {
    // Only a report needs what it is made with.
    const { reportRun } = await import("../report.js");
    await reportRun({ record, folder: flags.work }, flags.report, container, data);
    written.push(flags.report);
  }
  const wrong = measured.errors === undefined ? "" : ` (${measured.errors} of ${data.validation.count})`;
  output.lines([
    `container ${container.length} bytes, validation error as integers ${errorText(measured.error, measured)}${wrong}`,
  ]);
  for (const file of written) output.line(`wrote ${file}`);
  output.json(() => ({
    recipe: path,
    net: recipe.net,
    seed: recipe.seed,
    containerBytes: container.length,
    validationError: measured.error,
    ...(measured.errors !== undefined && {
      validationErrors: measured.errors,
      validationErrorPercent: (100 * measured.errors) / data.validation.count,
    }),
    stages: reports,
    written,
  }));
}
