/** What a recipe that nobody has written has beside its stages: data, distillation from the net that is given, augmentation. */
import type { DataSpec } from "../data/data-spec.js";
import type { Samples } from "../data/samples.js";
import { kindOf } from "../data/training-set.js";
import type { Net } from "../model/model.js";
import type { Augmentation } from "../train/augment.js";
import type { Task } from "../train/losses.js";
import { round, type RecipeHead } from "./candidates.js";
import { trainingEpochs, type Budget } from "./search.js";

/** Strength for pictures: stronger is for longer training than a search does. */
const AUGMENT = 0.3;
const MOST_COPIES = 4;
/** So few make smaller batches, for enough steps an epoch. */
const FEW_SAMPLES = 5000;
/** Bytes that a bank's values may take. */
const BANK_BYTES = 4e8;
/** Of a teacher where there is none: share of the budget, beside the search's. */
const TEACHER_SHARE = 0.4;
const TEACHER_EPOCHS = { least: 1, most: 40 };

export interface HeadOptions {
  /** A name, or a file's. */
  readonly net: string;
  readonly given: Net;
  readonly data: DataSpec;
  readonly train: Samples;
  readonly task: Task | undefined;
  readonly seed: number;
  readonly budget: Budget;
  /** Absent: what suits the kind of samples. */
  readonly augment: Augmentation | undefined;
  /** How the container is written, where that was asked for. */
  readonly pack?: RecipeHead["pack"];
}

export function headFor({ net, given, data, train, task, seed, budget, augment, pack }: HeadOptions): RecipeHead {
  // Of a net with states the input is a step's, a vector.
  const isPicture = kindOf(given.graph.input.shape) === "image";
  const copies = Math.max(1, Math.min(MOST_COPIES, Math.floor(BANK_BYTES / train.images.byteLength)));
  const tellsClasses = task === undefined || task.loss === "softmax";
  const epochs = TEACHER_SHARE * trainingEpochs(budget, given.graph, train.count);
  return {
    net,
    data,
    ...(task && { task }),
    seed,
    batch: train.count < FEW_SAMPLES ? 32 : 128,
    augment: augment ?? (isPicture ? AUGMENT : 0),
    ...(given.tensors.size === 0 && {
      teacher: {
        epochs: round(Math.min(TEACHER_EPOCHS.most, Math.max(TEACHER_EPOCHS.least, epochs)), 3),
        lr: 0.0013,
        weightDecay: 0.02,
      },
    }),
    // The softened answers of a teacher are those of classes.
    ...(tellsClasses
      ? { bank: { copies: isPicture || augment !== undefined ? copies : 1 }, distill: { alpha: 0.7, temperature: 2 } }
      : {}),
    ...(pack && { pack }),
  };
}
