/** Stages that put other layers in the place of a layer, or other numbers in the place of weights: what they are told, and its check. */
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
  schedule,
  type Check,
  type Schedule,
} from "./check-value.js";
import type { FixedPoint, FixedRounding } from "../train/fixed-point.js";
import { LEVELS, type BinaryRounding, type LevelScale, type Levels } from "./latent.js";

/** Splits layers into two of low rank, see low-rank.ts, and trains what comes of them. */
export interface LowRankStage extends Schedule {
  readonly kind: "low-rank";
  /** By layer: ranks, or below 1 shares of the full rank. In its place `energy`. */
  readonly rank?: Readonly<Record<string, number>>;
  /** By layer: share of the sum of squared singular values that the least rank keeps; no rank is so large that nothing is saved. */
  readonly energy?: Readonly<Record<string, number>>;
  /** Of the container as it is estimated: the ranks that keep the most energy within it. */
  readonly bytes?: number;
}

/** Splits convolutions into ones of one dimension, see flatten.ts, and trains what comes of them. */
export interface FlattenStage extends Schedule {
  readonly kind: "flatten";
  /** By layer: each filter is a product by itself, or all are sums over so many. */
  readonly rank: Readonly<Record<string, number | "filters">>;
  /** Products near to the filters, or all weights of the net drawn anew from the seed. */
  readonly init: "trained" | "scratch";
}

/** Trains weights of two values, see latent.ts, of the layers that `rounding` selects. Biases learn as ever, and the other layers. */
export interface BinaryConnectStage extends Schedule {
  readonly kind: "binary-connect";
  readonly rounding: Readonly<Record<string, BinaryRounding>>;
}

/** Trains layers whose weights and outputs have two values, see binarize.ts: those that `rounding` selects. The others train along. */
export interface BinarizeStage extends Schedule {
  readonly kind: "binarize";
  readonly rounding: Readonly<Record<string, BinaryRounding>>;
}

/** Trains weights of few values, see latent.ts, of the layers that `levels` selects. The others train along. */
export interface LevelsStage extends Schedule {
  readonly kind: "levels";
  readonly levels: Readonly<Record<string, Levels>>;
  readonly scale: LevelScale;
  /** As of a grid. */
  readonly scales: "layer" | "row";
}

/** Product quantization, see product.ts, of the layers that `centroids` selects, whose codebooks then learn. The others train along. */
export interface PqStage extends Schedule {
  readonly kind: "pq";
  /** Of each sub-space, by layer. */
  readonly centroids: Readonly<Record<string, number>>;
  /** Weights of a sub-vector. */
  readonly width: number;
}

/** Trains in fixed point, see fixed-point.ts: weights, biases, activations, gradients and so what updates leave. */
export interface FixedPointStage extends Schedule, FixedPoint {
  readonly kind: "fixed-point";
  /** Whether it goes on with the weights that there are, or with ones drawn anew. */
  readonly init: "trained" | "scratch";
}

/** Lets few weights leave the integers that they have in the net that the recipe begins with, see near.ts. */
export interface NearStage extends Schedule {
  readonly kind: "near";
  /** How many may, of all layers together. */
  readonly weights: number;
}

export type MethodStage =
  | LowRankStage
  | FlattenStage
  | BinaryConnectStage
  | BinarizeStage
  | LevelsStage
  | PqStage
  | FixedPointStage
  | NearStage;

const orFilters: Check<number | "filters"> = either(
  integer(1, 65535),
  oneOf<"filters">("filters"),
  (value) => typeof value === "string",
);

const levels: Check<Levels> = (value, path) =>
  LEVELS.includes(value as Levels) ? (value as Levels) : fail(path, `one of ${LEVELS.join(", ")}`, value);

/** A count, or a share below 1. */
const rank: Check<number> = (value, path) =>
  typeof value === "number" && value < 1 ? number(Number.MIN_VALUE, 1)(value, path) : integer(1, 65535)(value, path);

const levelFields = object({
  kind: oneOf("levels"),
  ...schedule(10, 0.001, 0),
  levels: optional(layered(levels), { "*": 3 as const }),
  scale: optional(oneOf<LevelScale>("fit", "mean"), "fit"),
  scales: optional(oneOf<"layer" | "row">("layer", "row"), "layer"),
});

const rounding = optional(layered(oneOf<BinaryRounding>("deterministic", "stochastic")), {
  "*": "deterministic" as const,
});

const fixedPointFields = object({
  kind: oneOf("fixed-point"),
  ...schedule(5, 0.001, 0),
  integerBits: optional(integer(1, 16), 4),
  fractionBits: optional(integer(1, 23), 12),
  rounding: optional(oneOf<FixedRounding>("nearest", "stochastic"), "stochastic"),
  init: optional(oneOf<"trained" | "scratch">("trained", "scratch"), "trained"),
});

export const METHOD_CHECKS: { readonly [K in MethodStage["kind"]]: Check<Extract<MethodStage, { kind: K }>> } = {
  "low-rank": object({
    kind: oneOf("low-rank"),
    ...schedule(5, 0.001, 0),
    rank: optional(layered(rank, "op:dense"), absent),
    energy: optional(layered(number(Number.MIN_VALUE, 1), "op:dense"), absent),
    bytes: optional(integer(1, 2 ** 31 - 1), absent),
  }),
  flatten: object({
    kind: oneOf("flatten"),
    ...schedule(5, 0.001, 0),
    rank: optional(layered(orFilters, "op:conv2d"), { "op:conv2d": "filters" as const }),
    init: optional(oneOf<"trained" | "scratch">("trained", "scratch"), "trained"),
  }),
  "binary-connect": object({
    kind: oneOf("binary-connect"),
    ...schedule(10, 0.001, 0),
    rounding,
  }),
  binarize: object({ kind: oneOf("binarize"), ...schedule(10, 0.001, 0), rounding }),
  levels: (value, path) => {
    const stage = levelFields(value, path);
    const many = Object.values(stage.levels).find((count) => count > 3);
    // Units of more values are parts of the mean magnitude.
    if (stage.scale === "mean" && many !== undefined) fail(`${path}.scale`, `"fit" beside ${many} levels`, stage.scale);
    return stage;
  },
  pq: object({
    kind: oneOf("pq"),
    ...schedule(4, 0.0005, 0),
    centroids: optional(layered(integer(2, 256)), { "*": 16 }),
    width: optional(integer(2, 64), 4),
  }),
  "fixed-point": (value, path) => {
    const stage = fixedPointFields(value, path);
    const { integerBits, fractionBits } = stage;
    // What a float32 holds exactly.
    if (integerBits + fractionBits > 24)
      fail(`${path}.fractionBits`, `at most ${24 - integerBits} beside ${integerBits} integerBits`, fractionBits);
    return stage;
  },
  near: object({ kind: oneOf("near"), ...schedule(4, 0.001, 0), weights: integer(1, 2 ** 31 - 1) }),
};
