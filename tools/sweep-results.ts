/** The results of `mote sweep`: tables and a picture in a folder, the models beside them, and what the terminal shows of it. */
import { join } from "node:path";
import { writeFileAtomic } from "../host/node/write-file.js";
import { frontOf, plotLines, sweepPlot, type SweepPoint } from "../host/report/sweep-plot.js";
import { csvOf, groupsOf, shown, type Spread, type SweepGroup, type SweepRow } from "../host/sweep/summary.js";
import type { Variant } from "../host/sweep/vary.js";
import type { Output } from "./output.js";

export const SWEEP_FILES = ["sweep.csv", "sweep.json", "sweep.svg"] as const;

/** More rows than a terminal shows at once are left to the files. */
const MOST_ROWS = 40;

const saying = (values: Readonly<Record<string, unknown>>): string =>
  Object.entries(values)
    .map(([path, value]) => `${path}=${shown(value)}`)
    .join(" ");

const pointsOf = (rows: readonly SweepRow[]): (SweepPoint & { readonly row: SweepRow })[] =>
  rows
    .filter((row) => row.bytes !== undefined)
    .map((row) => ({
      row,
      bytes: row.bytes!,
      error: row.validationError!,
      name: `${row.variant}: ${saying(row.values)}; ${row.bytes} bytes, ${row.validationError!.toFixed(2)} %`,
    }));

/** What scripts read, in sweep.json and by --json. */
export function sweepObject(recipe: string, rows: readonly SweepRow[]): object {
  const front = frontOf(pointsOf(rows)).map(({ row }) => row.variant);
  return { recipe, variants: rows, groups: groupsOf(rows), front };
}

/**
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
  const write = (name: string, content: Uint8Array | string): void => {
    writeFileAtomic(join(folder, name), content);
    written.push(join(folder, name));
  };
  const digits = String(rows.length).length;
  for (const row of rows) {
    const name = join("models", String(row.variant).padStart(digits, "0"));
    if (row.sha256 !== undefined) write(`${name}.mote`, await modelOf(row));
    write(`${name}.json`, JSON.stringify(variants[row.variant - 1].recipe, undefined, 2) + "\n");
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
    write(svg, sweepPlot(`${recipe}: ${points.length} models`, points, means));
  }
  write(json, JSON.stringify(sweepObject(recipe, rows), undefined, 2) + "\n");
  return written;
}

export function showSweep(output: Output, recipe: string, rows: readonly SweepRow[], written: readonly string[]): void {
  if (rows.length <= MOST_ROWS) output.table(rowTable(rows));
  else output.line(`${rows.length} variants: see sweep.csv`);
  const groups = groupsOf(rows);
  if (groups.some(({ count }) => count > 1)) {
    output.line();
    output.table(groupTable(groups));
  }
  const points = pointsOf(rows);
  if (points.length > 1) {
    output.line();
    for (const line of plotLines(points)) output.line(line);
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
        ? [String(row.bytes), `${row.validationError!.toFixed(2)} %`, String(row.nonZeros)]
        : ["none", "diverged", ""]),
    ]),
  ];
}

function groupTable(groups: readonly SweepGroup[]): string[][] {
  const paths = Object.keys(groups[0].values);
  const spread = ({ mean, deviation }: Spread, digits: number): string =>
    `${mean.toFixed(digits)} ± ${deviation.toFixed(digits)}`;
  return [
    ["models", ...paths, "bytes", "validation %", "least", "most"],
    ...groups.map(({ values, count, bytes, validationError: error }) => [
      String(count),
      ...paths.map((path) => shown(values[path])),
      spread(bytes, 0),
      spread(error, 2),
      error.least.toFixed(2),
      error.most.toFixed(2),
    ]),
  ];
}
