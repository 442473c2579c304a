/**
 * What is known of an op. It has up to two faces: a layer of the float graph that is trained and compressed, and a layer of the integer
 * model that a container holds. Each op is a file beside this one; index.ts has the tables.
 */
import type { Elements } from "../model/elements.js";
import type { Axes, Layer, QLayer, QTensor, Shape } from "../model/model.js";
import type { Body } from "../module/remake.js";
import type { Attribute } from "./attributes.js";
import type { Fail, Field } from "./fields.js";

/** A window that moves over a plane. */
export interface Window {
  readonly size: Axes;
  readonly stride: Axes;
}

export const NO_POOL: Window = { size: [1, 1], stride: [1, 1] };

/** Values of a tensor, [C, H, W], with their shape. */
export interface FloatValues {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** `${layer}.weight`, `${layer}.bias` and so on, see Net. */
export interface Parameters {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  /** Of a batch normalization. */
  readonly mean?: Float32Array;
  readonly variance?: Float32Array;
}

export interface FloatOp<L extends Layer = Layer> {
  /** Of an op that reads several tensors: how many. */
  readonly joins?: { readonly least: number; readonly most: number };
  /** What a layer has beside op, name and edges. */
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** @param where for errors: graph and layer @throws MoteError UNSUPPORTED where the attributes do not fit the input; they are in their ranges */
  outputShape(layer: L, inputs: readonly Shape[], where: string): Shape;
  /** In plain loops; sums are doubles, in index order. @param parameters of an op with weights */
  forward(layer: L, inputs: readonly FloatValues[], to: Shape, parameters: Parameters | null): Float64Array;
  readonly weights: FloatWeights<L> | null;
  /** Parameters of an op without weights, one number a channel each. */
  readonly perChannel?: readonly (keyof Parameters)[];
  /** Whether its output has a scale of its own. Else it only picks or cuts values of its input, whose scale it keeps. */
  readonly hasOwnScale: boolean;
  /** Whether it cuts off what is below 0. */
  readonly isRectifier: boolean;
  /** What becomes of a channel that has one value everywhere; null where a channel of the output is not made of the same channel of the inputs. */
  readonly constants: Constants<L> | null;
}

export interface FloatWeights<L extends Layer> {
  rows(layer: L): number;
  /** Sizes of a row of weights. */
  columns(layer: L, input: Shape): readonly number[];
  /** Height and width of the weights in a row that stand together and read one channel of the input. */
  kernel(layer: L, input: Shape): Axes;
  groups(layer: L): number;
  /** The most zeros that it reads on a side of its input. */
  pad(layer: L): number;
  /** Where each filter has a channel of its own, with as many groups less. */
  withRows(layer: L, rows: number): L;
}

export interface Constants<L extends Layer = Layer> {
  /**
   * @param values of the channel in each input, NaN where it has several
   * @param parameters of an op that has some `perChannel`
   * @returns its value in the output, NaN where that has several
   */
  through(layer: L, values: readonly number[], channel: number, parameters: Parameters | null): number;
  /** Whether a channel raised by constants in the inputs comes out raised by what becomes of these. */
  isShift(layer: L): boolean;
}

/** Indices of tensors. */
export interface Edges {
  readonly inputs: readonly number[];
  readonly output: number;
}

export interface IntegerOp<Q extends QLayer = QLayer> {
  readonly number: number;
  /** How many inputs a layer has. */
  readonly arity: number;
  /** What follows op and inputs in the file, in order; of a layer with weights up to their form. */
  readonly fields: readonly Field[];
  /** As many a field as it has: see fields.ts. */
  values(layer: Q): readonly number[];
  /** @param values of the fields @returns a layer without its weights */
  layer(edges: Edges, values: readonly number[]): Q;
  /** What SPEC.md's "Geometry" asks of it. Its fields are in their ranges. */
  check(layer: Q, inputs: readonly QTensor[], output: QTensor, where: string, fail: Fail): void;
  /** In plain loops, as SPEC.md states it: the oracle for every kernel. @param values of the inputs, [C, H, W] without borders */
  forward(layer: Q, values: readonly Elements[], inputs: readonly QTensor[], output: QTensor): Elements;
  /** Inclusive range of the output's elements. @param inputs those of the inputs */
  range(layer: Q, inputs: readonly Axes[]): readonly [number, number];
  readonly weights: IntegerWeights<Q> | null;
  /** Bytes of the scratch region that an op without weights needs. */
  readonly scratchBytes?: number;
  /** Whether its inputs are parts of its output, one behind the other in the arena. */
  readonly isInPlace: boolean;
  readonly device: DeviceRoom<Q>;
}

export interface IntegerWeights<Q extends QLayer> {
  /** Weights of a row. Rows are the output's channels. */
  columns(layer: Q, input: Shape): number;
  /** Height and width of the part of a row that reads one channel. */
  kernel(layer: Q, input: Shape): Axes;
  /** Places that a weight is used at: multiplications an inference does with it. */
  places(layer: Q, output: Shape): number;
  /** Whether the core needs a row's records all at once. Else it takes them piece by piece. */
  readonly needsWholeRow: boolean;
}

/** What the core has for an op, and what of it is settled once a model is known: see bake.ts. */
export interface DeviceRoom<Q extends QLayer> {
  /** The file of assembly/core that has it, which ops may share; they are numbered in the order in which assembly/core/ops/index.ts asks. */
  readonly room: string;
  /**
   * What functions become with the model's layers of this op, of which there may be none. The core gets other models as well, so that what
   * is left out is refused by the op's `read`.
   */
  settle?(layers: readonly Q[]): Readonly<Record<string, Body>>;
}

/** Layers of a float graph have a name and edges, which are names of tensors. */
export interface NamedLayer {
  readonly name: string;
  readonly input: string;
  readonly output: string;
}

/** A layer of a float graph that reads several tensors. */
export interface JoiningLayer {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
}

/** What an op says that has no weights and a scale of its own. */
export const PLAIN_OP = {
  weights: null,
  hasOwnScale: true,
  isRectifier: false,
  constants: null,
} as const;
