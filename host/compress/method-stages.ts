/** Stages that put other layers in the place of a layer, or other numbers in the place of its weights: what they are told, and its check. */
import {
  either,
  integer,
  number,
  object,
  oneOf,
  optional,
  record,
  schedule,
  type Check,
  type Schedule,
} from "./check-value.js";

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

export type MethodStage = LowRankStage | FlattenStage;

/** One value for all layers of an op, or an object by name, pattern or op, see `byLayer`. */
const ofOp =
  <T>(op: "dense" | "conv2d", check: Check<T>): Check<Record<string, T>> =>
  (value, path) =>
    typeof value === "object" && value !== null ? record(check)(value, path) : { [`op:${op}`]: check(value, path) };

const orFilters: Check<number | "filters"> = either(
  integer(1, 65535),
  oneOf<"filters">("filters"),
  (value) => typeof value === "string",
);

const absent = undefined as never;

/** A count, or a share below 1. */
const rank: Check<number> = (value, path) =>
  typeof value === "number" && value < 1 ? number(Number.MIN_VALUE, 1)(value, path) : integer(1, 65535)(value, path);

export const METHOD_CHECKS: { readonly [K in MethodStage["kind"]]: Check<Extract<MethodStage, { kind: K }>> } = {
  "low-rank": object({
    kind: oneOf("low-rank"),
    ...schedule(5, 0.001, 0),
    rank: optional(ofOp("dense", rank), absent),
    energy: optional(ofOp("dense", number(Number.MIN_VALUE, 1)), absent),
    bytes: optional(integer(1, 2 ** 31 - 1), absent),
  }),
  flatten: object({
    kind: oneOf("flatten"),
    ...schedule(5, 0.001, 0),
    rank: optional(ofOp("conv2d", orFilters), { "op:conv2d": "filters" as const }),
    init: optional(oneOf<"trained" | "scratch">("trained", "scratch"), "trained"),
  }),
};
