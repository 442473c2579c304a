/** What a search is to reach: limits for what a model takes, and how much worse than the given net it may be. */
import { MoteError } from "../errors.js";
import type { Graph } from "../model/model.js";
import type { MetricName } from "../train/losses.js";
import type { Figures } from "./figures.js";

/** Upper limits; at least one. */
export interface Goal {
  /** Of the container. */
  readonly bytes?: number;
  readonly ram?: number;
  readonly instructions?: number;
  /**
   * Points of validation error above the given net's, percent of it with the metric `mse`; then the smallest model is looked for, else that of the
   * least error.
   */
  readonly maxDrop?: number;
}

const LIMITED = ["bytes", "ram", "instructions"] as const;
export type Limits = Pick<Goal, (typeof LIMITED)[number]>;

/** The most that a figure takes of its limit: up to 1 all limits are met. */
export function excess(limits: Limits, figures: Figures): number {
  return LIMITED.reduce((most, key) => {
    const limit = limits[key];
    return limit === undefined ? most : Math.max(most, figures[key] / limit);
  }, 0);
}

/** Rounding of shares and their sums, far below what one sample more changes. */
const ROUNDING = 1e-9;

/**
 * The most that a model may err, where the given net errs so much: a percentage or share, as `maxDrop`, or with the metric `mse` what that is and `maxDrop`
 * percent of it. An error that is the limit as written, 4 % and 0.1 more being 4.1, is within it.
 */
export function mostError({ maxDrop }: Pick<Goal, "maxDrop">, given: number, metric: MetricName): number {
  if (maxDrop === undefined) return Infinity;
  return (given + (metric === "mse" ? given * (maxDrop / 100) : maxDrop)) * (1 + ROUNDING);
}

/** "1,800 bytes, 20,000 bytes of RAM" @param metric that the net is judged by */
export function goalText({ bytes, ram, instructions, maxDrop }: Goal, metric: MetricName = "accuracy"): string {
  const grouped = (value: number): string => value.toLocaleString("en-US");
  return [
    bytes === undefined ? [] : `${grouped(bytes)} bytes`,
    ram === undefined ? [] : `${grouped(ram)} bytes of RAM`,
    instructions === undefined ? [] : `${grouped(instructions)} instructions`,
    maxDrop === undefined ? [] : `${maxDrop} ${metric === "mse" ? "%" : "points"} more error`,
  ]
    .flat()
    .join(", ");
}

/** Of a net with states, what its figures are of: no line of others. */
export const stepLines = ({ steps }: Graph): string[] =>
  steps === undefined ? [] : [`Multiplications and instructions are of one step; a sample has ${steps}.`];

/** @throws MoteError ARGUMENT */
export function checkGoal(goal: Goal): void {
  if (LIMITED.every((key) => goal[key] === undefined) && goal.maxDrop === undefined)
    throw new MoteError("ARGUMENT", "a search needs a goal: bytes, memory, instructions or points of error");
}
