/**
 * Works out, once per trainer, where everything lies in the shared memory and which tables the kernels of
 * assembly/train walk through. A plan is plain data: it travels to the threads with every job.
 *
 * Activations are [block of eight samples][C][H][W][8] floats: a "value" of a plane is 32 bytes, one float for each sample.
 */
import { MoteError } from "../errors.js";
import type { Conv2dLayer, Graph, PoolLayer, ReluLayer, Shape, WeightedLayer } from "../model/model.js";
import { floatWeights, hasWeights, type FloatOpTable } from "../ops/index.js";
import { writeDescriptor, type Descriptor } from "./descriptors.js";
import type { SharedHeap } from "./heap.js";
import { chainShapes } from "../model/shapes.js";
import { valuesOf } from "../model/geometry.js";

export const BLOCK_SAMPLES = 8;
/** Bytes of one value in each of a block's eight samples. */
export const VALUE_BYTES = 32;
/** Bytes of a gather position or a sparse run. */
export const POSITION_BYTES = 16;
/** Outputs of a dense layer whose weights one pass of the input gradient reads: their rows must stay in the first-level cache. */
const DENSE_GRADIENT_CHUNK = 64;
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

/** A table in shared memory. */
export interface Table {
  readonly at: number;
  readonly count: number;
}

export interface Survivors {
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
  /** Zero bytes, so that the optimizer takes every centroid as free. */
  readonly state: number;
  readonly count: number;
}

/** Zeros around the input of a padded convolution, so that its kernels need no bounds tests. Byte offsets in a thread's arena. */
export interface Border {
  readonly activation: number;
  readonly gradient: number;
}

/** A convolution or a dense layer (a convolution with one position). Strides in bytes. */
export interface PlannedWeighted {
  readonly op: WeightedLayer["op"];
  /** Has one position, at which it reads all of its input. */
  readonly isDense: boolean;
  readonly name: string;
  readonly input: number;
  readonly output: number;
  readonly groups: number;
  /** Output and input channels of one group. */
  readonly groupRows: number;
  readonly groupInputs: number;
  /** Weights of a row: [C_IN / groups, KH, KW]. */
  readonly columns: number;
  readonly positions: number;
  readonly pad: number;
  readonly border: Border | null;
  /** First weight and first bias, counted in floats from plan.parameters.values. */
  readonly weightAt: number;
  readonly biasAt: number;
  readonly xPlane: number;
  readonly xBlock: number;
  readonly outRow: number;
  readonly outBlock: number;
  readonly forwardPositions: Table;
  readonly forwardTaps: number;
  readonly columnOffsets: number;
  readonly inputGradient: boolean;
  readonly backwardPositions: Table;
  readonly backwardTaps: number;
  readonly runs: Table;
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
    readonly distorted: number;
    readonly field: number;
    readonly labels: number;
    readonly teacher: number;
    readonly logits: number;
  };
}

/** Bytes of an arena, handed out in cache lines. */
class Arena {
  bytes = 0;
  take(bytes: number): number {
    const at = this.bytes;
    this.bytes += Math.ceil(bytes / 64) * 64;
    return at;
  }
}

function writeTable(heap: SharedHeap, words: readonly number[], wordsEach: number): Table {
  const at = heap.allocate(words.length * 4);
  heap.u32(at, words.length).set(words);
  return { at, count: words.length / wordsEach };
}

/** A layer with weights as the convolution that its kernels compute. */
interface Convolution extends Pick<Conv2dLayer, "kernel" | "stride" | "pad" | "groups"> {
  readonly isDense: boolean;
  readonly input: Shape;
}

const CONVOLUTIONS: {
  readonly [Op in WeightedLayer["op"]]: (layer: Extract<WeightedLayer, { op: Op }>, input: Shape) => Convolution;
} = {
  conv2d: (layer, input) => ({ ...layer, isDense: false, input }),
  // Over one position in which every feature is a channel.
  dense: (_layer, input) => ({
    isDense: true,
    input: [valuesOf(input), 1, 1],
    kernel: [1, 1],
    stride: 1,
    pad: 0,
    groups: 1,
  }),
};

function convolutionOf(layer: WeightedLayer, input: Shape): Convolution {
  const convolution: (layer: never, input: Shape) => Convolution = CONVOLUTIONS[layer.op];
  return convolution(layer as never, input);
}

/** The geometry of a layer with weights, with the tables of its kernels. */
function planWeighted(
  heap: SharedHeap,
  arena: Arena,
  blocks: number,
  layer: WeightedLayer,
  index: number,
  input: Shape,
  output: Shape,
  at: { readonly weight: number; readonly bias: number },
  inputGradient: boolean,
): PlannedWeighted {
  const convolution = convolutionOf(layer, input);
  const [channels, height, width] = convolution.input;
  const [kernelHeight, kernelWidth] = convolution.kernel;
  const { isDense, stride, pad, groups } = convolution;
  const [rows, outHeight, outWidth] = output;
  const wideWidth = width + 2 * pad;
  const wideHeight = height + 2 * pad;
  const groupInputs = channels / groups;
  const groupRows = rows / groups;
  const columns = groupInputs * kernelHeight * kernelWidth;
  const xPlane = wideHeight * wideWidth * VALUE_BYTES;
  const outRow = outHeight * outWidth * VALUE_BYTES;

  const columnOffsets: number[] = [];
  for (let c = 0; c < groupInputs; c++) {
    for (let ky = 0; ky < kernelHeight; ky++) {
      for (let kx = 0; kx < kernelWidth; kx++) {
        columnOffsets.push(c * xPlane + (ky * wideWidth + kx) * VALUE_BYTES);
      }
    }
  }
  const forwardPositions: number[] = [];
  for (let oy = 0; oy < outHeight; oy++) {
    for (let ox = 0; ox < outWidth; ox++) {
      const x = (oy * stride * wideWidth + ox * stride) * VALUE_BYTES;
      forwardPositions.push((oy * outWidth + ox) * VALUE_BYTES, x, 0, columns);
    }
  }
  const runs: number[] = [];
  const runLength = stride === 1 ? outWidth : 1;
  for (let p = 0; p < outHeight * outWidth; p += runLength) {
    runs.push(forwardPositions[4 * p], forwardPositions[4 * p + 1], runLength, 0);
  }

  const backwardPositions: number[] = [];
  const backwardTaps: number[] = [];
  if (inputGradient && isDense) {
    for (let row = 0; row < rows; row++) backwardTaps.push(row * columns * 4, row * VALUE_BYTES);
    for (let row = 0; row < rows; row += DENSE_GRADIENT_CHUNK) {
      backwardPositions.push(0, 0, row, Math.min(DENSE_GRADIENT_CHUNK, rows - row));
    }
  } else if (inputGradient) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const firstTap = backwardTaps.length / 2;
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let kx = 0; kx < kernelWidth; kx++) {
            const oy = (y + pad - ky) / stride;
            const ox = (x + pad - kx) / stride;
            if (!Number.isInteger(oy) || !Number.isInteger(ox)) continue;
            if (oy < 0 || ox < 0 || oy >= outHeight || ox >= outWidth) continue;
            backwardTaps.push((ky * kernelWidth + kx) * 4, (oy * outWidth + ox) * VALUE_BYTES);
          }
        }
        const taps = backwardTaps.length / 2 - firstTap;
        if (taps > 0) backwardPositions.push((y * width + x) * VALUE_BYTES, 0, firstTap, taps);
      }
    }
  }

  const borderBytes = blocks * channels * xPlane;
  return {
    op: layer.op,
    isDense,
    name: layer.name,
    input: index,
    output: index + 1,
    groups,
    groupRows,
    groupInputs,
    columns,
    positions: outHeight * outWidth,
    pad,
    border: pad === 0 ? null : { activation: arena.take(borderBytes), gradient: arena.take(borderBytes) },
    weightAt: at.weight,
    biasAt: at.bias,
    xPlane,
    xBlock: channels * xPlane,
    outRow,
    outBlock: rows * outRow,
    forwardPositions: writeTable(heap, forwardPositions, 4),
    forwardTaps: writeTable(
      heap,
      columnOffsets.flatMap((offset, column) => [column * 4, offset]),
      2,
    ).at,
    columnOffsets: writeTable(heap, columnOffsets, 1).at,
    inputGradient,
    backwardPositions: writeTable(heap, backwardPositions, 4),
    backwardTaps: writeTable(heap, backwardTaps, 2).at,
    runs: writeTable(heap, runs, 4),
    survivors: null,
    shared: null,
  };
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

  let floats = 0;
  const takeFloats = (count: number): number => {
    const at = floats;
    floats += Math.ceil(count / SEGMENT_FLOATS) * SEGMENT_FLOATS;
    return at;
  };
  const weighted = (layer: WeightedLayer, i: number): PlannedWeighted => {
    const rows = shapes[i + 1][0];
    const columns = floatWeights(layer).columns(layer, shapes[i]);
    const at = { weight: takeFloats(columns.reduce((a, b) => a * b, rows)), bias: takeFloats(rows) };
    return planWeighted(heap, arena, blocks, layer, i, shapes[i], shapes[i + 1], at, i > firstWeighted);
  };
  const pool = ({ op, name, kernel, stride }: PoolLayer, i: number): PlannedPool => {
    const [, height, width] = shapes[i];
    const [, outHeight, outWidth] = shapes[i + 1];
    const window = { kernelHeight: kernel, kernelWidth: kernel, strideY: stride, strideX: stride };
    const descriptor = writeDescriptor(heap, "Pool", { height, width, outHeight, outWidth, ...window });
    return { op, name, input: i, output: i + 1, descriptor };
  };
  const relu = ({ op, name }: ReluLayer, i: number): PlannedRelu => ({ op, name, input: i, output: i + 1 });
  const planners: FloatOpTable<(layer: never, index: number) => PlannedLayer> = {
    conv2d: weighted,
    dense: weighted,
    maxpool: pool,
    avgpool: pool,
    relu,
  };
  const layers = graph.layers.map((layer, i) => planners[layer.op](layer as never, i));

  const classes = valuesOf(shapes[shapes.length - 1]);
  const pixels = valuesOf(shapes[0]);
  const scratch = {
    pixels: arena.take(pixels),
    distorted: arena.take(pixels),
    field: arena.take(256),
    labels: arena.take(shardSamples),
    teacher: arena.take(shardSamples * classes * 4),
    logits: arena.take(shardSamples * classes * 4),
  };
  const parameters: Parameters = {
    count: floats,
    values: heap.allocate(floats * 4),
    first: heap.allocate(floats * 4),
    second: heap.allocate(floats * 4),
    state: heap.allocate(floats),
    gradients: heap.allocate(shards * floats * 4),
    shardBytes: floats * 4,
  };
  const arenas = Array.from({ length: threads }, () => heap.allocate(arena.bytes));
  return { batch, shards, shardSamples, blocks, classes, tensors, layers, parameters, arenas, scratch };
}
