/** Error on distorted samples, of each model. */
import { barChart } from "../charts.js";
import type { Part } from "../page.js";
import { percent } from "../table.js";

export interface Robustness {
  /** "shift 2 px", "noise σ 25" */
  readonly distortion: string;
  /** In percent, one for each model. */
  readonly errors: readonly number[];
}

export function robustnessPart(models: readonly string[], rows: readonly Robustness[], source: string): Part {
  return {
    id: "robustness",
    title: "Robustness",
    blocks: [
      {
        kind: "table",
        id: "robustness",
        caption: `Error on distorted samples, ${source}`,
        columns: [{ head: "distortion" }, ...models.map((name) => ({ head: `${name}, %`, show: percent }))],
        rows: rows.map(({ distortion, errors }) => [distortion, ...errors]),
      },
      barChart({
        id: "robustness-bars",
        title: "Error on distorted samples",
        description: `${rows.length} distortions of ${source}, the bars of a group by model.`,
        axis: { label: "error, %", show: (value) => String(Number(value.toPrecision(3))) },
        series: models,
        rows: rows.map(({ distortion, errors }) => ({ label: distortion, values: errors, texts: errors.map(percent) })),
      }),
    ],
  };
}
