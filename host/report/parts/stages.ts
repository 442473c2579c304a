/** Error and bytes after each stage of a run, and what each took. */
import { barChart, lineChart } from "../charts.js";
import type { Part } from "../page.js";
import { errorName, errorText } from "../error-text.js";
import type { RunRecord } from "../run-record.js";
import { bytesText, percent, seconds, type Table } from "../table.js";

export function stagesPart({ stages, metric, model }: RunRecord): Part {
  const showError = (error: number): string => errorText(error, metric);
  const axis = metric === "mse" ? errorName(metric) : `validation ${errorName(metric)}`;
  const table: Table = {
    kind: "table",
    id: "stages",
    caption:
      "After each stage: validation error of the float net, weights that are not zero, and estimated bytes of the container",
    columns: [
      { head: "stage" },
      { head: axis, show: showError },
      { head: "non-zero" },
      { head: "of weights, %", show: percent },
      { head: "bytes", show: bytesText },
      { head: "epochs" },
      { head: "seconds", show: seconds },
    ],
    rows: [
      ...stages.map(({ stage, error, nonZeros, weights, bytes, epochs, seconds: took }) => {
        return [stage, error, nonZeros, weights === 0 ? null : (100 * nonZeros) / weights, bytes, epochs, took];
      }),
      ["packed, as integers", model.error, null, null, model.bytes, null, null],
    ],
  };
  const path = [
    ...stages.map(({ stage, bytes, error }) => ({ stage, bytes, error })),
    { stage: "packed", bytes: model.bytes, error: model.error },
  ];
  const [first, last] = [path[0], path.at(-1)!];
  const timed = stages.flatMap(({ seconds: took, ...stage }) => (took === null ? [] : [{ ...stage, took }]));
  const all = timed.reduce((sum, { took }) => sum + took, 0);
  const epochs = timed.reduce((sum, stage) => sum + stage.epochs, 0);
  return {
    id: "run",
    title: "Stages",
    blocks: [
      table,
      lineChart({
        id: "stages-path",
        title: "The way of the net",
        description: `Each point is the net after a stage, from ${bytesText(first.bytes)} at an error of ${showError(first.error)} to ${bytesText(last.bytes)} at ${showError(last.error)}. Down and to the left is better.`,
        x: { label: "bytes of the container, logarithmic", isLog: true, show: (value) => value.toLocaleString("en") },
        y: { label: axis },
        series: [
          {
            name: "after the stage",
            points: path.map(({ bytes, error }) => [bytes, error]),
            names: path.map(({ stage }) => stage),
            isJoined: true,
            isNamed: true,
          },
        ],
      }),
      ...(timed.length === 0
        ? []
        : [
            barChart({
              id: "stages-cost",
              title: "What each stage took",
              description: `${seconds(all)} in all on the machine that ran it, ${epochs} epochs of training.`,
              axis: { label: "seconds", show: seconds },
              series: ["seconds"],
              rows: timed.map(({ stage, took, epochs: trained }) => ({
                label: stage,
                values: [took],
                texts: [`${seconds(took)}${trained > 0 ? `, ${trained} epochs` : ""}`],
              })),
            }),
          ]),
    ],
  };
}
