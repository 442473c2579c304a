/** Biases on coarse grids: in files of a kilobyte they take a twentieth of the bytes, and few of their bits decide anything. */
import { inputOf } from "../model/edges.js";
import type { Net, WeightedLayer } from "../model/model.js";
import { isStep } from "../ops/functions.js";
import { biasSteps, roundedBias } from "../quantize/quantize.js";
import { CLASSES } from "../train/losses.js";
import type { Evaluation } from "../train/metrics.js";
import { Trainer } from "../train/trainer.js";
import { expectToGoOn } from "../turn.js";
import { mostError } from "./goal.js";
import { freeze, frozenAfter, nextToFreeze, type GridLayer } from "./grid.js";
import { weightedLayers } from "./integer-stages.js";
import type { BiasesStage } from "./recipe.js";
import { retrain } from "./retraining.js";
import type { StageContext } from "./stages.js";

/** Bits of a bias, none of which is 0: a sign and a magnitude. */
const LEAST_BITS = 2;

/**
 * Takes bits off the biases of each layer, then, where the stage has epochs, brings the biases to the multiples that these bits have, a share at a time,
 * while those still free learn to make up for the rounding.
 *
 * @param net a calibrated one @returns it with other `compression.biasBits`; its tensors are as they were where there are no epochs
 * @throws MoteError INTERRUPTED
 */
export async function coarseBiases(net: Net, stage: BiasesStage, context: StageContext): Promise<Net> {
  const layers = roundedLayers(net);
  const biasBits = await fewerBits(net, layers, stage.tolerance, context);
  const coarse = { ...net, compression: { ...net.compression!, biasBits } };
  return stage.epochs === 0 ? coarse : onGrids(coarse, layers, biasBits, stage, context);
}

/** Layers whose biases the packer rounds, those with the most first. */
function roundedLayers(net: Net): WeightedLayer[] {
  const biasesOf = ({ name }: WeightedLayer): Float32Array => net.tensors.get(`${name}.bias`)!.data;
  // Those in front of a step are thresholds, which the packer does not round.
  const thresholds = new Set(net.graph.layers.filter(isStep).map(inputOf));
  return weightedLayers(net.graph)
    .filter((layer) => !thresholds.has(layer.output) && biasesOf(layer).some((bias) => bias !== 0))
    .toSorted((a, b) => biasesOf(b).length - biasesOf(a).length);
}

/**
 * Takes bits off as long as the net errs on no more validation samples than at the start, each layer behind what those before it have come to. Biases are
 * rounded as the integer model has them, to multiples of one power of two.
 */
async function fewerBits(
  net: Net,
  layers: readonly WeightedLayer[],
  tolerance: number,
  context: StageContext,
): Promise<Record<string, number>> {
  const { runtime, threads, batch, task = CLASSES, validation, signal, onProgress } = context;
  const bits = { ...net.compression!.biasBits };
  const trainer = await Trainer.create({ runtime, graph: net.graph, seed: 0, threads, batch });
  try {
    const judge = async (tried: Readonly<Record<string, number>>): Promise<Evaluation> => {
      expectToGoOn(signal);
      const tensors = new Map(net.tensors);
      for (const layer of layers) {
        const name = `${layer.name}.bias`;
        tensors.set(name, { ...tensors.get(name)!, data: roundedBias(net, layer, tried[layer.name]) });
      }
      trainer.load({ ...net, tensors });
      return trainer.evaluate(validation, task);
    };
    const { error, metric } = await judge(bits);
    // Errors that are shares, points in percent.
    const maxDrop = metric === "mse" ? tolerance : tolerance / 100;
    const most = mostError({ maxDrop }, error, metric);
    const steps = layers.reduce((sum, { name }) => sum + Math.max(0, bits[name] - LEAST_BITS), 0);
    let done = 0;
    for (const { name } of layers) {
      const first = bits[name];
      for (; bits[name] > LEAST_BITS; bits[name]--) {
        onProgress?.(done + first - bits[name], steps);
        if ((await judge({ ...bits, [name]: bits[name] - 1 })).error > most) break;
      }
      done += Math.max(0, first - LEAST_BITS);
    }
  } finally {
    await trainer.close();
  }
  return bits;
}

/** Shares in which biases are frozen, at most. */
const PARTS = 40;

/** Freezes biases as a grid does weights, the costliest first. */
async function onGrids(
  net: Net,
  layers: readonly WeightedLayer[],
  biasBits: Readonly<Record<string, number>>,
  stage: BiasesStage,
  context: StageContext,
): Promise<Net> {
  return retrain(net, stage, context, async (run) => {
    const { trainer } = run;
    const grids = layers.map((layer): GridLayer => {
      const weights = trainer.bias(layer.name);
      const frozen = new Uint8Array(weights.length);
      run.setFrozenBias(layer.name, frozen);
      const secondMoment = trainer.biasSecondMoment(layer.name);
      return { weights, frozen, secondMoment, steps: biasSteps(net, layer, biasBits[layer.name]) };
    });
    const total = grids.reduce((sum, { weights }) => sum + weights.length, 0);
    const parts = Math.min(PARTS, total);
    for (let part = 1; part <= parts; part++) {
      if (!(await run.until(Math.round((run.total * part) / parts)))) continue;
      const chosen = nextToFreeze(grids, frozenAfter(total, part, parts) - frozenAfter(total, part - 1, parts));
      layers.forEach(({ name }, i) => {
        freeze(grids[i], chosen[i], 2 ** (biasBits[name] - 1) - 1);
        run.setFrozenBias(name, grids[i].frozen);
      });
    }
  });
}
