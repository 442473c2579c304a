/** A compression recipe: one JSON file that makes a model from its data, and the strict check of its schema. */
import { MoteError, printable } from "../errors.js";
import { checkDataSpec, type OwnData } from "../data/data-spec.js";
import { checkAugmentation, type Augmentation } from "../train/augment.js";
import { LOSS_KINDS, METRIC_NAMES, metricOf, type LossKind, type MetricName, type Task } from "../train/losses.js";
import type { Dropout } from "../train/dropout.js";
import type { ElementBits } from "../model/elements.js";
import type { RangeChoice } from "../quantize/calibrate.js";
import {
  absent,
  either,
  fail,
  integer,
  layered,
  number,
  object,
  oneOf,
  optional,
  record,
  schedule,
  text,
  type Check,
  type Checked,
  type Schedule,
} from "./check-value.js";
import { CODEC_NAMES, type CodecChoice } from "../codecs/index.js";
import { CONTAINER_KINDS, type ContainerKind, type WriteOptions } from "../container/write.js";
import type { ChannelScore } from "./channels.js";
import { METHOD_CHECKS, type MethodStage } from "./method-stages.js";
import { PRUNE_SCORES, type Keep, type PruneScore } from "./prune.js";
import type { CentroidInit } from "./share.js";
import { SURGERY_SCORES, type SurgeryScore } from "./surgery.js";

export interface TeacherSettings extends Schedule {
  /** As `Recipe.net`: another net than the recipe's, which then begins as it is, or is drawn from the seed. */
  readonly net?: string;
  /** Nets of that graph, trained by the seeds from `seed` on; the teacher's logits are the mean of theirs. */
  readonly members: number;
  readonly seed: number;
  readonly augment: Augmentation;
  readonly weightDecay: number;
  readonly dropout?: Dropout;
}

export type { Schedule } from "./check-value.js";

/** Only the given layers' live units exist; the net is trained from scratch. Must come first. */
export interface NarrowStage {
  readonly kind: "narrow";
  readonly units: Readonly<Record<string, number>>;
}

/** Trains several nets from weights that are drawn anew, see stages.ts, and goes on with the best. Must come first, or behind narrow. */
export interface StartsStage extends Schedule {
  readonly kind: "starts";
  /** Nets; each has the schedule for itself. */
  readonly starts: number;
}

/** Decoupled, as the teacher's: each step multiplies weights by 1 - lr × weightDecay, and takes lr × l1 off their magnitudes. */
export interface Regularization {
  readonly weightDecay?: number;
  readonly l1?: number;
  /** Of dense layers' inputs, see dropout.ts; rates fall with the connections that are left. */
  readonly dropout?: Dropout;
}

export interface TrainStage extends Schedule, Regularization {
  readonly kind: "train";
}

/** What is measured on the net that the stage begins with: see sensitivity.ts. */
export type Auto = "auto";

/** Prunes to `keep`; at once before the retraining, or gradually in its course. */
export interface PruneStage extends Schedule, Regularization {
  readonly kind: "prune";
  /** Left out only with `sparsity` or `quality`. */
  readonly keep?: Keep;
  /** In its place: weights below so many standard deviations of their layer's go, one number for all layers or by layer. */
  readonly quality?: Readonly<Record<string, number>>;
  /** How much of each layer is kept follows from what its pruning does to the loss; `keep`, one number, is then of all weights together. */
  readonly sparsity?: Auto;
  /** `sparsity` without `keep`: rise of the loss that pruning one layer alone may cause, as a share of what losing the worst one does. */
  readonly tolerance: number;
  readonly score: PruneScore;
  readonly schedule: "one-shot" | "gradual";
  /** Gradual: how often to prune. */
  readonly everyEpochs: number;
  /** Gradual: see `gradualKeep`. */
  readonly power: number;
  /** Scores "rate" and "codec": see `Price`. */
  readonly gamma: number;
  readonly multiplicationBits: number;
  /** Score "obs": what is added to the Hessian's diagonal, as a share of its mean. */
  readonly damping: number;
}

/** Dynamic network surgery, see surgery.ts: weights that are cut go on learning, and come back when they matter. */
export interface SurgeryStage extends Schedule {
  readonly kind: "surgery";
  readonly keep: Keep;
  readonly score: SurgeryScore;
  /** At "one-shot" thresholds are those of `keep` from the first step on, as in the paper. */
  readonly schedule: "one-shot" | "gradual";
  /** How often thresholds follow the weights. */
  readonly everyEpochs: number;
  readonly power: number;
  /** Around a threshold, as a share of it: no weight within goes or comes. */
  readonly margin: number;
  /** The probability that masks change in a step falls to 1 / (1 + decay). */
  readonly decay: number;
  /** Share of the stage after which the masks stay. */
  readonly until: number;
}

/** Removes whole channels of layers: `keep` is a share or count of each layer's, or by layer. At once before the retraining, or in its course. */
export interface ChannelsStage extends Schedule {
  readonly kind: "channels";
  readonly keep: Keep;
  readonly score: ChannelScore;
  /** As in PruneStage, with what follows. */
  readonly schedule: "one-shot" | "gradual";
  readonly everyEpochs: number;
  readonly power: number;
  readonly gamma: number;
  readonly multiplicationBits: number;
}

/** k-means codebooks of 2^bits centroids, fine-tuned by their gradient, then rounded to int8, in the layers that `bits` selects. */
export interface ShareStage<Bits = number | Auto> extends Schedule {
  readonly kind: "share";
  readonly bits: Readonly<Record<string, Bits>>;
  /** Of "auto": see PruneStage. */
  readonly tolerance?: number;
  readonly init: CentroidInit;
}

/** Progressive freezing to a uniform integer grid of step × mean |w|, of the layers that `step` selects. The others train along. */
export interface GridStage<Step = number | Auto> extends Schedule {
  readonly kind: "grid";
  /** By layer: grid step as a factor of the mean magnitude of the survivors. */
  readonly step: Readonly<Record<string, Step>>;
  /** Of "auto": see PruneStage. */
  readonly tolerance?: number;
  /** Shares in which the weights are frozen. */
  readonly parts: number;
  /** Largest integer magnitude, 1 .. 127. */
  readonly limit: number;
  /**
   * Whether a layer's rows have one step, the default, or each its own by its own mean magnitude, which takes 5 bytes a row in the container that
   * it has to earn.
   */
  readonly scales?: "layer" | "row";
}

/** Rate-distortion quantization to a uniform grid, see rdoq.ts, of the layers that `step` selects. Biases then learn, and the other layers. */
export interface RdoqStage<Step = number | Auto> extends Schedule {
  readonly kind: "rdoq";
  /** As of a grid. */
  readonly step: Readonly<Record<string, Step>>;
  readonly tolerance?: number;
  /** What a bit is worth, of the mean cost of an error of one step; 0: every weight goes to its nearest point. */
  readonly lambda: number;
  readonly limit: number;
}

/** Incremental network quantization to powers of two of `bits` bits, see inq.ts, of the layers that `bits` selects. The others train along. */
export interface InqStage extends Schedule {
  readonly kind: "inq";
  readonly bits: Readonly<Record<string, number>>;
}

/** Folds biases that need no relu, drops dead and constant units. */
export interface DeadUnitsStage {
  readonly kind: "dead-units";
}

/** Puts units into the order that codes best: see `reorder`. */
export interface ReorderStage {
  readonly kind: "reorder";
  /** Places tried for a unit of each layer. */
  readonly tries: number;
}

/** Scales of the activations from the first `samples` training samples. */
export interface CalibrateStage {
  readonly kind: "calibrate";
  readonly samples: number;
  /** Of each multiplier behind its first bit, where a small container has fewer than 30 of them. */
  readonly multiplierBits?: number;
  readonly range: RangeChoice;
  /** Of an element of every tensor. With 16 the range is all that is seen. Absent: 8. */
  readonly activationBits?: ElementBits;
}

/** Takes bits off biases, see biases.ts; where it has epochs, brings them to their grids as GridStage does weights, while those still free learn. */
export interface BiasesStage extends Schedule {
  readonly kind: "biases";
  /** What the validation error may rise by: points, or of the metric "mse" percent. */
  readonly tolerance: number;
}

export type Stage =
  | NarrowStage
  | StartsStage
  | TrainStage
  | ChannelsStage
  | PruneStage
  | SurgeryStage
  | ShareStage
  | GridStage
  | RdoqStage
  | InqStage
  | DeadUnitsStage
  | ReorderStage
  | CalibrateStage
  | BiasesStage
  | MethodStage;

export interface Recipe {
  /** `lenet5` or `lenet300`, or a file: a graph, or a trained net, which is the teacher and what the stages begin with. */
  readonly net: string;
  /** Paths are relative to the recipe. */
  readonly data: OwnData;
  /** Absent: one class a sample. */
  readonly task?: Task;
  /** Of the samples as they come, where there is no bank. */
  readonly augment: Augmentation;
  readonly seed: number;
  readonly batch: number;
  /** Left out only where the net is a trained one. */
  readonly teacher?: TeacherSettings;
  /** Augmented copies of the training samples, made once, with the teacher's logits: cheap epochs for a student. */
  readonly bank?: { readonly copies: number; readonly augment: Augmentation };
  /** Share and temperature of the teacher's soft targets; needs a bank. */
  readonly distill?: { readonly alpha: number; readonly temperature: number };
  readonly stages: readonly Stage[];
  readonly pack: PackSettings;
}

/** How the container is written. */
export interface PackSettings extends Pick<WriteOptions, "codec" | "decodeCost" | "container"> {
  /** Bits a bias may take, by layer; DEFAULT_BIAS_BITS for those not named. */
  readonly biasBits: Readonly<Record<string, number>>;
}

/** Of a stage's "auto". */
export const DEFAULT_TOLERANCE = 0.02;

/** With 8 instead of 32, lenet300-paper errs on as many of the 5,000 validation digits and lenet5-paper on one more. */
export const DEFAULT_BIAS_BITS = 8;

/** At 1 nothing would be left. */
const dropout = optional(layered(number(0, 0.95), "op:dense"), absent);
const regularization = {
  weightDecay: optional(number(0, 1), absent),
  l1: optional(number(0, 100), absent),
  dropout,
};
const amount = number(Number.MIN_VALUE, 1e9);
const isObject = (value: unknown): boolean => typeof value === "object";
const keep: Check<Keep> = either(amount, record(amount), isObject);
const auto = oneOf<Auto>("auto");
const orAuto = (check: Check<number>): Check<number | Auto> =>
  either(check, auto, (value) => typeof value === "string");
const seed = integer(0, 2 ** 31 - 1);
const augment: Check<Augmentation> = checkAugmentation;
const tolerance = optional(number(0, 1), DEFAULT_TOLERANCE);

const pruning = {
  schedule: optional(oneOf<"one-shot" | "gradual">("one-shot", "gradual"), "gradual"),
  everyEpochs: optional(number(0.001, 1000), 0.25),
  power: optional(number(0.1, 10), 1.5),
  gamma: optional(number(0, 10), 1),
  multiplicationBits: optional(number(0, 10), 0),
};

/** The best score that the schedule allows is the default. */
const withScore =
  <S extends PruneStage | ChannelsStage>(fields: Check<S>): Check<S> =>
  (value, path) => {
    const stage = fields(value, path);
    const best =
      stage.schedule === "gradual" && !("quality" in stage && stage.quality !== undefined) ? "rate" : "magnitude";
    return { ...stage, score: (stage.score as string | undefined) ?? best };
  };

const prune = object({
  kind: oneOf("prune"),
  ...schedule(10, 0.001, 0.001),
  ...regularization,
  keep: optional(keep, absent),
  quality: optional(layered(number(0, 100)), absent),
  sparsity: optional(auto, absent),
  tolerance,
  score: optional(oneOf<PruneScore>(...PRUNE_SCORES), absent),
  damping: optional(number(1e-6, 10), 0.01),
  ...pruning,
});

const channels = object({
  kind: oneOf("channels"),
  ...schedule(10, 0.001, 0.001),
  keep,
  score: optional(oneOf<ChannelScore>("magnitude", "rate"), absent),
  ...pruning,
});

const surgery = object({
  kind: oneOf("surgery"),
  ...schedule(10, 0.001, 0.0001),
  keep,
  score: optional(oneOf<SurgeryScore>(...SURGERY_SCORES), "magnitude"),
  schedule: optional(oneOf<"one-shot" | "gradual">("one-shot", "gradual"), "one-shot"),
  everyEpochs: optional(number(0.001, 1000), 0.1),
  power: optional(number(0.1, 10), 1.5),
  margin: optional(number(0, 0.9), 0.1),
  decay: optional(number(0, 1000), 20),
  until: optional(number(0.01, 1), 0.5),
});

const elementBits: Check<ElementBits> = (value, path) =>
  value === 8 || value === 16 ? value : fail(path, "8 or 16", value);

const stageChecks: { readonly [K in Stage["kind"]]: Check<Extract<Stage, { kind: K }>> } = {
  // A share of the layer's units, or their count.
  narrow: object({ kind: oneOf("narrow"), units: layered(number(Number.MIN_VALUE, 65535)) }),
  starts: object({ kind: oneOf("starts"), ...schedule(5, 0.001, 0), starts: optional(integer(2, 1000), 8) }),
  train: object({ kind: oneOf("train"), ...schedule(5, 0.001, 0), ...regularization }),
  prune: withScore<PruneStage>(prune),
  channels: withScore<ChannelsStage>(channels),
  surgery,
  share: object({
    kind: oneOf("share"),
    ...schedule(4, 1e-4, 0),
    bits: optional(layered(orAuto(integer(1, 8))), { "*": "auto" as const }),
    tolerance,
    init: optional(oneOf<CentroidInit>("forgy", "density", "linear"), "linear"),
  }),
  grid: object({
    kind: oneOf("grid"),
    ...schedule(10, 0.001, 5e-5),
    step: optional(layered(orAuto(number(0.01, 10))), { "*": "auto" as const }),
    tolerance,
    parts: optional(integer(1, 1000), 40),
    limit: optional(integer(1, 127), 127),
    scales: optional(oneOf<"layer" | "row">("layer", "row"), "layer"),
  }),
  rdoq: object({
    kind: oneOf("rdoq"),
    ...schedule(1, 0.001, 0),
    step: optional(layered(orAuto(number(0.01, 10))), { "*": "auto" as const }),
    tolerance,
    lambda: optional(number(0, 1e6), 0.02),
    limit: optional(integer(1, 127), 127),
  }),
  inq: object({ kind: oneOf("inq"), ...schedule(6, 0.001, 0), bits: optional(layered(integer(2, 5)), { "*": 5 }) }),
  "dead-units": object({ kind: oneOf("dead-units") }),
  reorder: object({ kind: oneOf("reorder"), tries: optional(integer(1, 1_000_000), 2000) }),
  calibrate: object({
    kind: oneOf("calibrate"),
    samples: optional(integer(1, 10_000_000), 2000),
    range: optional(oneOf<RangeChoice>("error", "full"), "error"),
    multiplierBits: optional(integer(0, 30), absent),
    activationBits: optional(elementBits, absent),
  }),
  biases: object({ kind: oneOf("biases"), ...schedule(0, 0.001, 0), tolerance: optional(number(0, 100), 0) }),
  ...METHOD_CHECKS,
};

export const STAGE_KINDS = Object.keys(stageChecks) as readonly Stage["kind"][];

const stage: Check<Stage> = (value, path) => {
  if (typeof value !== "object" || value === null) fail(path, "an object", value);
  const kind = oneOf(...STAGE_KINDS)((value as { kind?: unknown }).kind, `${path}.kind`);
  return stageChecks[kind](value, path);
};

const stages: Check<Stage[]> = (value, path) => {
  if (!Array.isArray(value) || value.length === 0) fail(path, "a list of stages", value);
  return (value as unknown[]).map((item, i) => stage(item, `${path}[${i}]`));
};

const weights: Check<number[]> = (value, path) =>
  Array.isArray(value)
    ? value.map((item, i) => number(0, 1e9)(item, `${path}[${i}]`))
    : fail(path, "a list of numbers", value);

const taskFields = object({
  loss: optional(oneOf<LossKind>(...LOSS_KINDS), "softmax"),
  metric: optional(oneOf<MetricName>(...METRIC_NAMES), absent),
  classWeights: optional(weights, absent),
});

const task: Check<Task> = (value, path) => {
  const checked = known(taskFields(value, path)) as Task;
  try {
    metricOf(checked);
  } catch (error) {
    if (error instanceof MoteError) throw new MoteError("RECIPE", `${path}.metric: ${error.message}`, { cause: error });
    throw error;
  }
  return checked;
};

const pack = object({
  // A signed number has two bits at least.
  biasBits: optional(layered(integer(2, 32)), {}),
  codec: optional(oneOf<CodecChoice>(...CODEC_NAMES), absent),
  decodeCost: optional(number(0, 1e9), absent),
  container: optional(oneOf<ContainerKind>(...CONTAINER_KINDS), absent),
});

/** What labels a bank is as large as all of them. */
const MAX_MEMBERS = 16;

const recipe = object({
  net: text,
  data: optional(checkDataSpec, { train: "mnist" }),
  task: optional(task, absent),
  augment: optional(augment, absent),
  seed: optional(seed, 1),
  batch: optional(integer(32, 1024), 128),
  teacher: optional(
    object({
      net: optional(text, absent),
      members: optional(integer(1, MAX_MEMBERS), 1),
      ...schedule(10, 0.001, 1e-5),
      seed: optional(seed, 1),
      augment: optional(augment, absent),
      weightDecay: optional(number(0, 1), 0.01),
      dropout,
    }),
    absent,
  ),
  bank: optional(object({ copies: optional(integer(1, 100), 4), augment: optional(augment, absent) }), absent),
  distill: optional(object({ alpha: optional(number(0, 1), 0.7), temperature: optional(number(0.1, 100), 2) }), absent),
  stages,
  pack: optional(pack, pack({}, "pack")),
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
    return withAugmentation(checked as unknown as Recipe);
  } catch (error) {
    if (error instanceof MoteError) throw new MoteError(error.code, printable(`${name}: ${error.message}`));
    throw error;
  }
}

/** Without the keys that nobody set. */
const known = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as T;

/** The recipe's augmentation is the teacher's and the bank's where they have none of their own, and without a bank the students'. */
function withAugmentation(checked: Recipe): Recipe {
  const { teacher, bank } = checked;
  const augment = checked.augment ?? teacher?.augment ?? 0;
  const own = <T extends object>(settings: T | undefined): T | undefined =>
    settings && { ...settings, augment: (settings as { augment?: Augmentation }).augment ?? augment };
  const filled = { ...checked, augment, teacher: own(teacher), bank: own(bank) };
  return known(filled) as Recipe;
}

/** Kinds that bring weights to their integers. */
export const INTEGER_STAGES: readonly Stage["kind"][] = [
  "share",
  "grid",
  "rdoq",
  "inq",
  "binary-connect",
  "binarize",
  "levels",
  "pq",
];

/** What may follow a stage that brings weights to their integers. Another of those is for the layers that the stages before left out. */
const AFTER_INTEGERS: readonly Stage["kind"][] = [...INTEGER_STAGES, "dead-units", "reorder", "calibrate", "biases"];

/** What is well-formed but makes no sense. */
function contradiction(
  checked: Checked<Record<string, never>> & {
    stages: readonly Stage[];
    batch: number;
    teacher?: { net?: unknown; members: number };
    bank?: unknown;
    distill?: unknown;
    pack: Recipe["pack"];
  },
): string | undefined {
  if (checked.batch % 32 !== 0) return `batch: expected a multiple of 32, got ${checked.batch}`;
  if (checked.distill !== undefined && checked.bank === undefined)
    return "distill: needs a bank, whose copies carry the teacher's logits";
  if (checked.teacher?.net !== undefined && checked.distill === undefined)
    return "teacher.net: needs distill, without which the net learns nothing of another one";
  if (checked.teacher !== undefined && checked.teacher.members > 1 && checked.teacher.net === undefined)
    return "teacher.members: needs teacher.net, since the recipe's net begins as its teacher where that is one of its own";
  for (const [i, s] of checked.stages.entries()) {
    if (s.kind !== "prune") continue;
    if (s.quality !== undefined && (s.keep ?? s.sparsity) !== undefined)
      return `stages[${i}].quality: stands in the place of keep and sparsity, not beside them`;
    if (s.quality !== undefined && s.score !== "magnitude")
      return `stages[${i}].quality: its thresholds are of magnitudes, not of the score ${s.score}`;
    if ((s.sparsity ?? s.quality ?? s.keep) === undefined)
      return `stages[${i}].keep: missing; or sparsity "auto", or quality`;
    if (s.sparsity !== undefined && typeof s.keep === "object")
      return `stages[${i}].keep: expected one number beside sparsity "auto", got an object`;
  }
  const prunes = (s: Stage) => s.kind === "prune" || s.kind === "channels";
  const early = checked.stages.findIndex(
    (s) => prunes(s) && (s.score === "rate" || s.score === "codec") && s.schedule === "one-shot",
  );
  if (early >= 0) {
    const { score } = checked.stages[early] as PruneStage;
    return `stages[${early}].score: ${score} needs the gradients of a gradual schedule`;
  }
  const late = checked.stages.findIndex((s, i) => s.kind === "narrow" && i > 0);
  if (late > 0) return `stages[${late}]: narrow must come first`;
  const again = checked.stages.findIndex(
    (s, i) => s.kind === "starts" && i > 0 && checked.stages[i - 1].kind !== "narrow",
  );
  if (again > 0) return `stages[${again}]: starts must come first, or right behind narrow`;
  const near = checked.stages.findIndex(({ kind }) => kind === "near");
  if (near >= 0 && checked.stages.length > 1)
    return `stages[${near}]: near stands alone, since scales and structure are those of the net it begins with`;
  if (near >= 0 && checked.teacher !== undefined)
    return "teacher: not beside near, which begins with the integers of the net given";
  if (near >= 0 && Object.keys(checked.pack.biasBits).length > 0)
    return "pack.biasBits: not beside near, whose biases have the bits of those of the net given";
  if (near >= 0) return undefined;
  const onGrid = checked.stages.findIndex(({ kind }) => INTEGER_STAGES.includes(kind));
  const calibrated = checked.stages.findIndex((s) => s.kind === "calibrate");
  if (onGrid < 0) return `stages: one ${INTEGER_STAGES.join(", ")} stage must bring the weights to their integers`;
  if (calibrated < 0) return "stages: a calibrate stage must end the recipe";
  for (let i = 0; i < checked.stages.length; i++) {
    const { kind } = checked.stages[i];
    if (i > onGrid && !AFTER_INTEGERS.includes(kind))
      return `stages[${i}]: ${kind} cannot follow ${checked.stages[onGrid].kind}, which fixes the weights`;
    const isBehind = kind === "reorder" || kind === "biases";
    if (i > calibrated && !isBehind) return `stages[${i}]: ${kind} cannot follow calibrate`;
    if (kind === "biases" && i < calibrated) return `stages[${i}]: biases must follow calibrate`;
  }
  return undefined;
}
