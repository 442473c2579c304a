/** Plots by chart.js in the page's colours, each with its figures as a table. */
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  Legend,
  LinearScale,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Tooltip,
  type ChartConfiguration,
  type ChartDataset,
} from "chart.js";
import { colour, onTheme } from "../theme.js";
import { html } from "../dom.js";
import { folded, table } from "./dom.js";
import type { LayerFacts, Shrunk } from "./protocol.js";
import { BYTE_USES, bytesByUse, ENERGY_PARTS, energyRows, grouped, type Rows } from "./tables.js";

Chart.register(
  BarController,
  BarElement,
  CategoryScale,
  Legend,
  LinearScale,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Tooltip,
);

type Config = ChartConfiguration<"bar" | "scatter", unknown[], string>;
type Dataset = ChartDataset<"bar" | "scatter", unknown[]>;

/** Codebooks of more values are no codebooks to look at. */
const MOST_CODES = 64;
/** Fewer weights are drawn in wider bars: 8 steps of int8, 4. */
const [FEW_WEIGHTS, MANY_WEIGHTS] = [400, 4000];

export interface Plot {
  readonly root: HTMLElement;
  readonly close: () => void;
}

/** @param config made anew whenever colours change */
function plot(label: string, config: () => Config, rows: Rows): Plot {
  const canvas = html("canvas", { role: "img", "aria-label": label });
  const root = html("div", { class: "plot" }, html("div", { class: "canvas" }, canvas));
  root.append(folded("The same as a table", table(rows, label)));
  let chart: Chart<"bar" | "scatter", unknown[], string> | undefined;
  const draw = (): void => {
    chart?.destroy();
    chart = new Chart(canvas, config());
  };
  // A canvas has a size once it is in the document.
  const frame = requestAnimationFrame(draw);
  const stop = onTheme(draw);
  return {
    root,
    close: () => {
      cancelAnimationFrame(frame);
      stop();
      chart?.destroy();
    },
  };
}

/** @param isMarked whether the legend has the marks of points */
function base(title: { readonly x: string; readonly y: string }, isMarked = false): NonNullable<Config["options"]> {
  const [muted, line, ink] = [colour("--muted"), colour("--line"), colour("--ink")];
  const font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
  const axis = (text: string): object => ({
    title: { display: text !== "", text, color: muted, font },
    ticks: { color: muted, font, maxRotation: 0, format: { notation: "compact" } },
    grid: { color: line },
    border: { color: line },
  });
  return {
    animation: false,
    maintainAspectRatio: false,
    scales: { x: axis(title.x), y: axis(title.y) },
    plugins: {
      legend: { align: "end", labels: { color: ink, font, boxWidth: 12, boxHeight: 12, usePointStyle: isMarked } },
      tooltip: { titleFont: font, bodyFont: font },
    },
  };
}

export const labelOf = ({ index, op, name }: LayerFacts): string => `${index} ${name ?? op}`;

/** Bytes by what they are for, a column for each layer. */
export function bytesPlot({ layers }: Shrunk): Plot {
  const uses = layers.map(bytesByUse);
  const words = { weights: "weights", gaps: "where they are", rest: "biases, factors, tables" };
  const config = (): Config => {
    const colours = { weights: colour("--accent"), gaps: colour("--second"), rest: colour("--faint") };
    const options = withTitles(base({ x: "layer", y: "bytes" }), layers.map(labelOf));
    const { x, y } = options.scales!;
    return {
      type: "bar",
      data: {
        labels: layers.map(({ index }) => String(index)),
        datasets: BYTE_USES.map((use): Dataset => ({
          type: "bar",
          label: words[use],
          data: uses.map((bytes) => Math.round(bytes[use])),
          backgroundColor: colours[use],
        })),
      },
      options: { ...options, scales: { x: { ...x, stacked: true }, y: { ...y, stacked: true } } },
    };
  };
  const rows = layers.map((layer, index) => [
    labelOf(layer),
    ...BYTE_USES.map((use) => grouped(Math.round(uses[index][use]))),
    grouped(layer.bytes),
  ]);
  return plot("Bytes of each layer", config, [["layer", ...BYTE_USES.map((use) => words[use]), "bytes"], ...rows]);
}

/** Multiplications that are left beside those of the dense net. */
export function workPlot({ layers }: Shrunk): Plot {
  const config = (): Config => ({
    type: "bar",
    data: {
      labels: layers.map(({ index }) => String(index)),
      datasets: [
        {
          type: "bar",
          label: "dense net",
          data: layers.map(({ nominalMacs }) => nominalMacs),
          backgroundColor: colour("--faint"),
        },
        { type: "bar", label: "this model", data: layers.map(({ macs }) => macs), backgroundColor: colour("--accent") },
      ],
    },
    options: withTitles(base({ x: "layer", y: "multiplications" }), layers.map(labelOf)),
  });
  const rows = layers.map((layer) => [labelOf(layer), grouped(layer.nominalMacs), grouped(layer.macs)]);
  return plot("Multiplications of each layer", config, [["layer", "dense net", "this model"], ...rows]);
}

function withTitles(
  options: NonNullable<Config["options"]>,
  titles: readonly string[],
): NonNullable<Config["options"]> {
  const title = ([item]: { dataIndex: number }[]): string => titles[item?.dataIndex] ?? "";
  return {
    ...options,
    interaction: { mode: "index", intersect: false },
    plugins: { ...options.plugins, tooltip: { ...options.plugins?.tooltip, callbacks: { title } } },
  };
}

/** Weights of a layer by value, and its codebook: Figure 4 of Deep Compression. Zeros are left out, since they would be most. */
export function weightsPlot(layer: LayerFacts): Plot {
  const { packed, before } = layer.weightCounts!;
  const count = (counts: readonly number[], value: number): number => (value === 0 ? 0 : (counts[value + 128] ?? 0));
  const reach = Math.max(4, ...packed.map((some, i) => (some + (before?.[i] ?? 0) > 0 ? Math.abs(i - 128) : 0)));
  const values = Array.from({ length: 2 * reach + 1 }, (_, index) => index - reach);
  const codes = values.filter((value) => count(packed, value) > 0);
  const hasCodebook = codes.length <= MOST_CODES;
  const isShared = before !== undefined && packed.some((some, i) => some !== before[i]);
  const drawn = isShared ? before : packed;
  const all = values.reduce((sum, value) => sum + count(drawn, value), 0);
  const step = reach <= 32 ? 1 : all < FEW_WEIGHTS ? 8 : all < MANY_WEIGHTS ? 4 : 1;
  const bins = new Map<number, number>();
  for (const value of values) {
    const middle = Math.round(value / step) * step;
    bins.set(middle, (bins.get(middle) ?? 0) + count(drawn, value));
  }
  const config = (): Config => {
    const bars: Dataset = {
      type: "bar",
      label: isShared ? "weights before sharing" : "weights",
      data: [...bins].map(([x, y]) => ({ x, y })),
      backgroundColor: colour(hasCodebook ? "--faint" : "--accent"),
      categoryPercentage: 1,
      barPercentage: 0.9,
      pointStyle: "rect",
      order: 2,
    };
    const codebook: Dataset = {
      type: "scatter",
      label: `codebook, ${codes.length} values`,
      data: codes.map((x) => ({ x, y: 0 })),
      backgroundColor: colour("--accent"),
      borderColor: colour("--accent"),
      pointStyle: "triangle",
      pointRadius: codes.length > 32 ? 4 : 6,
      pointHoverRadius: 8,
      clip: 8,
      order: 1,
    };
    const options = base({ x: "weight, in steps of int8", y: "weights" }, true);
    const edge = reach + step;
    return {
      type: "bar",
      data: { datasets: hasCodebook ? [bars, codebook] : [bars] },
      options: {
        ...options,
        scales: {
          ...options.scales,
          x: { ...options.scales?.x, type: "linear", offset: false, min: -edge, max: edge },
        },
      } as NonNullable<Config["options"]>,
    };
  };
  const rows = values
    .filter((value) => count(packed, value) > 0 || count(drawn, value) > 0)
    .map((value) => [
      String(value),
      ...(isShared ? [grouped(count(before, value))] : []),
      grouped(count(packed, value)),
    ]);
  const heads = ["value", ...(isShared ? ["before sharing"] : []), "weights"];
  return plot(`Weights of layer ${labelOf(layer)} by value`, config, [heads, ...rows]);
}

/** On a logarithmic axis, since they are far apart. */
export function energyPlot(shrunk: Shrunk): Plot {
  const { dense, packed } = shrunk.energy;
  const config = (): Config => {
    const options = base({ x: "nJ a run", y: "" });
    return {
      type: "bar",
      data: {
        labels: [...ENERGY_PARTS],
        datasets: [
          {
            type: "bar",
            label: "dense float32, weights in DRAM",
            data: ENERGY_PARTS.map((part) => dense[part]),
            backgroundColor: colour("--faint"),
          },
          {
            type: "bar",
            label: "this model, all in SRAM",
            data: ENERGY_PARTS.map((part) => packed[part]),
            backgroundColor: colour("--accent"),
          },
        ],
      },
      options: {
        ...options,
        indexAxis: "y",
        scales: { ...options.scales, x: { ...options.scales?.x, type: "logarithmic" } },
      } as NonNullable<Config["options"]>,
    };
  };
  return plot("Energy of a run", config, energyRows(shrunk));
}
