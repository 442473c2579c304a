/** The flags for what a net is trained on and for, the same in every command that trains. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { VALIDATION_AUGMENT, type OwnData } from "../host/data/data-spec.js";
import { MoteError } from "../host/errors.js";
import type { Graph } from "../host/model/model.js";
import type { TrainingData } from "../host/node/data/training-data.js";
import { LOSS_KINDS, metricOf, type LossKind, type MetricName, type Task } from "../host/train/losses.js";
import { netEnds } from "../host/train/net-ends.js";
import { addReadingFlags, readingOf, type ReadingFlags } from "./data-flags.js";
import { wholeNumber } from "./whole-number.js";

export interface TrainingDataFlags extends ReadingFlags {
  readonly data?: string;
  readonly validation?: string;
  readonly testData?: string;
  readonly labels?: readonly string[];
  readonly targets?: readonly string[];
  readonly splitSeed?: number;
  readonly validationCount?: number;
  readonly validationCopies?: number;
  readonly colours?: "rgb" | "bgr";
}

const DATA =
  "what to train on: mnist, fashion, a .npy, .npz, idx or CSV file, or a folder of pictures by class; " +
  "without --validation a tenth of it is for that, and another to test";

export function addTrainingDataFlags(command: Command): Command {
  const several = (value: string, before: readonly string[] | undefined): string[] => [...(before ?? []), value];
  return addReadingFlags(
    command
      .option("--data <spec>", DATA)
      .option("--validation <spec>", "samples to choose by, as --data")
      .option("--test-data <spec>", "samples to test by, as --data")
      .option(
        "--labels <file>",
        "labels as .npy, .npz:ARRAY, idx or CSV, one for each of --data, --validation, --test-data; column:NAME of CSV files",
        several,
      )
      .option(
        "--targets <from>",
        "numbers instead of classes: an array of the .npz, column:NAME,NAME of CSV files, files; or input, the samples themselves",
        several,
      )
      .option("--split-seed <n>", "which samples are split off; default: 1", wholeNumber(0, 2 ** 32 - 1))
      .option(
        "--validation-count <n>",
        "how many of them are to choose by; of mnist and fashion usually 5000",
        wholeNumber(1, 1e9),
      )
      .option(
        "--validation-copies <n>",
        "choose by so many changed copies of each picture as well",
        wholeNumber(1, 100),
      ),
  ).addOption(
    new Option("--colours <order>", "what the net's three channels are: pictures come as rgb").choices(["rgb", "bgr"]),
  );
}

/** @param usual data where no flag names any @throws MoteError ARGUMENT for flags without data that they are for */
export function dataSpecOf(flags: TrainingDataFlags, usual: string | undefined): OwnData {
  const train = flags.data ?? usual;
  if (train === undefined) throw new MoteError("ARGUMENT", "--data is missing: what the net is to be trained on");
  const { validation, testData: test, splitSeed: seed, validationCount, validationCopies: copies, colours } = flags;
  const each = (values: readonly string[] | undefined): string | readonly string[] | undefined =>
    values?.length === 1 ? values[0] : values;
  const given = {
    validation,
    test,
    labels: each(flags.labels),
    targets: each(flags.targets),
    split:
      seed === undefined && validationCount === undefined ? undefined : known({ seed, validation: validationCount }),
    validationCopies: copies === undefined ? undefined : { copies, augment: VALIDATION_AUGMENT },
    colours,
    ...readingOf(flags),
  };
  return { train, ...known(given) };
}

/** Without what no flag says. */
const known = (values: object): object =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

export interface TaskFlags {
  readonly loss?: LossKind;
  readonly metric?: MetricName;
  readonly classWeights?: "balanced" | readonly number[];
}

export function addTaskFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--loss <kind>",
        "softmax: one class a sample; sigmoid: labels that each may be there; mse: numbers; default: softmax, with --targets mse",
      ).choices(LOSS_KINDS),
    )
    .addOption(
      new Option("--metric <name>", "what a net is judged by; default: what suits the loss").choices([
        "accuracy",
        "auc",
        "f1",
        "mse",
      ]),
    )
    .option(
      "--class-weights <list>",
      "what each class counts in the loss, with commas between; balanced: rare ones as much as others",
      parseWeights,
    );
}

/** @throws MoteError ARGUMENT for a metric that does not suit the loss */
export function taskOf(flags: TaskFlags, { targets }: Pick<TrainingDataFlags, "targets">): Task {
  const { loss = targets === undefined ? "softmax" : "mse", metric, classWeights } = flags;
  const task = { loss, ...(metric && { metric }) };
  metricOf(task);
  return { ...task, ...(Array.isArray(classWeights) && { classWeights: classWeights as readonly number[] }) };
}

/**
 * The task with the class weights that the data has, where these are asked for.
 * @throws MoteError ARGUMENT where there are no classes to balance
 */
export function balancedTask(
  { classWeights }: TaskFlags,
  task: Task,
  graph: Graph,
  { train: { labels } }: Pick<TrainingData, "train">,
): Task {
  if (classWeights !== "balanced") return task;
  if (labels === undefined || task.loss !== "softmax") {
    throw new MoteError("ARGUMENT", "--class-weights balanced: for one class a sample; expected a list of numbers");
  }
  const counts = Array.from({ length: netEnds(graph, task).outputs }, () => 0);
  for (const label of labels) counts[label]++;
  const present = counts.filter((count) => count > 0).length;
  return { ...task, classWeights: counts.map((count) => (count === 0 ? 0 : labels.length / (present * count))) };
}

function parseWeights(text: string): "balanced" | number[] {
  if (text === "balanced") return text;
  const weights = text.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  if (weights.every((weight) => Number.isFinite(weight) && weight >= 0)) return weights;
  throw new InvalidArgumentError("expected balanced, or numbers of at least 0 with commas between.");
}
