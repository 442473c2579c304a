/** What a net is trained on: the key `data` of a recipe, and what the flags of `mote train` come to. */
import { checkAugmentation, type Augmentation } from "../train/augment.js";
import {
  absent,
  either,
  fail,
  integer,
  number,
  object,
  oneOf,
  optional,
  text,
  type Check,
} from "../compress/check-value.js";
import type { Preprocessing } from "../model/model.js";
import type { Reading } from "./data-set.js";
import { DEFAULT_SPLIT, type Split } from "./split.js";

/** Data that has a part for each purpose. */
export const DATA_NAMES = ["mnist", "fashion"] as const;

export interface OwnData extends Reading {
  /** `mnist`, `fashion` or a file or folder as `--data` takes it. Without `validation` a part of it is split off for that, and without both for `test` too. */
  readonly train: string;
  readonly validation?: string;
  readonly test?: string;
  /** Of a CSV file a column, for each of the files; otherwise a file of labels for each that is given, in the order train, validation, test. */
  readonly labels?: string | readonly string[];
  /** Numbers instead of classes: an array of the .npz, columns of the CSV file, or files as of labels; or `input`: what the net sees itself. */
  readonly targets?: string | readonly string[];
  /** Shares, or of `validation` a count as well; of data with parts of its own that alone. */
  readonly split?: Partial<Split> & {
    /** Each class has its share in each part; by default where there are labels. */
    readonly stratified?: boolean;
  };
  /** Changed copies of the validation samples that are chosen by beside them: few plain ones choose badly between good nets. */
  readonly validationCopies?: ValidationCopies;
  /** What the net's three channels are; pictures come as rgb. */
  readonly colours?: Exclude<Preprocessing["colours"], "none">;
}

export interface ValidationCopies {
  /** Of each sample. */
  readonly copies: number;
  readonly augment: Augmentation;
}

/** Of pictures; about what students are trained with. */
export const VALIDATION_AUGMENT = 0.4;

/** Whether every machine has it. */
export const isNamedData = ({ train }: OwnData): boolean => DATA_NAMES.some((name) => name === train);

/** A text is `train` alone. */
export type DataSpec = string | OwnData;

/** Targets that are the net's own input, for autoencoders. */
export const INPUT_TARGETS = "input";

/** One text, or a text for each file. */
const texts: Check<string | string[]> = (value, path) =>
  Array.isArray(value) ? value.map((item, i) => text(item, `${path}[${i}]`)) : text(value, path);

/** One number, or one for each channel. */
const numbers =
  (least: number): Check<number[]> =>
  (value, path) => {
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (list.length === 0) fail(path, "a number, or one for each channel", value);
    return list.map((item, i) => number(least, 3e38)(item, Array.isArray(value) ? `${path}[${i}]` : path));
  };

/** What an integer is divided by, and multiplied with, is above 0. */
const LEAST_FACTOR = 1e-38;

const isYes: Check<boolean> = (value, path) =>
  typeof value === "boolean" ? value : fail(path, "true or false", value);

const shareOrCount: Check<number> = either(number(0, 0.99), integer(1, 1e9), (value) => Number(value) >= 1);

const ownData = object({
  train: text,
  validation: optional(text, absent),
  test: optional(text, absent),
  labels: optional(texts, absent),
  targets: optional(texts, absent),
  split: optional(
    object({
      seed: optional(integer(0, 2 ** 32 - 1), absent),
      stratified: optional(isYes, absent),
      validation: optional(shareOrCount, absent),
      test: optional(number(0, 0.99), absent),
    }),
    absent,
  ),
  validationCopies: optional(
    object({ copies: integer(1, 100), augment: optional(checkAugmentation, VALIDATION_AUGMENT) }),
    absent,
  ),
  layout: optional(oneOf("nchw", "nhwc"), absent),
  colours: optional(oneOf("rgb", "bgr"), absent),
  scale: optional(number(LEAST_FACTOR, 3e38), absent),
  mean: optional(numbers(-3e38), absent),
  std: optional(numbers(LEAST_FACTOR), absent),
});

/** Without the keys that nobody set. */
const known = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as T;

/**
 * @param path of the key, for messages: "data"
 * @throws MoteError RECIPE naming the place, such as `data.split.seed: expected a whole number, …`
 */
export function checkDataSpec(value: unknown, path: string): OwnData {
  if (typeof value === "string") return { train: text(value, path) };
  const data = ownData(value, path);
  const split = data.split as OwnData["split"] | undefined;
  const { validation, test } = { ...DEFAULT_SPLIT, ...known(split ?? {}) };
  if ((validation < 1 ? validation : 0) + test >= 1) {
    fail(`${path}.split`, "shares for validation and test that leave some to train", split);
  }
  return known({ ...data, ...(split && { split: known(split) }) }) as OwnData;
}
