/** One thread's share of a step of Adam: a slice of each layer's parameters, from the gradients of all shards. */
import type { Kernels } from "./kernels.js";
import type { Plan, PlannedWeighted } from "./plan.js";

const BETA1 = 0.9;
const BETA2 = 0.999;

export interface Update {
  readonly lr: number;
  /** Decoupled from the gradient; spares biases. */
  readonly weightDecay: number;
  /** Updates since the optimizer was reset, this one included. */
  readonly count: number;
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
    const { weightDecay } = update;
    const owners = this.plan.layers.filter((layer) => "weightAt" in layer);
    owners.forEach((layer, i) => {
      const rows = layer.groups * layer.groupRows;
      const count = rows * layer.columns;
      const items = layer.survivors?.count ?? count;
      this.updateSegment(update, layer.biasAt, this.slice(rows), null, 0);
      if (layer.shared === null) {
        this.updateSegment(update, layer.weightAt, this.slice(items), layer, weightDecay);
      } else if (i % this.threads === this.thread) {
        this.updateSegment(update, layer.weightAt, [0, items], layer, weightDecay);
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
    at: number,
    [from, to]: Range,
    layer: PlannedWeighted | null,
    weightDecay: number,
  ): void {
    const { kernels, plan } = this;
    const p = plan.parameters;
    const survivors = layer?.survivors ?? null;
    if (from >= to) return;
    const w = p.values + at * 4;
    const g = p.gradients + at * 4;
    const m = p.first + at * 4;
    const v = p.second + at * 4;
    const state = p.state + at;
    const { shardBytes } = p;
    const { shards } = plan;
    const keep = 1 - update.lr * weightDecay;
    const [rate, rootBias] = adamRates(update);
    if (survivors === null) {
      kernels.adam(w, g, shardBytes, shards, m, v, state, from, to, rate, rootBias, keep);
    } else {
      const { entries } = survivors;
      kernels.sparseAdam(w, g, shardBytes, shards, m, v, state, entries, from, to, rate, rootBias, keep);
    }
  }

  private updateShared(update: Update, layer: PlannedWeighted, items: number): void {
    const { kernels, plan } = this;
    const p = plan.parameters;
    const { shared } = layer;
    if (shared === null) return;
    const entries = layer.survivors?.entries ?? 0;
    const state = p.state + layer.weightAt;
    const gradients = p.gradients + layer.weightAt * 4;
    const { sums, centroids, assignment } = shared;
    kernels.centroidGradient(
      sums,
      shared.count,
      gradients,
      p.shardBytes,
      plan.shards,
      assignment,
      state,
      entries,
      items,
    );
    const keep = 1 - update.lr * update.weightDecay;
    const { first, second, count: k } = shared;
    const [rate, rootBias] = adamRates(update);
    kernels.adam(centroids, sums, 0, 1, first, second, shared.state, 0, k, rate, rootBias, keep);
    kernels.spreadCentroids(p.values + layer.weightAt * 4, centroids, assignment, state, entries, items);
  }
}

/** Adam's step with its bias correction folded in: lr / (1 - β1^t), sqrt(1 - β2^t). */
function adamRates(update: Update): [rate: number, rootBias: number] {
  return [update.lr / (1 - BETA1 ** update.count), Math.sqrt(1 - BETA2 ** update.count)];
}
