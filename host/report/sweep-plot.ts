/** Size against error of a sweep's models, as a picture and as characters: a point for each, and those that nothing else beats joined. */
import { escaped } from "./error-plot.js";
import { errorName } from "./error-text.js";
import { paretoFront, type SweepJob } from "./parts/pareto.js";
import type { MetricName } from "../train/losses.js";

/** Mean of a setting over its seeds. */
export interface SweepMean extends SweepJob {
  readonly bytesDeviation: number;
  readonly errorDeviation: number;
}

const [WIDTH, HEIGHT] = [760, 460];
const [LEFT, RIGHT, TOP, BOTTOM] = [72, 28, 84, 56];
const [CELLS, ROWS] = [66, 14];

interface Axis {
  readonly low: number;
  readonly high: number;
  readonly step: number;
}

/** From a multiple of a step to one, with some five steps between them; the step is 1, 2 or 5 times a power of ten. */
function axisOf(values: readonly number[]): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const span = most - least || Math.abs(most) * 0.1 || 1;
  const power = 10 ** Math.floor(Math.log10(span / 5));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= span / 5) ?? 10);
  const low = Math.max(0, Math.floor((least - span * 0.05) / step) * step);
  return { low, high: Math.ceil((most + span * 0.05) / step) * step, step };
}

const ticksOf = ({ low, high, step }: Axis): number[] =>
  Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => low + i * step);

const numberOf = (value: number): string => String(Number(value.toPrecision(6)));

/** @returns an SVG file, which shows well on light and dark grounds */
export function sweepPlot(
  title: string,
  metric: MetricName,
  points: readonly SweepJob[],
  means: readonly SweepMean[],
): string {
  const [across, up] = [axisOf(points.map(({ bytes }) => bytes)), axisOf(points.map(({ error }) => error))];
  const x = (bytes: number): number =>
    LEFT + ((bytes - across.low) / (across.high - across.low)) * (WIDTH - LEFT - RIGHT);
  const y = (error: number): number =>
    HEIGHT - BOTTOM - ((error - up.low) / (up.high - up.low)) * (HEIGHT - TOP - BOTTOM);
  const n = (value: number): string => value.toFixed(1);
  const line = (kind: string, x1: number, y1: number, x2: number, y2: number): string =>
    `<line class="${kind}" x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}"/>`;
  const text = (at: number, below: number, classes: string, words: string): string =>
    `<text x="${n(at)}" y="${n(below)}" class="${classes}">${escaped(words)}</text>`;
  const front = paretoFront(points).map(({ bytes, error }) => `${n(x(bytes))},${n(y(error))}`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${HEIGHT}" rx="10"/>`,
    text(28, 38, "title", title),
    text(
      28,
      60,
      "muted",
      "validation error of the integers against size; rings are means over seeds, the line joins what nothing else beats",
    ),
    ...ticksOf(across).flatMap((bytes) => [
      line("grid", x(bytes), TOP, x(bytes), HEIGHT - BOTTOM),
      text(x(bytes), HEIGHT - BOTTOM + 18, "muted middle", numberOf(bytes)),
    ]),
    ...ticksOf(up).flatMap((error) => [
      line("grid", LEFT, y(error), WIDTH - RIGHT, y(error)),
      text(LEFT - 8, y(error) + 4, "muted end", numberOf(error)),
    ]),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "muted middle", "bytes of the .mote file"),
    text(28, TOP - 10, "muted", errorName(metric)),
    `<polyline class="front" points="${front.join(" ")}"/>`,
    ...points.map(
      ({ name, bytes, error }) =>
        `<circle class="point" cx="${n(x(bytes))}" cy="${n(y(error))}" r="4"><title>${escaped(name)}</title></circle>`,
    ),
    ...means.flatMap(({ name, bytes, error, bytesDeviation, errorDeviation }) => [
      line("spread", x(bytes - bytesDeviation), y(error), x(bytes + bytesDeviation), y(error)),
      line("spread", x(bytes), y(error - errorDeviation), x(bytes), y(error + errorDeviation)),
      `<circle class="mean" cx="${n(x(bytes))}" cy="${n(y(error))}" r="7"><title>${escaped(name)}</title></circle>`,
    ]),
    "</svg>",
    "",
  ].join("\n");
}

const STYLE = [
  "text{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2933}",
  ".title{font-size:18px;font-weight:600}.muted{fill:#7b8794}.middle{text-anchor:middle}.end{text-anchor:end}",
  ".ground{fill:#ffffff}.grid{stroke:#e4e7eb}.point{fill:#2f80a8;fill-opacity:.7}.mean{fill:none;stroke:#c8453b;stroke-width:2}",
  ".spread{stroke:#c8453b}.front{fill:none;stroke:#9aa5b1;stroke-width:1.5}",
  "@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.muted{fill:#9aa5b1}.ground{fill:#1b2028}.grid{stroke:#323a45}",
  ".point{fill:#4aa3cf}.front{stroke:#616e7c}}",
].join("");

/**
 * The same for a terminal of 80 columns: "o" is a model, "*" one of those that nothing else beats, a digit several in one place.
 * @returns lines
 */
export function plotLines(metric: MetricName, points: readonly SweepJob[]): string[] {
  const [across, up] = [axisOf(points.map(({ bytes }) => bytes)), axisOf(points.map(({ error }) => error))];
  const column = (bytes: number): number =>
    Math.round(((bytes - across.low) / (across.high - across.low)) * (CELLS - 1));
  const row = (error: number): number => Math.round(((up.high - error) / (up.high - up.low)) * (ROWS - 1));
  const cells = Array.from({ length: ROWS }, () => Array.from({ length: CELLS }, () => " "));
  const counts = new Map<string, number>();
  const front = new Set<SweepJob>(paretoFront(points));
  for (const point of points) {
    const [r, c] = [row(point.error), column(point.bytes)];
    const count = (counts.get(`${r},${c}`) ?? 0) + 1;
    counts.set(`${r},${c}`, count);
    cells[r][c] = front.has(point) || cells[r][c] === "*" ? "*" : count === 1 ? "o" : String(Math.min(count, 9));
  }
  const labels = new Map(ticksOf(up).map((error) => [row(error), numberOf(error)]));
  const width = Math.max(...[...labels.values()].map((label) => label.length));
  const ticks = Array.from({ length: CELLS }, () => "─");
  const below = Array.from({ length: CELLS + width + 2 }, () => " ");
  for (const bytes of ticksOf(across)) {
    ticks[column(bytes)] = "┴";
    const label = numberOf(bytes);
    const start = Math.min(
      Math.max(0, width + 2 + column(bytes) - Math.floor(label.length / 2)),
      below.length - label.length,
    );
    // Labels that would touch leave one out.
    if (below.slice(Math.max(0, start - 1), start + label.length + 1).every((cell) => cell === " "))
      below.splice(start, label.length, ...label);
  }
  return [
    errorName(metric).padStart(width),
    ...cells.map(
      (line, r) => `${(labels.get(r) ?? "").padStart(width)} ${labels.has(r) ? "┤" : "│"}${line.join("").trimEnd()}`,
    ),
    `${" ".repeat(width)} └${ticks.join("")}`,
    below.join("").trimEnd(),
    `${"bytes".padStart(width + 2 + CELLS / 2)}   * none is both smaller and better`,
  ];
}
