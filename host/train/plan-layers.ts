/** Layers as the executor runs them: what its kernels are told, an op a function. */
import { MoteError } from "../errors.js";
import { offsetOf, plainLayout, valuesOf } from "../model/geometry.js";
import type {
  AddLayer,
  AppendLayer,
  Axes,
  BatchNormLayer,
  ClampLayer,
  ConcatLayer,
  CropLayer,
  MapLayer,
  MulLayer,
  PoolLayer,
  ReluLayer,
  ResizeLayer,
  Shape,
  WeightedLayer,
} from "../model/model.js";
import { sidesOf } from "../ops/attributes.js";
import { limitsOf } from "../ops/clamp.js";
import { elementFunction } from "../ops/functions.js";
import type { FloatOpTable } from "../ops/index.js";
import { isBelow } from "../ops/append.js";
import { appendedParts } from "../ops/parts.js";
import { windowsOf } from "../ops/pool.js";
import { VALUE_BYTES, type Arena } from "./arena.js";
import { planBorder, widened, type PlannedBorder } from "./border.js";
import { writeDescriptor, type Descriptor } from "./descriptors.js";
import type { SharedHeap } from "./heap.js";
import { writeInterpolation } from "./interpolation.js";
import { convolutionOf, planConvolution, type PlannedConvolution } from "./plan-convolution.js";

/** Name and edges, which are indices of the plan's tensors. */
interface PlannedEdges {
  readonly name: string;
  readonly inputs: readonly number[];
  readonly output: number;
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

export interface PlannedWeighted extends PlannedConvolution, PlannedEdges {
  readonly op: WeightedLayer["op"];
  /** First weight and first bias, counted in floats from plan.parameters.values. */
  readonly weightAt: number;
  readonly biasAt: number;
  readonly weights: Descriptor<"Segment">;
  readonly biases: Descriptor<"Segment">;
  survivors: Survivors | null;
  shared: SharedWeights | null;
}

export interface PlannedPool extends PlannedEdges {
  readonly op: PoolLayer["op"];
  readonly descriptor: Descriptor<"Pool">;
  readonly border: PlannedBorder | null;
}

export interface PlannedRelu extends PlannedEdges {
  readonly op: ReluLayer["op"];
}

export interface PlannedClamp extends PlannedEdges {
  readonly op: ClampLayer["op"];
  readonly low: number;
  readonly high: number;
}

export interface PlannedAdd extends PlannedEdges {
  readonly op: AddLayer["op"];
  readonly sign: number;
}

export interface PlannedMul extends PlannedEdges {
  readonly op: MulLayer["op"];
  /** Values of the first input that one of the second multiplies. */
  readonly positions: number;
}

export interface PlannedConcat extends PlannedEdges {
  readonly op: ConcatLayer["op"];
}

export interface PlannedCrop extends PlannedEdges {
  readonly op: CropLayer["op"];
  /** The first value. */
  readonly first: number;
}

/** Of one input. Bytes of a block; strides lie between one piece and the next, of which there is one a plane or one a row. */
export interface PlannedPiece {
  /** Which of the layer's inputs. */
  readonly input: number;
  readonly from: number;
  readonly fromStride: number;
  readonly to: number;
  readonly bytes: number;
}

export interface PlannedAppend extends PlannedEdges {
  readonly op: AppendLayer["op"];
  readonly pieces: readonly PlannedPiece[];
  /** Of the output. */
  readonly stride: number;
  /** Of a block. */
  readonly pieceCount: number;
}

export interface PlannedResize extends PlannedEdges {
  readonly op: ResizeLayer["op"];
  readonly descriptor: Descriptor<"Resize">;
}

export interface PlannedMap extends PlannedEdges {
  readonly op: MapLayer["op"];
  /** Address of its cubics; null for a step, which has no gradient of its own. */
  readonly table: number | null;
}

export interface PlannedNorm extends PlannedEdges {
  readonly op: BatchNormLayer["op"];
  readonly descriptor: Descriptor<"BatchNorm">;
  readonly epsilon: number;
  readonly channels: number;
  /** Values of a shard that a channel's mean is taken of. */
  readonly samples: number;
  /** Counted in floats, as those of a layer with weights. Where a shard's gradients of `mean` and `variance` would be are the shard's own. */
  readonly gammaAt: number;
  readonly betaAt: number;
  readonly meanAt: number;
  readonly varianceAt: number;
  readonly gamma: Descriptor<"Segment">;
  readonly beta: Descriptor<"Segment">;
}

export type PlannedLayer =
  | PlannedWeighted
  | PlannedPool
  | PlannedRelu
  | PlannedClamp
  | PlannedAdd
  | PlannedMul
  | PlannedConcat
  | PlannedCrop
  | PlannedAppend
  | PlannedResize
  | PlannedMap
  | PlannedNorm;

export const isPlannedWeighted = (layer: PlannedLayer): layer is PlannedWeighted => "weightAt" in layer;
/** Layers with weights, each once: what stands there for each step is one layer, and shares all but its edges. */
export const weightedOf = (layers: readonly PlannedLayer[]): PlannedWeighted[] => [
  ...new Map(layers.filter(isPlannedWeighted).map((layer) => [layer.name, layer])).values(),
];
export const isPlannedNorm = (layer: PlannedLayer): layer is PlannedNorm => "gammaAt" in layer;

/** What layers are planned with. */
export interface Planning {
  readonly heap: SharedHeap;
  readonly arena: Arena;
  /** Of a shard. */
  readonly blocks: number;
  readonly graph: string;
  shapeOf(tensor: number): Shape;
  /** Whether the layers before want its gradient. */
  wantsGradient(tensor: number): boolean;
  /** Where a parameter tensor begins, in floats. */
  parameterAt(name: string): number;
  segment(at: number): Descriptor<"Segment">;
  /** Addresses of the cubics of functions, by function and parameters. */
  readonly tables: Map<string, number>;
}

type Planner<L> = (layer: L, edges: PlannedEdges, planning: Planning) => PlannedLayer;

const weighted: Planner<WeightedLayer> = (layer, edges, planning) => {
  const { heap, arena, blocks } = planning;
  const [input] = edges.inputs;
  const convolution = convolutionOf(layer, planning.shapeOf(input));
  const weightAt = planning.parameterAt(`${layer.name}.weight`);
  const biasAt = planning.parameterAt(`${layer.name}.bias`);
  const output = planning.shapeOf(edges.output);
  return {
    ...planConvolution(heap, arena, convolution, output, blocks, planning.wantsGradient(input)),
    op: layer.op,
    ...edges,
    weightAt,
    biasAt,
    weights: planning.segment(weightAt),
    biases: planning.segment(biasAt),
    survivors: null,
    shared: null,
  };
};

const pool: Planner<PoolLayer> = (layer, edges, { heap, arena, blocks, shapeOf }) => {
  const { kernel, stride } = windowsOf(layer);
  const sides = sidesOf(layer.pad ?? 0);
  const input = shapeOf(edges.inputs[0]);
  const [, height, width] = widened(input, sides);
  const [, outHeight, outWidth] = shapeOf(edges.output);
  const window = { kernelHeight: kernel[0], kernelWidth: kernel[1], strideY: stride[0], strideX: stride[1] };
  return {
    op: layer.op,
    ...edges,
    descriptor: writeDescriptor(heap, "Pool", { height, width, outHeight, outWidth, ...window }),
    border: planBorder(heap, arena, input, sides, blocks),
  };
};

const mul: Planner<MulLayer> = (_layer, edges, { shapeOf }) => {
  const [a, b] = edges.inputs.map((tensor) => valuesOf(shapeOf(tensor)));
  return { op: "mul", ...edges, positions: a / b };
};

/** Reads two tensors or more: see unroll.ts. */
const append: Planner<AppendLayer> = (_layer, edges, { shapeOf }) => {
  const shapes = edges.inputs.map(shapeOf);
  const output = shapeOf(edges.output);
  // Rows of a plane that lie below each other are one piece, columns are one of each row.
  const isOfPlanes = isBelow(shapes, output);
  const stride = ([, height, width]: Shape): number => (isOfPlanes ? height * width : width) * VALUE_BYTES;
  const offset = (shape: Shape, [y, x]: Axes): number => offsetOf(plainLayout(shape), 0, y, x) * VALUE_BYTES;
  const pieces = appendedParts(shapes, output).map(({ input, from, to, size }) => ({
    input,
    from: offset(shapes[input], from),
    fromStride: stride(shapes[input]),
    to: offset(output, to),
    bytes: (isOfPlanes ? size[0] * size[1] : size[1]) * VALUE_BYTES,
  }));
  return {
    op: "append",
    ...edges,
    pieces,
    stride: stride(output),
    pieceCount: isOfPlanes ? output[0] : output[0] * output[1],
  };
};

const map: Planner<MapLayer> = (layer, edges, planning) => {
  const { name, function: called, parameters } = layer;
  const f = elementFunction(`${planning.graph}/${name}`, called, parameters);
  // Its bends may be anywhere, a table's are at the ends of cubics.
  if (called === "clamp") return { op: "clamp", ...edges, low: f(-Infinity), high: f(Infinity) };
  if (called === "step") return { op: "map", ...edges, table: null };
  const key = JSON.stringify([called, parameters]);
  const table = planning.tables.get(key) ?? writeInterpolation(planning.heap, f);
  planning.tables.set(key, table);
  return { op: "map", ...edges, table };
};

const batchnorm: Planner<BatchNormLayer> = ({ name, epsilon }, edges, planning) => {
  const [channels, height, width] = planning.shapeOf(edges.output);
  const positions = height * width;
  const block = channels * positions * VALUE_BYTES;
  const at = (kind: string): number => planning.parameterAt(`${name}.${kind}`);
  return {
    op: "batchnorm",
    ...edges,
    descriptor: writeDescriptor(planning.heap, "BatchNorm", { channels, positions, block }),
    epsilon,
    channels,
    samples: planning.blocks * 8 * positions,
    gammaAt: at("weight"),
    betaAt: at("bias"),
    meanAt: at("mean"),
    varianceAt: at("variance"),
    gamma: planning.segment(at("weight")),
    beta: planning.segment(at("bias")),
  };
};

const PLANNERS: FloatOpTable<Planner<never>> = {
  conv2d: weighted,
  dense: weighted,
  maxpool: pool,
  avgpool: pool,
  relu: (_layer: ReluLayer, edges) => ({ op: "relu", ...edges }),
  clamp: (layer: ClampLayer, edges) => ({ op: "clamp", ...edges, ...limitsOf(layer) }),
  add: ({ sign = 1 }: AddLayer, edges) => ({ op: "add", ...edges, sign }),
  mul,
  concat: (_layer: ConcatLayer, edges) => ({ op: "concat", ...edges }),
  crop: ({ channel }: CropLayer, edges, { shapeOf }) => {
    const [, height, width] = shapeOf(edges.inputs[0]);
    return { op: "crop", ...edges, first: channel * height * width };
  },
  append,
  resize: ({ factor: [factorY, factorX] }: ResizeLayer, edges, { heap, shapeOf }) => {
    const [, height, width] = shapeOf(edges.inputs[0]);
    return {
      op: "resize",
      ...edges,
      descriptor: writeDescriptor(heap, "Resize", { height, width, factorY, factorX }),
    };
  },
  map,
  batchnorm,
};

/** @throws MoteError UNSUPPORTED for an op that is not trained */
export function planLayer(
  layer: { readonly op: keyof typeof PLANNERS; readonly name: string },
  inputs: readonly number[],
  output: number,
  planning: Planning,
): PlannedLayer {
  if (!Object.hasOwn(PLANNERS, layer.op)) {
    throw new MoteError("UNSUPPORTED", `${planning.graph}/${layer.name}: op ${layer.op} is not trained`);
  }
  return PLANNERS[layer.op](layer as never, { name: layer.name, inputs, output }, planning);
}
