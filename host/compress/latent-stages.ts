/** Stages that train weights of few values by real ones behind them, see latent.ts, and leave the few as integers. */
import type { Net } from "../model/model.js";
import { gridStep, stepOf } from "./grid.js";
import { namesIn, withIntegers, type Integers } from "./integers.js";
import { binaryLatent, levelLatent, toLevel } from "./latent.js";
import type { BinaryConnectStage, LevelsStage } from "./method-stages.js";
import { retrain, type TrainingContext } from "./retraining.js";

/** Every weight of the layers named becomes ± the mean magnitude that its layer began with. */
export async function binaryConnect(net: Net, stage: BinaryConnectStage, context: TrainingContext): Promise<Net> {
  const integers = new Map<string, Integers>();
  const trained = await retrain(net, stage, context, async (run) => {
    const layers = namesIn(net.graph, stage.rounding).map((name, index) => {
      const values = run.trainer.weight(name).slice();
      const scale = gridStep(values, 1);
      run.setLatent(name, binaryLatent(values, scale, stage.rounding[name], context.seed, index));
      return { name, values, scale };
    });
    await run.until(run.total);
    for (const { name, values, scale } of layers)
      integers.set(name, { scales: Float32Array.of(scale), integers: Int8Array.from(values, Math.sign) });
  });
  return withIntegers(trained, integers);
}

/** Every weight of the layers named becomes the nearest of a few values. */
export async function fewLevels(net: Net, stage: LevelsStage, context: TrainingContext): Promise<Net> {
  const integers = new Map<string, Integers>();
  const trained = await retrain(net, stage, context, async (run) => {
    const layers = namesIn(net.graph, stage.levels).map((name) => {
      const values = run.trainer.weight(name).slice();
      const rows = stage.scales === "row" ? run.trainer.bias(name).length : 1;
      const latent = levelLatent(values, stage.levels[name], stage.scale, rows);
      run.setLatent(name, latent);
      return { name, latent };
    });
    await run.until(run.total);
    for (const { name, latent } of layers) {
      const [steps, { values: weights }] = [latent.units(), latent];
      integers.set(name, {
        scales: steps,
        integers: Int8Array.from(weights, (w, i) => toLevel(w, stepOf({ weights, steps }, i), stage.levels[name])),
      });
    }
  });
  return withIntegers(trained, integers);
}
