/** Experiments as the paper draws them, with the mean of the seeds and what lies between the best and the worst. */
import { lineChart, type Series } from "../charts.js";
import type { ExperimentRecord, Method, TrialResult } from "../experiment.js";
import type { Part } from "../page.js";
import type { Picture } from "../svg.js";
import { bytesText, percent, type Table } from "../table.js";

export const METHOD_NAMES: Readonly<Record<Method, string>> = {
  none: "float32",
  pruning: "pruning",
  quantization: "quantization",
  both: "pruning and quantization",
  svd: "SVD",
  rdoq: "pruning and rate-distortion quantization",
  inq: "pruning and powers of two (INQ)",
  magnitude: "magnitude",
  lamp: "LAMP",
  obd: "Optimal Brain Damage",
  obs: "Optimal Brain Surgeon",
  l2: "L2, no retraining",
  l1: "L1, no retraining",
  "l1-retrained": "L1, retrained",
  "l2-retrained": "L2, retrained",
  "l2-iterative": "L2, pruned and retrained in turns",
  "l2-dropout": "L2 and dropout, in turns",
};

/** Trials of one setting, by seed. */
interface Group {
  readonly first: TrialResult;
  readonly mean: number;
  readonly least: number;
  readonly most: number;
  /** Mean bytes at fixed widths. */
  readonly bytes: number;
  readonly codedBytes: number;
  readonly seeds: number;
}

function groupsOf(trials: readonly TrialResult[]): Group[] {
  const by = new Map<string, TrialResult[]>();
  for (const trial of trials) {
    const { method, keep, convBits, denseBits, init, lambda } = trial;
    const key = JSON.stringify([method, keep, convBits, denseBits, init, lambda]);
    by.set(key, [...(by.get(key) ?? []), trial]);
  }
  return [...by.values()].map((group) => {
    const errors = group.map(({ error }) => error);
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      first: group[0],
      mean: mean(errors),
      least: Math.min(...errors),
      most: Math.max(...errors),
      bytes: mean(group.map(({ bytes }) => bytes)),
      codedBytes: mean(group.map(({ codedBytes }) => codedBytes)),
      seeds: group.length,
    };
  });
}

export function experimentPart(record: ExperimentRecord): Part {
  const { experiment, net, data, isQuick, denseBytes, trials } = record;
  const groups = groupsOf(trials);
  const seeds = Math.max(0, ...groups.map((group) => group.seeds));
  const words = `${net} on ${data}${isQuick ? ", a quick look" : ""}; the mean of ${seeds} ${seeds === 1 ? "seed" : "seeds"}${seeds > 1 ? ", shaded from the best to the worst" : ""}`;
  const id = `experiment-${experiment}-${net}-${data}${isQuick ? "-quick" : ""}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-");
  const pictures =
    experiment === "rates"
      ? [byRate(groups, denseBytes, words, id), ...byBits(groups, words, id)]
      : experiment === "inits"
        ? [byInit(groups, words, id)]
        : experiment === "rdoq"
          ? [byCodedBytes(groups, words, id)]
          : experiment === "scores" || experiment === "retraining"
            ? [byKeep(groups, words, id)]
            : [];
  const columns: Table["columns"] = [
    { head: "method" },
    { head: "kept, %", show: (value) => String(Number(value.toPrecision(3))) },
    { head: "bits of convolutions" },
    { head: "bits of dense layers" },
    { head: "initialisation" },
  ];
  const settings = ({ method, keep, convBits, denseBits, init }: TrialResult): (string | number | null)[] => [
    METHOD_NAMES[method],
    keep === null ? null : 100 * keep,
    convBits,
    denseBits,
    init,
  ];
  const dense = groups.find(({ first }) => first.method === "none");
  return {
    id,
    title: `${TITLES[experiment]}: ${net} on ${data}`,
    blocks: [
      ...pictures,
      {
        kind: "table",
        id: `${id}-means`,
        caption: `${words}. Rate: of float32, at fixed widths`,
        columns: [
          ...columns,
          { head: "bytes", show: bytesText },
          { head: "rate, %", show: percent },
          { head: "error, %", show: percent },
          { head: "best, %", show: percent },
          { head: "worst, %", show: percent },
          { head: "more than float32, points", show: (value) => value.toFixed(2) },
          { head: "coded bytes", show: bytesText },
          { head: "λ" },
        ],
        rows: groups.map(({ first, bytes, codedBytes, mean, least, most }) => [
          ...settings(first),
          bytes,
          (100 * bytes) / denseBytes,
          mean,
          least,
          most,
          dense === undefined ? null : mean - dense.mean,
          codedBytes,
          first.lambda ?? null,
        ]),
      },
    ],
    data: [
      {
        kind: "table",
        id,
        caption: "All trials",
        columns: [
          ...columns,
          { head: "seed" },
          { head: "bytes" },
          { head: "coded bytes" },
          { head: "error" },
          { head: "λ" },
        ],
        rows: trials.map((trial) => [
          ...settings(trial),
          trial.seed,
          trial.bytes,
          trial.codedBytes,
          trial.error,
          trial.lambda ?? null,
        ]),
      },
    ],
  };
}

const TITLES: Readonly<Record<ExperimentRecord["experiment"], string>> = {
  scores: "Scores of pruning, without retraining",
  retraining: "Pruning with and without retraining",
  rates: "Accuracy against rate",
  bits: "Bits of convolutions and dense layers",
  inits: "Initialisations of k-means, fine-tuned",
  rdoq: "Rate-distortion quantization against k-means and INQ",
};

/** A curve through groups, by what stands on the x axis. */
function seriesOf(name: string, groups: readonly Group[], x: (group: Group) => number): Series {
  const ordered = groups.toSorted((a, b) => x(a) - x(b));
  return {
    name,
    points: ordered.map((group) => [x(group), group.mean]),
    band: ordered.map((group) => [x(group), group.least, group.most]),
    isJoined: true,
  };
}

const errorAxis = { label: "error, %", show: String } as const;

/** Figure 6: what each method loses at each rate. Both together have a curve through what no other of them beats. */
function byRate(groups: readonly Group[], denseBytes: number, words: string, id: string): Picture {
  const rate = ({ bytes }: Group): number => (100 * bytes) / denseBytes;
  const front = (all: readonly Group[]): Group[] => {
    let best = Infinity;
    return all.toSorted((a, b) => a.bytes - b.bytes).filter(({ mean }) => mean < best && ((best = mean), true));
  };
  const of = (method: Method): Group[] => groups.filter(({ first }) => first.method === method);
  const methods = (["pruning", "quantization", "both", "svd"] as const).filter((method) => of(method).length > 0);
  const dense = of("none")[0];
  return lineChart({
    id: `${id}-rate`,
    title: "Error against compression rate",
    description: `${words}.${dense === undefined ? "" : ` The net as it was trained errs on ${percent(dense.mean)}.`} Rate is of float32 at fixed widths, before entropy codes; of both methods together the best of each size.`,
    x: { label: "rate, % of float32, logarithmic", isLog: true, show: String },
    y: errorAxis,
    series: methods.map((method) =>
      seriesOf(METHOD_NAMES[method], method === "both" ? front(of(method)) : of(method), rate),
    ),
  });
}

/** Figure 7: pruning does not hurt quantization. Both together at the density that has the most widths. */
function byBits(groups: readonly Group[], words: string, id: string): Picture[] {
  const quantized = groups.filter(({ first }) => first.method === "quantization");
  const both = groups.filter(({ first }) => first.method === "both");
  const widthsAt = (keep: number | null): Group[] => both.filter(({ first }) => first.keep === keep);
  const keep =
    both.map(({ first }) => first.keep).toSorted((a, b) => widthsAt(b).length - widthsAt(a).length)[0] ?? null;
  if (quantized.length === 0 || widthsAt(keep).length === 0) return [];
  const bits = ({ first }: Group): number => first.denseBits ?? 32;
  return [
    lineChart({
      id: `${id}-bits`,
      title: "Error against bits of a weight",
      description: `${words}. All weights shared, and those that pruning to ${Number((100 * keep!).toPrecision(3))} % has left.`,
      x: { label: "bits of a weight that is left", isWhole: true, show: String },
      y: errorAxis,
      series: [seriesOf("quantization", quantized, bits), seriesOf("pruning and quantization", widthsAt(keep), bits)],
    }),
  ];
}

/** Figure 8. */
function byInit(groups: readonly Group[], words: string, id: string): Picture {
  const inits = [...new Set(groups.flatMap(({ first }) => (first.init === null ? [] : [first.init])))];
  return lineChart({
    id: `${id}-inits`,
    title: "Error by initialisation",
    description: `${words}, after fine-tuning.`,
    x: { label: "bits of a weight", isWhole: true, show: String },
    y: errorAxis,
    series: inits.map((init) =>
      seriesOf(
        init,
        groups.filter(({ first }) => first.init === init),
        ({ first }) => first.denseBits ?? 32,
      ),
    ),
  });
}

/** Figure 5 of Han et al. 2015, and as much of scores. */
function byKeep(groups: readonly Group[], words: string, id: string): Picture {
  const dense = groups.find(({ first }) => first.method === "none");
  const methods = [...new Set(groups.map(({ first }) => first.method))].filter((method) => method !== "none");
  return lineChart({
    id: `${id}-keep`,
    title: "Error against weights left",
    description: `${words}.${dense === undefined ? "" : ` The net as it was trained errs on ${percent(dense.mean)}.`}`,
    x: { label: "weights left, %, logarithmic", isLog: true, show: String },
    y: errorAxis,
    series: methods.map((method) =>
      seriesOf(
        METHOD_NAMES[method],
        groups.filter(({ first }) => first.method === method),
        ({ first }) => 100 * first.keep!,
      ),
    ),
  });
}

/** What bytes of codec 3 buy: λ of rate-distortion quantization varied against bits of k-means and of powers of two, on the same pruned nets. */
function byCodedBytes(groups: readonly Group[], words: string, id: string): Picture {
  const of = (method: Method): Group[] => groups.filter(({ first }) => first.method === method);
  const dense = of("none")[0];
  return lineChart({
    id: `${id}-bytes`,
    title: "Error against bytes",
    description: `${words}.${dense === undefined ? "" : ` The net as it was trained errs on ${percent(dense.mean)}.`} Bytes are those of codec 3, and of biases of 8 bits.`,
    x: { label: "bytes, logarithmic", isLog: true, show: String },
    y: errorAxis,
    series: [
      seriesOf("k-means, 1 … 8 bits", of("both"), ({ codedBytes }) => codedBytes),
      seriesOf("powers of two (INQ), 2 … 5 bits", of("inq"), ({ codedBytes }) => codedBytes),
      seriesOf("rate-distortion quantization, λ varied", of("rdoq"), ({ codedBytes }) => codedBytes),
    ],
  });
}
