/** Jobs of a sweep by bytes and error, and those that no other beats in both. */
import type { MetricName } from "../../train/losses.js";
import { lineChart, type Series } from "../charts.js";
import { errorName, errorText } from "../error-text.js";
import type { Part } from "../page.js";
import { bytesText, type Table } from "../table.js";

export interface SweepJob {
  readonly name: string;
  readonly bytes: number;
  /** Percent, or with the metric "mse" what that is. */
  readonly error: number;
}

export interface SweepJobs {
  readonly jobs: readonly SweepJob[];
  /** That all are judged by. */
  readonly metric: MetricName;
  /** For people. */
  readonly source: string;
}

/** Jobs that no other is at once as small and as good as, the smallest first. */
export function paretoFront<J extends Omit<SweepJob, "name">>(jobs: readonly J[]): J[] {
  let best = Infinity;
  return jobs
    .toSorted((a, b) => a.bytes - b.bytes || a.error - b.error)
    .filter(({ error }) => {
      if (error >= best) return false;
      best = error;
      return true;
    });
}

export function paretoPart({ jobs, metric, source }: SweepJobs): Part {
  const showError = (error: number): string => errorText(error, metric);
  const front = paretoFront(jobs);
  const unbeaten = new Set(front);
  const others = jobs.filter((job) => !unbeaten.has(job));
  const series: Series[] = [
    {
      name: "no other is smaller and better",
      points: front.map(({ bytes, error }) => [bytes, error]),
      names: front.map(({ name }) => name),
      isJoined: true,
      isNamed: true,
    },
    {
      name: "other jobs",
      points: others.map(({ bytes, error }) => [bytes, error]),
      names: others.map(({ name }) => name),
    },
  ];
  const [least, best] = [front[0], front.at(-1)!];
  const table: Table = {
    kind: "table",
    id: "pareto",
    caption: "Jobs that no other beats in both",
    columns: [{ head: "job" }, { head: "bytes", show: bytesText }, { head: errorName(metric), show: showError }],
    rows: front.map(({ name, bytes, error }) => [name, bytes, error]),
  };
  return {
    id: "pareto",
    title: "Sweep",
    blocks: [
      lineChart({
        id: "pareto-plot",
        title: "Error against bytes",
        description: `${jobs.length} jobs of ${source}, ${front.length} of which no other beats in both: from ${bytesText(least.bytes)} at ${showError(least.error)} to ${bytesText(best.bytes)} at ${showError(best.error)}.`,
        x: { label: "bytes of the container", isLog: true, show: (value) => value.toLocaleString("en") },
        y: { label: errorName(metric), show: String },
        series,
      }),
      table,
    ],
    data: [
      { ...table, id: "sweep", caption: "All jobs", rows: jobs.map(({ name, bytes, error }) => [name, bytes, error]) },
    ],
  };
}
