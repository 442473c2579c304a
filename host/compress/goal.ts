/** What a search is to reach: limits for what a model takes, and how much worse than the given net it may be. */
import { MoteError } from "../errors.js";
import type { Graph } from "../model/model.js";
import type { Figures } from "./figures.js";

/** Upper limits; at least one. */
export interface Goal {
  /** Of the container. */
  readonly bytes?: number;
  readonly ram?: number;
  readonly instructions?: number;
  /** Points of validation error above the given net's; then the smallest model is looked for, else that of the least error. */
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

/** "1,800 bytes, 20,000 bytes of RAM" */
export function goalText({ bytes, ram, instructions, maxDrop }: Goal): string {
  const grouped = (value: number): string => value.toLocaleString("en-US");
  return [
    bytes === undefined ? [] : `${grouped(bytes)} bytes`,
    ram === undefined ? [] : `${grouped(ram)} bytes of RAM`,
    instructions === undefined ? [] : `${grouped(instructions)} instructions`,
    maxDrop === undefined ? [] : `${maxDrop} points more error`,
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
