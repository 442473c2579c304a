/**
 * What the readers' graphs are lowered to: each layer here becomes one layer of an integer model, whatever the file called it. Tensors are
 * planar, [C, H, W]; batches, layouts, constants and shape arithmetic are gone.
 */
import type { ElementBits } from "../model/elements.js";
import type { Axes, Shape } from "../model/model.js";
import { elementFunction, type FunctionName } from "../ops/functions.js";

/** Inclusive range of real numbers that a layer cuts its output to. */
export interface Clamp {
  readonly low: number;
  readonly high: number;
}

export const NO_CLAMP: Clamp = { low: -Infinity, high: Infinity };

/** The nearest number within a range; its upper end where that is below the lower one. */
export const clamped = (value: number, { low, high }: Clamp): number => Math.min(high, Math.max(low, value));

/** Cuts as one range and then another: where they do not meet, everything becomes the near end of the second. */
export const clampTwice = (first: Clamp, second: Clamp): Clamp => ({
  low: clamped(first.low, second),
  high: clamped(first.high, second),
});

/** Real value = scale × (q - zeroPoint). */
export interface TensorScale {
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface NetTensor {
  /** As the file has it. */
  readonly name: string;
  readonly shape: Shape;
  /** Of a net that is quantized already. */
  readonly quantization?: TensorScale | undefined;
  /** Channels before dead units were removed, where that was done. */
  readonly nominalChannels?: number;
}

/** Rows of real numbers that are too many to be kept: they are read from the file whenever asked for. */
export interface StreamedRows {
  /** As many as are best read at once. */
  readonly rowsAtOnce: number;
  /** [count, columns], row-major. @throws MoteError FILE when the file is closed */
  readonly read: (first: number, count: number) => Float32Array;
}

/** Rows × columns, row-major: real numbers, or int8 with a scale for all rows or for each. rows.ts takes them block by block. */
export interface NetWeights {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array | Int8Array | StreamedRows;
  /** With int8. One, or one a row. */
  readonly scales?: Float32Array | Float64Array;
  /** Real numbers, or with int8 weights of a quantized net in units of input scale × weight scale. */
  readonly bias: Float32Array | Int32Array;
  /** Of a quantized net: see Compression. */
  readonly multiplierBits?: number;
  /** Of a quantized net: its multipliers have 15 bits, as those of TFLite's convolutions have where biases are int64. */
  readonly hasShortMultipliers?: true;
}

/** Zeros around the input. */
export type Pads = readonly [top: number, left: number, bottom: number, right: number];

export const NO_PADS: Pads = [0, 0, 0, 0];

interface LayerBase {
  /** The node's, for people. */
  readonly name: string;
  readonly inputs: readonly number[];
  readonly output: number;
}

export interface NetConv extends LayerBase {
  readonly op: "conv2d";
  readonly kernel: Axes;
  readonly stride: Axes;
  readonly pads: Pads;
  readonly groups: number;
  readonly weights: NetWeights;
  readonly clamp: Clamp;
  /** Max-pooling behind it, without padding. */
  readonly pool?: { readonly size: Axes; readonly stride: Axes };
  /** What the weights, one a channel, are made of, where the net is to be trained. */
  readonly batchNorm?: BatchNorm;
}

/** One of each for a channel: weight × (x − mean) / √(variance + epsilon) + bias. */
export interface BatchNorm {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly epsilon: number;
}

export interface NetDense extends LayerBase {
  readonly op: "dense";
  readonly weights: NetWeights;
  readonly clamp: Clamp;
}

export interface NetPool extends LayerBase {
  readonly op: "maxpool" | "avgpool";
  readonly kernel: Axes;
  readonly stride: Axes;
  readonly pads: Pads;
  readonly clamp: Clamp;
}

/** a + sign × b */
export interface NetAdd extends LayerBase {
  readonly op: "add";
  readonly sign: 1 | -1;
  readonly clamp: Clamp;
}

/** The second input has the first one's shape, or one element a channel. */
export interface NetMul extends LayerBase {
  readonly op: "mul";
  readonly clamp: Clamp;
}

/** Along channels. */
export interface NetConcat extends LayerBase {
  readonly op: "concat";
}

/** A function of each element. */
export interface NetMap extends LayerBase {
  readonly op: "lut";
  readonly called: FunctionName;
  readonly parameters: readonly number[];
  /** The function of this name with these parameters. */
  readonly apply: (value: number) => number;
}

/** What a map is beside its name and edges. */
export const mapOf = (called: FunctionName, parameters: readonly number[] = []) =>
  ({ op: "lut", called, parameters, apply: elementFunction("a map", called, parameters) }) as const;

export interface NetResize extends LayerBase {
  readonly op: "resize";
  readonly factor: Axes;
}

/** So many channels, rows and columns as the output has, from the first ones on. */
export interface NetCrop extends LayerBase {
  readonly op: "crop";
  readonly first: Shape;
}

/** A copy, which takes some bytes of a file, where an identity is a table of 256. Between tensors of one scale. */
export const WHOLE = { op: "crop", first: [0, 0, 0] } as const;

/** The second input's rows below those of the first, or its columns on their right: the last ones, as many as the output has. */
export interface NetAppend extends LayerBase {
  readonly op: "append";
}

export type NetLayer =
  NetConv | NetDense | NetPool | NetAdd | NetMul | NetConcat | NetMap | NetResize | NetCrop | NetAppend;

/** An input or output, as the file's user knows it. */
export interface NetEnd {
  readonly tensor: number;
  readonly name: string;
  /** The file's shape, batch included. */
  readonly dims: readonly number[];
  /**
   * In which order the file's elements stand: those of the planar tensor, [H, W, C], or by index: element i of the file is
   * element `order[i]` of the planar tensor.
   */
  readonly order: "chw" | "hwc" | Int32Array;
  /** What the file adds to an int8 element: 128 for uint8 ends. */
  readonly bias: 0 | 128;
  /** The file's elements are int8 or uint8. */
  readonly isInteger?: true;
  /** The file has a softmax behind it, which is left to the host. */
  readonly softmax?: EndSoftmax;
}

/** A softmax that is left to the host. */
export interface EndSoftmax extends SoftmaxGroups {
  /** Of what it gives, where that is int8. */
  readonly quantization: TensorScale | undefined;
}

/** Elements of the file, row-major, that add up to one: `size` of them, `pitch` apart. */
export interface SoftmaxGroups {
  readonly size: number;
  readonly pitch: number;
}

/** A tensor that keeps its elements from a run to the next, at first zeros. */
export interface NetState {
  readonly tensor: number;
  /** What it takes over after a run, of the same shape. */
  readonly source: number;
}

/** Tensors are written once; layers stand in the order in which they run. */
export interface ImportedNet {
  readonly tensors: readonly NetTensor[];
  readonly layers: readonly NetLayer[];
  readonly inputs: readonly NetEnd[];
  readonly outputs: readonly NetEnd[];
  readonly states: readonly NetState[];
  /** Of a sequence, where the file has one: the net takes one of them a run. */
  readonly steps?: number;
  /** Names of outputs that the file has of all steps: a run gives one of them. */
  readonly sequences?: readonly string[];
  /** Whether all tensors have a quantization and all weights are int8. */
  readonly isQuantized: boolean;
  /** Of a quantized net, of elements of all tensors. Absent: 8. */
  readonly activationBits?: 16;
  /** What a user should know: a softmax that was left out. */
  readonly notes: readonly string[];
}

/** Of a net's integers, those that it has or gets. */
export const activationBitsOf = ({ activationBits }: Pick<ImportedNet, "activationBits">): ElementBits =>
  activationBits ?? 8;
