/** What a layer of the float graph has beside op, name and edges: which values there may be, and how they are read. */
import type { Axes } from "../model/model.js";

export interface Attribute {
  /** What is wrong with a value, for people; null where nothing is. */
  problem(name: string, value: unknown): string | null;
  readonly isOptional?: true;
}

/** A number for both axes of a plane, or one for each. */
export type PerAxis = number | Axes;

/** Zeros on each side of a plane: one number for all, or one for each. */
export type Padding = number | Sides;
export type Sides = readonly [top: number, left: number, bottom: number, right: number];

export const axesOf = (value: PerAxis): Axes => (typeof value === "number" ? [value, value] : value);

export const sidesOf = (value: Padding): Sides => (typeof value === "number" ? [value, value, value, value] : value);

/** The most zeros on a side. */
export const mostPadding = (value: Padding): number => Math.max(...sidesOf(value));

const isWhole = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && (value as number) >= least;
const isReal = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

const said = (value: unknown): string =>
  typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "nothing");

function wholeProblem(name: string, value: unknown, least: number): string | null {
  return isWhole(value, least) ? null : `${name} must be a whole number of at least ${least}, got ${said(value)}`;
}

export const whole = (least: 0 | 1): Attribute => ({ problem: (name, value) => wholeProblem(name, value, least) });

function listProblem(name: string, value: unknown, parts: readonly string[], least: 0 | 1): string | null {
  if (!Array.isArray(value) || value.length !== parts.length)
    return `${name} must be [${parts.join(", ")}], got ${said(value)}`;
  const problems = parts.map((part, index) => wholeProblem(`${name} ${part}`, value[index], least));
  return problems.find((problem) => problem !== null) ?? null;
}

const PLANE_AXES = ["height", "width"] as const;
const PLANE_SIDES = ["top", "left", "bottom", "right"] as const;

/** One for each axis of a plane. */
export const axes = (least: 0 | 1): Attribute => ({
  problem: (name, value) => listProblem(name, value, PLANE_AXES, least),
});

/** One number or a list. */
const oneOrEach = (parts: readonly string[], least: 0 | 1): Attribute => ({
  problem: (name, value) =>
    Array.isArray(value) ? listProblem(name, value, parts, least) : wholeProblem(name, value, least),
});

export const perAxis = oneOrEach(PLANE_AXES, 1);
export const padding = oneOrEach(PLANE_SIDES, 0);

/** A number that is finite. */
export const real: Attribute = {
  problem: (name, value) => (isReal(value) ? null : `${name} must be a finite number, got ${said(value)}`),
};

export const positive: Attribute = {
  problem: (name, value) =>
    isReal(value) && value > 0 ? null : `${name} must be a positive number, got ${said(value)}`,
};

export const reals: Attribute = {
  problem: (name, value) =>
    Array.isArray(value) && value.every(isReal) ? null : `${name} must be a list of finite numbers, got ${said(value)}`,
};

export const oneOf = (values: readonly (string | number)[]): Attribute => ({
  problem: (name, value) =>
    values.includes(value as string | number)
      ? null
      : `${name} must be one of ${values.map(said).join(", ")}, got ${said(value)}`,
});

export const optional = ({ problem }: Attribute): Attribute => ({
  problem: (name, value) => (value === undefined ? null : problem(name, value)),
  isOptional: true,
});
