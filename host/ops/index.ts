/** The ops, a line each. Whoever looks one up finds that op or fails: none is taken for another. */
import { MoteError } from "../errors.js";
import { inputOf } from "../model/edges.js";
import type { Axes, Layer, QLayer, QModel } from "../model/model.js";
import { own } from "../own.js";
import { add, qadd } from "./add.js";
import { append, qappend } from "./append.js";
import { avgpool, qavgpool } from "./avgpool.js";
import { batchnorm } from "./batchnorm.js";
import { clamp } from "./clamp.js";
import { concat, qconcat } from "./concat.js";
import { conv2d, qconv2d } from "./conv2d.js";
import { crop, qcrop } from "./crop.js";
import { dense, qdense } from "./dense.js";
import { qlut } from "./lut.js";
import { map } from "./map.js";
import { maxpool, qmaxpool } from "./maxpool.js";
import { mul, qmul } from "./mul.js";
import type { FloatOp, IntegerOp } from "./op.js";
import { resize, qresize } from "./resize.js";
import { relu } from "./relu.js";

/** What a table of one entry an op of the float graph is. */
export type FloatOpTable<T> = { readonly [Op in Layer["op"]]: T };

type FloatOps = { readonly [Op in Layer["op"]]: FloatOp<Extract<Layer, { op: Op }>> };
type IntegerOps = { readonly [Op in QLayer["op"]]: IntegerOp<Extract<QLayer, { op: Op }>> };

export const FLOAT_OPS = {
  conv2d,
  dense,
  maxpool,
  avgpool,
  relu,
  clamp,
  add,
  mul,
  concat,
  crop,
  append,
  resize,
  map,
  batchnorm,
} satisfies FloatOps;
const floatOps: FloatOps = FLOAT_OPS;

export const INTEGER_OPS = {
  conv2d: qconv2d,
  dense: qdense,
  maxpool: qmaxpool,
  avgpool: qavgpool,
  add: qadd,
  mul: qmul,
  concat: qconcat,
  lut: qlut,
  resize: qresize,
  crop: qcrop,
  append: qappend,
} satisfies IntegerOps;
const integerOps: IntegerOps = INTEGER_OPS;

type WithWeights<Ops extends Readonly<Record<string, { readonly weights: object | null }>>> = {
  [Op in keyof Ops]: Ops[Op]["weights"] extends null ? never : Op;
}[keyof Ops];

export type WeightedLayer = Extract<Layer, { op: WithWeights<typeof FLOAT_OPS> }>;
export type QWeightedLayer = Extract<QLayer, { op: WithWeights<typeof INTEGER_OPS> }>;

/** Of the float graph, with their names. */
export const allFloatOps = (): [string, FloatOp][] => Object.entries<FloatOp>(floatOps);

/** Of the integer model, with their names. */
export const allIntegerOps = () => Object.entries<IntegerOp>(integerOps) as [QLayer["op"], IntegerOp][];

const BY_NUMBER: ReadonlyMap<number, IntegerOp> = new Map(allIntegerOps().map(([, op]) => [op.number, op]));

/** For people: "ops 0 … 3", or "ops 0, 1, 5" where there are holes. */
export const OP_NUMBERS = describeNumbers([...BY_NUMBER.keys()]);

function describeNumbers(numbers: readonly number[]): string {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const list =
    most - least + 1 === numbers.length ? `${least} … ${most}` : numbers.toSorted((a, b) => a - b).join(", ");
  return `ops ${list}`;
}

/** The op of a number in a file, if there is one. */
export const opOfNumber = (number: number): IntegerOp | undefined => BY_NUMBER.get(number);

/** @throws MoteError UNSUPPORTED for a name that is no op's */
export function floatOp(layer: Pick<Layer, "op" | "name">): FloatOp {
  return own<FloatOp>(floatOps, layer.op) ?? unknownOp(layer.name, layer.op);
}

/** @throws MoteError UNSUPPORTED for a name that is no op's */
export function integerOp({ op }: Pick<QLayer, "op">): IntegerOp {
  return own<IntegerOp>(integerOps, op) ?? unknownOp("a layer", op);
}

function unknownOp(where: string, op: string): never {
  throw new MoteError("UNSUPPORTED", `${where}: op ${JSON.stringify(op)}, which this build does not have`);
}

export const hasWeights = (layer: Layer): layer is WeightedLayer => floatOp(layer).weights !== null;
export const isWeighted = (layer: QLayer): layer is QWeightedLayer => integerOp(layer).weights !== null;

/** Of a layer that has weights. */
export const floatWeights = (layer: WeightedLayer) => floatOp(layer).weights!;
export const integerWeights = (layer: QWeightedLayer) => integerOp(layer).weights!;

/** Rows of a weighted layer: filters, or outputs. */
export const rowCount = (model: QModel, layer: QWeightedLayer): number => model.tensors[layer.output].shape[0];

/** Columns of a weighted layer: weights of a filter, or inputs. */
export const columnCount = (model: QModel, layer: QWeightedLayer): number =>
  integerWeights(layer).columns(layer, model.tensors[inputOf(layer)].shape);

/** Height and width of the part of a weighted layer's row that reads one channel. */
export const kernelOf = (model: QModel, layer: QWeightedLayer): Axes =>
  integerWeights(layer).kernel(layer, model.tensors[inputOf(layer)].shape);

/** In how many groups a weighted layer's channels are: each row reads the channels of one. */
export function groupCount(model: QModel, layer: QWeightedLayer): number {
  const [height, width] = kernelOf(model, layer);
  return (model.tensors[inputOf(layer)].shape[0] * height * width) / columnCount(model, layer);
}
