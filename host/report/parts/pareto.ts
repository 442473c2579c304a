/** Jobs of a sweep by bytes and error, and those that no other beats in both. */
import { lineChart, type Series } from "../charts.js";
import type { Part } from "../page.js";
import { bytesText, percent, type Table } from "../table.js";

export interface SweepJob {
  readonly name: string;
  readonly bytes: number;
  readonly error: number;
}

/** Jobs that no other is at once as small and as good as, the smallest first. */
export function paretoFront(jobs: readonly SweepJob[]): SweepJob[] {
  let best = Infinity;
  return jobs
    .toSorted((a, b) => a.bytes - b.bytes || a.error - b.error)
    .filter(({ error }) => {
      if (error >= best) return false;
      best = error;
      return true;
    });
}

export function paretoPart(jobs: readonly SweepJob[], source: string): Part {
  const front = paretoFront(jobs);
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
      points: jobs.filter((job) => !front.includes(job)).map(({ bytes, error }) => [bytes, error]),
      names: jobs.filter((job) => !front.includes(job)).map(({ name }) => name),
    },
  ];
  const [least, best] = [front[0], front.at(-1)!];
  const table: Table = {
    kind: "table",
    id: "pareto",
    caption: "Jobs that no other beats in both",
    columns: [{ head: "job" }, { head: "bytes", show: bytesText }, { head: "error, %", show: percent }],
    rows: front.map(({ name, bytes, error }) => [name, bytes, error]),
  };
  return {
    id: "pareto",
    title: "Sweep",
    blocks: [
      lineChart({
        id: "pareto-plot",
        title: "Error against bytes",
        description: `${jobs.length} jobs of ${source}, ${front.length} of which no other beats in both: from ${bytesText(least.bytes)} at ${percent(least.error)} to ${bytesText(best.bytes)} at ${percent(best.error)}.`,
        x: { label: "bytes of the container", isLog: true, show: (value) => value.toLocaleString("en") },
        y: { label: "error, %", show: String },
        series,
      }),
      table,
    ],
    data: [
      { ...table, id: "sweep", caption: "All jobs", rows: jobs.map(({ name, bytes, error }) => [name, bytes, error]) },
    ],
  };
}
