/**
 * Low rank: a layer's weights [out, in] become [out, r] × [r, in] by singular value decomposition, two layers with nothing between them. A convolution
 * becomes r filters of its kernel and one of 1 × 1.
 * @see Denton et al. 2014, "Exploiting linear structure within convolutional networks for efficient evaluation"; Gong et al. 2014,
 *   "Compressing deep convolutional networks using vector quantization", section 2.1
 */
import { MoteError } from "../errors.js";
import { resultsOf } from "../model/edges.js";
import type { FloatTensor, Graph, Net, WeightedLayer } from "../model/model.js";
import { parameterShapes } from "../model/shapes.js";
import { floatWeights } from "../ops/index.js";
import { estimateBytes } from "./estimate.js";
import { weightedLayers } from "./integer-stages.js";
import type { LowRankStage } from "./method-stages.js";
import { chain, replaceInNet, replaceLayers, splitValues, type Replacements } from "./split.js";
import { energies, MOST_SVD_WORK, svd, svdWork, type Svd } from "./svd.js";

/** Sides of the layer's weights as a matrix. */
function sidesOf(graph: Graph): (name: string) => readonly [rows: number, columns: number] {
  const shapes = parameterShapes(graph);
  return (name) => {
    const [rows, ...sizes] = shapes.get(`${name}.weight`)!;
    return [rows, sizes.reduce((a, b) => a * b, 1)];
  };
}

/** Why a layer cannot be split; null where it can. */
export function rankProblem(graph: Graph): (layer: WeightedLayer) => string | null {
  const sides = sidesOf(graph);
  return (layer) => {
    if (floatWeights(layer).groups(layer) > 1)
      return "a convolution in groups has a matrix for each, expected groups 1";
    const [rows, columns] = sides(layer.name);
    return rows * columns <= rows + columns ? `no rank makes ${rows} × ${columns} weights fewer` : null;
  };
}

/** The largest rank at which two layers have fewer weights than the one; at least 1. */
export const mostUsefulRank = (rows: number, columns: number): number =>
  Math.max(1, Math.ceil((rows * columns) / (rows + columns)) - 1);

/** Ranks of the dense layers, but for the one of the results, at which so large a share of their weights is left. */
export function ranksFor(graph: Graph, keep: number): Record<string, number> {
  const shapes = parameterShapes(graph);
  const results = resultsOf(graph);
  const layers = weightedLayers(graph).filter(({ op, output }) => op === "dense" && !results.includes(output));
  return Object.fromEntries(
    layers.map(({ name }) => {
      const [rows, columns] = shapes.get(`${name}.weight`)!;
      return [name, Math.max(1, Math.round((keep * rows * columns) / (rows + columns)))];
    }),
  );
}

/** The settings of a stage by the names of the layers that it splits. @throws MoteError RECIPE */
export function checkLowRank(stage: LowRankStage, graph: Graph, place: string): LowRankStage {
  const key = stage.rank === undefined ? "energy" : "rank";
  if (stage.rank !== undefined && stage.energy !== undefined)
    throw new MoteError("RECIPE", `${place}.energy: expected none beside rank`);
  if (stage.rank !== undefined && stage.bytes !== undefined)
    throw new MoteError("RECIPE", `${place}.bytes: expected none beside rank`);
  const values = stage[key] ?? { "op:dense": stage.bytes === undefined ? DEFAULT_ENERGY : 1 };
  const settled = splitValues(values, weightedLayers(graph), `${place}.${key}`, rankProblem(graph));
  const sides = sidesOf(graph);
  for (const [name, rank] of Object.entries(stage.rank === undefined ? {} : settled)) {
    const most = Math.min(...sides(name));
    if (rank > most) throw new MoteError("RECIPE", `${place}.rank.${name}: expected at most ${most}, got ${rank}`);
  }
  for (const name of Object.keys(settled)) {
    const [rows, columns] = sides(name);
    const work = svdWork(rows, columns);
    if (work > MOST_SVD_WORK)
      throw new MoteError(
        "RECIPE",
        `${place}.${key}.${name}: ${rows} × ${columns} weights take too long to split: ` +
          `expected rows × columns × the smaller of them of at most ${MOST_SVD_WORK}, got ${work}`,
      );
  }
  const checked = { ...stage, [key]: settled };
  replaceLayers(graph, lowRankLayers(graph, mostRanks(checked, graph)));
  return checked;
}

/** What a plain stage keeps of each dense layer. */
const DEFAULT_ENERGY = 0.9;

/** The graph behind a checked stage, as far as it can be known before: with the most ranks that there may be. */
export const lowRankGraph = (stage: LowRankStage, graph: Graph): Graph =>
  replaceLayers(graph, lowRankLayers(graph, mostRanks(stage, graph)));

function mostRanks({ rank, energy }: LowRankStage, graph: Graph): Map<string, number> {
  const sides = sidesOf(graph);
  return new Map(
    Object.keys(rank ?? energy!).map((name) => {
      const [rows, columns] = sides(name);
      return [name, rank === undefined ? mostUsefulRank(rows, columns) : countOf(rank[name], rows, columns)];
    }),
  );
}

/** A count, or below 1 a share of the smaller side. */
const countOf = (rank: number, rows: number, columns: number): number =>
  rank < 1 ? Math.max(1, Math.round(rank * Math.min(rows, columns))) : Math.min(rank, rows, columns);

const POINTS: {
  readonly [Op in WeightedLayer["op"]]: (layer: Extract<WeightedLayer, { op: Op }>) => WeightedLayer;
} = {
  conv2d: (layer) => ({ ...layer, kernel: [1, 1], stride: 1, pad: 0 }),
  dense: (layer) => layer,
};

/** A layer of as many outputs that reads each position by itself. */
function pointOf(layer: WeightedLayer): WeightedLayer {
  const point: (layer: never) => WeightedLayer = POINTS[layer.op];
  return point(layer as never);
}

function lowRankLayers(graph: Graph, ranks: ReadonlyMap<string, number>): Replacements {
  return new Map(
    weightedLayers(graph).flatMap((layer): [string, WeightedLayer[]][] => {
      const rank = ranks.get(layer.name);
      if (rank === undefined) return [];
      const [first, second] = chain(layer, ["in", "out"]);
      const rows = { ...floatWeights(layer).withRows(layer, rank), ...first } as WeightedLayer;
      return [[layer.name, [rows, { ...pointOf(layer), ...second }]]];
    }),
  );
}

/** The net of a stage, before it is trained. @throws MoteError RECIPE where `bytes` cannot be reached */
export function lowRankNet(net: Net, stage: LowRankStage, biasBits: Readonly<Record<string, number>>): Net {
  const sides = sidesOf(net.graph);
  const { rank, energy, bytes } = stage;
  const parts = Object.keys(rank ?? energy!).map((name): Part => {
    const [rows, columns] = sides(name);
    return { name, rows, columns, ...svd(net.tensors.get(`${name}.weight`)!.data, rows, columns) };
  });
  const most = new Map(parts.map((part) => [part.name, mostOf(part, stage)]));
  if (bytes === undefined) return splitNet(net, parts, most);
  // Of all singular values the ones that keep the most of their layer's energy for what they take.
  const order = parts
    .flatMap(({ name, rows, columns, values }) => {
      const total = values.reduce((sum, s) => sum + s * s, 0) || 1;
      return Array.from(values.subarray(0, most.get(name)), (s) => ({
        name,
        worth: (s * s) / (total * (rows + columns)),
      }));
    })
    .sort((a, b) => b.worth - a.worth);
  const withFirst = (count: number): Net => {
    const ranks = new Map(parts.map(({ name }) => [name, 0]));
    for (const { name } of order.slice(0, count)) ranks.set(name, ranks.get(name)! + 1);
    return splitNet(net, parts, new Map([...ranks].map(([name, r]) => [name, Math.max(1, r)])));
  };
  let [fits, exceeds] = [0, order.length + 1];
  const least = estimateBytes(withFirst(0), biasBits);
  if (least > bytes)
    throw new MoteError("RECIPE", `bytes: expected ${least} or more, at which every rank is 1, got ${bytes}`);
  while (exceeds - fits > 1) {
    const middle = (fits + exceeds) >> 1;
    if (estimateBytes(withFirst(middle), biasBits) <= bytes) fits = middle;
    else exceeds = middle;
  }
  return withFirst(fits);
}

interface Part extends Svd {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
}

/** The rank of a layer, or the most it may have where bytes are what counts. */
function mostOf({ name, rows, columns, values }: Part, { rank, energy }: LowRankStage): number {
  if (rank !== undefined) return countOf(rank[name], rows, columns);
  const needed = energies(values).findIndex((share) => share >= energy![name] - 1e-12) + 1;
  return Math.min(needed, mostUsefulRank(rows, columns));
}

/** Both factors get the root of each singular value: their weights are of one size, which one grid suits. */
function splitNet(net: Net, parts: readonly Part[], ranks: ReadonlyMap<string, number>): Net {
  const replacements = lowRankLayers(net.graph, ranks);
  const shapes = parameterShapes(replaceLayers(net.graph, replacements));
  const tensors = new Map<string, FloatTensor>();
  for (const { name, rows, columns, values, left, right } of parts) {
    const rank = ranks.get(name)!;
    const [first, second] = replacements.get(name)!.map((part) => part.name);
    const put = (tensor: string, data: Float32Array): void =>
      void tensors.set(tensor, { shape: shapes.get(tensor)!, data });
    const root = values.map(Math.sqrt);
    put(
      `${first}.weight`,
      Float32Array.from({ length: rank * columns }, (_, i) => root[Math.floor(i / columns)] * right[i]),
    );
    put(`${first}.bias`, new Float32Array(rank));
    put(
      `${second}.weight`,
      Float32Array.from(
        { length: rows * rank },
        (_, i) => root[i % rank] * left[(i % rank) * rows + Math.floor(i / rank)],
      ),
    );
    put(`${second}.bias`, net.tensors.get(`${name}.bias`)!.data.slice());
  }
  return replaceInNet(net, replacements, tensors);
}
