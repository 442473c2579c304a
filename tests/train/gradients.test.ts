/** Every layer's gradients, dense and sparse, against central differences of a plain double-precision net. */
import { describe, expect, test } from "vitest";
import type { Samples } from "../../host/data/samples.js";
import type { Conv2dLayer, DenseLayer, Graph, Layer, PoolLayer, ReluLayer } from "../../host/model/model.js";
import { mixWords, permuteIndex, Random } from "../../host/rng.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Executor, type Distillation } from "../../host/train/execute.js";
import { instantiateKernels, SharedHeap } from "../../host/train/heap.js";
import { planTraining, type PlannedWeighted } from "../../host/train/plan.js";
import { parameterShapes } from "../../host/model/shapes.js";
import { planSurvivors } from "../../host/train/survivors.js";
import { loss, numericalGradient, type Batch } from "./reference.js";

const SEED = 7;
const module = nodeRuntime.kernels();

type Wired = "input" | "output";
type Unwired = Omit<Conv2dLayer, Wired> | Omit<DenseLayer, Wired> | Omit<PoolLayer, Wired> | Omit<ReluLayer, Wired>;

function chain(shape: readonly [number, number, number], layers: readonly Unwired[]): Graph {
  return {
    name: "case",
    input: { name: "t0", shape },
    layers: layers.map(
      (layer, i) => ({ ...layer, name: layer.name || `l${i}`, input: `t${i}`, output: `t${i + 1}` }) as Layer,
    ),
  };
}

const conv = (name: string, outChannels: number, kernel: number, stride = 1, pad = 0, groups = 1): Unwired => ({
  op: "conv2d",
  name,
  outChannels,
  kernel: [kernel, kernel],
  stride,
  pad,
  groups,
});
const dense = (name: string, outFeatures: number): Unwired => ({ op: "dense", name, outFeatures });
const pool = (op: "maxpool" | "avgpool", kernel: number, stride: number): Unwired => ({ op, name: "", kernel, stride });
const relu: Unwired = { op: "relu", name: "" };

const CASES: readonly {
  readonly title: string;
  readonly graph: Graph;
  readonly batch: number;
  readonly shards: number;
}[] = [
  {
    title: "conv, max-pool, conv, dense: LeNet in small, five blocks a shard",
    graph: chain([1, 8, 8], [conv("c1", 7, 3), pool("maxpool", 2, 2), conv("c2", 6, 2), dense("fc", 4)]),
    batch: 40,
    shards: 1,
  },
  {
    title: "padding and stride",
    graph: chain([2, 7, 6], [conv("c1", 3, 3, 2, 1), relu, conv("c2", 4, 3, 1, 2), dense("fc", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "groups and depthwise",
    graph: chain([4, 6, 6], [conv("c1", 6, 3, 1, 1, 2), conv("c2", 6, 3, 2, 1, 6), dense("fc", 3)]),
    batch: 16,
    shards: 1,
  },
  {
    title: "kernels that are not square, a 1 × 1 kernel",
    graph: chain(
      [2, 6, 7],
      [
        { ...(conv("c1", 5, 1, 1, 1) as Omit<Conv2dLayer, Wired>), kernel: [2, 3] },
        relu,
        conv("c2", 3, 1, 2),
        dense("fc", 3),
      ],
    ),
    batch: 8,
    shards: 1,
  },
  {
    title: "overlapping max-pool windows",
    graph: chain([1, 8, 8], [conv("c1", 2, 2), pool("maxpool", 3, 2), dense("fc", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "max-pool that leaves rows over",
    graph: chain([1, 8, 8], [conv("c1", 2, 2), pool("maxpool", 2, 2), dense("fc", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "average pool, overlapping",
    graph: chain([1, 8, 8], [conv("c1", 2, 2), pool("avgpool", 3, 2), dense("fc", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "dense layers with more outputs than one pass of the input gradient",
    graph: chain([1, 3, 3], [dense("fc1", 70), relu, dense("fc2", 13), relu, dense("fc3", 3)]),
    batch: 16,
    shards: 2,
  },
  {
    title: "pool first",
    graph: chain([1, 8, 8], [pool("avgpool", 2, 2), conv("c1", 3, 2), relu, dense("fc", 3)]),
    batch: 8,
    shards: 1,
  },
];

/** Random images and labels, and a teacher's logits. */
function makeSamples(graph: Graph, count: number, classes: number): Samples {
  const random = new Random(SEED, 1);
  const [channels, height, width] = graph.input.shape;
  const images = new Uint8Array(count * channels * height * width);
  for (let i = 0; i < images.length; i++) images[i] = random.integer(256);
  return {
    count,
    images,
    labels: Uint8Array.from({ length: count }, () => random.integer(classes)),
    logits: Float32Array.from({ length: count * classes }, () => 2 * random.normal()),
  };
}

interface Outcome {
  readonly loss: number;
  readonly gradients: Map<string, Float32Array>;
}

/** Loss and gradients of the first step, as the engine has them. */
function engineGradients(
  graph: Graph,
  sizes: { readonly batch: number; readonly shards: number },
  parameters: ReadonlyMap<string, Float64Array>,
  masks: ReadonlyMap<string, Uint8Array>,
  data: Samples,
  distill: Distillation | null,
): Outcome {
  const heap = new SharedHeap();
  const plan = planTraining(heap, graph, sizes.batch, sizes.shards, 1);
  const weighted = plan.layers.filter((layer): layer is PlannedWeighted => "weightAt" in layer);
  for (const layer of weighted) {
    heap
      .f32(plan.parameters.values + layer.weightAt * 4, parameters.get(`${layer.name}.weight`)!.length)
      .set(parameters.get(`${layer.name}.weight`)!);
    const bias = parameters.get(`${layer.name}.bias`)!;
    heap.f32(plan.parameters.values + layer.biasAt * 4, bias.length).set(bias);
    const mask = masks.get(layer.name);
    if (mask !== undefined) layer.survivors = planSurvivors(heap, layer, mask, null)?.survivors ?? null;
    if (mask !== undefined) expect(layer.survivors, `${layer.name} takes the sparse kernels`).not.toBeNull();
  }
  const executor = new Executor(instantiateKernels(module, heap.memory), heap.memory, plan, 0, 1);
  const settings = { data, seed: SEED, weightDecay: 0, augment: 0, distill } as const;
  let total = 0;
  // Twice, since gradients must not pile up from one step to the next.
  for (let turn = 0; turn < 2; turn++) {
    total = 0;
    for (let shard = 0; shard < plan.shards; shard++) total += executor.trainShard(settings, 0, shard);
  }
  const gradients = new Map<string, Float32Array>();
  for (const layer of weighted) {
    for (const [name, at, count] of [
      [`${layer.name}.weight`, layer.weightAt, parameters.get(`${layer.name}.weight`)!.length],
      [`${layer.name}.bias`, layer.biasAt, parameters.get(`${layer.name}.bias`)!.length],
    ] as const) {
      const sum = new Float32Array(count);
      for (let shard = 0; shard < plan.shards; shard++) {
        const from = plan.parameters.gradients + shard * plan.parameters.shardBytes + at * 4;
        if (layer.survivors === null || name.endsWith("bias")) {
          heap.f32(from, count).forEach((g, i) => (sum[i] += g));
          continue;
        }
        const entries = heap.u32(layer.survivors.entries, layer.survivors.count * 2);
        heap.f32(from, layer.survivors.count).forEach((g, k) => (sum[entries[2 * k] / 4] += g));
      }
      gradients.set(name, sum);
    }
  }
  return { loss: total / sizes.batch, gradients };
}

/** The samples of step 0 in the order of the engine, as the reference takes them. */
function referenceBatch(
  graph: Graph,
  data: Samples,
  count: number,
  classes: number,
  distill: Distillation | null,
): Batch {
  const pixels = graph.input.shape.reduce((a, b) => a * b, 1);
  const order = Array.from({ length: count }, (_, n) => permuteIndex(n, data.count, mixWords(SEED, 0, 0)));
  return {
    inputs: order.map((i) => Float64Array.from(data.images.subarray(i * pixels, (i + 1) * pixels), (p) => p / 255)),
    labels: order.map((i) => data.labels![i]),
    teacher: order.map((i) => Float64Array.from(data.logits!.subarray(i * classes, (i + 1) * classes))),
    ...distill,
  };
}

function check(index: number, options: { sparse?: boolean; distill?: Distillation }): void {
  const { graph, batch, shards } = CASES[index];
  const { sparse = false, distill = null } = options;
  const random = new Random(SEED, 2);
  const parameters = new Map<string, Float64Array>();
  const masks = new Map<string, Uint8Array>();
  let classes = 0;
  for (const [name, shape] of parameterShapes(graph)) {
    const count = shape.reduce((a, b) => a * b, 1);
    const fanIn = count / shape[0];
    parameters.set(
      name,
      Float64Array.from({ length: count }, () => Math.fround((random.normal() * 1.2) / Math.sqrt(fanIn))),
    );
    classes = shape[0];
    if (!sparse || name.endsWith("bias")) continue;
    const mask = Uint8Array.from({ length: count }, () => (random.uniform() < 0.25 ? 1 : 0));
    // One row without survivors, and never more of them than the sparse kernels are used for.
    mask.fill(0, 0, fanIn);
    for (let kept = mask.reduce((a, b) => a + b, 0); kept > count * 0.3; kept--) mask[mask.lastIndexOf(1)] = 0;
    parameters.get(name)!.forEach((_, i, all) => (all[i] *= mask[i]));
    masks.set(name.replace(".weight", ""), mask);
  }
  const data = makeSamples(graph, batch + 3, classes);
  const engine = engineGradients(graph, { batch, shards }, parameters, masks, data, distill);
  const reference = referenceBatch(graph, data, batch, classes, distill);
  expect(engine.loss).toBeCloseTo(loss(graph, parameters, reference), 5);
  for (const name of parameters.keys()) {
    const expected = numericalGradient(graph, parameters, reference, name);
    const largest = Math.max(...expected.map(Math.abs), 1e-3);
    const mask = name.endsWith("weight") ? masks.get(name.replace(".weight", "")) : undefined;
    engine.gradients.get(name)!.forEach((g, i) => {
      // float32 sums of a few hundred terms: 1e-5 of the largest gradient is a hundred roundings.
      if (mask === undefined || mask[i] === 1)
        expect(Math.abs(g - expected[i]) / largest, `${name}[${i}]`).toBeLessThan(2e-5);
    });
  }
}

describe.each(CASES.map(({ title }, index) => ({ title, index })))("$title", ({ index }) => {
  test("dense kernels", () => check(index, {}));
  test("sparse kernels", () => check(index, { sparse: true }));
});

test("distillation mixes both losses", () => check(1, { distill: { alpha: 0.7, temperature: 3 } }));
test("distillation alone", () => check(7, { distill: { alpha: 1, temperature: 1 } }));

test("max-pool gives the gradient of a tie to one value only", () => {
  // Blank images tie everywhere: if each tied value got the whole gradient, the bias would see kernel² times as much.
  const graph = chain([1, 4, 4], [conv("c1", 2, 1), pool("maxpool", 2, 2), dense("fc", 2)]);
  const parameters = new Map<string, Float64Array>();
  for (const [name, shape] of parameterShapes(graph)) {
    parameters.set(
      name,
      Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i % 5) - 2) / 4),
    );
  }
  const data: Samples = {
    count: 8,
    images: new Uint8Array(8 * 16),
    labels: new Uint8Array(8),
    logits: new Float32Array(16),
  };
  const { gradients } = engineGradients(graph, { batch: 8, shards: 1 }, parameters, new Map(), data, null);
  const expected = numericalGradient(graph, parameters, referenceBatch(graph, data, 8, 2, null), "c1.bias");
  gradients.get("c1.bias")!.forEach((g, i) => expect(g).toBeCloseTo(expected[i], 6));
});
