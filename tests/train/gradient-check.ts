/** Gradients as the engine has them, beside those that central differences of a plain double-precision net give. */
import { expect } from "vitest";
import type { Samples } from "../../host/data/samples.js";
import type { Graph } from "../../host/model/model.js";
import { valuesOf } from "../../host/model/geometry.js";
import { inputsOf, resultsOf } from "../../host/model/edges.js";
import { parameterShapes, sampleShape, tensorShapes } from "../../host/model/shapes.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { mixWords, permuteIndex, Random } from "../../host/rng.js";
import { dropValues, type Dropout } from "../../host/train/dropout.js";
import { Executor, type Distillation } from "../../host/train/execute.js";
import { instantiateKernels, SharedHeap } from "../../host/train/heap.js";
import { CLASSES, type Task } from "../../host/train/losses.js";
import { planTraining } from "../../host/train/plan.js";
import { isPlannedNorm, isPlannedWeighted, weightedOf, type PlannedWeighted } from "../../host/train/plan-layers.js";
import { planSurvivors } from "../../host/train/survivors.js";
import { loss, numericalGradients, type Batch } from "./reference.js";

const SEED = 7;
const module = nodeRuntime.kernels();

export interface GradientCase {
  readonly graph: Graph;
  readonly batch: number;
  readonly shards: number;
  /** Most weights are pruned. */
  readonly sparse?: boolean;
  readonly task?: Task;
  readonly distill?: Distillation | null;
  /** float32: what the images hold; read with scales and offsets of their own. Default: bytes as they are. */
  readonly images?: "int8" | "float32";
  readonly dropout?: Dropout;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Random images and labels, and a teacher's opinions. */
function makeSamples({ graph, distill, images: kind }: GradientCase, count: number): Samples {
  const random = new Random(SEED, 1);
  const shapes = tensorShapes(graph);
  const [classes, ...others] = resultsOf(graph).map((name) => valuesOf(shapes.get(name)!));
  const pixels = valuesOf(sampleShape(graph));
  const Kind = kind === "float32" ? Float32Array : kind === "int8" ? Int8Array : Uint8Array;
  const images = new Kind(count * pixels);
  const draw = (): number => (kind === "float32" ? random.normal() : random.integer(256) - (kind === "int8" ? 128 : 0));
  for (let i = 0; i < images.length; i++) images[i] = draw();
  const [channels] = sampleShape(graph);
  const each = (first: number): number[] => Array.from({ length: channels }, (_, c) => first / (c + 2));
  const floats = (length: number, next: () => number): Float32Array => Float32Array.from({ length }, next);
  const features = distill?.features === undefined ? 0 : valuesOf(shapes.get(distill.features.tensor)!);
  return {
    count,
    images,
    ...(kind && { reading: { scale: each(kind === "int8" ? 0.02 : 1.5), offset: each(-0.7) } }),
    labels: Uint16Array.from({ length: count }, () => random.integer(classes)),
    targets: floats(count * others.reduce((a, b) => a + b, classes), () => random.uniform()),
    logits: floats(count * classes, () => 2 * random.normal()),
    features: floats(count * features, () => random.normal()),
  };
}

interface Outcome {
  readonly loss: number;
  readonly gradients: Map<string, Float32Array>;
}

/** Loss and gradients of the first step, as the engine has them. */
export function engineGradients(
  { graph, batch, shards, task = CLASSES, distill = null, dropout = {} }: GradientCase,
  parameters: ReadonlyMap<string, Float64Array>,
  masks: ReadonlyMap<string, Uint8Array>,
  data: Samples,
): Outcome {
  const heap = new SharedHeap();
  const plan = planTraining(heap, graph, batch, shards, 1);
  /** Of every parameter that is trained: where it is, and its layer where that has survivors. */
  const places: (readonly [name: string, at: number, of: PlannedWeighted | null])[] = [];
  for (const { name, gammaAt, betaAt } of plan.layers.filter(isPlannedNorm))
    places.push([`${name}.weight`, gammaAt, null], [`${name}.bias`, betaAt, null]);
  const weighted = plan.layers.filter(isPlannedWeighted);
  for (const layer of weightedOf(plan.layers)) {
    const { name } = layer;
    places.push([`${name}.weight`, layer.weightAt, layer], [`${name}.bias`, layer.biasAt, null]);
    const mask = masks.get(name);
    const survivors = (mask && planSurvivors(heap, layer, mask, null)?.survivors) ?? null;
    if (mask !== undefined) expect(survivors, `${name} takes the sparse kernels`).not.toBeNull();
    for (const step of weighted) if (step.name === name) step.survivors = survivors;
  }
  for (const [name, at] of places) {
    const values = parameters.get(name)!;
    heap.f32(plan.parameters.values + at * 4, values.length).set(values);
  }
  const executor = new Executor(instantiateKernels(module, heap.memory), heap.memory, plan, 0, 1);
  const settings = {
    data,
    seed: SEED,
    weightDecay: 0,
    l1: 0,
    augment: 0,
    fixedPoint: null,
    dropout,
    task,
    distill,
  } as const;
  let total = 0;
  // Twice, since gradients must not pile up from one step to the next.
  for (let turn = 0; turn < 2; turn++) {
    total = 0;
    for (let shard = 0; shard < plan.shards; shard++) total += executor.trainShard(settings, 0, shard);
  }
  const gradients = new Map<string, Float32Array>();
  for (const [name, at, layer] of places) {
    const { length } = parameters.get(name)!;
    const sum = new Float32Array(length);
    for (let shard = 0; shard < plan.shards; shard++) {
      const from = plan.parameters.gradients + shard * plan.parameters.shardBytes + at * 4;
      if (layer === null || layer.survivors === null) {
        heap.f32(from, length).forEach((g, i) => (sum[i] += g));
        continue;
      }
      const { count } = layer.survivors;
      const entries = heap.u32(layer.survivors.entries, count * 2);
      heap.f32(from, count).forEach((g, k) => (sum[entries[2 * k] / 4] += g));
    }
    gradients.set(name, sum);
  }
  return { loss: total / batch, gradients };
}

/** The samples of step 0 in the order of the engine, as the reference takes them. */
export function referenceBatch({ graph, batch, shards, task, distill, dropout }: GradientCase, data: Samples): Batch {
  const order = Array.from({ length: batch }, (_, n) => permuteIndex(n, data.count, mixWords(SEED, 0, 0)));
  const { images, reading, labels } = data;
  const pixels = images.length / data.count;
  const plane = pixels / sampleShape(graph)[0];
  const seen = (value: number, i: number): number => {
    const c = Math.floor(i / plane);
    return reading === undefined ? value / 255 : value * reading.scale[c] + reading.offset[c];
  };
  const rows = (values: Float32Array): Float64Array[] => {
    const each = values.length / data.count;
    return order.map((i) => Float64Array.from(values.subarray(i * each, (i + 1) * each)));
  };
  return {
    inputs: order.map((i) => Float64Array.from(images.subarray(i * pixels, (i + 1) * pixels)).map(seen)),
    labels: order.map((i) => labels![i]),
    targets: rows(data.targets!),
    teacher: rows(data.logits!),
    features: rows(data.features!),
    shard: batch / shards,
    ...(task && { task }),
    ...(distill && { distill }),
    ...(dropout && { factors: dropFactors(graph, dropout, batch / shards) }),
  };
}

/** What step 0 multiplies a sample's values by that a layer reads. */
function dropFactors(graph: Graph, dropout: Dropout, shard: number): NonNullable<Batch["factors"]> {
  const shapes = tensorShapes(graph);
  return (layer, n) => {
    if (!Object.hasOwn(dropout, layer.name)) return undefined;
    const values = valuesOf(shapes.get(inputsOf(layer)[0])!);
    const all = new Float32Array(values * shard).fill(1);
    const output = graph.layers.indexOf(layer) + 1;
    dropValues(all, dropout[layer.name], mixWords(SEED, 0, Math.floor(n / shard)), output);
    const block = Math.floor((n % shard) / 8) * values * 8;
    return Float64Array.from({ length: values }, (_, i) => all[block + i * 8 + (n % 8)]);
  };
}

/** Random parameters; of pruned ones also which survive. */
function makeParameters(graph: Graph, sparse: boolean) {
  const random = new Random(SEED, 2);
  const parameters = new Map<string, Float64Array>();
  const masks = new Map<string, Uint8Array>();
  const norms = new Set(graph.layers.filter(({ op }) => op === "batchnorm").map(({ name }) => name));
  for (const [name, shape] of parameterShapes(graph)) {
    const count = sizeOf(shape);
    const fanIn = count / shape[0];
    const [layer, kind] = [name.slice(0, name.lastIndexOf(".")), name.slice(name.lastIndexOf(".") + 1)];
    const isPositive = norms.has(layer) && kind !== "bias";
    const draw = (): number => (isPositive ? 0.5 + random.uniform() : (random.normal() * 1.2) / Math.sqrt(fanIn));
    parameters.set(
      name,
      Float64Array.from({ length: count }, () => Math.fround(draw())),
    );
    if (!sparse || kind !== "weight" || norms.has(layer)) continue;
    const mask = Uint8Array.from({ length: count }, () => (random.uniform() < 0.25 ? 1 : 0));
    // One row without survivors, and never more of them than the sparse kernels are used for.
    mask.fill(0, 0, fanIn);
    for (let kept = mask.reduce((a, b) => a + b, 0); kept > count * 0.3; kept--) mask[mask.lastIndexOf(1)] = 0;
    parameters.get(name)!.forEach((_, i, all) => (all[i] *= mask[i]));
    masks.set(layer, mask);
  }
  return { parameters, masks };
}

/** float32 sums of a few hundred terms: 1e-5 of the largest gradient is a hundred roundings. */
const TOLERANCE = 2e-5;
/** Of a tensor: two passes of the reference each. */
const MOST_COMPARED = 8;

const largestOf = (gradients: Float32Array, least: number): number =>
  gradients.reduce((most, g) => Math.max(most, Math.abs(g)), least);

export function checkGradients(options: GradientCase): void {
  const { graph, batch } = options;
  const { parameters, masks } = makeParameters(graph, options.sparse ?? false);
  const data = makeSamples(options, batch + 3);
  const engine = engineGradients(options, parameters, masks, data);
  const reference = referenceBatch(options, data);
  expect(engine.loss).toBeCloseTo(loss(graph, parameters, reference), 5);
  const random = new Random(SEED, 3);
  // A normalization takes out the bias before it, whose gradient is what rounding leaves of large terms.
  const steepest = 0.2 * [...engine.gradients.values()].reduce((most, all) => largestOf(all, most), 1e-3);
  for (const [name, gradients] of engine.gradients) {
    const mask = name.endsWith(".weight") ? masks.get(name.replace(".weight", "")) : undefined;
    const trained = Array.from(gradients.keys()).filter((i) => mask === undefined || mask[i] === 1);
    // The first and the last, where kernels have their odd ends, and some in between.
    const drawn = Array.from({ length: MOST_COMPARED }, () => trained[random.integer(trained.length)]);
    const indices = [...new Set([trained[0], trained.at(-1)!, ...drawn])].slice(0, MOST_COMPARED);
    const expected = numericalGradients(graph, parameters, reference, name, indices);
    const largest = largestOf(gradients, steepest);
    indices.forEach((i, k) => {
      expect(Math.abs(gradients[i] - expected[k]) / largest, `${name}[${i}]`).toBeLessThan(TOLERANCE);
    });
  }
}
