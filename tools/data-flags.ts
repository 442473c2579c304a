/** The flags for samples, the same in every command that takes any. */
import { InvalidArgumentError, Option, type Command } from "commander";
import type { Labels, Reading, SampleSet } from "../host/data/data-set.js";
import type { Engine } from "../host/engines/engine.js";
import { MoteError } from "../host/errors.js";
import type { DataOptions } from "../host/node/data/load.js";

export interface ReadingFlags {
  readonly layout?: "nchw" | "nhwc";
  readonly scale?: number;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
}

export interface DataFlags extends ReadingFlags {
  readonly data?: string;
  readonly labels?: string;
}

/** What `--data` and `--calibrate` name. */
export const SAMPLES =
  "mnist:test, fashion:test, or a .npy, .npz, idx, CSV file or a folder of pictures by class; " +
  "with :train, :validation or :test a part, with :N the first N only";

export function addDataFlags(command: Command): Command {
  return addReadingFlags(command.option("--data <spec>", SAMPLES)).option(
    "--labels <file>",
    "labels as .npy, .npz:ARRAY, idx or CSV; column:NAME of a CSV file",
  );
}

export interface StepsFlag {
  readonly steps?: number;
}

/** Of commands that run a model or a net on samples in order. */
export const stepsOption = (): Option =>
  new Option(
    "--steps <n>",
    "of a model with states: so many samples in a row are the steps of a stream, or all; each stream begins with a reset; default: each sample is a stream of its own",
  ).argParser(parseSteps);

function parseSteps(text: string): number {
  const steps = text === "all" ? Infinity : /^\d+$/.test(text) ? Number(text) : NaN;
  if (steps >= 1) return steps;
  throw new InvalidArgumentError("expected a whole number from 1 on, or all.");
}

/** How the values of samples are to be seen. */
export function addReadingFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--layout <order>", "how samples of several channels lie; default: what fits").choices([
        "nchw",
        "nhwc",
      ]),
    )
    .option(
      "--scale <x>",
      "the net sees (value x scale - mean) / std; default: 1/255 for bytes, 1 for others",
      parseScale,
    )
    .option("--mean <list>", "one, or one for each channel; default: 0", parseNumbers)
    .option("--std <list>", "one, or one for each channel; default: 1", parseDivisors);
}

/** How the flags want samples for the engine's model to be loaded. */
export function dataOptions(flags: DataFlags, { input, output: { labels } }: Engine): DataOptions {
  return { labels: flags.labels, shape: input.shape, classes: labels, reading: readingOf(flags) };
}

export type LabelledSet = SampleSet & { readonly labels: Labels };

/** @param flag that a file of labels is given by @throws MoteError ARGUMENT where there are none */
export function labelled(set: SampleSet, flag: string): LabelledSet {
  if (set.labels !== undefined) return { ...set, labels: set.labels };
  throw new MoteError("ARGUMENT", `${set.source} has no labels: expected ${flag}, a file of them`);
}

/** Undefined where no flag says anything. */
export function readingOf({ layout, scale, mean, std }: ReadingFlags): Reading | undefined {
  const reading: Reading = {
    ...(layout === undefined ? {} : { layout }),
    ...(scale === undefined ? {} : { scale }),
    ...(mean === undefined ? {} : { mean }),
    ...(std === undefined ? {} : { std }),
  };
  return Object.keys(reading).length === 0 ? undefined : reading;
}

function parseNumbers(text: string): number[] {
  const numbers = text.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  if (numbers.every(Number.isFinite)) return numbers;
  throw new InvalidArgumentError("expected numbers with commas between them.");
}

function parseDivisors(text: string): number[] {
  const numbers = parseNumbers(text);
  if (numbers.every((number) => number > 0)) return numbers;
  throw new InvalidArgumentError("expected numbers above 0.");
}

function parseScale(text: string): number {
  const [scale, ...more] = parseNumbers(text);
  if (more.length === 0) return scale;
  throw new InvalidArgumentError("expected one number.");
}
