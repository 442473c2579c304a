/** The kinds of recipe that a search tries, and each of them as JSON, written so that it can be read and repeated. */
import type { Graph } from "../model/model.js";
import { valuesOf } from "../model/geometry.js";
import { parameterShapes, tensorShapes } from "../model/shapes.js";
import { weightedLayers } from "./integer-stages.js";
import { narrowGraph } from "./narrow.js";
import { unitsOf } from "./units.js";
import type { Rounding } from "./surrogate.js";

/** What a recipe has beside its stages, as JSON. */
export type RecipeHead = Readonly<Record<string, unknown>> & { readonly net: string; readonly pack?: object };

export interface Candidate {
  /** For the table of what was tried. */
  readonly name: string;
  /** Grid step by op, as a recipe has it. */
  readonly step: Readonly<Record<string, number>>;
  readonly multiplicationBits: number;
  /** Live units by layer, of those that are tied of the first: it begins anew with so many. */
  readonly units?: Readonly<Record<string, number>>;
  /** Shares of the channels by layer, in the place of `units`: the given net goes down to so many. */
  readonly channels?: Readonly<Record<string, number>>;
  /** Cost of an epoch as a share of the given net's. */
  readonly cost: number;
}

/** Grid steps that recipes made by hand end with; convolutions have fewer weights, whose values matter more. */
const STEP: Readonly<Record<string, number>> = { conv2d: 0.35, dense: 0.6 };
const OTHER_STEP = 0.4;
const SCALES = { even: 1, finer: 0.65, coarser: 1.45 } as const;
/** Bits that biases take in recipes that a search writes: small files have many. */
export const SEARCH_BIAS_BITS = 7;

export function stepsOf(graph: Graph, scale: number): Record<string, number> {
  const ops = [...new Set(weightedLayers(graph).map(({ op }) => op))];
  return Object.fromEntries(ops.map((op) => [`op:${op}`, round((STEP[op] ?? OTHER_STEP) * scale, 3)]));
}

export const round = (value: number, digits: number): number => Number(value.toPrecision(digits));

/** Of survivors, the share of a narrow net's weights: where units are so few, most weights of those that are left matter. */
const NARROW_DENSITIES = [0.25, 0.15];
/** Above this share of the weights, no units are taken away. */
const NARROW_BELOW = 0.08;
/** Instead of one bit for a multiplication. */
const LESS_WORK = { name: "less work", multiplicationBits: 3 };
/** What of an epoch does not get cheaper with the net. */
const FIXED_COST = 0.04;

/**
 * @param keep weights that the goal leaves, about
 * @param savesWork instructions are limited
 * @param fits whether a narrower graph meets the limits that pruning cannot
 */
export function candidatesFor(
  graph: Graph,
  keep: number,
  savesWork: boolean,
  mustNarrow: boolean,
  fits: (graph: Graph) => boolean,
): Candidate[] {
  const grids = (Object.keys(SCALES) as (keyof typeof SCALES)[]).map((name) => ({
    name: name as string,
    step: stepsOf(graph, SCALES[name]),
    multiplicationBits: savesWork ? 1 : 0,
    cost: 1,
  }));
  const total = weightCount(graph);
  const narrow =
    mustNarrow || keep < NARROW_BELOW * total
      ? NARROW_DENSITIES.flatMap((density) =>
          narrowed(graph, keep / density, fits, grids[0], `narrow ${100 * density} %`),
        )
      : [];
  const [widest] = narrow;
  if (widest?.units !== undefined) narrow.push(withoutChannels(graph, widest, widest.units));
  const wide = mustNarrow && narrow.length > 0 ? [] : grids.slice(0, narrow.length > 0 ? 1 : 3);
  const frugal = savesWork ? [{ ...(mustNarrow ? (narrow[0] ?? grids[0]) : grids[0]), ...LESS_WORK }] : [];
  return [...narrow, ...wide, ...frugal];
}

/** Layers whose units may go, of those that share units the first, with how many they have. */
export function freeLayers(graph: Graph): [name: string, rows: number][] {
  const { of, fixed } = unitsOf(graph);
  const taken = Uint8Array.from(fixed);
  return weightedLayers(graph).flatMap(({ name, output }): [string, number][] => {
    const units = of.get(output)!;
    if (units.some((unit) => taken[unit] === 1)) return [];
    for (const unit of units) taken[unit] = 1;
    return [[name, units.length]];
  });
}

/** Wide layers lose more: of w units, factor × √w stay. */
const unitsFor = (graph: Graph, factor: number): Record<string, number> =>
  Object.fromEntries(
    freeLayers(graph).map(([name, rows]) => [name, Math.max(1, Math.min(rows, Math.round(factor * Math.sqrt(rows))))]),
  );

/** As many units as a narrow candidate has, those of the given net that matter most. */
function withoutChannels(graph: Graph, like: Candidate, units: Readonly<Record<string, number>>): Candidate {
  const { units: _units, ...others } = like;
  const shares = freeLayers(graph).map(([name, rows]) => [name, round(units[name] / rows, 4)] as const);
  // It costs less as channels go.
  const cost = round((1 + like.cost) / 2, 3);
  return { ...others, name: like.name.replace("narrow", "channels"), channels: Object.fromEntries(shares), cost };
}

/** The narrow sub-network of about so many weights, unless no layer can be narrowed. */
function narrowed(
  graph: Graph,
  weights: number,
  fits: (graph: Graph) => boolean,
  like: Candidate,
  name: string,
): Candidate[] {
  if (freeLayers(graph).length === 0) return [];
  let best: Candidate | undefined;
  for (let factor = 0.5; factor < 64; factor *= 1.1) {
    const units = unitsFor(graph, factor);
    const narrow = narrowGraph(graph, units);
    if (best !== undefined && (weightCount(narrow) > weights || !fits(narrow))) break;
    const cost = FIXED_COST + (1 - FIXED_COST) * (workOf(narrow) / workOf(graph));
    best = { ...like, name, units, cost: round(cost, 3) };
  }
  return best === undefined ? [] : [best];
}

const weightShapes = (graph: Graph): [string, number[]][] =>
  [...parameterShapes(graph)].filter(([name]) => name.endsWith(".weight"));

const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);

const weightCount = (graph: Graph): number => weightShapes(graph).reduce((sum, [, shape]) => sum + product(shape), 0);

/** Multiplications of an inference, all weights counted, by layer. */
export function workByLayer(graph: Graph): Map<string, number> {
  const shapes = tensorShapes(graph);
  const parameters = parameterShapes(graph);
  return new Map(
    weightedLayers(graph).map(({ name, output }) => {
      const [, ...sizes] = parameters.get(`${name}.weight`)!;
      return [name, valuesOf(shapes.get(output)!) * product(sizes)];
    }),
  );
}

/** Of all layers. */
export const workOf = (graph: Graph): number => [...workByLayer(graph).values()].reduce((a, b) => a + b, 0);

/** By layer, for the surrogate. */
export function roundingOf({ step, multiplicationBits }: Candidate, graph: Graph): Rounding {
  const steps = weightedLayers(graph).map(({ name, op }) => [name, step[`op:${op}`]] as const);
  return { step: Object.fromEntries(steps), multiplicationBits, biasBits: SEARCH_BIAS_BITS };
}

/** Shares of the epochs; what begins is with few units, `narrow` and some training or `channels`. */
const SHARES = { begin: 0.1, channels: 0.25, prune: 0.45, train: 0.1, grid: 0.35 };
/** A gradual schedule prunes so often at least. */
const LEAST_PRUNINGS = 10;

/** @param keep weights that survive @param epochs of training in all */
export function recipeFor(head: RecipeHead, candidate: Candidate, keep: number, epochs: number): RecipeHead {
  const { step, units, channels, multiplicationBits } = candidate;
  const fresh = units !== undefined;
  const first = fresh ? SHARES.begin : channels === undefined ? 0 : SHARES.channels;
  const total = SHARES.prune + SHARES.train + SHARES.grid + first;
  const part = (share: number): number => round((epochs * share) / total, 3);
  const lr = fresh ? 0.002 : 0.001;
  /** Of stages that take something away bit by bit. */
  const gradually = (share: number): object => ({
    epochs: part(share),
    lr,
    lrEnd: lr,
    ...(part(share) < LEAST_PRUNINGS / 4 && { everyEpochs: round(Math.max(0.001, part(share) / LEAST_PRUNINGS), 2) }),
  });
  return {
    ...head,
    stages: [
      ...(fresh
        ? [
            { kind: "narrow", units },
            { kind: "train", epochs: part(SHARES.begin), lr, lrEnd: lr },
          ]
        : []),
      ...(channels === undefined ? [] : [{ kind: "channels", keep: channels, ...gradually(SHARES.channels) }]),
      { kind: "prune", keep, ...gradually(SHARES.prune), ...(multiplicationBits > 0 && { multiplicationBits }) },
      { kind: "train", epochs: part(SHARES.train), lr: 0.001, lrEnd: 1e-5 },
      { kind: "grid", step, epochs: part(SHARES.grid), lr: 0.001, lrEnd: 5e-5 },
      { kind: "dead-units" },
      { kind: "calibrate" },
      { kind: "biases" },
    ],
    pack: { biasBits: SEARCH_BIAS_BITS, ...head.pack },
  };
}
