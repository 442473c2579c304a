/**
 * What a net would take if it were pruned and rounded as it is, without training: bytes by the codec's own sizes, memory and instructions by
 * the packer. Training moves them all by about the same factor, which a search learns from its first trials.
 */
import type { Samples } from "../data/samples.js";
import type { FloatTensor, Net } from "../model/model.js";
import type { Task } from "../train/losses.js";
import { Trainer, type TrainingRuntime } from "../train/trainer.js";
import { prunableOf } from "./channels.js";
import { estimateBytes } from "./estimate.js";
import { draftContainer, figuresOf, type Figures } from "./figures.js";
import { excess, type Limits } from "./goal.js";
import { gridStep, toGrid } from "./grid.js";
import { pruneMasks, type PrunableLayer } from "./prune.js";

/** How the surrogate rounds and prunes. */
export interface Rounding {
  /** Grid step ÷ mean magnitude of the survivors, by layer. */
  readonly step: Readonly<Record<string, number>>;
  readonly multiplicationBits: number;
  readonly biasBits: number;
}

/** Steps over which squared gradients are averaged. */
const GRADIENT_STEPS = 50;
/** Halvings between one weight and all: to a thousandth of them. */
const ROUNDS = 12;

export class Surrogate {
  private constructor(
    private readonly net: Net,
    private readonly layers: readonly PrunableLayer[],
  ) {}

  /** Weights of the net. */
  get weights(): number {
    return this.layers.reduce((sum, { weights }) => sum + weights.length, 0);
  }

  /** @param net a trained one @param data for the gradients that its weights are judged by */
  static async create(options: {
    readonly runtime: TrainingRuntime;
    readonly net: Net;
    readonly data: Samples;
    readonly batch: number;
    readonly threads: number;
    readonly task?: Task;
  }): Promise<Surrogate> {
    const { runtime, net, data, batch, threads, task } = options;
    const trainer = await Trainer.create({ runtime, graph: net.graph, seed: 0, batch, threads });
    try {
      trainer.load(net);
      await trainer.train({
        data,
        steps: GRADIENT_STEPS,
        firstStep: 0,
        lr: () => 0,
        weightDecay: 0,
        ...(task && { task }),
      });
      const layers = prunableOf(net).map((layer): PrunableLayer => ({
        ...layer,
        secondMoment: trainer.secondMoment(layer.name).slice(),
      }));
      return new Surrogate(net, layers);
    } finally {
      await trainer.close();
    }
  }

  /** @param keep weights @param limits whose figures are asked for; the others are 0 */
  figures(keep: number, rounding: Rounding, limits: Limits): Figures {
    const { net, weightScale } = this.rounded(keep, rounding);
    const { biasBits } = rounding;
    if (limits.ram === undefined && limits.instructions === undefined) {
      const bits = Object.fromEntries(Object.keys(weightScale).map((name) => [name, biasBits]));
      return { bytes: estimateBytes(net, bits), ram: 0, instructions: 0 };
    }
    return figuresOf(draftContainer(net, weightScale, biasBits));
  }

  /**
   * Most weights that can be kept within the limits, by halving.
   * @param factors what real figures are to those predicted
   * @returns 0 where not even one can
   */
  keepFor(limits: Limits, rounding: Rounding, factors: Figures): number {
    const fits = (keep: number): boolean => {
      const { bytes, ram, instructions } = this.figures(keep, rounding, limits);
      const scaled = {
        bytes: bytes * factors.bytes,
        ram: ram * factors.ram,
        instructions: instructions * factors.instructions,
      };
      return excess(limits, scaled) <= 1;
    };
    const total = this.weights;
    if (fits(total)) return total;
    if (!fits(1)) return 0;
    let [low, high] = [1, total];
    for (let i = 0; i < ROUNDS && high - low > 1; i++) {
      const middle = Math.round(Math.sqrt(low * high));
      if (fits(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  private rounded(
    keep: number,
    { step, multiplicationBits }: Rounding,
  ): { net: Net; weightScale: Record<string, number> } {
    const start = this.layers.map(({ weights }) => weights.length);
    // Of keepBest: up to 1 it would be a share.
    const masks = pruneMasks(this.layers, start, Math.max(keep, 1 + 1e-9), 1, {
      score: "rate",
      power: 1,
      gamma: 1,
      multiplicationBits,
    });
    const tensors = new Map<string, FloatTensor>(this.net.tensors);
    const scales = new Map<string, number>();
    this.layers.forEach(({ name, weights }, i) => {
      const data = weights.map((w, j) => w * masks[i][j]);
      const scale = gridStep(data, step[name]);
      const integers = Int8Array.from(data, (w) => toGrid(w, scale, 127));
      tensors.set(`${name}.weight`, { shape: this.net.tensors.get(`${name}.weight`)!.shape, data, integers });
      scales.set(name, scale);
    });
    return { net: { graph: this.net.graph, tensors }, weightScale: Object.fromEntries(scales) };
  }
}
