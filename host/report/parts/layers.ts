/** Size of each layer before and after, and how it came about, as in Tables 2 to 5 of Deep Compression. */
import { barChart } from "../charts.js";
import type { ContainerReport } from "../container.js";
import type { Part } from "../page.js";
import { bitsEach, paperRows, rateText, type PaperRow } from "../paper.js";
import { bytesText, percent, type Table } from "../table.js";

/** More layers than these are in the table alone. */
const MOST_BARS = 16;

const SERIES = ["float32", "P", "P + Q", "P + Q + H"];
const sizesOf = ({ floatBits, prunedBits, fixedBits, codedBits }: PaperRow): number[] =>
  [floatBits, prunedBits, fixedBits, codedBits].map((bits) => bits / 8);

/** @param names of the layers with weights, in order */
export function layersPart(report: ContainerReport, names: readonly string[] | undefined): Part {
  const { layers, total } = paperRows(report);
  const named = layers.map((layer, at) => ({ ...layer, layer: names?.[at] ?? layer.layer }));
  const sizes: Table = {
    kind: "table",
    id: "layer-sizes",
    caption: "Bytes of each layer: pruned (P), shared or on a grid (P + Q), coded (P + Q + H, every byte of the file)",
    columns: [
      { head: "layer" },
      ...SERIES.map((head) => ({ head: `${head}, bytes`, show: bytesText })),
      { head: "rate P, %", show: percent },
      { head: "rate P + Q, %", show: percent },
      { head: "rate P + Q + H, %", show: percent },
    ],
    rows: [...named, total].map((row) => [
      row.layer,
      ...sizesOf(row),
      (100 * row.prunedBits) / row.floatBits,
      (100 * row.fixedBits) / row.floatBits,
      (100 * row.codedBits) / row.floatBits,
    ]),
  };
  const bits: Table = {
    kind: "table",
    id: "layer-bits",
    caption: "Weights left, and bits that a weight and its index take",
    columns: [
      { head: "layer" },
      { head: "weights" },
      { head: "left" },
      { head: "left, %", show: percent },
      { head: "values" },
      { head: "weight bits P + Q" },
      { head: "weight bits P + Q + H", show: (value) => value.toFixed(2) },
      { head: "index bits P + Q" },
      { head: "index bits P + Q + H", show: (value) => value.toFixed(2) },
    ],
    rows: named.map(({ layer, weights, nonZeros, report: w }) => [
      layer,
      weights,
      nonZeros,
      (100 * nonZeros) / weights,
      w.values,
      w.fixedWidth.weightBits,
      bitsEach(w.bits.weights, nonZeros),
      w.fixedWidth.indexBits,
      bitsEach(w.bits.gaps, nonZeros),
    ]),
  };
  const largest = named.toSorted((a, b) => b.floatBits - a.floatBits).slice(0, MOST_BARS);
  const drawn = named.length > MOST_BARS ? named.filter((row) => largest.includes(row)) : named;
  return {
    id: "layers",
    title: "Layers before and after",
    blocks: [
      sizes,
      barChart({
        id: "layer-bars",
        title: "Size of each layer",
        description: `From float32 to the coded file${drawn.length < named.length ? `, the ${MOST_BARS} largest of ${named.length} layers` : ""}; the whole takes ${rateText(total.codedBits, total.floatBits)} of ${bytesText(total.floatBits / 8)}. A step of the axis is a factor.`,
        axis: { label: "bytes, logarithmic", isLog: true, show: (value) => value.toLocaleString("en") },
        series: SERIES,
        rows: [...drawn, { ...total, layer: "all" }].map((row) => ({
          label: row.layer,
          values: sizesOf(row),
          texts: sizesOf(row).map((bytes, at) =>
            at === 0 ? bytesText(bytes) : `${bytesText(bytes)}, ${((100 * bytes * 8) / row.floatBits).toFixed(1)} %`,
          ),
        })),
      }),
      bits,
    ],
  };
}
