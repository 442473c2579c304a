/** What pruning one layer alone costs, without retraining. */
import { weightedLayers } from "../compress/integer-stages.js";
import { keepBest, magnitudeScore } from "../compress/prune.js";
import type { Samples } from "../data/samples.js";
import type { Net } from "../model/model.js";
import { Trainer, type TrainingRuntime } from "../train/trainer.js";
import type { Sensitivity } from "./parts/sensitivity.js";

const KEPT = [100, 50, 30, 20, 10, 5, 2] as const;

/** @param samples that the error is of */
export async function measureSensitivity(net: Net, samples: Samples, runtime: TrainingRuntime): Promise<Sensitivity[]> {
  const trainer = await Trainer.create({ runtime, graph: net.graph, seed: 0, threads: 1 });
  try {
    trainer.load(net);
    const error = async (): Promise<number> => (100 * (await trainer.evaluate(samples)).errors) / samples.count;
    const layers: Sensitivity[] = [];
    for (const { name } of weightedLayers(net.graph)) {
      const live = trainer.weight(name);
      const weights = live.slice();
      const points: [number, number][] = [];
      for (const kept of KEPT) {
        const [mask] = keepBest([magnitudeScore(weights)], Math.round((kept / 100) * weights.length));
        live.set(weights.map((weight, at) => weight * mask[at]));
        points.push([kept, await error()]);
      }
      live.set(weights);
      layers.push({ layer: name, points });
    }
    return layers;
  } finally {
    await trainer.close();
  }
}
