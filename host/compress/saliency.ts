/** Pruning by curvature in the course of a stage: scores of the layers as they are now, and who makes up for what goes. */
import { CLASSES } from "../train/losses.js";
import { affordableSamples, curvatureFlops, gaussNewton, obdScores } from "./curvature.js";
import { Surgeon, surgeryFlops } from "./obs.js";
import { pruneMasks, survivors, type PrunableLayer } from "./prune.js";
import type { Retraining, TrainingContext } from "./retraining.js";
import type { SettledPrune } from "./settle.js";

/**
 * Prunes by the score "obd" or "obs" to progress u of the stage's schedule.
 * @param start survivors of each layer when it began
 * @param context samples that all is measured on, as many as the work allows
 * @throws MoteError INTERRUPTED, RECIPE for too little damping
 */
export async function pruneByCurvature(
  run: Retraining,
  start: readonly number[],
  u: number,
  stage: SettledPrune,
  { train, task = CLASSES, signal }: Pick<TrainingContext, "train" | "task" | "signal">,
): Promise<void> {
  const { trainer } = run;
  const isSurgery = stage.score === "obs";
  const bent = affordableSamples(train, curvatureFlops(trainer, task));
  const curvature = await gaussNewton(trainer, bent, task, { rowsOnly: isSurgery, ...(signal && { signal }) });
  // Second moments take no backward passes: of as many more samples.
  const read = affordableSamples(train, surgeryFlops(trainer));
  const surgeon = new Surgeon(trainer, read, (layer) => curvature.get(layer)!.rows, stage.damping, signal);
  const layers: PrunableLayer[] = [];
  for (const layer of run.prunable()) {
    const { name, weights } = layer;
    const saliency = isSurgery ? await surgeon.scores(name) : obdScores(weights, curvature.get(name)!.diagonal);
    layers.push({ ...layer, saliency });
  }
  const masks = pruneMasks(layers, start, stage.keep, u, stage);
  for (const [i, { name, weights }] of layers.entries()) {
    // What a layer reads changes with the layers before.
    if (isSurgery) await surgeon.operate(name, survivors(masks[i]));
    run.setMask(name, isSurgery ? Uint8Array.from(weights, (w) => (w === 0 ? 0 : 1)) : masks[i]);
  }
}
