/** The results of `mote sweep`: tables and a picture in a folder, the models beside them, and what the terminal shows of it. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MoteError, printable } from "../host/errors.js";
import { folderOf, movedRecipe } from "../host/node/compress/recipe-files.js";
import type { Recipe } from "../host/compress/recipe.js";
import { describeSystemError, writeFileAtomic } from "../host/node/write-file.js";
import { errorName, errorText } from "../host/report/error-text.js";
import { paretoFront, type SweepJob } from "../host/report/parts/pareto.js";
import { plotLines, sweepPlot } from "../host/report/sweep-plot.js";
import { csvOf, groupsOf, shown, type Spread, type SweepGroup, type SweepRow } from "../host/sweep/summary.js";
import type { Variant } from "../host/sweep/vary.js";
import type { MetricName } from "../host/train/losses.js";
import type { Output } from "./output.js";

export const SWEEP_FILES = ["sweep.csv", "sweep.json", "sweep.svg"] as const;

/** More rows than a terminal shows at once are left to the files. */
const MOST_ROWS = 40;

const saying = (values: Readonly<Record<string, unknown>>): string =>
  Object.entries(values)
    .map(([path, value]) => `${path}=${shown(value)}`)
    .join(" ");

const errorOf = ({ validationError, metric }: SweepRow): string => errorText(validationError!, metric!);

/** All of a sweep's are judged by the same; "accuracy" where none came to a model. */
const metricOf = (rows: readonly SweepRow[]): MetricName =>
  rows.find(({ metric }) => metric !== undefined)?.metric ?? "accuracy";

const pointsOf = (rows: readonly SweepRow[]): (SweepJob & { readonly row: SweepRow })[] =>
  rows
    .filter((row) => row.bytes !== undefined)
    .map((row) => ({
      row,
      bytes: row.bytes!,
      error: row.validationError!,
      name: `${row.variant}: ${saying(row.values)}; ${row.bytes} bytes, ${errorOf(row)}`,
    }));

/** What scripts read, in sweep.json and by --json. */
function sweepObject(recipe: string, rows: readonly SweepRow[]): object {
  const front = paretoFront(pointsOf(rows)).map(({ row }) => row.variant);
  return { recipe, variants: rows, groups: groupsOf(rows), front };
}

/**
 * What an earlier sweep has left in the folder goes, so that each model in it has a row.
 * @param modelOf the `.mote` file of a row that has one
 * @returns the paths of all files
 * @throws MoteError FILE, SERVER
 */
export async function writeSweep(
  folder: string,
  recipe: string,
  variants: readonly Variant[],
  rows: readonly SweepRow[],
  modelOf: (row: SweepRow) => Promise<Uint8Array>,
): Promise<string[]> {
  const written: string[] = [];
  // Files of these names where no sweep has been are somebody else's.
  const isSweep = existsSync(join(folder, SWEEP_FILES[1]));
  const write = (name: string, content: Uint8Array | string): void => {
    writeFileAtomic(join(folder, name), content);
    written.push(join(folder, name));
  };
  const besideModel = (made: Recipe): Recipe => movedRecipe(made, folderOf(recipe), join(folder, "models"));
  const digits = String(rows.length).length;
  for (const row of rows) {
    const name = join("models", String(row.variant).padStart(digits, "0"));
    if (row.sha256 !== undefined) write(`${name}.mote`, await modelOf(row));
    write(`${name}.json`, JSON.stringify(besideModel(variants[row.variant - 1].recipe), undefined, 2) + "\n");
  }
  const [csv, json, svg] = SWEEP_FILES;
  write(csv, csvOf(rows));
  const points = pointsOf(rows);
  if (points.length > 0) {
    const means = groupsOf(rows)
      .filter(({ count }) => count > 1)
      .map(({ values, bytes, validationError: error }) => ({
        name: `${saying(values)}: mean of its seeds`,
        bytes: bytes.mean,
        error: error.mean,
        bytesDeviation: bytes.deviation,
        errorDeviation: error.deviation,
      }));
    write(svg, sweepPlot(`${recipe}: ${points.length} models`, metricOf(rows), points, means));
  }
  // Before the file that says that a sweep has been here: one that is stopped in between leaves it to the next.
  if (isSweep) removeEarlier(folder, new Set(written));
  write(json, JSON.stringify(sweepObject(recipe, rows), undefined, 2) + "\n");
  return written;
}

/** Models, recipes and a picture that are not among the files just written. @throws MoteError FILE */
function removeEarlier(folder: string, written: ReadonlySet<string>): void {
  const models = join(folder, "models");
  const numbered = readdirSync(models).filter((name) => /^\d+\.(mote|json)$/.test(name));
  for (const path of [...numbered.map((name) => join(models, name)), join(folder, SWEEP_FILES[2])]) {
    if (written.has(path)) continue;
    try {
      rmSync(path, { force: true });
    } catch (error) {
      throw new MoteError("FILE", printable(`${path}: cannot be removed: ${describeSystemError(error)}`));
    }
  }
}

export function showSweep(output: Output, recipe: string, rows: readonly SweepRow[], written: readonly string[]): void {
  if (rows.length <= MOST_ROWS) output.table(rowTable(rows));
  else output.line(`${rows.length} variants: see sweep.csv`);
  const groups = groupsOf(rows);
  if (groups.some(({ count }) => count > 1)) {
    output.line();
    output.table(groupTable(groups, metricOf(rows)));
  }
  const points = pointsOf(rows);
  if (points.length > 1) {
    output.line();
    for (const line of plotLines(metricOf(rows), points)) output.line(line);
  }
  output.line();
  output.lines([`wrote ${written.length} files: ${written.at(-1)} and what is beside it`]);
  output.json(() => ({ ...sweepObject(recipe, rows), written }));
}

function rowTable(rows: readonly SweepRow[]): string[][] {
  const paths = Object.keys(rows[0].values);
  return [
    ["variant", ...paths, "bytes", "validation", "non-zeros"],
    ...rows.map((row) => [
      String(row.variant),
      ...paths.map((path) => shown(row.values[path])),
      ...(row.problem === undefined
        ? [String(row.bytes), errorOf(row), String(row.nonZeros)]
        : ["none", "diverged", ""]),
    ]),
  ];
}

function groupTable(groups: readonly SweepGroup[], metric: MetricName): string[][] {
  const paths = Object.keys(groups[0].values);
  const ofBytes = (value: number): string => value.toFixed(0);
  const ofErrors = (value: number): string => (metric === "mse" ? value.toPrecision(4) : value.toFixed(2));
  const spread = ({ mean, deviation }: Spread, show: (value: number) => string): string =>
    `${show(mean)} ± ${show(deviation)}`;
  return [
    ["models", ...paths, "bytes", errorName(metric), "least", "most"],
    ...groups.map(({ values, count, bytes, validationError: error }) => [
      String(count),
      ...paths.map((path) => shown(values[path])),
      spread(bytes, ofBytes),
      spread(error, ofErrors),
      ofErrors(error.least),
      ofErrors(error.most),
    ]),
  ];
}
