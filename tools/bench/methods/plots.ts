/** Pictures of the group `methods`, drawn from its figures alone. */
import { lineChart, type Series } from "../../../host/report/charts.js";
import { METHOD_NAMES } from "../../../host/report/parts/experiment.js";
import { svgFile, type AxisOptions, type Picture } from "../../../host/report/svg.js";
import type { Figure } from "../figure.js";

const ERROR: AxisOptions = { label: "error, %", show: String };

/** @returns names and texts of the SVG files that these figures are enough for */
export function methodPlots(figures: readonly Figure[]): [name: string, text: string][] {
  return [
    curves(figures, "scores", "Error against weights left, not retrained"),
    curves(figures, "retraining", "Pruning with and without retraining, as Figure 5 of Han et al. 2015"),
    sizes(figures),
    product(figures),
    fixedPoint(figures),
    flattened(figures),
  ]
    .filter((picture) => picture !== null)
    .map((picture) => [`${picture.id}.svg`, svgFile(picture)]);
}

/** null where no series has a point. */
function drawn(
  id: string,
  [title, description]: readonly [string, string],
  x: AxisOptions,
  series: readonly Series[],
): Picture | null {
  const there = series.filter(({ points }) => points.length > 0);
  return there.length === 0 ? null : lineChart({ id: `methods-${id}`, title, description, x, y: ERROR, series: there });
}

const joined = (name: string, points: readonly (readonly [number, number])[]): Series => ({
  name,
  points: points.toSorted(([a], [b]) => a - b),
  isJoined: true,
});

function curves(figures: readonly Figure[], experiment: string, title: string): Picture | null {
  const prefix = `methods.curve.${experiment}.`;
  const series = figures
    .filter(({ id }) => id.startsWith(prefix))
    .map(({ id, detail = {} }) => {
      const method = id.slice(prefix.length) as keyof typeof METHOD_NAMES;
      return joined(
        METHOD_NAMES[method],
        Object.entries(detail).map(([keep, error]) => [100 * Number(keep), error]),
      );
    });
  const x = { label: "weights left, %, logarithmic", isLog: true, show: String };
  return drawn(experiment, [title, "LeNet-300-100 on MNIST, validation digits, one seed."], x, series);
}

const valueOf = (figures: readonly Figure[], id: string): number[] =>
  figures.filter((figure) => figure.id === id).map(({ value }) => Number(value));

/** Bytes and error of methods by their ids. */
function points(figures: readonly Figure[], methods: readonly string[], x: string): [number, number][] {
  return methods.flatMap((method) =>
    valueOf(figures, `methods.${method}.${x}`).flatMap((at) =>
      valueOf(figures, `methods.${method}.error`).map((error): [number, number] => [at, error]),
    ),
  );
}

function sizes(figures: readonly Figure[]): Picture | null {
  const shares = [20, 10, 5];
  const named = (name: string, method: string): Series => ({ name, points: points(figures, [method], "bytes") });
  const series = [
    joined(
      "low rank",
      points(
        figures,
        shares.map((share) => `low-rank.${share}`),
        "bytes",
      ),
    ),
    joined(
      "pruning",
      points(
        figures,
        shares.map((share) => `low-rank.pruning.${share}`),
        "bytes",
      ),
    ),
    named("low rank, pruned", "low-rank.pruned"),
    joined("binary", points(figures, ["binary.deterministic", "binary.stochastic"], "bytes")),
    named("ternary", "ternary"),
    named("± 1 and ± 3", "ternary.two-bit"),
  ];
  const words = ["Error against bytes", "LeNet-300-100 on MNIST, test digits, short trainings of one seed."] as const;
  return drawn("sizes", words, { label: "bytes, logarithmic", isLog: true }, series);
}

function product(figures: readonly Figure[]): Picture | null {
  const by = (name: string, ids: readonly string[]): Series => joined(name, points(figures, ids, "bytes"));
  const series = [
    by("4 centroids of 8, 4 and 2 weights", ["pq.8.4", "pq.4.4", "pq.2.4"]),
    by("4 and 16 centroids of 4 weights", ["pq.4.4", "pq.4.16"]),
    by("shared weights of 1 and 2 bits", ["pq.shared.1", "pq.shared.2"]),
  ];
  const words = [
    "Product quantization beside shared weights",
    "LeNet-300-100 on MNIST, test digits; bytes with codes at their entropy.",
  ] as const;
  return drawn("product", words, { label: "bytes, logarithmic", isLog: true }, series);
}

function fixedPoint(figures: readonly Figure[]): Picture | null {
  const series = ["nearest", "stochastic"].map((rounding) =>
    joined(
      rounding,
      [8, 10, 12].flatMap((bits) =>
        valueOf(figures, `methods.fixed-point.${rounding}.${bits}`).map((error): [number, number] => [bits, error]),
      ),
    ),
  );
  const words = ["Training in fixed point of 16 bits", "LeNet-300-100 on MNIST, half an epoch, test digits."] as const;
  return drawn("fixed-point", words, { label: "bits behind the point", isWhole: true, show: String }, series);
}

function flattened(figures: readonly Figure[]): Picture | null {
  const series = ["dense", "trained", "scratch", "components"].map((kind): Series => {
    return { name: kind, points: points(figures, [`flatten.${kind}`], "instructions") };
  });
  const words = ["Flattened convolutions", "LeNet-5 of 8-16-64 units on MNIST, test digits."] as const;
  return drawn("flatten", words, { label: "million instructions on a Cortex-M4" }, series);
}
