/** Histograms of weights and of the gaps between them, and centroids before and after fine-tuning: Figures 4 and 5 of Deep Compression. */
import { columnRanks, gapStatistics, weightStatistics } from "../../codecs/statistics.js";
import type { QModel } from "../../model/model.js";
import { columnCount, isWeighted, rowCount } from "../../ops/index.js";
import { binsOf, histogramChart } from "../charts.js";
import type { Block, Part } from "../page.js";
import { threeDigits, type Table } from "../table.js";

/** What a stage that brings weights to their integers has made of a layer. */
export interface Centroids {
  readonly layer: string;
  /** Surviving weights before the stage. */
  readonly weights: Float32Array;
  /** Centroids of k-means, ascending; of a grid, whose points stay where they are, none. */
  readonly before: readonly number[];
  /** Values of the weights behind the stage. */
  readonly after: readonly number[];
}

/** Layers that are drawn; the CSV has all. */
const MOST_LAYERS = 8;
const [WEIGHT_BINS, GAP_BINS] = [80, 60];
/** Of gaps that have a bin of their own; the rare longer ones are counted in words. */
const SHOWN_GAPS = 0.99;

/** @param names of the layers with weights, in order */
export function weightsPart(
  model: QModel,
  names: readonly string[] | undefined,
  centroids: readonly Centroids[],
): Part {
  const layers = model.layers
    .filter(isWeighted)
    .map((layer, at) => ({ layer, name: names?.[at] ?? `layer ${model.layers.indexOf(layer)}` }));
  const largest = new Set(
    layers.toSorted((a, b) => b.layer.weights.length - a.layer.weights.length).slice(0, MOST_LAYERS),
  );
  const counts: (string | number)[][] = [];
  const gapCounts: (string | number)[][] = [];
  const blocks: Block[] = [];
  for (const one of layers) {
    const { layer, name } = one;
    const [rows, columns] = [rowCount(model, layer), columnCount(model, layer)];
    const statistics = weightStatistics(layer.weights, rows, columns);
    const gaps = gapsOf(layer.weights, rows, columns);
    statistics.weightCounts.forEach((count, at) => count > 0 && counts.push([name, at - 128, count]));
    gaps.forEach((count, gap) => count > 0 && gapCounts.push([name, gap, count]));
    if (!largest.has(one) || statistics.nonZeros === 0) continue;
    const id = `layer-${layers.indexOf(one)}`;
    const stage = centroids.find((other) => other.layer === name);
    if (stage !== undefined) blocks.push(centroidPicture(id, name, stage));
    const integers = layer.weights.filter((weight) => weight !== 0);
    // A layer may have millions of weights, but not many values.
    const values = [...statistics.weightCounts.keys()].filter((at) => statistics.weightCounts[at] > 0);
    const [least, most] = [values[0] - 128, values.at(-1)! - 128];
    blocks.push(
      histogramChart({
        id: `${id}-integers`,
        title: `${name}: weights as integers`,
        description: `${statistics.nonZeros.toLocaleString("en")} weights of ${values.length} values, ${least} .. ${most}. The less even, the fewer bits a code takes.`,
        x: { label: "integer weight", show: String },
        bins: binsOf(integers, WEIGHT_BINS, true),
      }),
      gapPicture(id, name, gaps),
    );
  }
  const table = (id: string, caption: string, head: string, rows: (string | number)[][]): Table => {
    return { kind: "table", id, caption, columns: [{ head: "layer" }, { head }, { head: "count" }], rows };
  };
  return {
    id: "weights",
    title: "Weights, gaps and centroids",
    blocks,
    data: [
      table("weights", "Weights as integers", "integer", counts),
      table("gaps", "Zeros before each weight, among the live columns", "zeros before", gapCounts),
      {
        kind: "table",
        id: "centroids",
        caption: "Values of shared weights before and after fine-tuning",
        columns: [{ head: "layer" }, { head: "when" }, { head: "value" }],
        rows: centroids.flatMap(({ layer, before, after }) => [
          ...before.map((value) => [layer, "before", value]),
          ...after.map((value) => [layer, "after", value]),
        ]),
      },
    ],
  };
}

function centroidPicture(id: string, name: string, { weights, before, after }: Centroids): Block {
  return histogramChart({
    id: `${id}-centroids`,
    title: `${name}: weights ${before.length > 0 ? "and their centroids" : "before they were put on their grid"}`,
    description:
      before.length > 0
        ? `${weights.length.toLocaleString("en")} weights that pruning has left, and their centroids: ${before.length} where k-means put them, ${after.length} after fine-tuning and rounding.`
        : `${weights.length.toLocaleString("en")} weights before the stage, and the ${after.length} points of the grid that they are on behind it.`,
    x: { label: "weight" },
    bins: binsOf(weights, WEIGHT_BINS),
    marks: [...(before.length > 0 ? [{ name: "before", values: before }] : []), { name: "after", values: after }],
  });
}

/** counts[n]: weights with n zeros before them, in the columns that live. */
function gapsOf(weights: Int8Array, rows: number, columns: number): number[] {
  const { liveColumns, liveCount } = weightStatistics(weights, rows, columns);
  const { counts, longer } = gapStatistics(weights, rows, columns, columnRanks(columns, liveColumns), liveCount);
  const all = Array.from(counts);
  for (const [gap, count] of longer) all[gap] = (all[gap] ?? 0) + count;
  return Array.from(all, (count) => count ?? 0).slice(0, all.findLastIndex((count) => count > 0) + 1);
}

function gapPicture(id: string, name: string, counts: readonly number[]): Block {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let [end, covered] = [0, 0];
  while (end < counts.length && covered < SHOWN_GAPS * total) covered += counts[end++];
  const width = Math.ceil(end / GAP_BINS);
  const bins = Array.from({ length: Math.ceil(end / width) }, (_, bin) => {
    const inside = counts.slice(bin * width, Math.min(end, (bin + 1) * width));
    return { from: bin * width, to: (bin + 1) * width, count: inside.reduce((sum, count) => sum + count, 0) };
  });
  const mean = counts.reduce((sum, count, gap) => sum + count * gap, 0) / total;
  const rest = total - covered;
  return histogramChart({
    id: `${id}-gaps`,
    title: `${name}: gaps`,
    description: `Zeros before each weight, ${threeDigits(mean)} on the average${rest > 0 ? `; ${rest} longer gaps, up to ${counts.length - 1}, are not drawn` : ""}.`,
    x: { label: "zeros before a weight", show: String },
    bins,
  });
}
