/**
 * Which methods suit a net and a budget, without training: sizes are the packer's of the net as it is, points of error what the methods have cost on
 * nets of this repository. What is proposed is an estimate; a run or a search finds out.
 */
import { MoteError } from "../errors.js";
import type { Graph, Net, WeightedLayer } from "../model/model.js";
import { parameterShapes } from "../model/shapes.js";
import { own } from "../own.js";
import { round, SEARCH_BIAS_BITS, workByLayer, type RecipeHead } from "./candidates.js";
import { checkRecipe } from "./check-recipe.js";
import type { CostNet, Costs } from "./costs.js";
import { estimateBytes, layerBytes } from "./estimate.js";
import { draftContainer, figuresOf, type Figures } from "./figures.js";
import { foldBatchNorm } from "./fold-batchnorm.js";
import { excess, type Goal, type Limits } from "./goal.js";
import { weightedLayers } from "./integer-stages.js";
import { parseRecipe } from "./recipe.js";
import { svdWork } from "./svd.js";
import { untrained } from "./untrained.js";
import { LAST_STAGES, pruned, VARIANTS, type Variant } from "./variants.js";

export interface ExplainOptions {
  /** A trained one, whose weights are not on integers yet. */
  readonly net: Net;
  /** With no limit and no `maxDrop`, what costs up to half a point is looked for. */
  readonly goal: Goal;
  readonly costs: Costs;
  /** What the recipe has beside its stages. */
  readonly head: RecipeHead;
  /** Of the recipe's training. */
  readonly epochs: number;
}

/** Of a layer. Estimated bytes are by variant; null where the variant leaves the layer alone or cannot be sized. */
export interface LayerSizes {
  readonly layer: string;
  readonly op: WeightedLayer["op"];
  readonly weights: number;
  /** Of an inference, all weights counted. */
  readonly multiplications: number;
  readonly bytes: Readonly<Record<string, number | null>>;
}

export interface MethodSizes {
  readonly id: string;
  readonly name: string;
  /** Estimated; null where `problem` says why there are none. Memory and instructions only where the goal limits them. */
  readonly figures: Partial<Figures> | null;
  /** What it has cost on the net that is most like this one; null where it was not measured there. */
  readonly points: number | null;
  readonly isWithin: boolean;
  /** Layers that it changes. */
  readonly layers: readonly string[];
  /** Why it passes over others, by layer. */
  readonly passesOver: Readonly<Record<string, string>>;
  /** Why it does not suit the net at all. */
  readonly problem: string | null;
}

export interface Explanation {
  /** Which of the measured nets points are of. */
  readonly like: CostNet;
  readonly layers: readonly LayerSizes[];
  readonly methods: readonly MethodSizes[];
  /** Of the methods. */
  readonly proposed: MethodSizes;
  /** As `mote compress` takes it. */
  readonly recipe: RecipeHead;
}

/** Points, of a goal that says nothing. */
export const USUAL_DROP = 0.5;
/** Two errors on 5,000 digits of some 2 % differ by so many points by chance. */
export const NOISE = 0.3;
/** As of a search: training may end with a little more. */
const MARGIN = 0.985;
/** Singular values are looked for within some ten seconds. */
const MOST_SVD_WORK = 2e9;
/** Halvings of the number of weights that fit. */
const ROUNDS = 12;
/** Of the weights, the fewest that pruning leaves. */
const LEAST_KEEP = 1 / 4096;

/** Variants whose bytes are given by layer. */
export const LAYER_VARIANTS = ["grid", "prune-10", "low-rank-10", "binary", "levels-3", "levels-16"] as const;

/** @throws MoteError ARGUMENT for a net that is not trained or compressed already, RECIPE where nothing is within the goal */
export function explain({ net, goal, costs, head, epochs }: ExplainOptions): Explanation {
  checkNet(net);
  const { maxDrop: drop, ...limits } = goal;
  const folded = foldBatchNorm(net);
  const { graph } = folded;
  const like = likeOf(graph, goal);
  const costOf = (id: string): number | null =>
    costs.costs.find(({ variant, net }) => variant === id && net === like)?.points ?? null;
  const layerSizes = new Map<string, ReadonlyMap<string, number>>();
  const methods = VARIANTS.map((variant): MethodSizes => {
    const sized = sizesOf(folded, variant, limits);
    if (sized.byLayer !== undefined) layerSizes.set(variant.id, sized.byLayer);
    const { byLayer: _, ...sizes } = sized;
    return { ...sizes, points: costOf(variant.id) };
  });
  const isLimited = Object.keys(limits).length > 0;
  const most = isLimited ? figuresFor(draftOf(folded, pruned(LEAST_KEEP)), limits) : undefined;
  const fitted = most !== undefined && isWithin(limits, most) ? fittedPruning(folded, limits, costOf) : undefined;
  const all = [...methods, ...(fitted === undefined ? [] : [fitted.sizes])];
  const maxDrop = drop ?? (isLimited ? undefined : USUAL_DROP);
  const proposed = bestOf(all, maxDrop);
  if (proposed === undefined) throw nothingWithin(all, most, maxDrop);
  const variant = proposed === fitted?.sizes ? fitted.variant : VARIANTS.find(({ id }) => id === proposed.id)!;
  const recipe = recipeOf(variant, graph, head, epochs);
  checkRecipe(readRecipe(recipe), graph);
  const work = workByLayer(graph);
  const layers = weightedLayers(graph).map(({ name, op }) => ({
    layer: name,
    op,
    weights: folded.tensors.get(`${name}.weight`)!.data.length,
    multiplications: work.get(name)!,
    bytes: Object.fromEntries(LAYER_VARIANTS.map((id) => [id, layerSizes.get(id)?.get(name) ?? null])),
  }));
  return { like, layers, methods: all, proposed, recipe };
}

function checkNet({ graph, tensors, compression }: Net): void {
  if (tensors.size === 0)
    throw new MoteError(
      "ARGUMENT",
      `--explain: ${graph.name} has no weights, whose sizes it is about; mote train makes some`,
    );
  if (Object.keys(compression?.weightScale ?? {}).length > 0)
    throw new MoteError("ARGUMENT", `--explain: ${graph.name} is compressed already; expected the net before`);
}

/** Where most of what is limited lies: multiplications, or else weights. */
function likeOf(graph: Graph, { instructions }: Goal): CostNet {
  const work = workByLayer(graph);
  const shapes = parameterShapes(graph);
  let [dense, conv] = [0, 0];
  for (const { name, op } of weightedLayers(graph)) {
    const amount =
      instructions === undefined ? shapes.get(`${name}.weight`)!.reduce((a, b) => a * b, 1) : work.get(name)!;
    if (op === "dense") dense += amount;
    else conv += amount;
  }
  return dense >= conv ? "dense" : "conv";
}

const readRecipe = (recipe: object): ReturnType<typeof parseRecipe> =>
  parseRecipe(JSON.stringify(recipe), "the recipe of --explain");

const recipeOf = (variant: Variant, graph: Graph, head: RecipeHead, epochs: number): RecipeHead => ({
  ...head,
  stages: [...variant.stages(graph, epochs), ...LAST_STAGES],
  pack: { biasBits: SEARCH_BIAS_BITS },
});

/** The net as a variant leaves it but for training. */
function draftOf(net: Net, variant: Variant): Net {
  const recipe = readRecipe(recipeOf(variant, net.graph, { net: net.graph.name }, 1));
  return untrained(net, checkRecipe(recipe, net.graph));
}

function figuresFor(draft: Net, limits: Limits): Partial<Figures> {
  const bias = Object.fromEntries(weightedLayers(draft.graph).map(({ name }) => [name, SEARCH_BIAS_BITS]));
  const bytes = estimateBytes(draft, bias);
  if (limits.ram === undefined && limits.instructions === undefined) return { bytes };
  const { ram, instructions } = figuresOf(
    draftContainer(draft, draft.compression!.weightScale as Record<string, number>, SEARCH_BIAS_BITS),
  );
  return {
    bytes,
    ...(limits.ram !== undefined && { ram }),
    ...(limits.instructions !== undefined && { instructions }),
  };
}

const isWithin = (limits: Limits, figures: Partial<Figures>): boolean =>
  excess(limits, { bytes: 0, ram: 0, instructions: 0, ...figures }) <= 1;

function sizesOf(
  net: Net,
  variant: Variant,
  limits: Limits,
): Omit<MethodSizes, "points"> & { readonly byLayer?: ReadonlyMap<string, number> } {
  const { id, name } = variant;
  const { graph } = net;
  const problem = variant.problem?.(graph) ?? (() => null);
  const all = weightedLayers(graph);
  const layers = all.filter((layer) => problem(layer) === null).map((layer) => layer.name);
  const passesOver = Object.fromEntries(
    all.flatMap((layer) => (layers.includes(layer.name) ? [] : [[layer.name, problem(layer)!]])),
  );
  const none = (why: string): Omit<MethodSizes, "points"> => ({
    id,
    name,
    figures: null,
    isWithin: false,
    layers,
    passesOver,
    problem: why,
  });
  if (layers.length === 0) return none("applies to no layer");
  const large = id.startsWith("low-rank") ? layers.find((layer) => svdWorkOf(graph, layer) > MOST_SVD_WORK) : undefined;
  if (large !== undefined) return none(`${large} is too large for a look at its singular values`);
  try {
    const draft = draftOf(net, variant);
    const figures = figuresFor(draft, limits);
    return {
      id,
      name,
      figures,
      isWithin: isWithin(limits, figures),
      layers,
      passesOver,
      problem: null,
      byLayer: bytesByLayer(draft, new Set(layers)),
    };
  } catch (error) {
    // What a stage's check or the packer refuses of this net.
    if (error instanceof MoteError) return none(error.message);
    throw error;
  }
}

function svdWorkOf(graph: Graph, layer: string): number {
  const [rows, ...sizes] = parameterShapes(graph).get(`${layer}.weight`)!;
  return svdWork(
    rows,
    sizes.reduce((a, b) => a * b, 1),
  );
}

/** Of layers, and of the parts that stand in the place of one, `NAME.PART`, together. */
function bytesByLayer(draft: Net, layers: ReadonlySet<string>): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  for (const { name } of weightedLayers(draft.graph)) {
    const whole = layers.has(name) ? name : name.slice(0, name.lastIndexOf("."));
    if (layers.has(whole))
      bytes.set(whole, (bytes.get(whole) ?? 0) + layerBytes(draft, name, { [name]: SEARCH_BIAS_BITS }));
  }
  return bytes;
}

/** Pruning to as many weights as the limits leave, where the fewest do and not all. Its points are those of the most pruning measured that leaves as few. */
function fittedPruning(
  net: Net,
  limits: Limits,
  costOf: (id: string) => number | null,
): { readonly variant: Variant; readonly sizes: MethodSizes } | undefined {
  const aimed = Object.fromEntries(Object.entries(limits).map(([key, limit]) => [key, limit * MARGIN]));
  const fits = (keep: number): boolean => isWithin(aimed, figuresFor(draftOf(net, pruned(keep)), limits));
  let [low, high] = [LEAST_KEEP, 1];
  if (fits(high)) return undefined;
  for (let i = 0; i < ROUNDS; i++) {
    const middle = Math.sqrt(low * high);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  // Rounded down, so that it fits.
  const unit = 10 ** (Math.floor(Math.log10(low)) - 2);
  const variant = pruned(round(Math.floor(low / unit) * unit, 3));
  const measured = VARIANTS.filter(({ id, keep: kept }) => id.startsWith("prune-") && kept! <= variant.keep!);
  const nearest = measured.toSorted((a, b) => b.keep! - a.keep!).at(0);
  const { byLayer: _, ...sizes } = sizesOf(net, variant, limits);
  return { variant, sizes: { ...sizes, points: nearest === undefined ? null : costOf(nearest.id) } };
}

/**
 * With `maxDrop` the smallest of few enough points; else the least points, and of methods that chance may have told apart the largest, since there
 * is room for it. What nobody has measured comes last.
 */
function bestOf(methods: readonly MethodSizes[], maxDrop: number | undefined): MethodSizes | undefined {
  const within = methods.filter((method) => method.isWithin && method.figures !== null);
  const measured = within.filter(({ points }) => points !== null);
  const bytes = ({ figures }: MethodSizes): number => figures!.bytes!;
  if (maxDrop !== undefined)
    return measured.filter(({ points }) => points! <= maxDrop).toSorted((a, b) => bytes(a) - bytes(b))[0];
  const least = Math.min(...measured.map(({ points }) => points!));
  return (
    measured.filter(({ points }) => points! <= least + NOISE).toSorted((a, b) => bytes(b) - bytes(a))[0] ?? within[0]
  );
}

/** @param most figures of the most pruning, where there are limits */
function nothingWithin(
  methods: readonly MethodSizes[],
  most: Partial<Figures> | undefined,
  maxDrop: number | undefined,
): MoteError {
  if (maxDrop !== undefined && methods.some(({ isWithin }) => isWithin))
    return new MoteError("RECIPE", `no method within the goal was measured to cost at most ${maxDrop} points`);
  const sized = [most, ...methods.map(({ figures }) => figures)].flatMap((figures) => figures ?? []);
  const least = (key: keyof Figures): string[] => {
    const values = sized.flatMap((figures) => own(figures as Record<string, number>, key) ?? []);
    const what = { bytes: "bytes", ram: "bytes of RAM", instructions: "instructions" }[key];
    return values.length === 0 ? [] : [`${Math.round(Math.min(...values))} ${what}`];
  };
  const reached = (["bytes", "ram", "instructions"] as const).flatMap(least).join(", ");
  return new MoteError(
    "RECIPE",
    `no method is within the goal; the least of each are ${reached}, pruned to one weight in ${1 / LEAST_KEEP} or otherwise. A search tries narrow nets, too`,
  );
}
