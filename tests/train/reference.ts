/** The oracle of the gradient tests: forward pass and loss in plain doubles, each op as host/ops has it, each loss as the textbook has it. */
import type { Graph, Layer } from "../../host/model/model.js";
import { inputsOf, resultsOf } from "../../host/model/edges.js";
import { valuesOf } from "../../host/model/geometry.js";
import { tensorShapes } from "../../host/model/shapes.js";
import { floatOp } from "../../host/ops/index.js";
import type { Parameters as LayerParameters } from "../../host/ops/op.js";
import type { Task } from "../../host/train/losses.js";
import type { Distillation } from "../../host/train/execute.js";

export type Parameters = ReadonlyMap<string, Float64Array>;

export interface Batch {
  /** [count][C × H × W], as the net sees them */
  readonly inputs: readonly Float64Array[];
  readonly labels: readonly number[];
  /** [count][values of all outputs] */
  readonly targets?: readonly Float64Array[];
  /** [count][classes] */
  readonly teacher?: readonly Float64Array[];
  /** [count][values of the tensor] */
  readonly features?: readonly Float64Array[];
  readonly task?: Task;
  readonly distill?: Distillation | null;
  /** Samples whose mean and variance a batch normalization takes. Absent: those among the parameters. */
  readonly shard?: number;
  /** What values that a layer reads are multiplied by, of dropout. */
  readonly factors?: (layer: Layer, n: number) => Float64Array | undefined;
}

/** Of a layer, by their names without the layer's. Doubles in place of floats: the ops do not see the difference. */
function parametersOf({ name }: Layer, parameters: Parameters): LayerParameters {
  const kinds = ["weight", "bias", "mean", "variance"].map((kind) => [kind, parameters.get(`${name}.${kind}`)]);
  return Object.fromEntries(kinds.filter(([, values]) => values !== undefined)) as never;
}

/** Mean and variance of each channel over samples. */
function statistics(samples: readonly Float64Array[], channels: number): Pick<LayerParameters, "mean" | "variance"> {
  const plane = samples[0].length / channels;
  const moment = (c: number, value: (x: number) => number): number => {
    let sum = 0;
    for (const sample of samples) for (let i = c * plane; i < (c + 1) * plane; i++) sum += value(sample[i]);
    return sum / (samples.length * plane);
  };
  const mean = Float64Array.from({ length: channels }, (_, c) => moment(c, (x) => x));
  const variance = mean.map((middle, c) => moment(c, (x) => (x - middle) ** 2));
  return { mean, variance } as never;
}

const cut = (x: number): number => Math.max(-1, Math.min(1, x));

type Tensors = ReadonlyMap<string, readonly Float64Array[]>;

/**
 * All tensors of all samples by name, of a net with states after the last step.
 * @param known tensors of a run in which the layers before number `from` were the same
 */
function forwardBatch(
  graph: Graph,
  parameters: Parameters,
  batch: Pick<Batch, "inputs" | "shard" | "factors">,
  from = 0,
  known?: Tensors,
): Tensors {
  const { states, steps } = graph;
  if (states === undefined) return forwardStep(graph, parameters, batch, from, known);
  const size = valuesOf(graph.input.shape);
  let tensors: Tensors = new Map();
  for (let step = 0; step < steps!; step++) {
    const inputs = batch.inputs.map((sample) => sample.subarray(step * size, (step + 1) * size));
    const held = states.map(({ tensor, shape, source }) => {
      const before = step === 0 ? batch.inputs.map(() => new Float64Array(valuesOf(shape))) : tensors.get(source)!;
      return [tensor, before] as const;
    });
    tensors = forwardStep(graph, parameters, { ...batch, inputs }, 0, undefined, new Map(held));
  }
  return tensors;
}

/** @param held what states hold */
function forwardStep(
  graph: Graph,
  parameters: Parameters,
  { inputs, shard, factors }: Pick<Batch, "inputs" | "shard" | "factors">,
  from = 0,
  known?: Tensors,
  held: Tensors = new Map(),
): Tensors {
  const shapes = tensorShapes(graph);
  const tensors = new Map([...(known ?? []), [graph.input.name, inputs] as const, ...held]);
  for (const layer of graph.layers.slice(from)) {
    const read = inputsOf(layer);
    const own = parametersOf(layer, parameters);
    const to = shapes.get(layer.output)!;
    let batchOwn = {};
    const outputs = inputs.map((_, n) => {
      const kept = factors?.(layer, n);
      const values = read.map((name) => {
        const data = tensors.get(name)![n];
        return { shape: shapes.get(name)!, data: kept === undefined ? data : data.map((value, i) => value * kept[i]) };
      });
      if (layer.op === "batchnorm" && shard !== undefined && n % shard === 0) {
        batchOwn = statistics(tensors.get(read[0])!.slice(n, n + shard), to[0]);
      }
      const output = floatOp(layer).forward(layer, values, to, { ...own, ...batchOwn });
      if (layer.op !== "map" || layer.function !== "step" || known === undefined) return output;
      // What a step passes on is the gradient of a cut to ± 1 where it was.
      const was = known.get(layer.input)![n];
      return known.get(layer.output)![n].map((y, i) => y + cut(values[0].data[i]) - cut(was[i]));
    });
    tensors.set(layer.output, outputs);
  }
  return tensors;
}

/** All tensors of one sample by name. */
export function forward(graph: Graph, parameters: Parameters, input: Float64Array): Map<string, Float64Array> {
  return new Map([...forwardBatch(graph, parameters, { inputs: [input] })].map(([name, [values]]) => [name, values]));
}

export function softmax(logits: Float64Array, temperature = 1): Float64Array {
  const top = Math.max(...logits);
  const powers = logits.map((z) => Math.exp((z - top) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

/** Kullback-Leibler divergence of distributions, times T². */
const divergence = (target: Float64Array, student: Float64Array, temperature: number): number =>
  target.reduce((sum, p, c) => sum + temperature ** 2 * p * (Math.log(p) - Math.log(student[c])), 0);

/** Loss of one sample, whose outputs stand one behind the other, the first one's `classes` at the front. */
function sampleLoss(batch: Batch, n: number, outputs: Float64Array, classes: number): number {
  const { task = { loss: "softmax" }, distill } = batch;
  const { alpha, temperature } = distill ?? { alpha: 0, temperature: 1 };
  const weightOf = (i: number): number => task.classWeights?.[i] ?? 1;
  const first = outputs.subarray(0, classes);
  const teacher = batch.teacher?.[n] ?? first;
  if (task.loss === "softmax") {
    const label = batch.labels[n];
    const hard = -Math.log(softmax(first)[label]) * weightOf(label);
    return (
      (1 - alpha) * hard + alpha * divergence(softmax(teacher, temperature), softmax(first, temperature), temperature)
    );
  }
  const mean = (values: Float64Array, loss: (value: number, i: number) => number): number =>
    values.reduce((sum, value, i) => sum + weightOf(i) * loss(value, i), 0) / values.length;
  const targets = batch.targets![n];
  if (task.loss === "mse") {
    const square = (against: Float64Array) => (value: number, i: number) => (value - against[i]) ** 2;
    return (1 - alpha) * mean(outputs, square(targets)) + alpha * mean(first, square(teacher));
  }
  const entropy = (p: number, q: number): number => -p * Math.log(q) - (1 - p) * Math.log(1 - q);
  const both = (p: number): Float64Array => Float64Array.of(p, 1 - p);
  const soft = (z: number, i: number): number =>
    divergence(both(sigmoid(teacher[i] / temperature)), both(sigmoid(z / temperature)), temperature);
  return (1 - alpha) * mean(outputs, (z, i) => entropy(targets[i], sigmoid(z))) + alpha * mean(first, soft);
}

/** Mean loss of a batch. */
export const loss = (graph: Graph, parameters: Parameters, batch: Batch): number =>
  lossOf(graph, batch, forwardBatch(graph, parameters, batch));

function lossOf(graph: Graph, batch: Batch, tensors: Tensors): number {
  const results = resultsOf(graph);
  const features = batch.distill?.features;
  let total = 0;
  batch.inputs.forEach((_, n) => {
    const outputs = Float64Array.from(results.flatMap((name) => [...tensors.get(name)![n]]));
    total += sampleLoss(batch, n, outputs, tensors.get(results[0])![n].length);
    if (features === undefined) return;
    const values = tensors.get(features.tensor)![n];
    const squares = values.reduce((sum, value, i) => sum + (value - batch.features![n][i]) ** 2, 0);
    total += (features.weight * squares) / values.length;
  });
  return total / batch.inputs.length;
}

/** d loss / d parameter by central differences, of the parameters at these indices. */
export function numericalGradients(
  graph: Graph,
  parameters: Parameters,
  batch: Batch,
  name: string,
  indices: readonly number[],
): number[] {
  const step = 1e-5;
  const values = parameters.get(name)!;
  const from = graph.layers.findIndex((layer) => name.startsWith(`${layer.name}.`));
  const known = forwardBatch(graph, parameters, batch);
  const lossNow = (): number => lossOf(graph, batch, forwardBatch(graph, parameters, batch, from, known));
  return indices.map((i) => {
    const value = values[i];
    values[i] = value + step;
    const above = lossNow();
    values[i] = value - step;
    const below = lossNow();
    values[i] = value;
    return (above - below) / (2 * step);
  });
}
