/**
 * Works out, once per trainer, where everything lies in the shared memory and which tables the kernels of
 * assembly/train walk through. A plan is plain data: it travels to the threads with every job.
 */
import { MoteError } from "../errors.js";
import { valuesOf } from "../model/geometry.js";
import type { Graph, Shape } from "../model/model.js";
import { parameterShapes, sampleShape } from "../model/shapes.js";
import { floatOp, hasWeights } from "../ops/index.js";
import { augmentScratchBytes } from "./augmenter.js";
import { Arena, BLOCK_SAMPLES, placeRegions, VALUE_BYTES } from "./arena.js";
import { writeDescriptor, type Descriptor } from "./descriptors.js";
import { HEAP_BYTES, type SharedHeap } from "./heap.js";
import { planLayer, type PlannedLayer, type Planning } from "./plan-layers.js";
import { unroll, type Unrolled } from "./unroll.js";

/** Floats that a parameter segment is rounded up to: a cache line. */
const SEGMENT_FLOATS = 16;

export interface PlannedTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly values: number;
  /** Byte offset of the activations in a thread's arena. */
  readonly activation: number;
  /** Byte offset of their gradients, -1 where none are needed. Gradients that are needed one after the other share their place. */
  readonly gradient: number;
}

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
  /** A sample's, as data has it: the first tensor's, but for steps. */
  readonly sample: Shape;
  /** A sample, states as they begin, which stay zeros, then the layers' outputs in their order: see unroll.ts. */
  readonly tensors: readonly PlannedTensor[];
  readonly layers: readonly PlannedLayer[];
  /** Tensors that are results, the first being that of the classes. */
  readonly outputs: readonly number[];
  /** Values of the first output, and of all of them. */
  readonly classes: number;
  readonly outputValues: number;
  readonly parameters: Parameters;
  /** Start of each thread's arena. */
  readonly arenas: readonly number[];
  /** Byte offsets of small buffers in a thread's arena. */
  readonly scratch: {
    /** Of a sample, as the data has it: up to four bytes a value. */
    readonly pixels: number;
    readonly changed: number;
    readonly augment: number;
    /** u16 a sample */
    readonly labels: number;
    /** Of all outputs, as activations lie. */
    readonly targets: number;
    /** Of the first output: rows of logits, or as activations lie. */
    readonly teacher: number;
    readonly classWeights: number;
    /** Gradient of a layer's input with its border. */
    readonly wide: number;
  };
}

/** Names of the layers that tensors depend on. */
export function layersBefore({ layers }: Plan, tensors: Iterable<number>): ReadonlySet<string> {
  const read = new Set(tensors);
  const names = new Set<string>();
  for (const { name, inputs, output } of layers.toReversed()) {
    if (!read.has(output)) continue;
    names.add(name);
    for (const input of inputs) read.add(input);
  }
  return names;
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

/** Of each tensor, whether a layer that is trained lies before it, or makes it; of results always, since losses write theirs whatever made them. */
function wantGradients({ tensors, layers, outputs }: Unrolled): boolean[] {
  const wanted = tensors.map(() => false);
  for (const { layer, inputs, output } of layers) {
    const isTrained = hasWeights(layer) || floatOp(layer).perChannel !== undefined;
    wanted[output] = isTrained || inputs.some((tensor) => wanted[tensor]);
  }
  for (const output of outputs) wanted[output] = true;
  return wanted;
}

/**
 * Places of the tensors' gradients, which are needed from the last layer that reads the tensor, or the loss, down to the one that makes it.
 * @returns -1 for tensors that need none
 */
function placeGradients(
  { layers, outputs }: Unrolled,
  wantsGradient: readonly boolean[],
  bytes: readonly number[],
): { readonly offsets: number[]; readonly bytes: number } {
  const maker = bytes.map(() => -1);
  layers.forEach(({ output }, layer) => (maker[output] = layer));
  const lastReader = [...maker];
  layers.forEach(({ inputs }, layer) => inputs.forEach((tensor) => (lastReader[tensor] = layer)));
  for (const output of outputs) lastReader[output] = layers.length;
  const wanted = bytes.map((_, tensor) => tensor).filter((tensor) => wantsGradient[tensor]);
  const places = placeRegions(
    wanted.map((tensor) => ({ bytes: bytes[tensor], from: maker[tensor], to: lastReader[tensor] })),
  );
  const offsets = bytes.map(() => -1);
  wanted.forEach((tensor, i) => (offsets[tensor] = places.offsets[i]));
  return { offsets, bytes: places.bytes };
}

/** Tables of a layer are as many as its places, and take JavaScript's own memory: what cannot be is to be found out before. */
function expectRoom(bytes: number, what: string): void {
  if (bytes <= HEAP_BYTES) return;
  const [taken, most] = [bytes, HEAP_BYTES].map((count) => Math.ceil(count / 2 ** 20).toLocaleString("en"));
  throw new MoteError("MEMORY", `${what}, take ${taken} MiB, expected at most ${most} MiB; fewer of either take less`);
}

/**
 * Plans a graph and reserves its memory, zeroed.
 * @throws MoteError UNSUPPORTED for graphs without weights, MEMORY for what takes more than 4 GiB, RangeError for a batch that does not split
 */
export function planTraining(heap: SharedHeap, graph: Graph, batch: number, shards: number, threads: number): Plan {
  const unit = shards * BLOCK_SAMPLES;
  if (!Number.isInteger(shards) || shards < 1 || !Number.isInteger(batch) || batch < unit || batch % unit !== 0) {
    throw new RangeError(`batch ${batch} must be a multiple of shards × ${BLOCK_SAMPLES}, which is ${unit}`);
  }
  const unrolled = unroll(graph);
  if (!graph.layers.some(hasWeights)) {
    throw new MoteError("UNSUPPORTED", `${graph.name}: no layer has weights to train`);
  }
  const wantsGradient = wantGradients(unrolled);
  const shardSamples = batch / shards;
  const blocks = shardSamples / BLOCK_SAMPLES;
  const arena = new Arena();
  const tensorBytes = unrolled.tensors.map(({ shape }) => blocks * valuesOf(shape) * VALUE_BYTES);
  const gradients = placeGradients(unrolled, wantsGradient, tensorBytes);
  const firstGradient = arena.take(gradients.bytes);
  const tensors = unrolled.tensors.map(({ name, shape }, i): PlannedTensor => {
    const gradient = gradients.offsets[i] < 0 ? -1 : firstGradient + gradients.offsets[i];
    return { name, shape, values: valuesOf(shape), activation: arena.take(tensorBytes[i]), gradient };
  });
  expectRoom(threads * arena.bytes, `${graph.name}: its tensors, ${batch} samples a step on ${threads} threads`);

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
  const planning: Planning = {
    heap,
    arena,
    blocks,
    graph: graph.name,
    shapeOf: (tensor) => tensors[tensor].shape,
    wantsGradient: (tensor) => wantsGradient[tensor],
    parameterAt: (name) => firstOf.get(name)!,
    segment,
    tables: new Map(),
  };
  const layers = unrolled.layers.map(({ layer, inputs, output }) => planLayer(layer, inputs, output, planning));

  const valuesOfTensor = (tensor: number): number => tensors[tensor].values;
  const { outputs } = unrolled;
  const classes = valuesOfTensor(outputs[0]);
  const outputValues = outputs.map(valuesOfTensor).reduce((a, b) => a + b, 0);
  const sample = sampleShape(graph);
  const borders = layers.map((layer) => ("border" in layer ? (layer.border?.bytes ?? 0) : 0));
  const scratch = {
    pixels: arena.take(tensors[0].values * 4),
    changed: arena.take(tensors[0].values * 4),
    augment: arena.take(augmentScratchBytes(sample)),
    labels: arena.take(shardSamples * 2),
    targets: arena.take(shardSamples * outputValues * 4),
    teacher: arena.take(shardSamples * classes * 4),
    classWeights: arena.take(outputValues * 4),
    wide: arena.take(Math.max(...borders)),
  };
  const arenas = Array.from({ length: threads }, () => heap.allocate(arena.bytes));
  const output = { outputs, classes, outputValues };
  return { batch, shards, shardSamples, blocks, sample, tensors, layers, ...output, parameters, arenas, scratch };
}
