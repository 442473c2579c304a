/** What the stages of a recipe make of a net when nothing is trained in them: what comes of it is about as large as what training ends with. */
import type { FloatTensor, Net } from "../model/model.js";
import { Channels, prunableOf } from "./channels.js";
import { foldBiases, removeDeadUnits } from "./dead-units.js";
import { flatNet } from "./flatten.js";
import { foldBatchNorm } from "./fold-batchnorm.js";
import { gridStep, toGrid } from "./grid.js";
import { namesIn, withCompression, withIntegers, type Integers } from "./integers.js";
import { levelUnit, toLevel } from "./latent.js";
import { lowRankNet } from "./low-rank.js";
import { pruneMasks, survivors, type Keep } from "./prune.js";
import type { Recipe, Stage } from "./recipe.js";
import { kMeans, roundCodebook } from "./share.js";
import { netWithout } from "./units.js";

/**
 * @param net a trained one
 * @param recipe a checked one of stages that need no measurement, see variants.ts
 * @returns with integers and scales of all its layers
 */
export const untrained = (net: Net, { stages, seed }: Pick<Recipe, "stages" | "seed">): Net =>
  stages.reduce((reached, stage) => after(reached, stage, seed), withCompression(foldBatchNorm(net)) as Net);

function after(net: Net, stage: Stage, seed: number): Net {
  switch (stage.kind) {
    case "prune":
      return pruned(net, stage.keep!);
    case "surgery":
      return pruned(net, stage.keep);
    case "channels": {
      const all = new Channels(net.graph, stage.keep);
      return netWithout(net, all.units, all.gone(prunableOf(net), 1, { ...stage, score: "magnitude" }));
    }
    case "low-rank":
      return lowRankNet(net, stage, {});
    case "flatten":
      return flatNet(net, stage, seed);
    case "share":
      return rounded(net, stage.bits, (weights, bits) => {
        const { centroids, assignment } = kMeans(weights, 2 ** (bits as number), stage.init, seed);
        const { scale, codes } = roundCodebook(centroids);
        return [scale, Int8Array.from(assignment, (of) => (of < 0 ? 0 : codes[of]))];
      });
    case "grid":
      return rounded(net, stage.step, (weights, factor) => {
        const step = gridStep(weights, factor as number);
        return [step, Int8Array.from(weights, (w) => toGrid(w, step, stage.limit))];
      });
    case "levels":
      return rounded(net, stage.levels, (weights, levels) => {
        const unit = levelUnit(weights, levels, stage.scale);
        return [unit, Int8Array.from(weights, (w) => toLevel(w, unit, levels))];
      });
    case "binary-connect":
      return rounded(net, stage.rounding, (weights) => [gridStep(weights, 1), Int8Array.from(weights, Math.sign)]);
    case "dead-units":
      return removeDeadUnits(foldBiases(net));
    default:
      return net;
  }
}

/** By the score "lamp", which compares weights of several layers without gradients, and empties none. */
function pruned(net: Net, keep: Keep): Net {
  const layers = prunableOf(net);
  const start = layers.map(({ weights }) => survivors(weights));
  const masks = pruneMasks(layers, start, keep, 1, { score: "lamp", power: 1, gamma: 1, multiplicationBits: 0 });
  const tensors = new Map<string, FloatTensor>(net.tensors);
  layers.forEach(({ name, weights }, i) => {
    const { shape } = net.tensors.get(`${name}.weight`)!;
    tensors.set(`${name}.weight`, { shape, data: weights.map((w, at) => w * masks[i][at]) });
  });
  return { ...net, tensors };
}

/** @param round of a layer's weights and setting the scale and the integers */
function rounded<T>(
  net: Net,
  values: Readonly<Record<string, T>>,
  round: (weights: Float32Array, value: T) => readonly [scale: number, integers: Int8Array],
): Net {
  const integers = new Map<string, Integers>();
  for (const name of namesIn(net.graph, values)) {
    const [scale, found] = round(net.tensors.get(`${name}.weight`)!.data, values[name]);
    integers.set(name, { scales: Float32Array.of(scale), integers: found });
  }
  return withIntegers(net, integers);
}
