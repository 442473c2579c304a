/** Pruning by curvature in the course of a stage: scores of the layers as they are now, and who makes up for what goes. */
import type { Samples } from "../data/samples.js";
import { CLASSES, type Task } from "../train/losses.js";
import { affordableSamples, gaussNewton, obdScores, passesOf } from "./curvature.js";
import { Surgeon } from "./obs.js";
import { pruneMasks, survivors, type PrunableLayer } from "./prune.js";
import type { Retraining } from "./retraining.js";
import type { SettledPrune } from "./settle.js";

/**
 * Prunes by the score "obd" or "obs" to progress u of the stage's schedule.
 * @param start survivors of each layer when it began
 * @param context samples that all is measured on, as many as the work allows
 */
export async function pruneByCurvature(
  run: Retraining,
  start: readonly number[],
  u: number,
  stage: SettledPrune,
  { train, task = CLASSES }: { readonly train: Samples; readonly task?: Task },
): Promise<void> {
  const { trainer } = run;
  const samples = affordableSamples(trainer, train, passesOf(trainer, task));
  const curvature = await gaussNewton(trainer, samples, task);
  const surgeon = new Surgeon(trainer, samples, (layer) => curvature.get(layer)!.rows, stage.damping);
  const layers: PrunableLayer[] = [];
  for (const layer of run.prunable()) {
    const { name, weights } = layer;
    const saliency =
      stage.score === "obs" ? await surgeon.scores(name) : obdScores(weights, curvature.get(name)!.diagonal);
    layers.push({ ...layer, saliency });
  }
  const masks = pruneMasks(layers, start, stage.keep, u, stage);
  for (const [i, { name, weights }] of layers.entries()) {
    // What a layer reads changes with the layers before.
    if (stage.score === "obs") await surgeon.operate(name, survivors(masks[i]));
    run.setMask(name, stage.score === "obs" ? Uint8Array.from(weights, (w) => (w === 0 ? 0 : 1)) : masks[i]);
  }
}
