/** The three k-means initialisations side by side on one net, before any fine-tuning: what Deep Compression's figures 5 and 8 compare. */
import type { Samples } from "../data/samples.js";
import type { Net } from "../model/model.js";
import { Trainer, type TrainingRuntime } from "../train/trainer.js";
import { CENTROID_INITS, compareInits, type CentroidInit } from "./share.js";
import { weightedLayers } from "./integer-stages.js";

export interface InitComparison {
  readonly init: CentroidInit;
  readonly layers: readonly {
    readonly layer: string;
    readonly centroids: number;
    readonly rounds: number;
    readonly meanSquaredError: number;
  }[];
  readonly validationErrors: number;
  readonly validationErrorPercent: number;
}

/** @param bits codebook bits of every layer, 1 .. 8 */
export async function compareInitialisations(
  runtime: TrainingRuntime,
  net: Net,
  bits: number,
  seed: number,
  validation: Samples,
): Promise<InitComparison[]> {
  const layers = weightedLayers(net.graph);
  const trainer = await Trainer.create({ runtime, graph: net.graph, seed, threads: 1 });
  try {
    const sharings = layers.map(({ name }) => compareInits(net.tensors.get(`${name}.weight`)!.data, bits, seed));
    const results: InitComparison[] = [];
    for (const init of CENTROID_INITS) {
      trainer.load(net);
      layers.forEach(({ name }, i) => {
        const { centroids, assignment } = sharings[i][init];
        trainer.weight(name).forEach((_, j, weight) => (weight[j] = assignment[j] < 0 ? 0 : centroids[assignment[j]]));
      });
      const { errors } = await trainer.evaluate(validation);
      results.push({
        init,
        layers: layers.map(({ name }, i) => {
          const { centroids, rounds, squaredError, assignment } = sharings[i][init];
          const shared = assignment.reduce((n, a) => (a < 0 ? n : n + 1), 0);
          return {
            layer: name,
            centroids: centroids.length,
            rounds,
            meanSquaredError: shared === 0 ? 0 : squaredError / shared,
          };
        }),
        validationErrors: errors,
        validationErrorPercent: (100 * errors) / validation.count,
      });
    }
    return results;
  } finally {
    await trainer.close();
  }
}
