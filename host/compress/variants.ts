/**
 * Ways to make a net small, each the stages of a recipe. `bench --only costs` runs each on a dense and on a convolutional net; `compress --explain` sizes
 * them on a net of the user's, beside what they cost there.
 */
import type { Graph, WeightedLayer } from "../model/model.js";
import { freeLayers, round, stepsOf } from "./candidates.js";
import { flattenProblem } from "./flatten.js";
import { rankProblem, ranksFor } from "./low-rank.js";
import { STAYING } from "./units.js";

export interface Variant {
  /** For scripts, and in bench/costs.json. */
  readonly id: string;
  readonly name: string;
  /** Of the weights, what pruning leaves; absent where nothing is pruned. */
  readonly keep?: number;
  /** Why it leaves a layer as it is; null where it does not. A variant without applies to every layer with weights. */
  readonly problem?: (graph: Graph) => (layer: WeightedLayer) => string | null;
  /** As a recipe has them, but for `dead-units` and `calibrate` at the end. @param graph with a layer that it applies to @param epochs of training in all */
  readonly stages: (graph: Graph, epochs: number) => readonly object[];
}

/** Rounding of what other stages have left: most of what one learns, it learns before. */
const onGrid = (graph: Graph, epochs: number): object => ({
  kind: "grid",
  step: stepsOf(graph, 1),
  epochs: round(epochs, 3),
  lr: 0.001,
  lrEnd: 5e-5,
});

/** Ends at half of its rate: the grid behind it goes on with it. */
const part = (
  epochs: number,
  share: number,
): { readonly epochs: number; readonly lr: number; readonly lrEnd: number } => ({
  epochs: round(epochs * share, 3),
  lr: 0.001,
  lrEnd: 0.0005,
});

/** A gradual schedule prunes so often at least. */
const LEAST_PRUNINGS = 10;

const gradual = (keep: number, epochs: number): object => ({
  kind: "prune",
  keep,
  ...part(epochs, 1),
  ...(epochs < LEAST_PRUNINGS / 4 && { everyEpochs: round(Math.max(0.001, epochs / LEAST_PRUNINGS), 2) }),
});

/** Gradual pruning by the loss that a bit is worth, and a grid. @param keep share of the weights, or a count above 1 */
export const pruned = (keep: number): Variant => ({
  id: `prune-${round(100 * keep, 3)}`,
  name: `prune to ${round(100 * keep, 3)} %, grid`,
  keep,
  stages: (graph, epochs) => [gradual(keep, 0.6 * epochs), onGrid(graph, 0.4 * epochs)],
});

const lowRank = (share: number): Variant => ({
  id: `low-rank-${100 * share}`,
  name: `low rank, ${100 * share} % of the weights`,
  problem: (graph) => (layer) => {
    if (layer.op !== "dense") return "a convolution keeps its filters";
    const why = rankProblem(graph)(layer);
    return why ?? (Object.hasOwn(ranksFor(graph, share), layer.name) ? null : "it makes the net's results");
  },
  stages: (graph, epochs) => {
    const why = rankProblem(graph);
    const layers = graph.layers.filter((layer) => layer.op === "dense" && why(layer) === null).map(({ name }) => name);
    const ranks = Object.entries(ranksFor(graph, share)).filter(([name]) => layers.includes(name));
    return [{ kind: "low-rank", rank: Object.fromEntries(ranks), ...part(epochs, 0.6) }, onGrid(graph, 0.4 * epochs)];
  },
});

const levels = (count: number, name: string): Variant => ({
  id: `levels-${count}`,
  name,
  stages: (_, epochs) => [{ kind: "levels", levels: count, epochs }],
});

/** Without `channels` of a layer that makes results, or whose channels are tied to such ones. */
const channels: Variant = {
  id: "channels-50",
  name: "half of the channels, prune to 20 %",
  problem: (graph) => {
    const free = new Set(freeLayers(graph).map(([name]) => name));
    return ({ name }) => (free.has(name) ? null : STAYING);
  },
  stages: (graph, epochs) => [
    {
      kind: "channels",
      keep: Object.fromEntries(freeLayers(graph).map(([name]) => [name, 0.5])),
      ...part(epochs, 0.3),
      everyEpochs: round(Math.max(0.001, (0.3 * epochs) / LEAST_PRUNINGS), 2),
    },
    gradual(0.2, 0.4 * epochs),
    onGrid(graph, 0.3 * epochs),
  ],
};

export const VARIANTS: readonly Variant[] = [
  {
    id: "share-5",
    name: "all weights, codebooks of 5 bits",
    stages: (_, epochs) => [{ kind: "share", bits: 5, epochs }],
  },
  { id: "grid", name: "all weights, grid", stages: (graph, epochs) => [onGrid(graph, epochs)] },
  ...[0.2, 0.1, 0.05, 0.03].map(pruned),
  {
    id: "surgery-5",
    name: "surgery to 5 %, grid",
    stages: (graph, epochs) => [{ kind: "surgery", keep: 0.05, ...part(epochs, 0.6) }, onGrid(graph, 0.4 * epochs)],
  },
  {
    id: "obs-30",
    name: "surgeon (obs) to 30 %, not trained",
    stages: () => [
      { kind: "prune", score: "obs", schedule: "one-shot", keep: 0.3, epochs: 0 },
      { kind: "share", bits: 6, epochs: 0 },
    ],
  },
  lowRank(0.2),
  lowRank(0.1),
  channels,
  {
    id: "flatten",
    name: "flattened convolutions, grid",
    problem: () => flattenProblem,
    stages: (graph, epochs) => [{ kind: "flatten", ...part(epochs, 0.6) }, onGrid(graph, 0.4 * epochs)],
  },
  {
    id: "binary",
    name: "binary weights",
    stages: (_, epochs) => [{ kind: "binary-connect", epochs }],
  },
  levels(3, "ternary weights"),
  levels(4, "weights of 2 bits, four levels"),
  levels(16, "weights of 4 bits, 16 levels"),
];

/** What every variant ends with. */
export const LAST_STAGES: readonly object[] = [{ kind: "dead-units" }, { kind: "calibrate" }];
