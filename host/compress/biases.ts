/** Biases on coarse grids: in files of a kilobyte they take a twentieth of the bytes, and few of their bits decide anything. */
import { inputOf } from "../model/edges.js";
import type { Net, WeightedLayer } from "../model/model.js";
import { isStep } from "../ops/functions.js";
import { roundedBias } from "../quantize/quantize.js";
import { CLASSES } from "../train/losses.js";
import type { Evaluation } from "../train/metrics.js";
import { Trainer } from "../train/trainer.js";
import { expectToGoOn } from "../turn.js";
import { mostError } from "./goal.js";
import { weightedLayers } from "./integer-stages.js";
import type { BiasesStage } from "./recipe.js";
import type { StageContext } from "./stages.js";

/** Bits of a bias, none of which is 0: a sign and a magnitude. */
const LEAST_BITS = 2;

/**
 * Takes bits off the biases of a layer as long as the net errs on no more validation samples than at the start, the layer with the most biases first, each
 * layer behind what those before it have come to. Biases are rounded as the integer model has them, to multiples of one power of two.
 *
 * @param net a calibrated one @returns it with other `compression.biasBits`, its tensors as they were
 * @throws MoteError INTERRUPTED
 */
export async function coarseBiases(net: Net, { tolerance }: BiasesStage, context: StageContext): Promise<Net> {
  const { runtime, threads, batch, task = CLASSES, validation, signal, onProgress } = context;
  const compression = net.compression!;
  const bits = { ...compression.biasBits };
  const sizeOf = ({ name }: WeightedLayer): number => net.tensors.get(`${name}.bias`)!.data.length;
  // Those in front of a step are thresholds, which the packer does not round.
  const thresholds = new Set(net.graph.layers.filter(isStep).map(inputOf));
  const layers = weightedLayers(net.graph)
    .filter(({ output }) => !thresholds.has(output))
    .filter(({ name }) => net.tensors.get(`${name}.bias`)!.data.some((bias) => bias !== 0))
    .toSorted((a, b) => sizeOf(b) - sizeOf(a));
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
  return { ...net, compression: { ...compression, biasBits: bits } };
}
