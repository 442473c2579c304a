/** A net's training, validation and test samples, from what a recipe's `data` or the flags of a command name. */
import { createHash } from "node:crypto";
import { pickSamples, type SampleSet } from "../../data/data-set.js";
import {
  checkDataSpec,
  DATA_NAMES,
  INPUT_TARGETS,
  type DataSpec,
  type OwnData,
  type ValidationCopies,
} from "../../data/data-spec.js";
import { isSilent } from "../../data/reading.js";
import { fingerprints } from "../../data/fingerprint.js";
import { joinSamples, type Samples } from "../../data/samples.js";
import { DEFAULT_SPLIT, PARTS, splitIndices, type Part } from "../../data/split.js";
import { toSamples } from "../../data/to-samples.js";
import {
  kindOf,
  notesOn,
  preprocessingOf,
  withAnswers,
  withClassesOf,
  type DataKind,
  type PrintedPart,
  type NetEnds,
} from "../../data/training-set.js";
import { MoteError } from "../../errors.js";
import { overSteps } from "../../train/augment.js";
import { augmentBank } from "../../train/augment-bank.js";
import { nodeRuntime } from "../train/runtime.js";
import type { Preprocessing } from "../../model/model.js";
import { DIGIT_SHAPE, fitDigits } from "./inputs.js";
import { loadData } from "./load.js";
import { loadFashion, loadMnist } from "./mnist.js";
import { inFolder, isNamedLabels, isNamedSamples, isNamedTargets } from "./moved-spec.js";
import { existingPath } from "./place.js";

/** Keeps these copies apart from those that are learnt from. */
const VALIDATION_SEED = 0x76616c69;

export interface TrainingDataOptions extends NetEnds {
  /** That paths are relative to; by default the working folder. */
  readonly folder?: string;
}

/** Something for each part of the data; not all data has a part to test by. */
export interface ByPart<T> {
  readonly train: T;
  readonly validation: T;
  readonly test?: T;
}

export interface TrainingData extends ByPart<Samples> {
  /** As it was checked. */
  readonly spec: OwnData;
  /** For people: "mnist", "train.npz". */
  readonly source: string;
  readonly kind: DataKind;
  /** Names of the classes, where the data has one for each output. */
  readonly classes?: readonly string[];
  /** What a model must know to be given samples as these are; absent where it is the usual. */
  readonly preprocessing?: Preprocessing;
  /** SHA-256 of all that a part has, 16 hexadecimal digits: the same for the same data, whatever file it is from. */
  readonly digests: ByPart<string>;
  /** Fingerprints of the samples. */
  readonly prints: ByPart<Float64Array>;
  /** What people should know of it, a sentence each. */
  readonly notes: readonly string[];
}

const UNKEPT = "a model keeps no reading of real numbers: it is to be given them with the same scale, mean and std";

/**
 * @throws MoteError RECIPE for a spec that is none; ARGUMENT, FILE, FORMAT, UNSUPPORTED for what cannot be read, naming the file; MISMATCH for samples,
 *   labels or targets that do not fit the net or each other
 */
export function loadTrainingData(data: DataSpec, options: TrainingDataOptions): TrainingData {
  const { shape, outputs } = options;
  const spec = checkDataSpec(data, "data");
  if (spec.colours !== undefined && shape[0] !== 3)
    throw new MoteError("ARGUMENT", `colours ${spec.colours}: for nets of three channels, this one takes ${shape[0]}`);
  const sets = loadSets(spec, options);
  const classes = sets.train.classes;
  const part = (name: Part): PrintedPart | undefined => {
    const set = sets[name];
    if (set === undefined) return undefined;
    const samples = naming(`${name}, ${set.source}`, () => {
      const same = withClassesOf(sets.train, set);
      if (same.images.constructor !== sets.train.images.constructor) {
        const [kind, expected] = [same, sets.train].map(({ images }) => images.constructor.name);
        throw new MoteError("MISMATCH", `values are a ${kind}, those for training a ${expected}: expected the same`);
      }
      return withAnswers(
        toSamples(same, shape, { ...options.usual, ...(spec.colours && { colours: spec.colours }) }),
        spec,
        options,
      );
    });
    return { samples, prints: fingerprints(samples, shape[0]) };
  };
  const [train, validation, test] = [part("train")!, part("validation")!, part("test")];
  const preprocessing = preprocessingOf(sets.train, train.samples, spec, options);
  const each = <T>(of: (part: PrintedPart) => T): ByPart<T> => ({
    train: of(train),
    validation: of(validation),
    ...(test && { test: of(test) }),
  });
  const parts = {
    ...each(({ samples }) => samples),
    ...(spec.validationCopies && { validation: withCopies(validation.samples, options, spec.validationCopies) }),
  };
  return {
    ...parts,
    spec,
    source: sets.train.source,
    kind: kindOf(shape),
    ...(classes?.length === outputs && classes.some((name, i) => name !== String(i)) ? { classes } : {}),
    ...(preprocessing && { preprocessing }),
    digests: {
      train: digestOf(parts.train),
      validation: digestOf(parts.validation),
      ...(parts.test && { test: digestOf(parts.test) }),
    },
    prints: each(({ prints }) => prints),
    notes: [
      ...(train.samples.images instanceof Uint8Array || isSilent(spec) ? [] : [UNKEPT]),
      ...notesOn(train, "validation", validation, classes),
      ...(test === undefined ? [] : notesOn(train, "test", test, classes)),
    ],
  };
}

/** Samples, and changed copies behind them. */
function withCopies(samples: Samples, { shape, steps }: NetEnds, { copies, augment }: ValidationCopies): Samples {
  const changes = overSteps(augment, steps);
  const changed = augmentBank(nodeRuntime.kernels(), samples, shape, copies, changes, VALIDATION_SEED);
  return joinSamples(samples, changed);
}

/** Errors begin with what they are about. */
function naming<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof MoteError)) throw error;
    throw new MoteError(error.code, `${what}: ${error.message}`, { cause: error });
  }
}

function loadSets(spec: OwnData, options: TrainingDataOptions): ByPart<SampleSet> {
  const { train: path, validation, test } = spec;
  const reading = readingOf(spec);
  const named = DATA_NAMES.find((name) => name === path);
  const given = PARTS.filter((part) => spec[part] !== undefined);
  const load = (part: Part): SampleSet => {
    return loadData(inFolder(spec[part]!, options.folder, isNamedSamples), {
      shape: options.shape,
      reading,
      labels: answerOf("labels", spec.labels, given, part, options.folder),
      targets:
        spec.targets === INPUT_TARGETS ? undefined : answerOf("targets", spec.targets, given, part, options.folder),
    });
  };
  if (named !== undefined) {
    const other = spec.targets === INPUT_TARGETS ? undefined : spec.targets;
    const { validation: count, ...split } = spec.split ?? {};
    if ((spec.labels ?? Object.values(split)[0] ?? spec.validation ?? spec.test ?? other) !== undefined) {
      const own = "has labels and a split of its own, validation and test samples too";
      throw new MoteError("ARGUMENT", `${path} ${own}: expected none with it, but for how many are for validation`);
    }
    const parts = named === "mnist" ? loadMnist(undefined, count) : loadFashion(count);
    const set = (part: Part): SampleSet => {
      const { count, images, labels } = parts[part];
      const digits = { count, images, labels, shape: DIGIT_SHAPE, source: `${named}:${part}` };
      // Rows as wide as many are no picture: what runs the model would not resize digits for a step of it.
      const fitted = options.steps === undefined ? fitDigits(digits, options.shape) : digits;
      return { ...fitted, ...(reading && { reading }) };
    };
    return { train: { ...set("train"), source: named }, validation: set("validation"), test: set("test") };
  }
  const train = load("train");
  if (validation !== undefined) {
    if (spec.split !== undefined) throw new MoteError("ARGUMENT", "a split: not with validation samples of their own");
    return { train, validation: load("validation"), ...(test === undefined ? {} : { test: load("test") }) };
  }
  return test === undefined ? splitSet(train, spec) : { ...splitSet(train, spec, 0), test: load("test") };
}

/** @param testShare in place of the split's, where test samples are in a file of their own */
function splitSet(set: SampleSet, { split = {} }: OwnData, testShare?: number): ByPart<SampleSet> {
  const { stratified, ...shares } = split;
  if (stratified === true && set.labels === undefined) {
    throw new MoteError("ARGUMENT", `${set.source}: a stratified split needs labels, there are none`);
  }
  const whole = { ...DEFAULT_SPLIT, ...shares, ...(testShare === undefined ? {} : { test: testShare }) };
  const labels = stratified === false ? undefined : set.labels;
  const pick = (part: Part): SampleSet => {
    const indices = splitIndices(set.count, part, whole, labels);
    if (indices.length > 0) return pickSamples(set, indices);
    throw new MoteError("ARGUMENT", `${set.source}: of ${set.count} samples none is left for ${part}`);
  };
  return {
    train: pick("train"),
    validation: pick("validation"),
    ...(whole.test > 0 ? { test: pick("test") } : {}),
  };
}

/** The reading alone, undefined where nothing is said. */
function readingOf({ layout, scale, mean, std }: OwnData): SampleSet["reading"] {
  const entries = Object.entries({ layout, scale, mean, std }).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/**
 * The labels or targets of one of the parts that files are given for.
 * @param value one for all, or a list in the order of `given`
 */
function answerOf(
  key: "labels" | "targets",
  value: OwnData["labels"],
  given: readonly Part[],
  part: Part,
  folder: string | undefined,
): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" && value.length !== given.length) {
    throw new MoteError("ARGUMENT", `${key}: ${value.length} for ${given.join(", ")}: expected ${given.length}`);
  }
  const one = typeof value === "string" ? value : value[given.indexOf(part)];
  const isName = key === "targets" ? isNamedTargets : isNamedLabels;
  if (isName(one)) return one;
  const path = inFolder(one, folder, isName);
  if (existingPath(path) === undefined) {
    throw new MoteError("ARGUMENT", `${key} ${one}: expected column:NAME, or a file that is there`);
  }
  if (typeof value !== "string" || given.length === 1) return path;
  throw new MoteError("ARGUMENT", `${key} ${one}: one file for ${given.join(", ")}: expected ${given.length}`);
}

function digestOf({ count, images, reading, labels, targets }: Samples): string {
  const hash = createHash("sha256").update(JSON.stringify([count, images.constructor.name, reading]));
  for (const array of [images, labels && Uint16Array.from(labels), targets]) {
    if (array !== undefined) hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest("hex").slice(0, 16);
}
