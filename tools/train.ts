/** `mote train`: a dense float net from samples, with checkpoints to go on from. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import type { OwnData } from "../host/data/data-spec.js";
import { MoteError, printable } from "../host/errors.js";
import type { Graph, Net } from "../host/model/model.js";
import { loadTrainingData, type TrainingData } from "../host/node/data/training-data.js";
import { own } from "../host/own.js";
import { Progress } from "../host/node/progress.js";
import { openNet, withData } from "../host/node/train/open-net.js";
import { BATCH_UNIT, readRun, trainRun, type RunSettings } from "../host/node/train/run.js";
import { augmentationText, parseAugmentation, type Augmentation } from "../host/train/augment.js";
import { noBetterThanChance } from "../host/train/classes.js";
import { taskText, type Task } from "../host/train/losses.js";
import type { Evaluation } from "../host/train/metrics.js";
import { netEnds } from "../host/train/net-ends.js";
import { isNamedNet } from "../host/train/nets.js";
import type { TrainedOn } from "../host/train/trained-on.js";
import { interruptible } from "./interrupt.js";
import { Output } from "./output.js";
import { wholeNumber } from "./whole-number.js";
import {
  addTaskFlags,
  addTrainingDataFlags,
  balancedTask,
  dataSpecOf,
  taskOf,
  type TaskFlags,
  type TrainingDataFlags,
} from "./training-flags.js";

interface Flags extends Partial<Omit<RunSettings, "task">>, TrainingDataFlags, TaskFlags {
  readonly net?: string;
  readonly out: string;
  readonly threads: number;
  readonly keepBatchnorm?: true;
  readonly steps?: number;
  readonly resume?: true;
  readonly test?: true;
  readonly json?: true;
}

type Defaults = Omit<RunSettings, "task">;

/** What gives a good net of each kind: validation errors of 0.50 % (lenet5) and 0.70 % (lenet300) with these. */
const DEFAULTS: Readonly<Record<string, Defaults>> = {
  lenet5: { epochs: 18, lr: 1.3e-3, lrEnd: 1e-5, batch: 128, weightDecay: 0.02, augment: 0.75, seed: 1 },
  lenet300: { epochs: 40, lr: 1.5e-3, lrEnd: 1e-5, batch: 128, weightDecay: 0.02, augment: 0.6, seed: 1 },
};
const SETTINGS = ["epochs", "lr", "lrEnd", "batch", "weightDecay", "augment", "seed"] as const;

/** Of a net from a file: its weights, where it has any, are trained on by smaller steps; a small set by smaller batches. */
const defaultsOf = ({ tensors }: Net, { train }: TrainingData): Defaults => ({
  epochs: 20,
  lr: tensors.size === 0 ? 1e-3 : 3e-4,
  lrEnd: 1e-5,
  batch: train.count < 4096 ? 32 : 128,
  weightDecay: 0.02,
  augment: 0,
  seed: 1,
});

export function trainCommand(): Command {
  const command = new Command("train")
    .description("train a dense float net")
    .option(
      "--net <net>",
      "lenet5, lenet300, or a file: .onnx, .tflite, .caffemodel, .safetensors, or a graph of layers in .json (docs/compress.md)",
    )
    .requiredOption("-o, --out <file>", "the trained net (.safetensors); rewritten after each epoch");
  return addTaskFlags(addTrainingDataFlags(command))
    .option("--epochs <n>", "passes over the training samples (default: 18 for lenet5, 40 for lenet300, 20)", positive)
    .option("--lr <rate>", "Adam's learning rate at the start; default: 0.001, of a net with weights 0.0003", positive)
    .option("--lr-end <rate>", "learning rate at the end of the half cosine (default: 0.00001)", notNegative)
    .option("--batch <n>", `samples a step, a multiple of ${BATCH_UNIT} (default: 128, of a small set 32)`, batch)
    .option("--weight-decay <x>", "decoupled: weights shrink by rate × x a step (default: 0.02)", notNegative)
    .option(
      "--augment <how>",
      "shifts, rotations and elastic distortions, 0 none .. 1 strong; or such as distort=0.5,noise=40,background=60",
      augmentation,
    )
    .option(
      "--keep-batchnorm",
      "batch normalizations of an .onnx stay layers that are trained; otherwise they are part of the weights before them",
    )
    .option("--steps <n>", "of a net that takes a step of a stream a run: how many a sample has", wholeNumber(2))
    .option("--seed <n>", "initial weights, order and distortions (default: 1)", wholeNumber(0))
    .option(
      "--threads <n>",
      "worker threads; the result does not depend on it",
      wholeNumber(1),
      Math.min(4, availableParallelism()),
    )
    .option("--resume", "go on from --out, with the settings and the data it was started with")
    .option("--test", "measure on the test samples at the end")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  mote train --net lenet5 --data mnist --out lenet5.safetensors\n" +
        "  mote train --net model.onnx --data train.npz --test --out model.safetensors\n" +
        "  mote train --net autoencoder.json --data series.npy --targets input --out autoencoder.safetensors\n" +
        "  mote train --resume --out lenet5.safetensors    after Ctrl-C or a power cut",
    )
    .action(train);
}

/** What is to be done, from the start or from where it was stopped. */
interface Run {
  /** With what the data is, for the model. */
  readonly net: Net;
  readonly settings: RunSettings;
  readonly data: TrainingData;
  /** Of the checkpoint. */
  readonly trainedOn: readonly TrainedOn[];
  readonly resume?: ReturnType<typeof readRun>["checkpoint"];
}

async function train(flags: Flags): Promise<void> {
  const { out: file, threads } = flags;
  const output = new Output({ json: flags.json, files: [file] });
  const warn = (text: string): void => void process.stderr.write(`mote: warning: ${printable(text)}\n`);
  const started = performance.now();
  const { net, settings, data, trainedOn, resume } = flags.resume
    ? resumed(flags, file)
    : begun(flags, (note) => output.line(note), warn);
  const { graph } = net;
  const { validation, test } = data;
  if (flags.test && test === undefined) throw new MoteError("ARGUMENT", "--test: there are no test samples");

  let progress: Progress | undefined;
  try {
    const result = await interruptible((signal) =>
      trainRun({
        graph,
        settings,
        train: data.train,
        validation,
        ...(flags.test && { test }),
        threads,
        file,
        data: trainedOn,
        ...(net.tensors.size > 0 && { start: net }),
        ...(resume && { resume }),
        signal,
        onProgress: (done, total, loss) => {
          progress ??= new Progress(`train ${graph.name}`, total);
          progress.update(done, `loss ${loss.toFixed(4)}`);
        },
        onEpoch: ({ epoch, loss, validation: measured }) => {
          output.line(`epoch ${epoch}  loss ${loss.toFixed(4)}  validation ${words(measured, validation.count)}`);
        },
      }),
    );
    progress?.finish();
    const { validation: measured, test: tested, steps } = result;
    const seconds = (performance.now() - started) / 1000;
    output.line(`${file}: ${steps} steps, validation ${words(measured, validation.count)}`);
    const isByChance =
      measured.errors !== undefined && validation.labels && noBetterThanChance(measured.errors, validation.labels);
    if (isByChance) warn(`${file} does no better than chance; try another --lr or more --epochs`);
    if (tested !== undefined) output.line(`test ${words(tested, test!.count)}`);
    const { task, ...others } = settings;
    output.json(() => ({
      net: graph.name,
      out: file,
      data: data.source,
      ...others,
      ...(JSON.parse(taskText(task)) as object),
      steps,
      threads,
      seconds,
      ...figures("validation", measured, validation.count),
      ...(tested === undefined ? {} : figures("test", tested, test!.count)),
    }));
  } catch (error) {
    progress?.finish();
    if (!(error instanceof MoteError && error.code === "INTERRUPTED")) throw error;
    throw new MoteError("INTERRUPTED", `${error.message}: mote train --resume --out ${file} goes on`, { cause: error });
  }
}

function begun(flags: Flags, note: (line: string) => void, warn: (text: string) => void): Run {
  const { net: name, colours } = flags;
  if (name === undefined) {
    throw new MoteError("ARGUMENT", "--net is missing: lenet5, lenet300 or the file of a net (or --resume)");
  }
  if (!isNamedNet(name) && !existsSync(name)) {
    throw new MoteError("ARGUMENT", `--net ${name}: expected lenet5, lenet300 or the file of a net; there is none`);
  }
  const opened = openNet(name, {
    colours,
    keepsBatchNorm: flags.keepBatchnorm === true,
    steps: flags.steps,
    note: (line) => note(`${name}: ${line}`),
  });
  if (opened.net.compression !== undefined) {
    throw new MoteError("ARGUMENT", `--net ${name}: is compressed; training would undo that`);
  }
  const usual = own(DEFAULTS, name);
  const given = taskOf(flags, flags);
  const { net, data, trainedOn, warnings } = withData(name, opened, dataSpecOf(flags, usual && "mnist"), given);
  warnings.forEach(warn);
  return {
    net,
    settings: {
      ...withFlags(usual ?? defaultsOf(net, data), flags),
      task: balancedTask(flags, given, net.graph, data),
    },
    data,
    trainedOn,
  };
}

/** @throws MoteError ARGUMENT for flags that say otherwise than the run was started, MISMATCH for data that are no longer the same */
function resumed(flags: Flags, file: string): Run {
  const { checkpoint, settings } = readRun(file);
  const { net, data: records = [] } = checkpoint;
  const last = records.at(-1);
  if (last === undefined) throw new MoteError("MISMATCH", `${file}: does not say what it was trained on`);
  checkSame(flags, net.graph, settings, file);
  const spec = flags.data === undefined ? withFlagsOver(last.spec, flags) : dataSpecOf(flags, undefined);
  const data = loadTrainingData(spec, netEnds(net.graph, settings.task));
  for (const part of ["train", "validation"] as const) {
    if (data.digests[part] === last.digests[part]) continue;
    const expected = `it was started with ${last.source}, ${last.count} samples for training (${last.digests[part]})`;
    throw new MoteError("MISMATCH", `${file}: the ${part} samples are others, ${data.digests[part]}: ${expected}`);
  }
  checkSameTask(balancedTask(flags, settings.task, net.graph, data), settings, file);
  return { net, settings, data, trainedOn: records, resume: checkpoint };
}

/** What the run was started with, but for what flags say otherwise. */
function withFlagsOver(started: OwnData, flags: Flags): OwnData {
  const { split, ...given } = dataSpecOf(flags, started.train);
  return { ...started, ...given, ...(split && { split: { ...started.split, ...split } }) };
}

/** "error 1.20 % (6 of 500)", "auc 0.9312". */
function words({ metric, value, errors }: Evaluation, count: number): string {
  return metric === "accuracy" && errors !== undefined
    ? `error ${percent(errors, count)}`
    : `${metric} ${value.toPrecision(4)}`;
}

/** Of one part of the data, with its name in front. */
function figures(part: "validation" | "test", { metric, value, errors }: Evaluation, count: number): object {
  return {
    [`${part}${metric === "mse" ? "MSE" : metric === "auc" ? "AUC" : metric === "f1" ? "F1" : "Accuracy"}`]: value,
    ...(errors === undefined ? {} : { [`${part}Errors`]: errors, [`${part}ErrorPercent`]: (100 * errors) / count }),
  };
}

function withFlags(defaults: Defaults, flags: Flags): Defaults {
  const given = SETTINGS.filter((key) => flags[key] !== undefined).map((key) => [key, flags[key]]);
  return { ...defaults, ...(Object.fromEntries(given) as Partial<Defaults>) };
}

/** A resumed run keeps its settings: another value on the command line is a mistake that must not pass in silence. */
function checkSame(flags: Flags, { name, steps, layers }: Graph, settings: RunSettings, file: string): void {
  if (flags.net !== undefined && openNet(flags.net).net.graph.name !== name) {
    throw new MoteError("ARGUMENT", `--net ${flags.net}: ${file} holds a ${name}`);
  }
  if (flags.steps !== undefined && flags.steps !== steps) {
    throw new MoteError("ARGUMENT", `--steps ${flags.steps}: ${file} was started with ${steps ?? "none"}`);
  }
  if (flags.keepBatchnorm && !layers.some(({ op }) => op === "batchnorm")) {
    throw new MoteError("ARGUMENT", `--keep-batchnorm: ${file} holds a net without batch normalizations`);
  }
  for (const key of SETTINGS) {
    if (flags[key] === undefined) continue;
    const [given, started] = [flags, settings].map((from) =>
      key === "augment" ? augmentationText(from.augment!) : String(from[key]),
    );
    if (given === started) continue;
    const flag = key.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase());
    throw new MoteError("ARGUMENT", `--${flag} ${given}: ${file} was started with ${started}`);
  }
  const { task } = settings;
  // What is balanced only the data tells.
  const classWeights = Array.isArray(flags.classWeights) ? flags.classWeights : task.classWeights;
  const { loss = task.loss, metric = flags.loss === undefined ? task.metric : undefined } = flags;
  checkSameTask(taskOf({ loss, ...(metric && { metric }), ...(classWeights && { classWeights }) }, {}), settings, file);
}

function checkSameTask(given: Task, { task }: RunSettings, file: string): void {
  if (taskText(given) === taskText(task)) return;
  throw new MoteError("ARGUMENT", `${taskText(given)}: ${file} was started with ${taskText(task)}`);
}

const percent = (errors: number, count: number): string =>
  `${((100 * errors) / count).toFixed(2)} % (${errors} of ${count})`;

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("expected a number");
  return value;
}

function positive(text: string): number {
  const value = number(text);
  if (value <= 0) throw new InvalidArgumentError("expected a number above 0");
  return value;
}

function augmentation(text: string): Augmentation {
  try {
    return parseAugmentation(text, "--augment");
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function notNegative(text: string): number {
  const value = number(text);
  if (value < 0) throw new InvalidArgumentError("expected a number of at least 0");
  return value;
}

function batch(text: string): number {
  const value = wholeNumber(BATCH_UNIT)(text);
  if (value % BATCH_UNIT !== 0) throw new InvalidArgumentError(`expected a multiple of ${BATCH_UNIT}`);
  return value;
}
