/** int8 error layer by layer as a picture: a bar for each, as long as its signal-to-noise ratio, in the order in which layers run. */
import type { LayerError } from "../import/layer-errors.js";

export interface ErrorPlot {
  readonly title: string;
  readonly subtitle: string;
  readonly layers: readonly LayerError[];
}

/** Bars end there: no int8 tensor is better by much, except where a layer is exact. */
const MOST_DB = 60;
/** A bit of a number is worth so many decibels: 20 × log10(2). */
const DB_PER_BIT = 6.02;
/** Below the first a layer is a suspect, below the second worth a look. */
const POOR_DB = 20;
const FAIR_DB = 30;

const [NAME_WIDTH, BAR_WIDTH, VALUE_WIDTH] = [300, 420, 110];
const [MARGIN, ROW, BAR, HEAD, FOOT] = [28, 22, 14, 96, 64];
const MAX_NAME = 31;

/** @returns an SVG file, which shows well on light and dark grounds */
export function errorPlot({ title, subtitle, layers }: ErrorPlot): string {
  const width = 2 * MARGIN + NAME_WIDTH + BAR_WIDTH + VALUE_WIDTH;
  const bottom = HEAD + layers.length * ROW;
  const height = bottom + FOOT;
  const left = MARGIN + NAME_WIDTH;
  const x = (decibels: number): number => left + (BAR_WIDTH * Math.min(MOST_DB, Math.max(0, decibels))) / MOST_DB;
  const lines = [0, 10, 20, 30, 40, 50, 60].flatMap((decibels) => [
    `<line class="${decibels === 0 ? "axis" : "grid"}" x1="${x(decibels)}" x2="${x(decibels)}" y1="${HEAD - 6}" y2="${bottom + 2}"/>`,
    text(x(decibels), bottom + 18, "muted middle", String(decibels)),
  ]);
  const rows = layers.map((error, index) => row(error, HEAD + index * ROW, left, x));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${width}" height="${height}" rx="10"/>`,
    text(MARGIN, 38, "title", title),
    text(MARGIN, 60, "muted", subtitle),
    ...legend(left),
    ...lines,
    ...rows,
    text(left + BAR_WIDTH / 2, bottom + 40, "muted middle", `signal-to-noise ratio, dB; a bit is ${DB_PER_BIT} dB`),
    "</svg>",
    "",
  ].join("\n");
}

function row(
  { layer, name, op, snr, largest }: LayerError,
  top: number,
  left: number,
  x: (decibels: number) => number,
): string {
  const middle = top + ROW / 2;
  const end = x(snr);
  const width = Math.max(2, end - left);
  const kind = snr < POOR_DB ? "poor" : snr < FAIR_DB ? "fair" : "good";
  const value = Number.isFinite(snr) ? `${snr.toFixed(1)} dB` : snr > 0 ? "exact" : "no signal";
  const hover = `layer ${layer}, ${name} (${op}): ${value}, ${largest.toFixed(1)} steps at most`;
  return [
    `<g><title>${escaped(hover)}</title>`,
    text(left - 78, middle + 4, "end", cutMiddle(name, MAX_NAME)),
    text(left - 12, middle + 4, "muted end", op),
    `<rect class="${kind}" x="${left}" y="${middle - BAR / 2}" width="${width.toFixed(1)}" height="${BAR}" rx="3"/>`,
    text(left + width + 8, middle + 4, "value", value),
    "</g>",
  ].join("");
}

function legend(left: number): string[] {
  const kinds = [
    ["good", `${FAIR_DB} dB and more`],
    ["fair", `${POOR_DB} to ${FAIR_DB}`],
    ["poor", `below ${POOR_DB}`],
  ] as const;
  return kinds.flatMap(([kind, words], index) => [
    `<rect class="${kind}" x="${left + index * 130}" y="${HEAD - 26}" width="10" height="10" rx="2"/>`,
    text(left + index * 130 + 16, HEAD - 17, "muted", words),
  ]);
}

function text(x: number, y: number, classes: string, content: string): string {
  return `<text x="${Number(x.toFixed(1))}" y="${Number(y.toFixed(1))}" class="${classes}">${escaped(content)}</text>`;
}

/** "model/block_3/…/Conv2D": names differ at their ends, and are known by their beginnings. */
export function cutMiddle(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.floor((most - 1) / 3);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

/** Names are the file's: nothing of them is markup. */
export function escaped(content: string): string {
  return content
    .replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "?")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const STYLE = [
  "text{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2933}",
  ".title{font-size:18px;font-weight:600}.muted{fill:#7b8794}.value{fill:#52606d;stroke:#ffffff;stroke-width:4px;paint-order:stroke}",
  ".middle{text-anchor:middle}.end{text-anchor:end}",
  ".ground{fill:#ffffff}.grid{stroke:#e4e7eb}.axis{stroke:#9aa5b1}",
  ".good{fill:#2f80a8}.fair{fill:#e0a030}.poor{fill:#c8453b}",
  "@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.muted{fill:#9aa5b1}.value{fill:#cbd2d9;stroke:#1b2028}.ground{fill:#1b2028}",
  ".grid{stroke:#323a45}.axis{stroke:#616e7c}.good{fill:#4aa3cf}}",
].join("");
