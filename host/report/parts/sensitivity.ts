/** What pruning one layer alone, without retraining, costs: Figure 6 of Han et al. 2015, "Learning both weights and connections". */
import { lineChart } from "../charts.js";
import type { Part } from "../page.js";
import { percent } from "../table.js";

export interface Sensitivity {
  readonly layer: string;
  /** Error in percent by the percentage of the layer's weights that is kept. */
  readonly points: readonly (readonly [kept: number, error: number])[];
}

/** Curves of a picture. */
const MOST_CURVES = 6;

/** @param source what the error is of */
export function sensitivityPart(layers: readonly Sensitivity[], source: string): Part {
  const kept = [...new Set(layers.flatMap(({ points }) => points.map(([share]) => share)))].toSorted((a, b) => b - a);
  const pictures = Array.from({ length: Math.ceil(layers.length / MOST_CURVES) }, (_, page) =>
    layers.slice(page * MOST_CURVES, (page + 1) * MOST_CURVES),
  );
  const worst = ({ points }: Sensitivity): number => Math.max(...points.map(([, error]) => error));
  const most = layers.toSorted((a, b) => worst(b) - worst(a))[0];
  return {
    id: "sensitivity",
    title: "Sensitivity by layer",
    blocks: [
      ...pictures.map((series, page) =>
        lineChart({
          id: `sensitivity-${page}`,
          title: "One layer pruned alone",
          description: `Error on ${source} when the least weights of one layer are set to zero and nothing is retrained. ${most.layer} bears it least.`,
          x: { label: "weights of the layer that are kept, %", isLog: true, show: String },
          y: { label: "error, %", least: 0, show: String },
          series: series.map(({ layer, points }) => ({ name: layer, points, isJoined: true })),
        }),
      ),
      {
        kind: "table",
        id: "sensitivity",
        caption: "Error in percent by the share of one layer's weights that is kept",
        columns: [{ head: "layer" }, ...kept.map((share) => ({ head: `${share} %`, show: percent }))],
        rows: layers.map(({ layer, points }) => [
          layer,
          ...kept.map((share) => points.find(([one]) => one === share)?.[1] ?? null),
        ]),
      },
    ],
  };
}
