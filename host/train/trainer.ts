/** The training engine's one entry: a net in shared memory, trained by data-parallel threads. */
import type { Samples } from "../data/samples.js";
import type { FloatTensor, Graph, Net } from "../model.js";

export interface TrainerOptions {
  readonly graph: Graph;
  /** Decides the initial weights, the order of the samples and the augmentation. */
  readonly seed: number;
  /** 1 runs on the calling thread. The result does not depend on it. */
  readonly threads: number;
  /** Samples a step, a multiple of shards × 8. Default 128. */
  readonly batch?: number;
  /** Equal parts of a batch, each with its own gradient sum; more threads than shards are no use. Default 4. */
  readonly shards?: number;
}

export type Optimizer =
  | { readonly kind: "adam"; readonly weightDecay: number }
  | { readonly kind: "sgd"; readonly momentum: number; readonly weightDecay: number };

export interface TrainJob {
  readonly data: Samples;
  readonly steps: number;
  /** Number of the first step counted from the start of the run: it decides which samples come and how they are augmented. */
  readonly firstStep: number;
  /** Learning rate at an absolute step number; called on this thread, once for each step. */
  readonly lr: (step: number) => number;
  readonly optimizer: Optimizer;
  /** 0 = none (the default), 1 = strong. */
  readonly augment?: number;
  /** Needs `data.logits`. Loss = (1 - alpha) × CE(labels) + alpha × T² × KL(teacher || student), both softened by T. */
  readonly distill?: { readonly alpha: number; readonly temperature: number };
  /** About twice a second, and at the end; `loss` is the mean since the last call. */
  readonly onProgress?: (done: number, total: number, loss: number) => void;
  /** Stops after the step at hand; train() then returns with fewer steps. */
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  /** Mean loss over the steps done. */
  readonly loss: number;
  /** Steps done: all, unless `signal` stopped the job. */
  readonly steps: number;
}

/** Weights of one layer that share values. */
export interface Sharing {
  /** Centroid of each weight, -1 for a weight of its own. */
  readonly assignment: Int32Array;
  /** Updated in place by train(). */
  readonly centroids: Float32Array;
}

/** Everything besides weights that a resumed run needs. Tensors are named `conv1.weight.m`, `conv1.weight.v` and so on. */
export interface OptimizerState {
  /** Updates since the last reset (Adam's bias correction). */
  readonly updates: number;
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

export class Trainer {
  private constructor(readonly options: TrainerOptions) {}

  /** Weights start as He (before a relu) or Glorot uniform noise from the seed, biases at 0. */
  static create(options: TrainerOptions): Promise<Trainer> {
    return Promise.resolve(new Trainer(options));
  }
  /** Steps that make one epoch of `count` samples, rounded to the nearest whole number, at least 1. */
  stepsPerEpoch(count: number): number {
    return count;
  }
  /** Takes over weights. Masks, frozen flags and sharing are dropped, the optimizer is reset. @throws MoteError MISMATCH */
  load(net: Net): void {
    throw new Error("soon " + net.graph.name);
  }
  /** A copy of the weights as they are now. */
  toNet(): Net {
    throw new Error("soon");
  }
  /** Live view, [rows, columns] row-major. */
  weight(layer: string): Float32Array {
    throw new Error("soon " + layer);
  }
  /** Live view, [rows]. */
  bias(layer: string): Float32Array {
    throw new Error("soon " + layer);
  }
  /** Adam's running mean of squared gradients for each weight, live view. */
  secondMoment(layer: string): Float32Array {
    throw new Error("soon " + layer);
  }
  /** 0 = pruned: set to 0 now and kept at 0. null: no mask. */
  setMask(layer: string, mask: Uint8Array | null): void {
    throw new Error("soon " + layer + mask);
  }
  /** 1 = the weight takes part but is not updated. null: none frozen. */
  setFrozen(layer: string, frozen: Uint8Array | null): void {
    throw new Error("soon " + layer + frozen);
  }
  /** The same for biases, [rows]. */
  setFrozenBias(layer: string, frozen: Uint8Array | null): void {
    throw new Error("soon " + layer + frozen);
  }
  /** Sets the weights to their centroids now, and trains the centroids from then on. null: none shared. */
  setSharing(layer: string, sharing: Sharing | null): void {
    throw new Error("soon " + layer + sharing);
  }
  resetOptimizer(): void {}
  optimizerState(): OptimizerState {
    throw new Error("soon");
  }
  /** @throws MoteError MISMATCH */
  restoreOptimizer(state: OptimizerState): void {
    throw new Error("soon " + state);
  }
  train(job: TrainJob): Promise<TrainResult> {
    return Promise.reject(new Error("soon " + job.steps));
  }
  /** Wrong classes (argmax, first maximum) and mean cross-entropy. */
  evaluate(data: Samples): Promise<{ errors: number; loss: number }> {
    return Promise.reject(new Error("soon " + data.count));
  }
  /** [count, classes], SharedArrayBuffer-backed. */
  logits(data: Samples): Promise<Float32Array> {
    return Promise.reject(new Error("soon " + data.count));
  }
  /** Calls `visit` with the values of every tensor, input and output included, chunk by chunk: [C × H × W, n], sample innermost. */
  activations(data: Samples, visit: (tensor: string, values: Float32Array, n: number) => void): Promise<void> {
    return Promise.reject(new Error("soon " + data.count + visit.name));
  }
  /** Ends the threads. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
