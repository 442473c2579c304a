/** What a sweep came to: a row for each variant, and for each setting the mean and the spread over its seeds. */
import type { JobModel, JobStage } from "./job.js";
import type { MetricName } from "../train/losses.js";
import type { Variant } from "./vary.js";

export interface SweepRow {
  /** From 1 on. */
  readonly variant: number;
  readonly values: Readonly<Record<string, unknown>>;
  readonly bytes?: number;
  /** Of the integers, in percent, or a mean square; see StageReport. */
  readonly validationError?: number;
  readonly metric?: MetricName;
  /** Wrong classes, where each sample has one. */
  readonly validationErrors?: number;
  readonly nonZeros?: number;
  readonly weights?: number;
  /** SHA-256 of the model. */
  readonly sha256?: string;
  /** Why there is no model. */
  readonly problem?: string;
}

export interface Spread {
  readonly mean: number;
  /** Standard deviation of a sample, by n - 1; 0 of one value. */
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
}

export interface SweepGroup {
  /** What is varied besides seeds. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Those that came to a model. */
  readonly count: number;
  readonly bytes: Spread;
  readonly validationError: Spread;
}

export function rowOf(
  variant: number,
  { values }: Variant,
  made: { readonly stages: readonly JobStage[]; readonly model?: JobModel } | { readonly problem: string },
): SweepRow {
  if ("problem" in made) return { variant, values, problem: made.problem };
  const model = made.model!;
  const { nonZeros, weights } = made.stages.at(-1)!;
  return {
    variant,
    values,
    bytes: model.bytes,
    validationError: model.error,
    metric: model.metric,
    ...(model.errors !== undefined && { validationErrors: model.errors }),
    nonZeros,
    weights,
    sha256: model.container,
  };
}

const isSeed = (path: string): boolean => path === "seed" || path.endsWith(".seed");

/** In the order of their first variants. Settings without any model are left out. */
export function groupsOf(rows: readonly SweepRow[]): SweepGroup[] {
  const groups = new Map<string, SweepRow[]>();
  for (const row of rows) {
    if (row.bytes === undefined) continue;
    const key = JSON.stringify(withoutSeeds(row.values));
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((members) => ({
    values: withoutSeeds(members[0].values),
    count: members.length,
    bytes: spreadOf(members.map((row) => row.bytes!)),
    validationError: spreadOf(members.map((row) => row.validationError!)),
  }));
}

const withoutSeeds = (values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([path]) => !isSeed(path)));

export function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1));
  return { mean, deviation, least: Math.min(...values), most: Math.max(...values) };
}

/** A value as a cell shows it. */
export const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** RFC 4180, a line for each row. */
export function csvOf(rows: readonly SweepRow[]): string {
  const paths = Object.keys(rows[0].values);
  const figures = [
    "bytes",
    "validationError",
    "metric",
    "validationErrors",
    "nonZeros",
    "weights",
    "sha256",
    "problem",
  ] as const;
  const lines = [
    ["variant", ...paths, ...figures],
    ...rows.map((row) => [
      String(row.variant),
      ...paths.map((path) => shown(row.values[path])),
      ...figures.map((figure) => (row[figure] === undefined ? "" : String(row[figure]))),
    ]),
  ];
  return lines.map((cells) => cells.map(quoted).join(",") + "\r\n").join("");
}

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
