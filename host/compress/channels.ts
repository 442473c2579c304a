/** Whole channels go: filters, with what reads them, and with all whose channels are tied to theirs. See units.ts. */
import { MoteError } from "../errors.js";
import { inputOf } from "../model/edges.js";
import type { Graph, Net, WeightedLayer } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { hasWeights } from "../ops/index.js";
import { own } from "../own.js";
import {
  countOf,
  gradualKeep,
  magnitudeScore,
  prunableShapes,
  rateScore,
  type Keep,
  type Price,
  type PrunableLayer,
} from "./prune.js";
import { readingOf, Sets, STAYING, unitsOf, type Units } from "./units.js";

/** Of a unit: the sum of its weights' |w|, in means of their layer's, or of what they are worth by the score "rate". */
export type ChannelScore = "magnitude" | "rate";

/** Units of which some go: those of a layer and of all layers that share one with it. */
interface Choice {
  readonly units: readonly number[];
  /** The share of them that is kept. */
  readonly keep: number;
}

export class Channels {
  readonly units: Units;
  private readonly choices: readonly Choice[];

  /**
   * @param keep a share or count of each layer's channels, or by layer; of layers whose channels are tied, the least is for all
   * @throws MoteError RECIPE where it names only layers whose channels have to stay
   */
  constructor(
    private readonly graph: Graph,
    keep: Keep,
  ) {
    this.units = unitsOf(graph);
    const layers = graph.layers.filter(hasWeights);
    const sets = new Sets(this.units.count);
    const free = (layer: WeightedLayer): number[] =>
      [...this.units.of.get(layer.output)!].filter((unit) => this.units.fixed[unit] === 0);
    for (const layer of layers) {
      const [first, ...others] = free(layer);
      for (const unit of others) sets.join(unit, first);
    }
    const least = new Map<number, number>();
    for (const layer of layers) {
      const value = typeof keep === "number" ? keep : own(keep, layer.name);
      const { length } = free(layer);
      if (value === undefined || length === 0) continue;
      const set = sets.find(free(layer)[0]);
      least.set(set, Math.min(countOf(value, length) / length, least.get(set) ?? 1));
    }
    const all = [...this.units.fixed.keys()].filter((unit) => this.units.fixed[unit] === 0);
    this.choices = [...least].map(([set, value]) => ({
      units: all.filter((unit) => sets.find(unit) === set),
      keep: value,
    }));
    if (this.choices.length === 0)
      throw new MoteError("RECIPE", `keep: selects only layers whose units stay: ${STAYING}`);
  }

  /** What each unit is worth. */
  private scores(layers: readonly PrunableLayer[], score: ChannelScore, price: Price): Float64Array {
    const total = new Float64Array(this.units.count);
    this.eachLayer((layer, rowUnits, columnUnits) => {
      const found = layers.find(({ name }) => name === layer.name)!;
      const scores = score === "rate" ? rateScore(found, price) : inMeans(magnitudeScore(found.weights));
      const columns = scores.length / rowUnits.length;
      scores.forEach((value, i) => {
        const [row, column] = [rowUnits[Math.floor(i / columns)], columnUnits(i)];
        total[row] += value;
        if (column !== row) total[column] += value;
      });
    });
    return total;
  }

  /** Visits layers with weights, with the unit that each row makes and the one that each weight reads. */
  private eachLayer(
    visit: (layer: WeightedLayer, rowUnits: Int32Array, columnUnit: (weight: number) => number) => void,
  ): void {
    const shapes = tensorShapes(this.graph);
    for (const layer of this.graph.layers) {
      if (!hasWeights(layer)) continue;
      const { channels, span, first } = readingOf(layer, shapes.get(inputOf(layer))!);
      const read = this.units.of.get(inputOf(layer))!;
      visit(layer, this.units.of.get(layer.output)!, (weight) => {
        const at = Math.floor(weight / span);
        return read[first(Math.floor(at / channels)) + (at % channels)];
      });
    }
  }

  /** Marks the units that go at progress u (0 .. 1) of a schedule: see gradualKeep. Ties go to the first. */
  gone(
    layers: readonly PrunableLayer[],
    u: number,
    options: Price & { readonly score: ChannelScore; readonly power: number },
  ): Uint8Array {
    const scores = this.scores(layers, options.score, options);
    const gone = new Uint8Array(this.units.count);
    for (const { units, keep } of this.choices) {
      const goal = Math.max(1, Math.round(keep * units.length));
      const count = gradualKeep(units.length, goal, u, options.power);
      const best = units.toSorted((a, b) => scores[b] - scores[a] || a - b);
      for (const unit of best.slice(count)) gone[unit] = 1;
    }
    return gone;
  }

  /** Masks of the layers' weights, 1 = stays: none that makes or reads a unit that goes, and none that is 0. */
  masks(layers: readonly PrunableLayer[], gone: Uint8Array): Map<string, Uint8Array> {
    const masks = new Map<string, Uint8Array>();
    this.eachLayer((layer, rowUnits, columnUnit) => {
      const { weights } = layers.find(({ name }) => name === layer.name)!;
      const columns = weights.length / rowUnits.length;
      const stays = (w: number, i: number): number =>
        w === 0 || gone[rowUnits[Math.floor(i / columns)]] || gone[columnUnit(i)] ? 0 : 1;
      masks.set(layer.name, Uint8Array.from(weights, stays));
    });
    return masks;
  }
}

/** Over the mean of those that are not 0. */
function inMeans(scores: Float32Array): Float32Array {
  let sum = 0;
  let count = 0;
  for (const score of scores) {
    sum += score;
    if (score > 0) count++;
  }
  return sum === 0 ? scores : scores.map((score) => (score * count) / sum);
}

/** The weights of a net, as scores take them; without gradients, so not for "rate". */
export function prunableOf({ graph, tensors }: Net): PrunableLayer[] {
  return prunableShapes(graph).map((shape) => ({ ...shape, weights: tensors.get(`${shape.name}.weight`)!.data }));
}
