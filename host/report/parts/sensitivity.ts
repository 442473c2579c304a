/** What each layer alone bears, without retraining: Figure 6 of Han et al. 2015, "Learning both weights and connections", by the loss. */
import type { Knob, Sensitivity } from "../../compress/sensitivity.js";
import { lineChart } from "../charts.js";
import type { Block, Part } from "../page.js";
import { threeDigits } from "../table.js";

/** A table of what was measured, and what of. */
export interface SensitivityTable extends Sensitivity {
  /** Such as "2 prune" or "the float net". */
  readonly of: string;
  readonly source: string;
}

/** Curves of a picture. */
const MOST_CURVES = 6;

const KNOBS: Readonly<Record<Knob, { readonly done: string; readonly label: string; readonly title: string }>> = {
  density: {
    done: "the least weights of one layer are set to zero",
    label: "share of the layer's weights that is kept",
    title: "One layer pruned alone",
  },
  step: {
    done: "one layer's weights are rounded to a grid",
    label: "grid step ÷ mean magnitude of the layer's weights",
    title: "One layer rounded alone",
  },
  bits: {
    done: "one layer's weights share the values of a codebook",
    label: "bits of the layer's codebook",
    title: "One layer with a codebook alone",
  },
};

export const sensitivityPart = (tables: readonly SensitivityTable[]): Part => ({
  id: "sensitivity",
  title: "Sensitivity by layer",
  blocks: tables.flatMap((table, at) => blocksOf(table, tables.length === 1 ? "sensitivity" : `sensitivity-${at + 1}`)),
});

function blocksOf({ knob, settings, layers, loss, samples, of, source }: SensitivityTable, id: string): Block[] {
  const { done, label, title } = KNOBS[knob];
  const pictures = Array.from({ length: Math.ceil(layers.length / MOST_CURVES) }, (_, page) =>
    layers.slice(page * MOST_CURVES, (page + 1) * MOST_CURVES),
  );
  const most = layers.toSorted((a, b) => b.rises.at(-1)! - a.rises.at(-1)!)[0];
  return [
    ...pictures.map((series, page) =>
      lineChart({
        id: `${id}-at-${page}`,
        title,
        description: `Rise of the loss, ${threeDigits(loss)} on ${samples} samples of ${source} by ${of}, when ${done} and nothing is retrained. ${most.layer} bears it least.`,
        x: { label, isLog: true, show: String },
        y: { label: "rise of the loss", least: 0 },
        series: series.map(({ layer, rises }) => ({
          name: layer,
          points: rises.map((rise, i) => [settings[i], rise] as const),
          isJoined: true,
        })),
      }),
    ),
    {
      kind: "table",
      id,
      caption: `Rise of the loss of ${of} by ${label}`,
      columns: [
        { head: "layer" },
        ...settings.map((setting) => ({ head: String(setting), show: threeDigits })),
        { head: "lost", show: threeDigits },
      ],
      rows: layers.map(({ layer, rises, lost }) => [layer, ...rises, lost]),
    },
  ];
}
