/**
 * Rate-distortion quantization: every weight becomes the point of its layer's grid that costs least, F (w − q)² + λ × bits, where F is the
 * diagonal of the Fisher information and the bits are those that the adaptive coder would take at this place, after all weights before.
 * @see Wiedemann et al. 2020, "DeepCABAC: A Universal Compression Algorithm for Deep Neural Networks", section IV
 */
import { binarize, Contexts, type CabacSettings } from "../codecs/cabac-contexts.js";
import type { Samples } from "../data/samples.js";
import type { Net } from "../model/model.js";
import type { Task } from "../train/losses.js";
import { Trainer, type TrainingRuntime } from "../train/trainer.js";
import { expectToGoOn } from "../turn.js";
import { toGrid } from "./grid.js";
import { survivors } from "./prune.js";

/** One layer to be quantized. */
export interface RdoqLayer {
  /** Row-major. Those that are exactly 0 are pruned, and stay. */
  readonly weights: Float32Array;
  /** What a squared distance of one from each weight costs, in any unit that the layers share. */
  readonly fisher: Float32Array;
  readonly step: number;
}

/** Contexts that the bits are counted with; the packer chooses a layer's own afterwards, which are hardly better. */
const SETTINGS: CabacSettings = { flags: 8, fastShift: 4, slowShift: 7 };

/**
 * Mean squared gradients of a layer's weights over all batches of the samples: what stands for the diagonal of the empirical Fisher information, where mean gradients are small but for a
 * factor that is the same for all weights.
 * @throws MoteError INTERRUPTED
 */
export async function fisherDiagonal(
  net: Net,
  layers: readonly string[],
  options: {
    readonly runtime: TrainingRuntime;
    readonly samples: Samples;
    readonly batch: number;
    readonly threads: number;
    readonly task?: Task;
    readonly signal?: AbortSignal;
    readonly onProgress?: (done: number, total: number, loss: number) => void;
  },
): Promise<Map<string, Float32Array>> {
  const { runtime, samples, batch, threads, task, signal, onProgress } = options;
  const trainer = await Trainer.create({ runtime, graph: net.graph, seed: 0, batch, threads });
  try {
    trainer.load(net);
    const sums = new Map(layers.map((name) => [name, new Float64Array(trainer.weight(name).length)]));
    const steps = Math.max(1, Math.floor(samples.count / batch));
    for (let step = 0; step < steps; step++) {
      expectToGoOn(signal);
      // The second moment of a single step is its squared gradient, times what Adam takes of it.
      trainer.resetOptimizer();
      const { loss } = await trainer.train({
        data: samples,
        steps: 1,
        firstStep: step,
        lr: () => 0,
        weightDecay: 0,
        ...(task && { task }),
      });
      for (const [name, sum] of sums) {
        const squares = trainer.secondMoment(name);
        for (let i = 0; i < sum.length; i++) sum[i] += squares[i];
      }
      onProgress?.(step + 1, steps, loss);
    }
    return new Map([...sums].map(([name, sum]) => [name, Float32Array.from(sum, (total) => total / steps)]));
  } finally {
    await trainer.close();
  }
}

/**
 * @param lambda 0: the nearest points. Its unit is what a step's error costs, squared, in the mean of all weights that are left, so that 0.1 lets ten bits
 *   go for that
 * @param limit largest integer magnitude, 1 … 127
 * @returns the integers of each layer
 */
export function rdoq(layers: readonly RdoqLayer[], lambda: number, limit: number): Int8Array[] {
  let [total, count] = [0, 0];
  for (const { weights, fisher, step } of layers) {
    for (let i = 0; i < weights.length; i++) if (weights[i] !== 0) total += fisher[i] * step * step;
    count += survivors(weights);
  }
  // Where no gradient tells, weights are alike.
  const unit = count === 0 ? 1 : total / count;
  return layers.map(({ weights, fisher, step }) =>
    quantize(weights, step, lambda, limit, (i) => (unit === 0 ? 1 : (fisher[i] * step * step) / unit)),
  );
}

/** @param importance of a weight: what an error of one step costs */
function quantize(
  weights: Float32Array,
  step: number,
  lambda: number,
  limit: number,
  importance: (index: number) => number,
): Int8Array {
  const contexts = new Contexts(SETTINGS);
  const integers = new Int8Array(weights.length);
  let bits = 0;
  const counting = {
    regular: (context: number, bin: 0 | 1): void => void (bits += contexts.cost(context, bin)),
    bypass: (): void => void bits++,
  };
  const adapting = { regular: (context: number, bin: 0 | 1) => contexts.adapt(context, bin), bypass: () => {} };
  let previous = 0;
  for (let i = 0; i < weights.length; i++) {
    const nearest = toGrid(weights[i], step, limit);
    let best = nearest;
    if (lambda > 0 && nearest !== 0) {
      let least = Infinity;
      // Beyond the nearest point both the error and the bits grow.
      for (let q = nearest; ; q -= Math.sign(nearest)) {
        bits = 0;
        binarize(q, previous, SETTINGS.flags, counting);
        const cost = importance(i) * (weights[i] / step - q) ** 2 + lambda * bits;
        if (cost < least) [best, least] = [q, cost];
        if (q === 0) break;
      }
    }
    integers[i] = best;
    binarize(best, previous, SETTINGS.flags, adapting);
    previous = best;
  }
  return integers;
}
