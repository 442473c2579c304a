/** What a node takes: multiplications for one inference and parameters in the file, by op of either format. */
import { elementsOf } from "./constants.js";
import { isWhole, type Dims, type NodeView } from "./node-view.js";
import { timeAxisOf } from "./steps.js";

/** A layer with weights: where they stand, and how many multiplications make one element of the output, or take one of the input. */
interface Weighted {
  readonly weight: number;
  readonly bias: number;
  /** Axes of the weights whose sizes multiply. */
  readonly macs: (shape: readonly number[], node: NodeView) => number;
  readonly perInput?: boolean;
}

const inner = (shape: readonly number[]): number => elementsOf(shape.slice(1));
const rows = (shape: readonly number[]): number => shape[Math.max(0, shape.length - 2)];
const gemm = (shape: readonly number[], node: NodeView): number =>
  node.number("transB", 0) === 0 ? shape[0] : shape[1];
/** That the time weights of an SVDF are for. */
const steps = (node: NodeView): number => Number(node.shape(2)?.[1] ?? 0);

const WEIGHTED: ReadonlyMap<string, Weighted> = new Map<string, Weighted>([
  ["Conv", { weight: 1, bias: 2, macs: inner }],
  ["com.microsoft::FusedConv", { weight: 1, bias: 2, macs: inner }],
  ["ConvInteger", { weight: 1, bias: -1, macs: inner }],
  ["QLinearConv", { weight: 3, bias: 8, macs: inner }],
  ["ConvTranspose", { weight: 1, bias: 2, macs: inner, perInput: true }],
  ["Gemm", { weight: 1, bias: 2, macs: gemm }],
  ["com.microsoft::QGemm", { weight: 3, bias: 6, macs: gemm }],
  ["MatMul", { weight: 1, bias: 0, macs: rows }],
  ["MatMulInteger", { weight: 1, bias: -1, macs: rows }],
  ["QLinearMatMul", { weight: 3, bias: -1, macs: rows }],
  ["CONV_2D", { weight: 1, bias: 2, macs: inner }],
  // [1, KH, KW, C]
  ["DEPTHWISE_CONV_2D", { weight: 1, bias: 2, macs: (shape) => shape[1] * shape[2] }],
  ["FULLY_CONNECTED", { weight: 1, bias: 2, macs: inner }],
  // [filters, in], and as many filters of a unit as its rank sum their latest steps by [filters, steps].
  ["SVDF", { weight: 1, bias: 3, macs: (shape, node) => node.number("rank", 1) * (shape[1] + steps(node)) }],
]);

/** Recurrent layers: inputs that are weights, of which every step takes each once. */
const RECURRENT: ReadonlyMap<string, readonly number[]> = new Map([
  ["LSTM", [1, 2]],
  ["GRU", [1, 2]],
  ["RNN", [1, 2]],
  ["UNIDIRECTIONAL_SEQUENCE_LSTM", [1, 2, 3, 4, 5, 6, 7, 8]],
]);

/** Ops whose constant inputs are parameters, all of them or those named. */
const PARAMETERS: ReadonlyMap<string, readonly number[]> = new Map([
  ["BatchNormalization", [1, 2, 3, 4]],
  ["InstanceNormalization", [1, 2]],
  ["LayerNormalization", [1, 2]],
  ["PRelu", [1]],
  ["Add", [0, 1]],
  ["Sub", [0, 1]],
  ["Mul", [0, 1]],
  ["Div", [0, 1]],
  ["LSTM", [1, 2, 3, 7]],
  ["GRU", [1, 2, 3]],
  ["RNN", [1, 2, 3]],
  ["UNIDIRECTIONAL_SEQUENCE_LSTM", [1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15]],
  ["Gather", [0]],
  ["ADD", [0, 1]],
  ["MUL", [0, 1]],
  ["SUB", [0, 1]],
  ["SVDF", [1, 2, 3]],
]);

/** @returns 0 for an op without multiplications of weights, undefined where its shapes are not known */
export function macsOf(node: NodeView): number | undefined {
  const recurrent = RECURRENT.get(node.op);
  if (recurrent !== undefined) return recurrentMacs(node, recurrent);
  const weighted = WEIGHTED.get(node.op);
  if (weighted === undefined) return 0;
  const weight = node.shape(weighted.weight);
  const places: Dims | undefined = weighted.perInput === true ? node.shape(0) : node.output(0)?.shape;
  if (!isWhole(weight) || !isWhole(places)) return undefined;
  return elementsOf(places) * weighted.macs(weight, node);
}

function recurrentMacs(node: NodeView, weights: readonly number[]): number | undefined {
  const steps = node.shape(0)?.[timeAxisOf(node.node)];
  if (typeof steps !== "number") return undefined;
  return weights.reduce((sum: number | undefined, input) => {
    const shape = node.input(input) === undefined ? [0] : node.shape(input);
    return sum === undefined || !isWhole(shape) ? undefined : sum + steps * elementsOf(shape);
  }, 0);
}

/** Elements of weights, biases and other constants that a net has learned; sizes, axes and scales are none. */
export function parametersOf(node: NodeView): number {
  const weighted = WEIGHTED.get(node.op);
  const places = PARAMETERS.get(node.op) ?? (weighted === undefined ? [] : [weighted.weight, weighted.bias]);
  return [...new Set(places)].reduce((sum, i) => {
    const tensor = node.input(i);
    return sum + (tensor?.constant !== undefined && isWhole(tensor.shape) ? elementsOf(tensor.shape) : 0);
  }, 0);
}
