/** Jobs of a sweep from its table: CSV with a line of heads, or a JSON list of objects. */
import { basename, extname } from "node:path";
import { parse } from "csv-parse/sync";
import { MoteError, printable } from "../../errors.js";
import { isRecord, parseJson } from "../../json.js";
import type { SweepJob, SweepJobs } from "../../report/parts/pareto.js";
import { METRIC_NAMES, type MetricName } from "../../train/losses.js";
import { readFile } from "../read-file.js";

/** What a column may be called. */
const BYTES = ["bytes", "containerBytes", "estimatedBytes"];
const ERROR = ["validationError", "errorPercent", "error, %", "error"];
const NAME = ["name", "job", "variant"];
/** Where the list may be in an object. */
const LISTS = ["jobs", "variants", "rows", "results"];

/**
 * A column `metric` tells what errors are, else they are percentages. Rows without numbers, of jobs that failed or are not done, are
 * left out.
 * @throws MoteError FILE, FORMAT
 */
export function readSweep(path: string): SweepJobs {
  const text = new TextDecoder().decode(readFile(path));
  const rows = extname(path) === ".json" ? jsonRows(text, path) : csvRows(text, path);
  const heads = new Set(rows.flatMap((row) => Object.keys(row)));
  const column = (names: readonly string[]): string => {
    const found = names.find((name) => heads.has(name));
    if (found !== undefined) return found;
    throw new MoteError(
      "FORMAT",
      printable(`${path}: no column ${names.join(" or ")}; it has ${[...heads].slice(0, 20).join(", ")}`),
    );
  };
  const [bytes, error] = [column(BYTES), column(ERROR)];
  const name = NAME.find((one) => heads.has(one));
  const jobs = rows.flatMap((row, at): SweepJob[] => {
    const job = {
      name: name === undefined ? String(at) : String(row[name]),
      bytes: amount(row[bytes]),
      error: amount(row[error]),
    };
    return Number.isFinite(job.bytes) && job.bytes > 0 && Number.isFinite(job.error) ? [job] : [];
  });
  if (jobs.length === 0) throw new MoteError("FORMAT", printable(`${path}: no job with bytes and an error`));
  const metrics = new Set(rows.flatMap(({ metric }) => (metric === undefined || metric === "" ? [] : [metric])));
  const [metric = "accuracy"] = metrics;
  if (metrics.size > 1 || !METRIC_NAMES.some((known) => known === metric))
    throw new MoteError(
      "FORMAT",
      printable(`${path}: metric ${[...metrics].join(", ")}: expected one of ${METRIC_NAMES.join(", ")}`),
    );
  return { jobs, metric: metric as MetricName, source: basename(path) };
}

const amount = (value: unknown): number =>
  value === "" || value === null || value === undefined ? NaN : Number(value);

function jsonRows(text: string, path: string): Record<string, unknown>[] {
  const value = parseJson(text, path, "sweep");
  const list = isRecord(value) ? LISTS.map((key) => value[key]).find(Array.isArray) : value;
  if (!Array.isArray(list) || !list.every(isRecord))
    throw new MoteError(
      "FORMAT",
      printable(`${path}: expected a list of jobs, or an object with one under ${LISTS.join(", ")}`),
    );
  return list;
}

function csvRows(text: string, path: string): Record<string, unknown>[] {
  try {
    return parse(text, { columns: true, bom: true, trim: true, skip_empty_lines: true });
  } catch (error) {
    throw new MoteError("FORMAT", printable(`${path}: ${(error as Error).message}`), { cause: error });
  }
}
