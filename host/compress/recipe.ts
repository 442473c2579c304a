/** A compression recipe: one JSON file that makes a model from its data, and the strict check of its schema. */
import { MoteError, printable } from "../errors.js";
import { checkAugmentation, type Augmentation } from "../train/augment.js";
import type { RangeChoice } from "../quantize/calibrate.js";
import type { Keep, PruneScore } from "./prune.js";
import type { CentroidInit } from "./share.js";

/** Cosine from `lr` to `lrEnd` over `epochs` (of the training split's size, also on a bank of augmented copies). */
export interface Schedule {
  readonly epochs: number;
  readonly lr: number;
  /** Default: 0. */
  readonly lrEnd: number;
}

export interface TeacherSettings extends Schedule {
  readonly seed: number;
  readonly augment: Augmentation;
  readonly weightDecay: number;
}

/** Only the given layers' live units exist; the net is trained from scratch. Must come first. */
export interface NarrowStage {
  readonly kind: "narrow";
  readonly units: Readonly<Record<string, number>>;
}

export interface TrainStage extends Schedule {
  readonly kind: "train";
}

/** Prunes to `keep`; at once before the retraining, or gradually in its course. */
export interface PruneStage extends Schedule {
  readonly kind: "prune";
  readonly keep: Keep;
  readonly score: PruneScore;
  readonly schedule: "one-shot" | "gradual";
  /** Gradual: how often to prune. */
  readonly everyEpochs: number;
  /** Gradual: see `gradualKeep`. */
  readonly power: number;
  /** Score "rate": see `Price`. */
  readonly gamma: number;
  readonly multiplicationBits: number;
}

/** k-means codebooks of 2^bits centroids, fine-tuned by their gradient, then rounded to int8, in the layers that `bits` names. */
export interface ShareStage extends Schedule {
  readonly kind: "share";
  readonly bits: Readonly<Record<string, number>>;
  readonly init: CentroidInit;
}

/** Progressive freezing to a uniform integer grid of step × mean |w|, of the layers that `step` names. The others train along. */
export interface GridStage extends Schedule {
  readonly kind: "grid";
  /** By layer: grid step as a factor of the mean magnitude of the survivors. */
  readonly step: Readonly<Record<string, number>>;
  /** Shares in which the weights are frozen. */
  readonly parts: number;
  /** Largest integer magnitude, 1 .. 127. */
  readonly limit: number;
  /**
   * Whether a layer's rows have one step, the default, or each its own by its own mean magnitude, which takes 5 bytes a row in the container. It
   * has to earn them: TinyMaix's mnist_dw without retraining, a step of 0.1 and depthwise rows of their own, errs on 40 of 400 digits with 1,376
   * bytes, and on 36 with 1,238 by layers.
   */
  readonly scales?: "layer" | "row";
}

/** Folds biases that need no relu, drops dead and constant units. */
export interface DeadUnitsStage {
  readonly kind: "dead-units";
}

/** int8 scales of the activations from the first `samples` training digits. */
export interface CalibrateStage {
  readonly kind: "calibrate";
  readonly samples: number;
  readonly range: RangeChoice;
}

export type Stage = NarrowStage | TrainStage | PruneStage | ShareStage | GridStage | DeadUnitsStage | CalibrateStage;

export interface Recipe {
  /** `lenet5` or `lenet300`; the trained net given by --from must be one of the same name. */
  readonly net: string;
  readonly seed: number;
  readonly batch: number;
  /** Left out only where the net to start from is given. */
  readonly teacher?: TeacherSettings;
  /** Augmented copies of the training digits, made once, with the teacher's logits: cheap epochs for a student. */
  readonly bank?: { readonly copies: number; readonly augment: Augmentation };
  /** Share and temperature of the teacher's soft targets; needs a bank. */
  readonly distill?: { readonly alpha: number; readonly temperature: number };
  readonly stages: readonly Stage[];
  /** Bits a bias may take, by layer; DEFAULT_BIAS_BITS for those not named. */
  readonly pack: { readonly biasBits: Readonly<Record<string, number>> };
}

/** With 8 instead of 32, lenet300-paper errs on as many of the 5,000 validation digits and lenet5-paper on one more. */
export const DEFAULT_BIAS_BITS = 8;

/** Checks one JSON value; `path` names it in errors. */
type Check<T> = (value: unknown, path: string) => T;

function fail(path: string, expected: string, value: unknown): never {
  const found = value === undefined ? "nothing" : JSON.stringify(value);
  throw new MoteError("RECIPE", `${path}: expected ${expected}, got ${found}`);
}

const number =
  (low: number, high: number): Check<number> =>
  (value, path) =>
    typeof value === "number" && value >= low && value <= high
      ? value
      : fail(path, `a number, ${low} .. ${high}`, value);

const integer =
  (low: number, high: number): Check<number> =>
  (value, path) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high
      ? (value as number)
      : fail(path, `a whole number, ${low} .. ${high}`, value);

const oneOf =
  <T extends string>(...words: readonly T[]): Check<T> =>
  (value, path) =>
    words.includes(value as T) ? (value as T) : fail(path, `one of ${words.join(", ")}`, value);

const record =
  <T>(check: Check<T>): Check<Record<string, T>> =>
  (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      fail(path, "an object by layer name", value);
    return Object.fromEntries(Object.entries(value as object).map(([key, v]) => [key, check(v, `${path}.${key}`)]));
  };

/** A key that may be left out, with the value it then has. */
class Optional<T> {
  constructor(
    readonly check: Check<T>,
    readonly fallback: T,
  ) {}
}
const optional = <T>(check: Check<T>, fallback: T): Optional<T> => new Optional(check, fallback);

type Fields = Readonly<Record<string, Check<unknown> | Optional<unknown>>>;
type Checked<F extends Fields> = {
  -readonly [K in keyof F]: F[K] extends Check<infer T> ? T : F[K] extends Optional<infer T> ? T : never;
};

/** An object with just these keys. */
const object =
  <F extends Fields>(fields: F): Check<Checked<F>> =>
  (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      fail(path === "" ? "recipe" : path, "an object", value);
    const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
    for (const key of Object.keys(value as object)) {
      if (!Object.hasOwn(fields, key))
        throw new MoteError("RECIPE", `${at(key)}: unknown key; known are ${Object.keys(fields).join(", ")}`);
    }
    const result: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(fields)) {
      const given = (value as Record<string, unknown>)[key];
      if (field instanceof Optional) result[key] = given === undefined ? field.fallback : field.check(given, at(key));
      else result[key] = field(given, at(key));
    }
    return result as Checked<F>;
  };

const absent = undefined;
const schedule = { epochs: number(0, 1000), lr: number(0, 1), lrEnd: optional(number(0, 1), 0) };
const keep: Check<Keep> = (value, path) =>
  typeof value === "number"
    ? number(Number.MIN_VALUE, 1e9)(value, path)
    : record(number(Number.MIN_VALUE, 1e9))(value, path);

const stageChecks: { readonly [K in Stage["kind"]]: Check<Extract<Stage, { kind: K }>> } = {
  narrow: object({ kind: oneOf("narrow"), units: record(integer(1, 65535)) }),
  train: object({ kind: oneOf("train"), ...schedule }),
  prune: object({
    kind: oneOf("prune"),
    ...schedule,
    keep,
    score: optional(oneOf<PruneScore>("magnitude", "lamp", "rate"), "magnitude"),
    schedule: optional(oneOf<"one-shot" | "gradual">("one-shot", "gradual"), "one-shot"),
    everyEpochs: optional(number(0.001, 1000), 0.25),
    power: optional(number(0.1, 10), 1.5),
    gamma: optional(number(0, 10), 1),
    multiplicationBits: optional(number(0, 10), 0),
  }),
  share: object({
    kind: oneOf("share"),
    ...schedule,
    bits: record(integer(1, 8)),
    init: optional(oneOf<CentroidInit>("forgy", "density", "linear"), "linear"),
  }),
  grid: object({
    kind: oneOf("grid"),
    ...schedule,
    step: record(number(0.01, 10)),
    parts: optional(integer(1, 1000), 40),
    limit: optional(integer(1, 127), 127),
    scales: optional(oneOf<"layer" | "row">("layer", "row"), "layer"),
  }),
  "dead-units": object({ kind: oneOf("dead-units") }),
  calibrate: object({
    kind: oneOf("calibrate"),
    samples: optional(integer(1, 55_000), 2000),
    range: optional(oneOf<RangeChoice>("error", "full"), "error"),
  }),
};

const stage: Check<Stage> = (value, path) => {
  const kinds = Object.keys(stageChecks) as Stage["kind"][];
  if (typeof value !== "object" || value === null) fail(path, "an object", value);
  const kind = oneOf(...kinds)((value as { kind?: unknown }).kind, `${path}.kind`);
  return stageChecks[kind](value, path);
};

const stages: Check<Stage[]> = (value, path) => {
  if (!Array.isArray(value) || value.length === 0) fail(path, "a list of stages", value);
  return (value as unknown[]).map((item, i) => stage(item, `${path}[${i}]`));
};

const recipe = object({
  net: oneOf("lenet5", "lenet300"),
  seed: optional(integer(0, 2 ** 31 - 1), 1),
  batch: optional(integer(32, 1024), 128),
  teacher: optional(
    object({
      ...schedule,
      seed: optional(integer(0, 2 ** 31 - 1), 1),
      augment: checkAugmentation,
      weightDecay: optional(number(0, 1), 0),
    }),
    absent as never,
  ),
  bank: optional(object({ copies: integer(1, 100), augment: checkAugmentation }), absent as never),
  distill: optional(object({ alpha: number(0, 1), temperature: number(0.1, 100) }), absent as never),
  stages,
  // A signed number has two bits at least.
  pack: optional(object({ biasBits: optional(record(integer(2, 32)), {}) }), { biasBits: {} }),
});

/**
 * Reads a recipe. What depends on the net that it is for, `checkRecipe` checks.
 * @param text the file's contents; a byte order mark before them is no part of them
 * @param name of the file, for errors
 * @throws MoteError RECIPE naming the place, such as `models/x.json: stages[2].epoch: unknown key; known are …`
 */
export function parseRecipe(text: string, name: string): Recipe {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new MoteError("RECIPE", printable(`${name}: not JSON: ${(error as Error).message}`));
  }
  try {
    const checked = recipe(value, "");
    const problem = contradiction(checked);
    if (problem !== undefined) throw new MoteError("RECIPE", problem);
    return Object.fromEntries(Object.entries(checked).filter(([, v]) => v !== undefined)) as unknown as Recipe;
  } catch (error) {
    if (error instanceof MoteError) throw new MoteError(error.code, printable(`${name}: ${error.message}`));
    throw error;
  }
}

/** What may follow a share or grid stage. Another of those is for the layers that the stages before left out. */
const AFTER_INTEGERS: readonly Stage["kind"][] = ["share", "grid", "dead-units", "calibrate"];

/** What is well-formed but makes no sense. */
function contradiction(
  checked: Checked<Record<string, never>> & {
    stages: readonly Stage[];
    batch: number;
    bank?: unknown;
    distill?: unknown;
  },
): string | undefined {
  if (checked.batch % 32 !== 0) return `batch: expected a multiple of 32, got ${checked.batch}`;
  if (checked.distill !== undefined && checked.bank === undefined)
    return "distill: needs a bank, whose copies carry the teacher's logits";
  const early = checked.stages.findIndex((s) => s.kind === "prune" && s.score === "rate" && s.schedule === "one-shot");
  if (early >= 0) return `stages[${early}].score: rate needs the gradients of a gradual schedule`;
  const late = checked.stages.findIndex((s, i) => s.kind === "narrow" && i > 0);
  if (late > 0) return `stages[${late}]: narrow must come first`;
  const onGrid = checked.stages.findIndex((s) => s.kind === "share" || s.kind === "grid");
  const calibrated = checked.stages.findIndex((s) => s.kind === "calibrate");
  if (onGrid < 0) return "stages: one share or grid stage must bring the weights to their integers";
  if (calibrated < 0) return "stages: a calibrate stage must end the recipe";
  for (let i = 0; i < checked.stages.length; i++) {
    const { kind } = checked.stages[i];
    if (i > onGrid && !AFTER_INTEGERS.includes(kind))
      return `stages[${i}]: ${kind} cannot follow ${checked.stages[onGrid].kind}, which fixes the weights`;
    if (i > calibrated) return `stages[${i}]: ${kind} cannot follow calibrate`;
  }
  return undefined;
}
