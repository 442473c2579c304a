/** `mote compress RECIPE`: a recipe → a net whose weights are integers on a scale, and the container packed from it. */
import { folderOf, openRecipe, readRecipe } from "../../host/node/compress/recipe-files.js";
import { packed } from "../../host/node/compress/integer-model.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import type { StageReport } from "../../host/compress/run-recipe.js";
import { MoteError, printable } from "../../host/errors.js";
import type { Net } from "../../host/model/model.js";
import { errorText } from "../../host/report/error-text.js";
import type { RunRecorder } from "../../host/report/run-record.js";
import { noBetterThanChance } from "../../host/train/classes.js";
import { interruptible } from "../interrupt.js";
import { Output } from "../output.js";
import { recorderFor } from "./record.js";
import { codecOptions, type CodecFlags } from "../codec-flags.js";
import { checkResultFlags, finish, type ResultFlags } from "./results.js";
import { StageProgress, StageTable } from "./stage-table.js";

export interface RecipeFlags extends ResultFlags, CodecFlags {
  readonly from?: string;
  readonly seed?: number;
  readonly threads: number;
  readonly json?: true;
}

export async function compressByRecipe(path: string, flags: RecipeFlags): Promise<void> {
  const given = readRecipe(path);
  const recipe = flags.seed === undefined ? given : { ...given, seed: flags.seed };
  const output = new Output({ json: flags.json, files: [flags.out, flags.checkpoint, flags.report] });
  checkResultFlags(flags);
  const progress = new StageProgress();
  const warn = (text: string): void => {
    progress.finish();
    process.stderr.write(`mote: warning: ${printable(text)}\n`);
  };
  const opened = openRecipe(recipe, folderOf(path), {
    from: flags.from,
    note: (line) => output.line(`${recipe.net}: ${line}`),
  });
  opened.warnings.forEach(warn);
  const { data, trainedOn, net: named, teacher } = opened;
  const nets = { net: named, ...(teacher && { teacher }), ...(flags.from !== undefined && { from: named }) };

  const table = new StageTable(output);
  let recorder: () => RunRecorder;
  let result: { net: Net; reports: StageReport[] };
  try {
    recorder = await recorderFor(recipe, {
      ...nets,
      data: data.digest!,
      source: data.source,
      folder: folderOf(path),
      work: flags.work,
      warn,
    });
    result = await interruptible((signal) =>
      runRecipe({
        recipe,
        data,
        ...nets,
        work: flags.work,
        threads: flags.threads,
        signal,
        onStage: (report) => {
          progress.finish();
          table.add(report);
          recorder().stage(report);
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
  const container = packed(net, { ...recipe.pack, ...codecOptions(flags) });
  const finished = { net, container, task: recipe.task, data, trainedOn, recorder: recorder() };
  const { measured, written } = await finish(finished, flags, warn);
  const wrong = measured.errors === undefined ? "" : ` (${measured.errors} of ${data.validation.count})`;
  output.lines([
    `container ${container.length} bytes, validation error as integers ${errorText(measured.error, measured.metric)}${wrong}`,
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
