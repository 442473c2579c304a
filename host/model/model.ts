/**
 * What each stage takes and gives back: a float graph with its tensors (train, compress), and the integer model that
 * the container holds (pack, run). Tensors are planar, [C, H, W]; see DESIGN.md for why not [H, W, C].
 */
import type { AddLayer, QAdd } from "../ops/add.js";
import type { AppendLayer, QAppend } from "../ops/append.js";
import type { AvgPoolLayer, QAvgPool } from "../ops/avgpool.js";
import type { BatchNormLayer } from "../ops/batchnorm.js";
import type { ClampLayer } from "../ops/clamp.js";
import type { ConcatLayer, QConcat } from "../ops/concat.js";
import type { Conv2dLayer, QConv2d } from "../ops/conv2d.js";
import type { CropLayer, QCrop } from "../ops/crop.js";
import type { DenseLayer, QDense } from "../ops/dense.js";
import type { QLut } from "../ops/lut.js";
import type { MapLayer } from "../ops/map.js";
import type { MaxPoolLayer, QMaxPool } from "../ops/maxpool.js";
import type { MulLayer, QMul } from "../ops/mul.js";
import type { QResize, ResizeLayer } from "../ops/resize.js";
import type { WeightedLayer } from "../ops/index.js";
import type { ReluLayer } from "../ops/relu.js";

/** Channels, rows, columns of one sample. A vector of n features is [n, 1, 1]. */
export type Shape = readonly [channels: number, height: number, width: number];

/** A number for each axis of a plane. */
export type Axes = readonly [y: number, x: number];

/** A line of each for an op: host/ops/index.ts says what is known of them. */
export type Layer =
  | Conv2dLayer
  | DenseLayer
  | MaxPoolLayer
  | AvgPoolLayer
  | ReluLayer
  | ClampLayer
  | AddLayer
  | MulLayer
  | ConcatLayer
  | CropLayer
  | AppendLayer
  | ResizeLayer
  | MapLayer
  | BatchNormLayer;
export type QLayer = QConv2d | QDense | QMaxPool | QAvgPool | QAdd | QMul | QConcat | QLut | QResize | QCrop | QAppend;

export type PoolLayer = MaxPoolLayer | AvgPoolLayer;

export type {
  WeightedLayer,
  Conv2dLayer,
  DenseLayer,
  MaxPoolLayer,
  AvgPoolLayer,
  ReluLayer,
  ClampLayer,
  AddLayer,
  MulLayer,
  ConcatLayer,
  CropLayer,
  AppendLayer,
  ResizeLayer,
  MapLayer,
  BatchNormLayer,
  QConv2d,
  QDense,
  QMaxPool,
  QAvgPool,
  QAdd,
  QMul,
  QConcat,
  QLut,
  QResize,
  QCrop,
  QAppend,
};

/** Layers in topological order; edges are tensor names. */
export interface Graph {
  readonly name: string;
  readonly input: { readonly name: string; readonly shape: Shape };
  readonly layers: readonly Layer[];
  /** Of a recurrent net, whose layers are those of one step. */
  readonly states?: readonly GraphState[];
  /** How many steps a sample has, with states: as many inputs one behind the other. Results are those of the last. */
  readonly steps?: number;
  /** Tensors that are results, in the order in which they are made; classes are read from the first. Absent: the last layer's output. */
  readonly outputs?: readonly string[];
  /** Of a net from a file: what packing writes into the model for hosts. */
  readonly ends?: GraphEnds;
}

/** A tensor that keeps its values from a step to the next: zeros in a sample's first step, then what the source was a step before. */
export interface GraphState {
  readonly tensor: string;
  readonly shape: Shape;
  /** What a layer makes, of the same shape. */
  readonly source: string;
}

export interface GraphEnds {
  /** What the file calls the input, then the outputs. */
  readonly names?: readonly string[];
  /** A name for each value of the first output. */
  readonly labels?: readonly string[];
  readonly preprocessing?: Preprocessing;
}

export interface FloatTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** Weights on their integers, -127 .. 127: `data` is each × the layer's weight scale, rounded to float32. */
  readonly integers?: Int8Array;
}

/**
 * A float net: `${layer}.weight` is [C_OUT, C_IN / groups, KH, KW] or [OUT, IN], `${layer}.bias` is [C_OUT]; of a batch normalization
 * `.weight` (gamma), `.bias` (beta), `.mean` and `.variance` are [C].
 * `compression` is there once `mote compress` has made the net packable.
 */
export interface Net {
  readonly graph: Graph;
  readonly tensors: ReadonlyMap<string, FloatTensor>;
  readonly compression?: Compression;
}

/** What the packer needs beside the weights, which by then have `integers`. */
export interface Compression {
  /** Channels of each tensor before dead units were removed, by tensor name. */
  readonly nominalChannels: Readonly<Record<string, number>>;
  /** By layer name: what a weight's integer is multiplied by; one for all rows, or one for each. */
  readonly weightScale: Readonly<Record<string, number | readonly number[]>>;
  /** Of an element of any tensor: absent for int8; of int16 zero points are 0. */
  readonly activationBits?: 16;
  /** By tensor name: real value = scale × (q - zeroPoint). */
  readonly activations: Readonly<Record<string, { readonly scale: number; readonly zeroPoint: number }>>;
  /** By layer name: bits a bias may take in the container, 0 .. 32. Absent: 32. */
  readonly biasBits?: Readonly<Record<string, number>>;
  /** Of each multiplier behind its first bit, 0 .. 30, where the scales are such that it multiplies as they say. Absent: 30. */
  readonly multiplierBits?: number;
}

/** A tensor of the integer model. Real value = scale × (q - zeroPoint). */
export interface QTensor {
  readonly shape: Shape;
  /** Of an element, where it is int16: then those of all the model's tensors are, and zero points are 0. Absent: int8. */
  readonly bits?: 16;
  /** Channels before dead units were removed: information for people, not used by any engine. */
  readonly nominalChannels: number;
  /** Elements of zeroPoint stored around each plane in the arena, so that padded convolutions need no bounds test. */
  readonly border: number;
  readonly zeroPoint: number;
  /** Of the model's inputs and outputs, for hosts; an integer model has no use for the others'. */
  readonly scale?: number;
  /** Of a state: the tensor of the same shape whose elements it takes over after a run, and keeps for the next. */
  readonly source?: number;
}

/** Weights and requantization of one conv2d or dense layer. Accumulators are int32 and wrap. */
export interface QWeights {
  /** Row-major [rows, columns]: a row is a filter [C_IN / groups, KH, KW] or a dense output's [C, H, W]; 0 = pruned. */
  readonly weights: Int8Array;
  /** One per row, in units of inputScale × weightScale. */
  readonly bias: Int32Array;
  /** One, or one per row: 2^30 .. 2^31 - 1. */
  readonly multiplier: Int32Array;
  /** As many as multipliers: 1 .. 62. q = zeroPoint + (acc × multiplier + 2^(shift - 1) >> shift), then clamped. */
  readonly shift: Uint8Array;
  /** Inclusive range of the output's elements: a fused relu raises its lower end to the zero point. */
  readonly clamp: readonly [number, number];
}

/**
 * The integer model. Its tensors are its inputs, at least one, then its states, then the outputs of its layers in their order: edges.ts
 * tells which are which. Inputs and outputs have scales.
 */
export interface QModel {
  readonly tensors: readonly QTensor[];
  readonly layers: readonly QLayer[];
  /** Tensors that are results, ascending. */
  readonly outputs: readonly number[];
  /** A name for each element of the first output, in order. No engine needs it, nor what follows. */
  readonly labels?: readonly string[];
  /** Of the inputs, then of the outputs. */
  readonly names?: readonly string[];
  readonly preprocessing?: Preprocessing;
  /** What the model's maker vouches for, as the file has it: host/container/certificate.ts. */
  readonly certificate?: Uint8Array;
}

/** By the numbers that the file has for them. */
export const LAYOUTS = ["planar", "interleaved"] as const;
export const COLOURS = ["none", "rgb", "bgr"] as const;

/** How the first input is made of what a user has: each value v of a channel becomes the real number (v - mean) / std. */
export interface Preprocessing {
  /** In which order the user's elements stand, [C, H, W] or [H, W, C]. */
  readonly layout: (typeof LAYOUTS)[number];
  /** What the channels are, where they are an image's. */
  readonly colours: (typeof COLOURS)[number];
  /** One a channel. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}
