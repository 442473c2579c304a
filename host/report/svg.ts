/** What the pictures of a report are drawn with: axes, their ticks, marks and a legend. Colours are classes of the page's style. */
import { escaped } from "./error-plot.js";

export interface Picture {
  readonly kind: "picture";
  /** Unique in the page. */
  readonly id: string;
  readonly title: string;
  /** What it shows, in a sentence or two, for who does not see it. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
  /** Markup between the svg's tags. */
  readonly body: string;
}

/** An axis in pixels. */
export interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

export interface AxisOptions {
  readonly label: string;
  readonly isLog?: boolean;
  /** Of values that are counts: no tick between them. */
  readonly isWhole?: boolean;
  /** Ends that are shown whatever the values. */
  readonly least?: number;
  readonly most?: number;
  readonly show?: (value: number) => string;
}

const LINEAR_STEPS = [1, 2, 2.5, 5, 10];

/** Ticks at round numbers, and ends at them. @param pixels where the least and the greatest value stand */
export function scaleOf(
  values: readonly number[],
  axis: AxisOptions,
  [from, to]: readonly [number, number],
  count = 5,
): Scale {
  const ends = [axis.least, axis.most].filter((end) => end !== undefined);
  let [low, high] = [Math.min(...ends), Math.max(...ends)];
  // There may be more than a call takes arguments.
  for (const value of values) {
    if (!Number.isFinite(value) || (axis.isLog === true && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const [least, most] = Number.isFinite(low) ? [low, high] : [0, 1];
  return axis.isLog === true ? logScale(least, most, from, to) : linearScale(least, most, from, to, count, axis);
}

function linearScale(low: number, high: number, from: number, to: number, count: number, axis: AxisOptions): Scale {
  // What differs by rounding alone is one value: ticks would be closer than numbers are.
  const size = Math.max(Math.abs(low), Math.abs(high));
  const extent = high - low > size * 1e-9 ? high - low : size || 1;
  const raw = Math.max(extent / count, axis.isWhole === true ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * LINEAR_STEPS.find((times) => times * power >= raw * 0.999)!;
  const first = axis.least === low ? low : Math.floor(low / step + 1e-9) * step;
  const last = axis.most === high ? high : Math.ceil(high / step - 1e-9) * step;
  const end = last > first ? last : first + step;
  const ticks: number[] = [];
  for (let n = Math.ceil(first / step - 1e-9); n * step <= end + step * 1e-6; n++)
    ticks.push(Number((n * step).toPrecision(12)));
  return Object.assign((value: number) => from + ((to - from) * (value - first)) / (end - first), { ticks });
}

function logScale(low: number, high: number, from: number, to: number): Scale {
  const least = low > 0 ? low : 0.1;
  const most = Math.max(high, least * 2);
  const [first, last] = [Math.log10(least) - 0.02, Math.log10(most) + 0.02];
  const times = last - first > 3 ? [1] : last - first > 1.3 ? [1, 3] : [1, 2, 3, 5, 7];
  const ticks: number[] = [];
  for (let power = Math.floor(first); power <= Math.ceil(last); power++) {
    for (const factor of times) {
      const value = Number((factor * 10 ** power).toPrecision(6));
      if (Math.log10(value) >= first && Math.log10(value) <= last) ticks.push(value);
    }
  }
  // A value of 0 has no place on it, and stands at its beginning.
  const place = (value: number): number => (value > 0 ? Math.max(first, Math.log10(value)) : first);
  return Object.assign((value: number) => from + ((to - from) * (place(value) - first)) / (last - first), { ticks });
}

export const round = (value: number): number => Number(value.toFixed(1));

export function text(x: number, y: number, classes: string, content: string): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${classes}">${escaped(content)}</text>`;
}

export function line(classes: string, x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="${classes}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;
}

export function rect(classes: string, x: number, y: number, width: number, height: number, hover?: string): string {
  const shape = `<rect class="${classes}" x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(Math.max(0, height))}"`;
  return hover === undefined ? `${shape}/>` : `${shape}><title>${escaped(hover)}</title></rect>`;
}

export const COLOURS = 6;
/** Of a series: colours come round again, and shapes tell them apart in grey print. */
export const colour = (series: number): number => series % COLOURS;

/** Circle, square, triangle, diamond, triangle on its head, cross. */
export function mark(series: number, x: number, y: number, hover: string): string {
  const r = 4.5;
  const paths = [
    `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
    `M-4-4h8v8h-8z`,
    `M0-5.5l5 9h-10z`,
    `M0-6l6 6-6 6-6-6z`,
    `M0 5.5l5-9h-10z`,
    `M-1.5-5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z`,
  ];
  return `<path class="mark f${colour(series)}" transform="translate(${round(x)} ${round(y)})" d="${paths[colour(series)]}"><title>${escaped(hover)}</title></path>`;
}

/** About as wide as a text of 12 pixels is. */
export const textWidth = (content: string): number => content.length * 6.6;

/** Names of series in lines of at most `width`. @returns markup, and the height taken */
export function legend(
  names: readonly string[],
  left: number,
  top: number,
  width: number,
  isBars: boolean,
): [string, number] {
  let [x, y] = [left, top];
  const parts = names.map((name, series) => {
    const needed = 24 + textWidth(name) + 14;
    if (x > left && x + needed > left + width) [x, y] = [left, y + 20];
    const at = x;
    x += needed;
    const sign = isBars ? rect(`f${colour(series)}`, at, y - 9, 12, 12) : mark(series, at + 6, y - 4, name);
    return sign + text(at + 18, y, "", name);
  });
  return [parts.join(""), y - top + 20];
}

export function pictureHtml({ id, title, description, width, height, body }: Picture): string {
  return [
    "<figure>",
    `<div class="wide" role="region" aria-labelledby="${id}-title" tabindex="0">`,
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${round(height)}" width="${width}" height="${round(height)}" role="img" aria-labelledby="${id}-title ${id}-text">`,
    `<title id="${id}-title">${escaped(title)}</title><desc id="${id}-text">${escaped(description)}</desc>`,
    body,
    "</svg></div>",
    `<figcaption><b>${escaped(title)}.</b> ${escaped(description)}</figcaption>`,
    "</figure>",
  ].join("\n");
}

/** Colours as the web page has them; those of series have 4.5 : 1 or more on their ground. */
export const LIGHT =
  "--paper:#faf7f1;--panel:#fff;--ink:#1e1c19;--muted:#625c52;--line:#e3ddd2;--axis:#8f877b;--accent:#a3420c;--wash:246 226 208;--heat:163 66 12;" +
  "--c0:#a3420c;--c1:#1f6473;--c2:#25683a;--c3:#6a3fa0;--c4:#7a5c00;--c5:#a31c5a;";
export const DARK =
  "--paper:#14161c;--panel:#1c1f27;--ink:#efeae0;--muted:#a9a598;--line:#2d313c;--axis:#7a8090;--accent:#ffb454;--wash:51 41 27;--heat:255 180 84;" +
  "--c0:#ffb454;--c1:#74c6d6;--c2:#82d69b;--c3:#c6abff;--c4:#e3d26f;--c5:#ff9bc0;";

/** Of what pictures are made of, in a page and in files. */
export const PICTURE_STYLE: readonly string[] = [
  "svg text{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:var(--ink)}",
  "svg .muted{fill:var(--muted)}svg .value{fill:var(--ink);stroke:var(--panel);stroke-width:3px;paint-order:stroke}",
  "svg .middle{text-anchor:middle}svg .end{text-anchor:end}",
  ".grid{stroke:var(--line)}.axis{stroke:var(--axis)}.mark{stroke:var(--panel);stroke-width:1}.curve{fill:none;stroke-width:2}",
  ".band{opacity:.18}.tick{stroke-width:2}.life{stroke:var(--panel);stroke-width:1}.life-text{fill:var(--panel)}",
  ...[0, 1, 2, 3, 4, 5].map((at) => `.f${at}{fill:var(--c${at})}.c${at}{stroke:var(--c${at})}`),
  // In grey print lines are told apart by their dashes.
  ".c1.curve{stroke-dasharray:7 3}.c2.curve{stroke-dasharray:2 3}.c3.curve{stroke-dasharray:9 3 2 3}.c4.curve{stroke-dasharray:4 2}.c5.curve{stroke-dasharray:12 4}",
];

/** A picture as a file of its own, on light and dark grounds. */
export function svgFile({ title, description, width, height, body }: Picture): string {
  const size = `width="${width}" height="${round(height)}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${round(height)}" ${size} role="img">`,
    `<title>${escaped(title)}</title><desc>${escaped(description)}</desc>`,
    `<style>:root{${LIGHT}}@media(prefers-color-scheme:dark){:root{${DARK}}}${PICTURE_STYLE.join("")}</style>`,
    `<rect fill="var(--panel)" ${size}/>`,
    body,
    "</svg>",
    "",
  ].join("\n");
}
