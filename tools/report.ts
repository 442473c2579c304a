/** `mote report`: what a run, a model, a sweep or an experiment has come to, as one HTML file and CSV files. */
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { Command, Option } from "commander";
import type { Samples } from "../host/data/samples.js";
import { foldBatchNorm } from "../host/compress/fold-batchnorm.js";
import { inputFactor, scaleInput } from "../host/compress/input-scale.js";
import { parseRecipe } from "../host/compress/recipe.js";
import { MoteError, printable } from "../host/errors.js";
import type { Graph, Net, Shape } from "../host/model/model.js";
import { sampleShape } from "../host/model/shapes.js";
import { channelReading } from "../host/data/reading.js";
import { DiskWorkFolder } from "../host/node/compress/work-folder.js";
import { openRecipe } from "../host/node/compress/recipe-files.js";
import { fitDigits, loadDataSpec } from "../host/node/data/inputs.js";
import type { TrainingData } from "../host/node/data/training-data.js";
import { loadData } from "../host/node/data/load.js";
import { loadFashion, loadMnist } from "../host/node/data/mnist.js";
import { openEngine } from "../host/node/engines/open.js";
import { packageRoot } from "../host/node/paths.js";
import { Progress } from "../host/node/progress.js";
import { readFile } from "../host/node/read-file.js";
import { gatherReport, type GatherOptions, type ReportSamples } from "../host/node/report/gather.js";
import { findRun, type RunFiles } from "../host/node/report/run-files.js";
import { readSweep } from "../host/node/report/sweep-table.js";
import { checkReportFiles, writeReport, type ReportFiles } from "../host/node/report/write-report.js";
import { readCheckpoint } from "../host/node/train/checkpoint.js";
import { nodeRuntime } from "../host/node/train/runtime.js";
import { EXPERIMENTS, parseExperiment, type ExperimentName, type ExperimentRecord } from "../host/report/experiment.js";
import { isMissing, type Page } from "../host/report/page.js";
import { makeReport } from "../host/report/report.js";
import { runExperiment } from "../host/report/run-experiment.js";
import { errorText } from "../host/report/error-text.js";
import type { RunRecord } from "../host/report/run-record.js";
import { namedNet } from "../host/train/nets.js";
import { addDataFlags, dataOptions, type DataFlags } from "./data-flags.js";
import { interruptible } from "./interrupt.js";
import { containerOf, isContainer, namingFile } from "./model-file.js";
import { Output } from "./output.js";
import { wholeNumber } from "./whole-number.js";

interface ReportFlags extends DataFlags {
  readonly out?: string;
  readonly csv?: string;
  readonly model?: string;
  readonly from?: string;
  readonly work: string;
  readonly sweep?: string;
  readonly with: readonly string[];
  readonly experiment?: ExperimentName;
  readonly net: string;
  readonly quick?: true;
  readonly threads: number;
  readonly json?: boolean;
}

/** Of layers on the SIMD engine. */
const TIMED_MS = 2000;
const STEPS = 7;
/** Digits that int8 scales of the net that is not compressed are made from. */
const CALIBRATED = 2000;
const NAMED = /^(mnist|fashion)(?=:|$)/;

export function reportCommand(): Command {
  const command = new Command("report")
    .description("show what a run, a model, a sweep or an experiment has come to: one HTML file, CSV files")
    .argument("[source]", "a recipe whose run the work folder has, a run's record (run-….json) or a model (.mote)")
    .option("-o, --out <file>", "the HTML file")
    .option("--csv <folder>", "a CSV file for each table")
    .option("--model <file>", "the model, .mote; default: what the run has come to")
    .option("--from <file>", "the float net, .safetensors; default: the run's own, or one that the experiment trains")
    .option("--work <folder>", "the work folder of mote compress", join(packageRoot, "build", "work"))
    .option("--sweep <file>", "jobs of a sweep, .csv or .json, for the plot of error against bytes")
    .option(
      "--with <file>",
      "the record of an experiment; may be given again",
      (file: string, before: string[]) => [...before, file],
      [],
    )
    .addOption(
      new Option(
        "--experiment <name>",
        "train what it takes, then show it: accuracy against rate, bits of convolutions and dense layers, initialisations, scores of pruning, retraining",
      ).choices(EXPERIMENTS),
    )
    .option("--net <name>", "of the experiment: lenet5 or lenet300", "lenet5")
    .option("--quick", "of the experiment: a few small nets, to see that it works")
    .option(
      "--threads <n>",
      "of the experiment; the result does not depend on it",
      wholeNumber(1, 64),
      Math.min(4, availableParallelism()),
    );
  return addDataFlags(command)
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\n--data is what the run was trained on, its validation split, unless it says otherwise; of an experiment mnist or fashion." +
        "\n\nExamples:\n  mote report models/lenet5.json --out report.html --csv report\n" +
        "  mote report --model models/lenet5.mote --data mnist:validation --out report.html\n" +
        "  mote report --experiment bits --net lenet5 --data fashion --quick --out bits.html",
    )
    .action(report);
}

async function report(source: string | undefined, flags: ReportFlags): Promise<void> {
  const output = new Output({ json: flags.json, files: [flags.out] });
  const files = filesOf(flags);
  checkReportFiles(files);
  const experiments = flags.with.map(readExperiment);
  if (flags.experiment !== undefined) experiments.push(await experiment(flags.experiment, flags, output));
  const isModel = source !== undefined && isContainer(source, readFile(source));
  const run = source === undefined || isModel ? undefined : findRun(source, flags.work);
  const modelPath = flags.model ?? (isModel ? source : undefined);
  const sweep = flags.sweep === undefined ? undefined : readSweep(flags.sweep);
  if (run === undefined && modelPath === undefined && sweep === undefined && experiments.length === 0) {
    throw new MoteError(
      "ARGUMENT",
      "report: expected a recipe, a run's record, a model, --sweep, --experiment or --with",
    );
  }
  if (run !== undefined) experiments.push(...keptExperiments(run.record, flags.work, experiments));
  const page = await pageOf(
    { run, modelPath, experiments, sweep, name: run?.record.net ?? nameOf(source, flags) },
    flags,
  );
  printPage(page, run?.record, files, output);
}

const filesOf = ({ out, csv }: { readonly out?: string; readonly csv?: string }): ReportFiles => {
  if (out === undefined && csv === undefined)
    throw new MoteError("ARGUMENT", "report: --out or --csv says where it goes");
  return { ...(out !== undefined && { html: out }), ...(csv !== undefined && { csv }) };
};

const nameOf = (source: string | undefined, { model, experiment: name, net, sweep }: ReportFlags): string =>
  basename(source ?? model ?? (name === undefined ? (sweep ?? "experiments") : `${name} of ${net}`)).replace(
    /\.(json|mote|csv)$/,
    "",
  );

interface Sources {
  readonly name: string;
  readonly run: RunFiles | undefined;
  readonly modelPath: string | undefined;
  readonly experiments: readonly ExperimentRecord[];
  readonly sweep: GatherOptions["sweep"];
}

async function pageOf({ name, run, modelPath, experiments, sweep }: Sources, flags: ReportFlags): Promise<Page> {
  const { data } = flags;
  const samples =
    data !== undefined
      ? (container: Uint8Array) => samplesFor(data, container, flags)
      : run && (() => samplesOfRun(run));
  const progress = new Progress("report", STEPS);
  try {
    return makeReport(
      await gatherReport({
        name,
        ...(run && { run }),
        ...(modelPath !== undefined && { model: namingFile(modelPath, () => containerOf(readFile(modelPath))) }),
        ...(flags.from !== undefined && { from: readCheckpoint(flags.from).net }),
        ...(run && { given: () => givenNet(run) }),
        ...(samples && { samples }),
        ...(sweep && { sweep }),
        ...(experiments.length > 0 && { experiments }),
        duration: TIMED_MS,
        onProgress: (done) => progress.update(done),
      }),
    );
  } finally {
    progress.finish();
  }
}

function samplesFor(spec: string, container: Uint8Array, flags: ReportFlags): ReportSamples {
  const engine = openEngine("v8", container);
  try {
    const set = loadData(
      NAMED.test(spec) && !spec.includes(":") ? `${spec}:validation` : spec,
      dataOptions(flags, engine),
    );
    const { images, labels, count } = set;
    const { shape, preprocessing = {} } = engine.input;
    // Nets on the way see bytes in the usual way, see `inputFactor`; of anything else their own first layer may know.
    const isUsual =
      labels !== undefined &&
      images instanceof Uint8Array &&
      set.reading === undefined &&
      channelReading(images, {}, shape[0], preprocessing) === undefined;
    const name = NAMED.exec(spec)?.[1];
    return {
      set,
      ...(isUsual && { samples: { count, images, labels } }),
      ...(name !== undefined && { train: trainingPart(name, shape) }),
    };
  } finally {
    engine.close();
  }
}

/** Of MNIST or what has its form, for a net's input. */
function trainingPart(name: string, shape: Shape): Samples {
  const { images, labels, count } = fitDigits(loadDataSpec(`${name}:train:${CALIBRATED}`), shape);
  return { images, labels, count };
}

/** The net that a run began with, as its first stage had it; undefined where it made a teacher of its own. */
function givenNet({ record }: RunFiles): Net | undefined {
  if (record.stages.every(({ result }) => result !== null)) return undefined;
  const recipe = parseRecipe(JSON.stringify(record.recipe), "the record's recipe");
  const { net, data } = openRecipe(recipe, record.folder);
  if (net.tensors.size === 0) return undefined;
  return foldBatchNorm(scaleInput(net, inputFactor(net.graph, data.train)));
}

function samplesOfRun({ record }: RunFiles): ReportSamples {
  const recipe = parseRecipe(JSON.stringify(record.recipe), "the record's recipe");
  const { net, data } = openRecipe(recipe, record.folder);
  return validationOf(net.graph, data);
}

/** The validation split of what a run was trained on. @param graph whose input the samples are for */
function validationOf(
  graph: Graph,
  { train, validation, source }: Pick<TrainingData, "train" | "validation" | "source">,
): ReportSamples {
  const { images, labels, count, reading: seen } = validation;
  // Of bytes a model tells itself how they are read.
  const real = images instanceof Float32Array && seen && { scale: 1, mean: meansOf(seen), std: stdsOf(seen) };
  const shape = sampleShape(graph);
  const reading = { layout: "nchw", ...real } as const;
  // Nets on the way see bytes in the usual way, see `inputFactor`.
  const isUsual = inputFactor(graph, train) === 1;
  return {
    set: { images, ...(labels && { labels }), count, shape, source: `${source}:validation`, reading },
    ...(isUsual && { samples: validation, train }),
  };
}

type Seen = NonNullable<Samples["reading"]>;
const stdsOf = ({ scale }: Seen): number[] => scale.map((one) => 1 / one);
const meansOf = ({ scale, offset }: Seen): number[] => offset.map((one, channel) => 0 - one / scale[channel]);

function printPage(page: Page, record: RunRecord | undefined, files: ReportFiles, output: Output): void {
  const written = writeReport(page, files);
  const there = page.parts.filter((part) => !isMissing(part));
  const missing = page.parts.filter(isMissing);
  output.pairs(page.facts);
  output.lines([`${there.length} parts: ${there.map(({ title }) => title).join(", ")}`]);
  if (missing.length > 0)
    output.lines([
      `not there, and the report says what would bring them: ${missing.map(({ title }) => title).join(", ")}`,
    ]);
  for (const file of written) output.line(`wrote ${file}`);
  output.json(() => ({
    ...(record && { net: record.net, bytes: record.model.bytes, error: errorText(record.model.error, record.metric) }),
    parts: there.map(({ id }) => id),
    missing: missing.map(({ id, missing: why }) => ({ id, why })),
    written,
  }));
}

const readExperiment = (path: string): ExperimentRecord =>
  parseExperiment(new TextDecoder().decode(readFile(path)), path);

/** Of a net and data, a folder below the work folder: names of results do not tell data apart. */
const experimentFolder = (work: string, net: string, data: string): string => join(work, `experiment-${net}-${data}`);

/** What the work folder has of the run's net and data. */
function keptExperiments(
  { net, data }: RunRecord,
  work: string,
  given: readonly ExperimentRecord[],
): ExperimentRecord[] {
  if (!/^[\w.-]+$/.test(net) || !/^[\w.-]+$/.test(data)) return [];
  const folder = experimentFolder(work, net, data);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^experiment-[a-z-]+\.json$/.test(name));
  const isGiven = (one: ExperimentRecord): boolean =>
    given.some((other) => other.experiment === one.experiment && other.net === one.net && other.data === one.data);
  const kept = names
    .toSorted()
    .map((name) => readExperiment(join(folder, name)))
    .filter((one) => !isGiven(one));
  // Of a quick look and a whole one the whole one.
  return kept.filter(
    (one) => !one.isQuick || !kept.some((other) => !other.isQuick && other.experiment === one.experiment),
  );
}

async function experiment(name: ExperimentName, flags: ReportFlags, output: Output): Promise<ExperimentRecord> {
  const from = flags.from === undefined ? undefined : readCheckpoint(flags.from).net;
  const graph = from?.graph ?? namedNet(flags.net);
  const data = NAMED.exec(flags.data ?? "mnist")?.[1];
  if (data === undefined)
    throw new MoteError("ARGUMENT", printable(`--data ${flags.data}: an experiment takes mnist or fashion`));
  const { train, validation } = data === "mnist" ? loadMnist() : loadFashion();
  const folder = new DiskWorkFolder(experimentFolder(flags.work, graph.name, data), (reason) => output.line(reason));
  let progress: Progress | undefined;
  let at = "";
  try {
    return await interruptible((signal) =>
      runExperiment({
        runtime: nodeRuntime,
        experiment: name,
        graph,
        ...(from && { from }),
        data: { name: data, train, validation },
        isQuick: flags.quick === true,
        folder,
        threads: flags.threads,
        signal,
        onTrial: ({ method, seed }, index, count) => {
          progress?.finish();
          at = `${index + 1}/${count} ${method}, seed ${seed}`;
          progress = undefined;
        },
        onProgress: (label, done, total, loss) => {
          progress ??= new Progress(at, total);
          progress.update(done, loss === undefined ? label : `${label}, loss ${loss.toFixed(4)}`);
        },
      }),
    );
  } catch (error) {
    if (!(error instanceof MoteError && error.code === "INTERRUPTED")) throw error;
    throw new MoteError("INTERRUPTED", `${error.message}: run the same command to go on`, { cause: error });
  } finally {
    progress?.finish();
  }
}

/**
 * What `mote compress --report FILE` makes at its end, of a run whose record and checkpoints are in its work folder.
 * @param graph that the run began with
 * @param data as the run had it
 */
export async function reportRun(
  run: RunFiles,
  html: string,
  model: Uint8Array,
  graph: Graph,
  data: Pick<TrainingData, "train" | "validation" | "source">,
): Promise<void> {
  const { net: name } = run.record;
  const samples = (): ReportSamples => validationOf(graph, data);
  writeReport(
    makeReport(await gatherReport({ name, run, model, samples, given: () => givenNet(run), duration: TIMED_MS })),
    { html },
  );
}
