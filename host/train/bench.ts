/** How fast the training engine is on this machine. */
import type { Samples } from "../data/samples.js";
import type { Graph } from "../model/model.js";
import { Trainer, type TrainingRuntime } from "./trainer.js";

export interface EpochBenchOptions {
  readonly runtime: TrainingRuntime;
  readonly graph: Graph;
  readonly data: Samples;
  readonly threads: number;
  /** Part of the epoch that is run, 0 .. 1. */
  readonly fraction: number;
  /** Flags of surviving weights by layer name; a layer not named is dense. */
  readonly masks: Readonly<Record<string, Uint8Array>>;
}

export interface EpochBench {
  /** A whole epoch at the rate measured. */
  readonly seconds: number;
  /** Of a dense net's arithmetic, whatever the masks: 10^9 a second. */
  readonly gflops: number;
  readonly gflopsPerCore: number;
  readonly threads: number;
}

/** Samples of the epoch that is reckoned up to. */
const EPOCH_SAMPLES = 60_000;
/** Augmentation strength. */
const AUGMENT = 0.7;
/** Steps before the clock starts: V8 has optimised the kernels by then. */
const WARM_UP_STEPS = 20;

/** Trains with Adam for a part of an epoch. */
export async function benchEpoch(options: EpochBenchOptions): Promise<EpochBench> {
  const { runtime, graph, data, threads, fraction, masks } = options;
  const trainer = await Trainer.create({ runtime, graph, seed: 1, threads });
  try {
    for (const [layer, mask] of Object.entries(masks)) trainer.setMask(layer, mask);
    const epochSteps = trainer.stepsPerEpoch(EPOCH_SAMPLES);
    const steps = Math.max(1, Math.round(epochSteps * fraction));
    const job = { data, lr: () => 1e-3, weightDecay: 0, augment: AUGMENT };
    await trainer.train({ ...job, steps: WARM_UP_STEPS, firstStep: 0 });
    const start = performance.now();
    await trainer.train({ ...job, steps, firstStep: WARM_UP_STEPS });
    const secondsPerStep = (performance.now() - start) / 1000 / steps;
    const gflops = trainer.stepFlops / secondsPerStep / 1e9;
    return {
      seconds: secondsPerStep * epochSteps,
      gflops,
      gflopsPerCore: gflops / trainer.threads,
      threads: trainer.threads,
    };
  } finally {
    await trainer.close();
  }
}
