/** The pictures of a report: lines and points over two axes, bars by name, histograms. */
import { cutMiddle } from "./error-plot.js";
import { colour, legend, line, mark, rect, round, scaleOf, text, type AxisOptions, type Picture } from "./svg.js";
import { threeDigits } from "./table.js";

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** What a point is called. */
  readonly names?: readonly string[];
  /** The least and the greatest y at an x, of several seeds. */
  readonly band?: readonly (readonly [x: number, low: number, high: number])[];
  readonly isJoined?: boolean;
  /** Whether names stand at the points. */
  readonly isNamed?: boolean;
}

export interface LineChart {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  readonly series: readonly Series[];
}

const WIDTH = 720;
const [LEFT, RIGHT, PLOT_HEIGHT] = [64, 24, 280];

export function lineChart({ id, title, description, x, y, series }: LineChart): Picture {
  const called = series.map(({ name }) => name);
  const [names, top] = series.length > 1 ? legend(called, LEFT, 18, WIDTH - LEFT - RIGHT, false) : ["", 0];
  const [high, low] = [top + 40, top + 40 + PLOT_HEIGHT];
  const all = series.flatMap(({ points }) => points);
  const bands = series.flatMap(({ band = [] }) => band);
  const across = scaleOf(
    all.map(([value]) => value),
    x,
    [LEFT + 8, WIDTH - RIGHT],
    8,
  );
  const up = scaleOf([...all.map(([, value]) => value), ...bands.flatMap(([, a, b]) => [a, b])], y, [low, high]);
  const [showX, showY] = [x.show ?? threeDigits, y.show ?? threeDigits];
  const grid = [
    ...up.ticks.flatMap((tick) => [
      line("grid", LEFT, up(tick), WIDTH - RIGHT, up(tick)),
      text(LEFT - 8, up(tick) + 4, "muted end", showY(tick)),
    ]),
    ...across.ticks.flatMap((tick) => [
      line("grid", across(tick), high, across(tick), low),
      text(across(tick), low + 18, "muted middle", showX(tick)),
    ]),
    line("axis", LEFT, low, WIDTH - RIGHT, low),
    line("axis", LEFT, high, LEFT, low),
    text((LEFT + WIDTH - RIGHT) / 2, low + 38, "muted middle", x.label),
    text(4, high - 24, "muted", y.label),
  ];
  const drawn = series.flatMap(({ name, points, names: pointNames, band, isJoined, isNamed }, at) => {
    const place = ([px, py]: readonly [number, number]): string => `${round(across(px))} ${round(up(py))}`;
    const around = [
      ...(band ?? []).map(([px, a]) => place([px, a])),
      ...(band ?? []).toReversed().map(([px, , b]) => place([px, b])),
    ];
    const hover = (index: number): string =>
      `${pointNames?.[index] ?? name}: ${x.label} ${showX(points[index][0])}, ${y.label} ${showY(points[index][1])}`;
    return [
      ...(around.length > 2 ? [`<path class="band f${colour(at)}" d="M${around.join("L")}Z"/>`] : []),
      ...(isJoined === true && points.length > 1
        ? [`<path class="curve c${colour(at)}" d="M${points.map(place).join("L")}"/>`]
        : []),
      ...points.map((point, index) => mark(at, across(point[0]), up(point[1]), hover(index))),
      ...(isNamed === true
        ? nameTags(
            points.map((point) => [across(point[0]), up(point[1])] as const),
            pointNames ?? [],
          )
        : []),
    ];
  });
  return {
    kind: "picture",
    id,
    title,
    description,
    width: WIDTH,
    height: low + 48,
    body: [names, ...grid, ...drawn].join("\n"),
  };
}

/** Names beside points, those left out that would stand on another. */
function nameTags(places: readonly (readonly [number, number])[], names: readonly string[]): string[] {
  const taken: { x: number; y: number; width: number }[] = [];
  return places.flatMap(([x, y], index) => {
    const name = cutMiddle(names[index] ?? "", 24);
    const width = name.length * 6.4;
    const toLeft = x + 10 + width > WIDTH;
    const begin = toLeft ? x - 10 - width : x + 10;
    const spot = [y - 6, y + 14, y - 20].find(
      (at) => !taken.some((one) => Math.abs(one.y - at) < 13 && begin < one.x + one.width && one.x < begin + width),
    );
    if (spot === undefined || name === "") return [];
    taken.push({ x: begin, y: spot, width });
    return [text(begin, spot, "value", name)];
  });
}

export interface BarRow {
  readonly label: string;
  /** One for each series; null for none. */
  readonly values: readonly (number | null)[];
  /** Instead of the value. */
  readonly texts?: readonly string[];
}

export interface BarChart {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly axis: AxisOptions;
  readonly series: readonly string[];
  readonly rows: readonly BarRow[];
}

const [NAME_WIDTH, VALUE_WIDTH, BAR, GAP] = [130, 130, 16, 12];

/** Bars to the right, one below the other, those of a row together. */
export function barChart({ id, title, description, axis, series, rows }: BarChart): Picture {
  const left = NAME_WIDTH;
  const right = WIDTH - VALUE_WIDTH;
  const [names, height] = series.length > 1 ? legend(series, left, 18, right - left + VALUE_WIDTH, true) : ["", 0];
  const top = height + 8;
  const values = rows.flatMap((row) => row.values.filter((value) => value !== null));
  const from = axis.isLog === true ? {} : { least: 0 };
  const along = scaleOf(values, { ...axis, ...from }, [left, right]);
  const show = axis.show ?? threeDigits;
  const rowHeight = series.length * BAR + GAP;
  const bottom = top + rows.length * rowHeight;
  const grid = along.ticks.flatMap((tick) => [
    line("grid", along(tick), top - 4, along(tick), bottom),
    text(along(tick), bottom + 16, "muted middle", show(tick)),
  ]);
  const bars = rows.flatMap((row, index) => {
    const y = top + index * rowHeight + GAP / 2;
    return [
      text(left - 10, y + (series.length * BAR) / 2 + 4, "end", cutMiddle(row.label, 18)),
      ...row.values.flatMap((value, at) => {
        if (value === null) return [];
        const words = row.texts?.[at] ?? show(value);
        const end = Math.max(left + 1.5, along(value));
        return [
          rect(`f${colour(at)}`, left, y + at * BAR + 2, end - left, BAR - 4, `${row.label}, ${series[at]}: ${words}`),
          text(end + 6, y + at * BAR + BAR / 2 + 4, "value", words),
        ];
      }),
    ];
  });
  return {
    kind: "picture",
    id,
    title,
    description,
    width: WIDTH,
    height: bottom + 44,
    body: [
      names,
      ...grid,
      line("axis", left, top - 4, left, bottom),
      ...bars,
      text((left + right) / 2, bottom + 34, "muted middle", axis.label),
    ].join("\n"),
  };
}

export interface HistogramChart {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly x: AxisOptions;
  readonly bins: readonly { readonly from: number; readonly to: number; readonly count: number }[];
  /** Lines of marks below the bins, such as centroids. */
  readonly marks?: readonly { readonly name: string; readonly values: readonly number[] }[];
}

const HISTOGRAM_HEIGHT = 150;

export function histogramChart({ id, title, description, x, bins, marks = [] }: HistogramChart): Picture {
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const high = 18;
  const low = high + HISTOGRAM_HEIGHT;
  const across = scaleOf(
    [...bins.flatMap(({ from, to }) => [from, to]), ...marks.flatMap(({ values }) => values)],
    x,
    [LEFT + 8, WIDTH - RIGHT],
    8,
  );
  const up = scaleOf([0, most], { label: "" }, [low, high], 3);
  const axisAt = low + 20 * marks.length;
  const show = x.show ?? threeDigits;
  return {
    kind: "picture",
    id,
    title,
    description,
    width: WIDTH,
    height: axisAt + 46,
    body: [
      ...up.ticks.flatMap((tick) => [
        line("grid", LEFT, up(tick), WIDTH - RIGHT, up(tick)),
        text(LEFT - 8, up(tick) + 4, "muted end", threeDigits(tick)),
      ]),
      ...bins.map(({ from, to, count }) => {
        const width = Math.max(0.8, across(to) - across(from) - 0.6);
        return rect("f1", across(from), up(count), width, low - up(count), `${show(from)} .. ${show(to)}: ${count}`);
      }),
      line("axis", LEFT, low, WIDTH - RIGHT, low),
      ...marks.flatMap(({ name, values }, row) => [
        text(LEFT - 8, low + 18 + 20 * row, "muted end", name),
        ...values.map((value) =>
          line(`tick c${row === 0 ? 0 : 3}`, across(value), low + 6 + 20 * row, across(value), low + 20 + 20 * row),
        ),
      ]),
      ...across.ticks.map((tick) => text(across(tick), axisAt + 18, "muted middle", show(tick))),
      text((LEFT + WIDTH - RIGHT) / 2, axisAt + 38, "muted middle", x.label),
    ].join("\n"),
  };
}

/** Equal bins over the values. @param count how many at most; fewer where values are integers and no more of them lie between the ends */
export function binsOf(
  values: ArrayLike<number>,
  count: number,
  isInteger = false,
): { from: number; to: number; count: number }[] {
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    if (values[i] < least) least = values[i];
    if (values[i] > most) most = values[i];
  }
  if (values.length === 0) return [];
  const width = isInteger ? Math.max(1, Math.ceil((most - least + 1) / count)) : (most - least || 1) / count;
  const bins = Math.max(1, isInteger ? Math.ceil((most - least + 1) / width) : count);
  const counts = new Uint32Array(bins);
  for (let i = 0; i < values.length; i++) counts[Math.min(bins - 1, Math.floor((values[i] - least) / width))]++;
  return Array.from(counts, (n, bin) => ({ from: least + bin * width, to: least + (bin + 1) * width, count: n }));
}
