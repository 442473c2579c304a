/** What a run of a recipe shows as it goes: a row a stage, a line of progress in it, and the tables of what was measured. */
import type { StageReport } from "../../host/compress/run-recipe.js";
import type { Sensitivity } from "../../host/compress/sensitivity.js";
import { errorText } from "../../host/report/error-text.js";
import { Progress } from "../../host/node/progress.js";
import type { Output } from "../output.js";

/** Printed row by row as stages end, so its widths are fixed: 60 columns. */
const HEAD = `${"stage".padEnd(14)} ${"validation".padStart(10)} ${"non-zeros".padStart(9)} ${"of".padStart(7)} ${"bytes".padStart(8)} ${"seconds".padStart(7)}`;

function row({ stage, error, nonZeros, weights, estimatedBytes, seconds, metric }: StageReport): string {
  const time = seconds === 0 ? "kept" : seconds.toFixed(0);
  return `${stage.padEnd(14)} ${errorText(error, metric).padStart(10)} ${String(nonZeros).padStart(9)} ${String(weights).padStart(7)} ${`~${estimatedBytes}`.padStart(8)} ${time.padStart(7)}`;
}

const HEADS = { density: "keeping", step: "step", bits: "bits" } as const;

/** Rise of the loss by layer and setting. */
function sensitivityTable({ knob, settings, layers, loss, samples }: Sensitivity): {
  readonly title: string;
  readonly rows: string[][];
} {
  return {
    title: `rise of the loss, ${loss.toFixed(4)} on ${samples} training samples, when one layer alone has this ${HEADS[knob]}`,
    rows: [
      ["layer", ...settings.map(String), "lost"],
      ...layers.map(({ layer, rises, lost }) => [layer, ...[...rises, lost].map((rise) => rise.toFixed(3))]),
    ],
  };
}

/** One progress line a stage. */
export class StageProgress {
  private current: { label: string; progress: Progress } | undefined;

  update(label: string, done: number, total: number, loss?: number): void {
    if (this.current?.label !== label) {
      this.finish();
      this.current = { label, progress: new Progress(label, total) };
    }
    this.current.progress.update(done, loss === undefined ? undefined : `loss ${loss.toFixed(4)}`);
  }

  finish(): void {
    this.current?.progress.finish();
    this.current = undefined;
  }
}

/** The table of a run's stages. */
export class StageTable {
  private isFirst = true;

  constructor(private readonly output: Output) {}

  add(report: StageReport): void {
    const { output } = this;
    if (report.sensitivity !== undefined) {
      const { title, rows } = sensitivityTable(report.sensitivity);
      output.line(title);
      output.table(rows);
      this.isFirst = true;
    }
    if (this.isFirst) output.line(HEAD);
    this.isFirst = false;
    output.line(row(report));
  }
}
