/**
 * Works out, once per trainer, where everything lies in the shared memory and which tables the kernels of
 * assembly/train walk through. A plan is plain data: it travels to the threads with every job.
 */
import { MoteError } from "../errors.js";
import type { Graph, Layer, PoolLayer, ReluLayer, Shape, WeightedLayer } from "../model/model.js";
import { mostPadding } from "../ops/attributes.js";
import { hasWeights, type FloatOpTable } from "../ops/index.js";
import { windowsOf } from "../ops/pool.js";
import { augmentScratchBytes } from "./augmenter.js";
import { Arena, BLOCK_SAMPLES, VALUE_BYTES } from "./arena.js";
import { writeDescriptor, type Descriptor } from "./descriptors.js";
import type { SharedHeap } from "./heap.js";
import { convolutionOf, planConvolution, type PlannedConvolution } from "./plan-convolution.js";
import { chainShapes, parameterShapes } from "../model/shapes.js";
import { valuesOf } from "../model/geometry.js";

/** Floats that a parameter segment is rounded up to: a cache line. */
const SEGMENT_FLOATS = 16;

export interface PlannedTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly values: number;
  /** Byte offset of the activations in a thread's arena. */
  readonly activation: number;
  /** Byte offset of their gradients, -1 where none are needed. */
  readonly gradient: number;
}

export interface Survivors {
  readonly descriptor: Descriptor<"Survivors">;
  /** u32[rows + 1] */
  readonly rowStart: number;
  /** {u32 weight offset, u32 x offset} */
  readonly entries: number;
  readonly count: number;
}

export interface SharedWeights {
  /** i32 a weight */
  readonly assignment: number;
  readonly centroids: number;
  readonly sums: number;
  readonly first: number;
  readonly second: number;
  readonly segment: Descriptor<"Segment">;
  readonly count: number;
}

export interface PlannedWeighted extends PlannedConvolution {
  readonly op: WeightedLayer["op"];
  readonly name: string;
  readonly input: number;
  readonly output: number;
  /** First weight and first bias, counted in floats from plan.parameters.values. */
  readonly weightAt: number;
  readonly biasAt: number;
  readonly weights: Descriptor<"Segment">;
  readonly biases: Descriptor<"Segment">;
  survivors: Survivors | null;
  shared: SharedWeights | null;
}

export interface PlannedPool {
  readonly op: PoolLayer["op"];
  readonly name: string;
  readonly input: number;
  readonly output: number;
  readonly descriptor: Descriptor<"Pool">;
}

export interface PlannedRelu {
  readonly op: ReluLayer["op"];
  readonly name: string;
  readonly input: number;
  readonly output: number;
}

export type PlannedLayer = PlannedWeighted | PlannedPool | PlannedRelu;

/** Addresses of the parameters and what belongs to each: `count` floats (or bytes for `state`). */
export interface Parameters {
  readonly count: number;
  readonly values: number;
  readonly first: number;
  readonly second: number;
  readonly state: number;
  /** One gradient buffer a shard, `shardBytes` apart. */
  readonly gradients: number;
  readonly shardBytes: number;
}

export interface Plan {
  readonly batch: number;
  readonly shards: number;
  readonly shardSamples: number;
  readonly blocks: number;
  readonly classes: number;
  readonly tensors: readonly PlannedTensor[];
  readonly layers: readonly PlannedLayer[];
  readonly parameters: Parameters;
  /** Start of each thread's arena. */
  readonly arenas: readonly number[];
  /** Byte offsets of small buffers in a thread's arena. */
  readonly scratch: {
    readonly pixels: number;
    readonly changed: number;
    readonly augment: number;
    readonly labels: number;
    readonly teacher: number;
    readonly logits: number;
  };
}

/** @returns also where each tensor begins, by name: the number of its first float */
function planParameters(heap: SharedHeap, graph: Graph, shards: number) {
  const firstOf = new Map<string, number>();
  let count = 0;
  for (const [name, shape] of parameterShapes(graph)) {
    firstOf.set(name, count);
    const floats = shape.reduce((a, b) => a * b, 1);
    count += Math.ceil(floats / SEGMENT_FLOATS) * SEGMENT_FLOATS;
  }
  const parameters: Parameters = {
    count,
    values: heap.allocate(count * 4),
    first: heap.allocate(count * 4),
    second: heap.allocate(count * 4),
    state: heap.allocate(count),
    gradients: heap.allocate(shards * count * 4),
    shardBytes: count * 4,
  };
  return { parameters, firstOf };
}

/**
 * Plans a graph and reserves its memory, zeroed.
 * @throws MoteError UNSUPPORTED for graphs that are not chains, RangeError for a batch that does not split
 */
export function planTraining(heap: SharedHeap, graph: Graph, batch: number, shards: number, threads: number): Plan {
  const unit = shards * BLOCK_SAMPLES;
  if (!Number.isInteger(shards) || shards < 1 || !Number.isInteger(batch) || batch < unit || batch % unit !== 0) {
    throw new RangeError(`batch ${batch} must be a multiple of shards × ${BLOCK_SAMPLES}, which is ${unit}`);
  }
  const shapes = chainShapes(graph);
  const shardSamples = batch / shards;
  const blocks = shardSamples / BLOCK_SAMPLES;
  const arena = new Arena();
  const firstWeighted = graph.layers.findIndex(hasWeights);
  if (firstWeighted < 0) throw new MoteError("UNSUPPORTED", `${graph.name}: no layer has weights to train`);
  const tensors = shapes.map((shape, i): PlannedTensor => {
    const bytes = blocks * valuesOf(shape) * VALUE_BYTES;
    const name = i === 0 ? graph.input.name : graph.layers[i - 1].output;
    const gradient = i > firstWeighted ? arena.take(bytes) : -1;
    return { name, shape, values: valuesOf(shape), activation: arena.take(bytes), gradient };
  });

  const { parameters, firstOf } = planParameters(heap, graph, shards);
  const segment = (at: number): Descriptor<"Segment"> =>
    writeDescriptor(heap, "Segment", {
      values: parameters.values + at * 4,
      first: parameters.first + at * 4,
      second: parameters.second + at * 4,
      state: parameters.state + at,
      gradients: parameters.gradients + at * 4,
      shardBytes: parameters.shardBytes,
      shards,
    });
  const weighted = (layer: WeightedLayer, i: number): PlannedWeighted => {
    const convolution = convolutionOf(layer, shapes[i]);
    const weightAt = firstOf.get(`${layer.name}.weight`)!;
    const biasAt = firstOf.get(`${layer.name}.bias`)!;
    return {
      ...planConvolution(heap, arena, convolution, shapes[i + 1], blocks, i > firstWeighted),
      op: layer.op,
      name: layer.name,
      input: i,
      output: i + 1,
      weightAt,
      biasAt,
      weights: segment(weightAt),
      biases: segment(biasAt),
      survivors: null,
      shared: null,
    };
  };
  const pool = (layer: PoolLayer, i: number): PlannedPool => {
    const { op, name } = layer;
    const { kernel, stride } = windowsOf(layer);
    if (mostPadding(layer.pad ?? 0) > 0) refuse(layer);
    const [, height, width] = shapes[i];
    const [, outHeight, outWidth] = shapes[i + 1];
    const window = { kernelHeight: kernel[0], kernelWidth: kernel[1], strideY: stride[0], strideX: stride[1] };
    const descriptor = writeDescriptor(heap, "Pool", { height, width, outHeight, outWidth, ...window });
    return { op, name, input: i, output: i + 1, descriptor };
  };
  const relu = ({ op, name }: ReluLayer, i: number): PlannedRelu => ({ op, name, input: i, output: i + 1 });
  const refuse = ({ name, op }: Layer): never => {
    throw new MoteError("UNSUPPORTED", `${graph.name}/${name}: ${op} is not trained yet`);
  };
  const planners: FloatOpTable<(layer: never, index: number) => PlannedLayer> = {
    conv2d: weighted,
    dense: weighted,
    maxpool: pool,
    avgpool: pool,
    relu,
    clamp: refuse,
    add: refuse,
    mul: refuse,
    concat: refuse,
    resize: refuse,
    map: refuse,
    batchnorm: refuse,
  };
  const layers = graph.layers.map((layer, i) => planners[layer.op](layer as never, i));

  const classes = valuesOf(shapes[shapes.length - 1]);
  const pixels = valuesOf(shapes[0]);
  const scratch = {
    pixels: arena.take(pixels),
    changed: arena.take(pixels),
    augment: arena.take(augmentScratchBytes(shapes[0])),
    labels: arena.take(shardSamples),
    teacher: arena.take(shardSamples * classes * 4),
    logits: arena.take(shardSamples * classes * 4),
  };
  const arenas = Array.from({ length: threads }, () => heap.allocate(arena.bytes));
  return { batch, shards, shardSamples, blocks, classes, tensors, layers, parameters, arenas, scratch };
}
