/** The three k-means initialisations side by side, before any fine-tuning: what Figures 4 and 8 of Deep Compression compare. */
import type { InitComparison } from "../../compress/compare-init.js";
import { barChart } from "../charts.js";
import type { Part } from "../page.js";
import { percent } from "../table.js";

const TITLE: Readonly<Record<string, string>> = { forgy: "Forgy (random)", density: "density", linear: "linear" };

/** @param bits of every layer's codebook @param source of the samples that the error is of */
export function initsPart(results: readonly InitComparison[], bits: number, source: string): Part {
  const layers = results[0].layers.map(({ layer }) => layer);
  return {
    id: "inits",
    title: "Initialisations of k-means",
    blocks: [
      {
        kind: "table",
        id: "inits",
        caption: `${bits} bits a weight, before fine-tuning: mean squared error of each layer, and error on ${source}`,
        columns: [
          { head: "initialisation" },
          ...layers.map((head) => ({ head, show: (value: number) => value.toExponential(2) })),
          { head: "error, %", show: percent },
        ],
        rows: results.map(({ init, layers: each, validationErrorPercent }) => [
          TITLE[init] ?? init,
          ...each.map((one) => one.meanSquaredError),
          validationErrorPercent,
        ]),
      },
      barChart({
        id: "inits-error",
        title: "Error by initialisation",
        description: `Of the net whose weights are the nearest of ${2 ** bits} centroids, ${source}: ${results.map(({ init, validationErrorPercent }) => `${init} ${percent(validationErrorPercent)}`).join(", ")}.`,
        axis: { label: "error, %", show: (value) => String(Number(value.toPrecision(3))) },
        series: ["error"],
        rows: results.map(({ init, validationErrorPercent }) => ({
          label: TITLE[init] ?? init,
          values: [validationErrorPercent],
          texts: [percent(validationErrorPercent)],
        })),
      }),
    ],
  };
}
