/** `mote compress`: a recipe → a net whose weights are integers on a scale, and the container packed from it. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { extname, join } from "node:path";
import { Command } from "commander";
import { checkWritable } from "../host/node/check-writable.js";
import { nodeRuntime } from "../host/node/train/runtime.js";
import { compareInitialisations } from "../host/compress/compare-init.js";
import { parseRecipe, type Recipe } from "../host/compress/recipe.js";
import { runRecipe } from "../host/node/compress/run-recipe.js";
import { DiskWorkFolder } from "../host/node/compress/work-folder.js";
import { workNames, type StageReport } from "../host/compress/run-recipe.js";
import { writeContainer } from "../host/container/write.js";
import { integerErrors } from "../host/compress/integer-errors.js";
import { loadMnist } from "../host/node/data/mnist.js";
import { MoteError, printable } from "../host/errors.js";
import type { Net } from "../host/model/model.js";
import { packageRoot } from "../host/node/paths.js";
import { Progress } from "../host/node/progress.js";
import { quantize } from "../host/quantize/quantize.js";
import { readCheckpoint, writeCheckpoint } from "../host/node/train/checkpoint.js";
import { RunRecorder } from "../host/report/run-record.js";
import { noBetterThanChance } from "../host/train/classes.js";
import { describeSystemError, writeFileAtomic } from "../host/node/write-file.js";
import { interruptible } from "./interrupt.js";
import { Output } from "./output.js";
import { wholeNumber } from "./whole-number.js";

interface Options {
  readonly out?: string;
  readonly checkpoint?: string;
  readonly report?: string;
  readonly from?: string;
  readonly seed?: number;
  readonly threads: number;
  readonly work: string;
  readonly compareInit?: string;
  readonly bits: number;
  readonly allowChance?: true;
  readonly json?: true;
}

export function compressCommand(): Command {
  return new Command("compress")
    .description("prune, share weights, fine-tune and calibrate a net by a recipe")
    .argument("[recipe]", "JSON file, such as models/lenet5.json; models/README.md describes its keys")
    .option("-o, --out <file>", "where the result goes: a container (.mote) or the compressed net (.safetensors)")
    .option("--checkpoint <file>", "also write the compressed net (.safetensors), which `mote pack` takes")
    .option("--report <file>", "also write what the run has come to, as mote report does (.html)")
    .option("--from <file>", "start from this trained net (.safetensors) instead of the recipe's teacher")
    .option("--seed <n>", "instead of the recipe's seed", wholeNumber(0, 2 ** 31 - 1))
    .option(
      "--threads <n>",
      "worker threads; the result does not depend on it",
      wholeNumber(1, 64),
      Math.min(4, availableParallelism()),
    )
    .option(
      "--work <folder>",
      "what finished stages and a stopped one have done: the same command goes on from there",
      join(packageRoot, "build", "work"),
    )
    .option(
      "--compare-init <file>",
      "instead of a recipe: k-means on this net from Forgy, density and linear starts, side by side",
    )
    .option("--bits <n>", "codebook bits for --compare-init", wholeNumber(1, 8), 5)
    .option("--allow-chance", "write the result though it does no better than one that always answers the same class")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExample:\n  mote compress models/lenet5.json --out lenet5.mote --checkpoint lenet5.safetensors",
    )
    .action(async (recipe: string | undefined, options: Options) => {
      if (options.compareInit !== undefined) await compareInit(options.compareInit, options);
      else if (recipe === undefined) throw new MoteError("ARGUMENT", "compress: expected a recipe; models/ has some");
      else await compress(recipe, options);
    });
}

function readRecipe(path: string, seed: number | undefined): Recipe {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new MoteError("FILE", `${path}: cannot be read: ${describeSystemError(error)}`, { cause: error });
  }
  const recipe = parseRecipe(text, path);
  return seed === undefined ? recipe : { ...recipe, seed };
}

async function compress(recipePath: string, options: Options): Promise<void> {
  const recipe = readRecipe(recipePath, options.seed);
  const { out, checkpoint, report: html } = options;
  const output = new Output({ json: options.json, files: [out, checkpoint, html] });
  if (out === undefined && checkpoint === undefined)
    throw new MoteError("ARGUMENT", "compress: --out or --checkpoint says where the result goes");
  if (out !== undefined && ![".mote", ".safetensors"].includes(extname(out))) {
    throw new MoteError("ARGUMENT", `--out ${out}: expected a name ending in .mote or .safetensors`);
  }
  const from = options.from === undefined ? undefined : readCheckpoint(options.from).net;
  if (from !== undefined && from.graph.name !== recipe.net) {
    throw new MoteError("MISMATCH", `${options.from}: a ${from.graph.name}, ${recipePath} is for ${recipe.net}`);
  }
  for (const file of [out, checkpoint, html]) if (file !== undefined) checkWritable(file);
  const { train, validation } = loadMnist();

  const progress = new StageProgress();
  const warn = (text: string): void => {
    progress.finish();
    process.stderr.write(`mote: warning: ${printable(text)}\n`);
  };
  let isFirst = true;
  let recorder: RunRecorder | undefined;
  const names = await workNames(recipe, from);
  const recordIn = (): RunRecorder => {
    const folder = new DiskWorkFolder(options.work, (reason) => warn(`${reason}; the run's record is not complete`));
    return new RunRecorder(folder, { recipe, names, data: "mnist" });
  };
  let result: { net: Net; reports: StageReport[] };
  try {
    result = await interruptible((signal) =>
      runRecipe({
        recipe,
        data: { train, validation },
        work: options.work,
        threads: options.threads,
        ...(from && { from }),
        signal,
        onStage: (report) => {
          progress.finish();
          if (isFirst) output.line(tableHead);
          isFirst = false;
          (recorder ??= recordIn()).stage(report);
          output.line(tableRow(report));
          if (report.stage === "teacher" && noBetterThanChance(report.validationErrors, validation.labels))
            warn("the teacher does no better than chance; another lr or more epochs may help it");
        },
        onProgress: (label, done, total, loss) => progress.update(label, done, total, loss),
        onWorkProblem: (reason) => warn(`${reason}; the run goes on, with what it has done in memory`),
      }),
    );
  } catch (error) {
    if (error instanceof MoteError && error.code === "RECIPE")
      throw new MoteError("RECIPE", printable(`${recipePath}: ${error.message}`), { cause: error });
    if (!(error instanceof MoteError && error.code === "INTERRUPTED")) throw error;
    throw new MoteError("INTERRUPTED", `${error.message}: run the same command to go on`, { cause: error });
  } finally {
    progress.finish();
  }

  const { net, reports } = result;
  const container = writeContainer(quantize(net));
  const errors = integerErrors(container, validation);
  if (noBetterThanChance(errors, validation.labels)) requireAllowance(options, warn);
  const written = writeResults(net, container, out, checkpoint);
  const errorPercent = (100 * errors) / validation.count;
  const { record } = recorder!.finish({ bytes: container.length, error: errorPercent });
  if (html !== undefined) {
    const { reportRun } = await import("./report.js");
    await reportRun({ record, folder: options.work }, html, container);
    written.push(html);
  }
  output.lines([
    `container ${container.length} bytes, validation error as integers ${errorPercent.toFixed(2)} % (${errors} of ${validation.count})`,
  ]);
  for (const file of written) output.line(`wrote ${file}`);
  output.json(() => ({
    recipe: recipePath,
    net: recipe.net,
    seed: recipe.seed,
    containerBytes: container.length,
    validationErrors: errors,
    validationErrorPercent: errorPercent,
    stages: reports,
    written,
  }));
}

/** @throws MoteError DIVERGED unless a model that tells nothing apart was asked for */
function requireAllowance({ allowChance, work }: Options, warn: (text: string) => void): void {
  const found = "the model does no better than one that always answers the same class";
  if (allowChance) return warn(found);
  throw new MoteError("DIVERGED", `${found}; nothing written, ${work} keeps the stages (--allow-chance writes it)`);
}

function writeResults(
  net: Net,
  container: Uint8Array,
  out: string | undefined,
  checkpoint: string | undefined,
): string[] {
  const written: string[] = [];
  for (const file of [out, checkpoint]) {
    if (file === undefined) continue;
    if (extname(file) === ".mote") writeFileAtomic(file, container);
    else writeCheckpoint(file, { net });
    written.push(file);
  }
  return written;
}

/** Printed row by row as stages end, so its widths are fixed: 60 columns. */
const tableHead = `${"stage".padEnd(14)} ${"validation".padStart(10)} ${"non-zeros".padStart(9)} ${"of".padStart(7)} ${"bytes".padStart(8)} ${"seconds".padStart(7)}`;

function tableRow(r: StageReport): string {
  const error = `${r.validationErrorPercent.toFixed(2)} %`;
  const seconds = r.seconds === 0 ? "kept" : r.seconds.toFixed(0);
  return `${r.stage.padEnd(14)} ${error.padStart(10)} ${String(r.nonZeros).padStart(9)} ${String(r.weights).padStart(7)} ${`~${r.estimatedBytes}`.padStart(8)} ${seconds.padStart(7)}`;
}

/** One progress line a stage. */
class StageProgress {
  private current: { label: string; progress: Progress } | undefined;

  update(label: string, done: number, total: number, loss: number): void {
    if (this.current?.label !== label) {
      this.finish();
      this.current = { label, progress: new Progress(label, total) };
    }
    this.current.progress.update(done, `loss ${loss.toFixed(4)}`);
  }

  finish(): void {
    this.current?.progress.finish();
    this.current = undefined;
  }
}

async function compareInit(path: string, options: Options): Promise<void> {
  const output = new Output({ json: options.json });
  const { net } = readCheckpoint(path);
  const results = await compareInitialisations(
    nodeRuntime,
    net,
    options.bits,
    options.seed ?? 1,
    loadMnist().validation,
  );
  output.lines([
    `${path}, ${options.bits} bits a weight: mean squared error of each layer, validation error before fine-tuning`,
  ]);
  const names = results[0].layers.map((layer) => layer.layer);
  output.table([
    ["init", ...names, "validation"],
    ...results.map(({ init, layers, validationErrorPercent }) => [
      init,
      ...layers.map((layer) => layer.meanSquaredError.toExponential(2)),
      `${validationErrorPercent.toFixed(2)} %`,
    ]),
  ]);
  output.json(() => ({ file: path, bits: options.bits, results }));
}
