/**
 * Binarized nets: layers whose weights are ± 1 and whose outputs are of two values, by a batch normalization and a step behind each in the place of its
 * relu. Outputs are 0 and 1 in the place of the paper's ± 1: behind a normalization that is the same net, its zeros are what a convolution pads with, and
 * what a step leaves of a normalization is a whole number that a sum is compared with.
 * @see Hubara et al. 2016, "Binarized neural networks"
 */
import type { Samples } from "../data/samples.js";
import { inputOf, resultsOf } from "../model/edges.js";
import type { BatchNormLayer, FloatTensor, Graph, Layer, Net, WeightedLayer } from "../model/model.js";
import { parameterShapes } from "../model/shapes.js";
import { limitsOf } from "../ops/clamp.js";
import { isStep } from "../ops/functions.js";
import { inputScale } from "../quantize/calibrate.js";
import { foldedGraph, linesOf } from "./fold-batchnorm.js";
import { gridStep } from "./grid.js";
import { weightedLayers } from "./integer-stages.js";
import { namesIn, withIntegers, type Integers } from "./integers.js";
import { binaryLatent } from "./latent.js";
import type { BinarizeStage } from "./method-stages.js";
import { retrain, type TrainingContext } from "./retraining.js";
import { replaceLayers } from "./split.js";

/** Beside variances of sums, which are those of tens of weights. */
const EPSILON = 1e-5;

/**
 * The graph in training: `NAME.sums`, which `NAME.norm` normalizes, and `NAME.step` behind that unless the output is a result of the net. Cuts that do
 * nothing to 0 and 1 go.
 * @throws MoteError RECIPE where a name is another layer's already
 */
export function binarizedGraph(graph: Graph, names: readonly string[]): Graph {
  const results = new Set(resultsOf(graph));
  const replacements = new Map(
    weightedLayers(graph).flatMap((layer): [string, Layer[]][] => {
      const { name, output } = layer;
      if (!names.includes(name)) return [];
      const [sums, norm] = [`${name}.sums`, `${name}.norm`];
      const normalized = results.has(output) ? output : norm;
      return [
        [
          name,
          [
            { ...layer, output: sums },
            { op: "batchnorm", name: norm, input: sums, output: normalized, epsilon: EPSILON },
            ...(results.has(output)
              ? []
              : [{ op: "map", name: `${name}.step`, function: "step", input: norm, output } as const]),
          ],
        ],
      ];
    }),
  );
  return withoutCuts(replaceLayers(graph, replacements), results);
}

/** Whether a layer leaves 0 and 1 as they are. */
function leavesBinary(layer: Layer): boolean {
  if (layer.op === "relu") return true;
  if (layer.op !== "clamp") return false;
  const { low, high } = limitsOf(layer);
  return low <= 0 && high >= 1;
}

function withoutCuts(graph: Graph, results: ReadonlySet<string>): Graph {
  const binary = new Set<string>();
  /** What stands for the output of a cut that is gone. */
  const instead = new Map<string, string>();
  const layers = graph.layers.flatMap((given): Layer[] => {
    const named = (tensor: string): string => instead.get(tensor) ?? tensor;
    const layer: Layer =
      "inputs" in given ? { ...given, inputs: given.inputs.map(named) } : { ...given, input: named(given.input) };
    const isBinary = "input" in layer && binary.has(layer.input);
    if (isBinary && leavesBinary(layer) && !results.has(layer.output)) {
      instead.set(layer.output, inputOf(layer));
      return [];
    }
    if (isStep(layer) || (isBinary && layer.op === "maxpool")) binary.add(layer.output);
    return [layer];
  });
  return { ...graph, layers };
}

/** Layer by layer, weights of two values by real ones behind them; steps pass on the gradient of a cut to ± 1. */
export async function binarize(net: Net, stage: BinarizeStage, context: TrainingContext): Promise<Net> {
  const names = namesIn(net.graph, stage.rounding);
  const graph = binarizedGraph(net.graph, names);
  const layers: Signs[] = [];
  const trained = await retrain({ ...net, graph, tensors: withNorms(net, graph) }, stage, context, async (run) => {
    names.forEach((name, index) => {
      const values = run.trainer.weight(name).slice();
      const scale = gridStep(values, 1);
      const latent = binaryLatent(values, scale, stage.rounding[name], context.seed, index);
      run.setLatent(name, latent);
      // What a normalization takes off again.
      const bias = run.trainer.bias(name).fill(0);
      run.trainer.setFrozenBias(name, new Uint8Array(bias.length).fill(1));
      layers.push({ name, values, scale });
    });
    await run.until(run.total);
  });
  return thresholds(trained, layers, context.train);
}

/** Normalizations that do nothing at first. */
function withNorms({ tensors }: Net, graph: Graph): Map<string, FloatTensor> {
  const all = new Map(tensors);
  for (const [name, shape] of parameterShapes(graph)) {
    if (all.has(name)) continue;
    const isFactor = name.endsWith(".weight") || name.endsWith(".variance");
    all.set(name, { shape, data: new Float32Array(shape[0]).fill(Number(isFactor)) });
  }
  return all;
}

/** Weights of a layer: signs, of which each stands for ± scale. */
export interface Signs {
  readonly name: string;
  readonly values: Float32Array;
  readonly scale: number;
}

/**
 * The net with its normalizations in thresholds, where a step is behind them, and else in scales and biases of rows.
 * @param net whose graph is one of binarizedGraph
 * @param train the samples by which its input gets a scale
 */
export function thresholds(net: Net, layers: readonly Signs[], train: Samples): Net {
  const graph = foldedGraph(net.graph);
  const tensors = new Map(net.tensors);
  const integers = new Map<string, Integers>();
  for (const { name, values, scale } of layers) {
    const find = <L extends Layer>(part: string): L | undefined =>
      net.graph.layers.find((layer): layer is L => layer.name === `${name}.${part}`);
    const hasStep = find("step") !== undefined;
    const lines = linesOf(find<BatchNormLayer>("norm")!, tensors);
    const columns = values.length / lines.length;
    // Where a factor is negative the row's signs are turned round in its place.
    const signOf = (i: number): number => (lines[Math.floor(i / columns)].factor < 0 ? -1 : 1) * Math.sign(values[i]);
    const unit = hasStep ? unitOf(graph, name, train) : undefined;
    const most = MOST_INPUT * columns * (unit ?? 1);
    const bias = lines.map(({ factor, offset }) => {
      if (!hasStep) return offset;
      const sum = offset / Math.max(Math.abs(factor), LEAST_FACTOR) / scale;
      const within = Math.max(-most, Math.min(most, sum));
      // Between two sums, so that no rounding matters.
      return unit === undefined ? within : unit * (Math.floor(within / unit) + 0.5);
    });
    const scales = hasStep ? [1] : lines.map(({ factor }) => Math.max(LEAST_FACTOR, Math.abs(factor)) * scale);
    tensors.set(`${name}.bias`, { shape: [lines.length], data: Float32Array.from(bias) });
    integers.set(name, { scales: Float32Array.from(scales), integers: Int8Array.from(values, (_, i) => signOf(i)) });
  }
  return withIntegers({ ...net, graph, tensors }, integers);
}

/** Beyond any input, in units: a threshold that no sum reaches is still an integer. */
const MOST_INPUT = 256;
/** In the place of 0. */
const LEAST_FACTOR = 1e-12;

/** What sums of ± the layer's inputs are multiples of; undefined where it reads real numbers. */
function unitOf(graph: Graph, name: string, train: Samples): number | undefined {
  const maker = (tensor: string): Layer | undefined => graph.layers.find(({ output }) => output === tensor);
  let { input } = weightedLayers(graph).find((layer): layer is WeightedLayer => layer.name === name)!;
  while (maker(input)?.op === "maxpool") input = inputOf(maker(input)!);
  if (input === graph.input.name) return inputScale(train)?.scale;
  return isStep(maker(input)!) ? 1 : undefined;
}
