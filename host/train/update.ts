/** One thread's share of a step of Adam: a slice of each layer's parameters, from the gradients of all shards. */
import type { Descriptor } from "./descriptors.js";
import type { Kernels } from "./kernels.js";
import type { Plan } from "./plan.js";
import { isPlannedNorm, weightedOf, type PlannedNorm, type PlannedWeighted, type Survivors } from "./plan-layers.js";

const BETA1 = 0.9;
const BETA2 = 0.999;
/** What a step's statistics count in those that a normalization keeps for use. */
const MOMENTUM = 0.1;

export interface Update {
  readonly lr: number;
  /** Decoupled from the gradient; spares biases. */
  readonly weightDecay: number;
  /** As weightDecay: every step takes lr × l1 off a weight's magnitude. */
  readonly l1: number;
  /** Updates since the optimizer was reset, this one included. */
  readonly count: number;
  /** Names of the layers that the loss depends on: there are no gradients of others. */
  readonly trained: ReadonlySet<string>;
}

/** Items from .. to - 1. */
type Range = readonly [from: number, to: number];

export class Updater {
  constructor(
    private readonly kernels: Kernels,
    private readonly plan: Plan,
    private readonly thread: number,
    private readonly threads: number,
  ) {}

  /**
   * Updates this thread's slice of the parameters. A layer with centroids has its weights updated by one thread: a kernel stores four
   * weights at a time, shared ones among them as they were, which must not happen while their centroids move them.
   */
  update(update: Update): void {
    this.plan.layers.filter(isPlannedNorm).forEach((layer, i) => {
      if (update.trained.has(layer.name)) {
        this.updateSegment(update, layer.gamma, this.slice(layer.channels), null, false);
        this.updateSegment(update, layer.beta, this.slice(layer.channels), null, false);
      }
      if (i % this.threads === this.thread) this.keepStatistics(layer);
    });
    weightedOf(this.plan.layers).forEach((layer, i) => {
      if (!update.trained.has(layer.name)) return;
      const rows = layer.groups * layer.groupRows;
      const count = rows * layer.columns;
      const items = layer.survivors?.count ?? count;
      this.updateSegment(update, layer.biases, this.slice(rows), null, false);
      if (layer.shared === null) {
        this.updateSegment(update, layer.weights, this.slice(items), layer.survivors, true);
      } else if (i % this.threads === this.thread) {
        this.updateSegment(update, layer.weights, [0, items], layer.survivors, true);
        this.updateShared(update, layer, items);
      }
    });
  }

  /** This thread's part of `count` items, cut at multiples of four. */
  private slice(count: number): Range {
    const quads = Math.ceil(count / 4);
    const cut = (part: number): number => Math.min(count, Math.floor((quads * part) / this.threads) * 4);
    return [cut(this.thread), this.thread === this.threads - 1 ? count : cut(this.thread + 1)];
  }

  private updateSegment(
    update: Update,
    segment: Descriptor<"Segment">,
    [from, to]: Range,
    survivors: Survivors | null,
    decays: boolean,
  ): void {
    const { kernels } = this;
    if (from >= to) return;
    const keep = decays ? 1 - update.lr * update.weightDecay : 1;
    const shrink = decays ? update.lr * update.l1 : 0;
    const [rate, rootBias] = adamRates(update);
    if (survivors === null) kernels.adam(segment, from, to, rate, rootBias, keep, shrink);
    else kernels.sparseAdam(segment, survivors.entries, from, to, rate, rootBias, keep, shrink);
  }

  /** Statistics of a shard are those of few samples: the variance is what it would be of all there are. */
  private keepStatistics({ meanAt, varianceAt, channels, samples }: PlannedNorm): void {
    const { values, gradients, shardBytes } = this.plan.parameters;
    const keep = (first: number, factor: number): void =>
      this.kernels.keepStatistics(
        values + first * 4,
        gradients + first * 4,
        shardBytes,
        this.plan.shards,
        channels,
        MOMENTUM,
        factor,
      );
    keep(meanAt, 1);
    keep(varianceAt, samples / (samples - 1));
  }

  private updateShared(update: Update, { weights, survivors, shared }: PlannedWeighted, items: number): void {
    const { kernels } = this;
    if (shared === null) return;
    const { sums, centroids, assignment, count, segment } = shared;
    const entries = survivors?.entries ?? 0;
    kernels.centroidGradient(weights, sums, count, assignment, entries, items);
    this.updateSegment(update, segment, [0, count], null, true);
    kernels.spreadCentroids(weights, centroids, assignment, entries, items);
  }
}

/** Adam's step with its bias correction folded in: lr / (1 - β1^t), sqrt(1 - β2^t). */
function adamRates(update: Update): [rate: number, rootBias: number] {
  return [update.lr / (1 - BETA1 ** update.count), Math.sqrt(1 - BETA2 ** update.count)];
}
