/** What comes out of ONNX's ops: a rule for each, from attributes and inputs to shapes and types. https://onnx.ai/onnx/operators/ */
import { axesOf, axisOf, broadcast, expectSame, numeric, OPEN } from "./dims.js";
import type { ElementType } from "./graph.js";
import { isWhole, type Dims, type NodeView } from "./node-view.js";
import {
  reshape,
  flatten,
  transpose,
  squeeze,
  unsqueeze,
  concat,
  split,
  slice,
  gather,
  pad,
  tile,
  expand,
  depthToSpace,
} from "./onnx-layout.js";
import { elementType } from "./onnx-tensor.js";
import { one, UNKNOWN, type Result, type Rule } from "./rule.js";
import { windowCounts, windowsOf, type Windows } from "./windows.js";

const same: Rule = (node) => one(node.shape(0));
const sameTwice: Rule = (node) => [{ shape: node.shape(0) }, { shape: node.shape(0), type: "bool" }];
const typed =
  (type: ElementType): Rule =>
  (node) =>
    one(node.shape(0), type);
const elementwise: Rule = (node) =>
  one(
    broadcast(
      node,
      node.node.inputs.map((_, i) => node.shape(i)),
    ),
  );
const compared: Rule = (node) => one(broadcast(node, [node.shape(0), node.shape(1)]), "bool");

/** Where the inputs stand, which are quantized in some ops. */
interface WeightedInputs {
  readonly data: number;
  readonly weight: number;
  readonly type?: (node: NodeView) => ElementType | undefined;
}

const FLOAT_INPUTS: WeightedInputs = { data: 0, weight: 1 };
const INTEGER_INPUTS: WeightedInputs = { data: 0, weight: 1, type: () => "int32" };
const LINEAR_INPUTS: WeightedInputs = { data: 0, weight: 3, type: (node) => node.input(7)?.type };

function weighted(shape: Dims | undefined, node: NodeView, { type }: WeightedInputs): readonly Result[] {
  return one(shape, type?.(node));
}

const conv =
  (inputs: WeightedInputs): Rule =>
  (node) => {
    const [data, weight] = [node.shape(inputs.data), node.shape(inputs.weight)];
    if (data === undefined || weight === undefined) return weighted(undefined, node, inputs);
    if (data.length < 3 || weight.length !== data.length)
      node.fail(`weights of ${weight.length} dimensions over ${data.length}`);
    const group = node.number("group", 1);
    expectSame(
      node,
      "channels of the input",
      data[1],
      numeric((columns) => columns * group, weight[1]),
    );
    const kernel = weight.slice(2);
    const windows = isWhole(kernel) ? windowsOf(node, kernel.length, kernel) : undefined;
    const counts = windows === undefined ? kernel.map(() => OPEN) : windowCounts(node, windows, data.slice(2));
    return weighted([data[0], weight[0], ...counts], node, inputs);
  };

const convTranspose: Rule = (node) => {
  const [data, weight] = [node.shape(0), node.shape(1)];
  if (data === undefined || weight === undefined) return UNKNOWN;
  const kernel = weight.slice(2);
  if (data.length < 3 || weight.length !== data.length || !isWhole(kernel)) return UNKNOWN;
  const windows = windowsOf(node, kernel.length, kernel);
  const more = node.list("output_padding", undefined);
  const given = node.list("output_shape", undefined);
  const counts = data.slice(2).map((size, i) => {
    if (given !== undefined) return given[given.length - kernel.length + i] ?? OPEN;
    return numeric((input) => {
      if (windows.auto !== "none") return input * windows.strides[i];
      const span = (kernel[i] - 1) * windows.dilations[i] + 1;
      return windows.strides[i] * (input - 1) + (more?.[i] ?? 0) + span - windows.before[i] - windows.after[i];
    }, size);
  });
  return one([data[0], numeric((rows) => rows * node.number("group", 1), weight[1]), ...counts]);
};

function pooled(node: NodeView): Dims | undefined {
  const data = node.shape(0);
  if (data === undefined) return undefined;
  if (data.length < 3) node.fail(`pools over ${data.length} dimensions`);
  const windows: Windows = windowsOf(node, data.length - 2);
  return [data[0], data[1], ...windowCounts(node, windows, data.slice(2))];
}

const globalPool: Rule = (node) => {
  const data = node.shape(0);
  return one(data?.map((size, i) => (i < 2 ? size : 1)));
};

/** [..., M, K] × [..., K, N], where a vector counts as a row on the left and a column on the right. */
const matMul =
  (inputs: WeightedInputs): Rule =>
  (node) => {
    const [a, b] = [node.shape(inputs.data), node.shape(inputs.weight)];
    if (a === undefined || b === undefined) return weighted(undefined, node, inputs);
    if (a.length === 0 || b.length === 0) node.fail("multiplies a scalar");
    expectSame(node, "columns on the left", a[a.length - 1], b[Math.max(0, b.length - 2)]);
    const outer = broadcast(node, [a.slice(0, -2), b.slice(0, -2)])!;
    const rows = a.length > 1 ? [a[a.length - 2]] : [];
    const columns = b.length > 1 ? [b[b.length - 1]] : [];
    return weighted([...outer, ...rows, ...columns], node, inputs);
  };

const gemm =
  (inputs: WeightedInputs): Rule =>
  (node) => {
    const turned = (shape: Dims | undefined, isTurned: boolean): Dims | undefined => {
      if (shape !== undefined && shape.length !== 2) node.fail(`multiplies a tensor of ${shape.length} dimensions`);
      return isTurned ? shape && [shape[1], shape[0]] : shape;
    };
    const a = turned(node.shape(inputs.data), node.number("transA", 0) !== 0);
    const b = turned(node.shape(inputs.weight), node.number("transB", 0) !== 0);
    if (a === undefined || b === undefined) return weighted(undefined, node, inputs);
    expectSame(node, "columns on the left", a[1], b[0]);
    return weighted([a[0], b[1]], node, inputs);
  };

/** Factors along each axis: scales stand at another place in each version. */
export function resizeScales(node: NodeView): readonly number[] | undefined {
  const attribute = node.list("scales", undefined);
  if (attribute !== undefined) return attribute;
  // Input 2 is a list of scales since opset 11; of opset 10 and of Upsample 9, input 1.
  const scales = node.numbers(node.node.inputs.length > 2 ? 2 : 1);
  return scales === undefined || scales.length === 0 ? undefined : scales;
}

const resize: Rule = (node) => {
  const data = node.shape(0);
  if (data === undefined) return UNKNOWN;
  const axes = axesOf(node, node.list("axes", undefined) ?? data.map((_, i) => i), data.length);
  const sizes = node.value(3)?.data;
  const scales = resizeScales(node);
  if (sizes === undefined && scales === undefined) return one(data.map(() => OPEN));
  if (node.text("keep_aspect_ratio_policy", "stretch") !== "stretch") return one(data.map(() => OPEN));
  if ((sizes ?? scales)!.length !== axes.length)
    node.fail(`${(sizes ?? scales)!.length} factors for ${axes.length} axes`);
  return one(
    data.map((size, i) => {
      const at = axes.indexOf(i);
      if (at < 0) return size;
      if (sizes !== undefined) return sizes[at];
      return scales![at] === 1 ? size : numeric((all) => Math.floor(all * scales![at]), size);
    }),
  );
};

const reduced =
  (type?: ElementType): Rule =>
  (node) => {
    const data = node.shape(0);
    const axes = node.listAt(1, "axes", []);
    if (data === undefined || axes === undefined) return one(undefined, type);
    const isAll = axes.length === 0;
    if (isAll && node.number("noop_with_empty_axes", 0) !== 0) return one(data, type);
    const gone = isAll ? data.map((_, i) => i) : axesOf(node, axes, data.length);
    return one(shrunk(data, gone, node.number("keepdims", 1) !== 0), type);
  };

function shrunk(data: Dims, axes: readonly number[], keeps: boolean): Dims {
  return keeps ? data.map((size, i) => (axes.includes(i) ? 1 : size)) : data.filter((_, i) => !axes.includes(i));
}

const argReduced: Rule = (node) => {
  const data = node.shape(0);
  const axis = data && axisOf(node, node.number("axis", 0), data.length);
  return one(axis === undefined ? undefined : shrunk(data!, [axis], node.number("keepdims", 1) !== 0), "int64");
};

const topK: Rule = (node) => {
  const data = node.shape(0);
  if (data === undefined) return UNKNOWN;
  const axis = axisOf(node, node.number("axis", -1), data.length);
  const count = node.numbers(1)?.[0] ?? node.number("k", OPEN);
  const shape = data.map((size, i) => (i === axis ? count : size));
  return [{ shape }, { shape, type: "int64" }];
};

const shape: Rule = (node) => {
  const rank = node.shape(0)?.length;
  if (rank === undefined) return one([OPEN], "int64");
  const at = (name: string, fallback: number): number => {
    const value = node.number(name, fallback);
    return Math.max(0, Math.min(rank, value < 0 ? value + rank : value));
  };
  return one([Math.max(0, at("end", rank) - at("start", 0))], "int64");
};

const constantOfShape: Rule = (node) => {
  const value = node.node.attributes.value;
  const type = typeof value === "object" && "type" in value ? value.type : "float32";
  return one(node.value(0)?.data, type);
};

const range: Rule = (node) => {
  const [start, limit, delta] = [0, 1, 2].map((i) => node.numbers(i)?.[0]);
  if (start === undefined || limit === undefined || delta === undefined) return one([OPEN]);
  if (delta === 0) node.fail("takes steps of 0");
  return one([Math.max(0, Math.ceil((limit - start) / delta))]);
};

/** LSTM, GRU, RNN: [sequence, directions, batch, hidden] and the last state. */
const recurrent: Rule = (node) => {
  const data = node.shape(0);
  const hidden = node.number("hidden_size", OPEN);
  if (data === undefined || data.length !== 3) return UNKNOWN;
  const directions = node.text("direction", "forward") === "bidirectional" ? 2 : 1;
  const isBatchFirst = node.number("layout", 0) !== 0;
  const [sequence, batch] = isBatchFirst ? [data[1], data[0]] : data;
  const state = { shape: isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden] };
  const all = isBatchFirst ? [batch, sequence, directions, hidden] : [sequence, directions, batch, hidden];
  return [{ shape: all }, state, state];
};

const cast: Rule = (node) => one(node.shape(0), elementType(node.number("to", 1)));

const quantized: Rule = (node) => {
  const stated = node.number("output_dtype", 0);
  return one(node.shape(0), stated === 0 ? (node.input(2)?.type ?? "uint8") : elementType(stated));
};

const where: Rule = (node) =>
  one(
    broadcast(
      node,
      [0, 1, 2].map((i) => node.shape(i)),
    ),
    node.input(1)?.type,
  );

const linearSum: Rule = (node) => one(broadcast(node, [node.shape(0), node.shape(3)]));

const linearGlobalPool: Rule = (node) => {
  const channels = node.number("channels_last", 0) !== 0 ? (node.shape(0)?.length ?? 2) - 1 : 1;
  return one(node.shape(0)?.map((size, i) => (i === 0 || i === channels ? size : 1)));
};

const rules = (ops: string, rule: Rule): [string, Rule][] => ops.split(" ").map((op) => [op, rule]);

const UNARY =
  "Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization BitwiseNot Ceil Celu Clip Cos Cosh CumSum Elu Erf Exp Floor Gelu " +
  "GroupNormalization Hardmax HardSigmoid HardSwish Identity InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax " +
  "LpNormalization MeanVarianceNormalization Mish Neg Not PRelu RMSNormalization Reciprocal Relu ReverseSequence Round ScatterElements " +
  "ScatterND Scatter Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Trilu " +
  "com.microsoft::Gelu com.microsoft::QLinearSigmoid com.microsoft::QLinearLeakyRelu com.microsoft::QLinearSoftmax";

/** By op. What is missing here comes out with the shape that the file states, if it does. */
export const ONNX_RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...rules(UNARY, same),
  ["Dropout", sameTwice],
  ...rules("IsNaN IsInf", typed("bool")),
  ...rules("Add Sub Mul Div Mod Max Min Sum Mean And Or Xor BitShift BitwiseAnd BitwiseOr BitwiseXor Pow", elementwise),
  ...rules("Equal Greater GreaterOrEqual Less LessOrEqual", compared),
  ...rules("com.microsoft::QLinearAdd com.microsoft::QLinearMul", linearSum),
  ["Where", where],
  ["Cast", cast],
  ["CastLike", (node) => one(node.shape(0), node.input(1)?.type)],
  ...rules("QuantizeLinear com.microsoft::QuantizeLinear", quantized),
  ...rules("DequantizeLinear com.microsoft::DequantizeLinear", (node) => one(node.shape(0), node.input(1)?.type)),
  [
    "DynamicQuantizeLinear",
    (node) => [{ shape: node.shape(0), type: "uint8" }, { shape: [] }, { shape: [], type: "uint8" }],
  ],
  ["Conv", conv(FLOAT_INPUTS)],
  ["com.microsoft::FusedConv", conv(FLOAT_INPUTS)],
  ["ConvInteger", conv(INTEGER_INPUTS)],
  ["QLinearConv", conv(LINEAR_INPUTS)],
  ["ConvTranspose", convTranspose],
  ["MatMul", matMul(FLOAT_INPUTS)],
  ["MatMulInteger", matMul(INTEGER_INPUTS)],
  ["QLinearMatMul", matMul(LINEAR_INPUTS)],
  ["Gemm", gemm(FLOAT_INPUTS)],
  ["com.microsoft::QGemm", gemm({ data: 0, weight: 3, type: (node) => node.input(8)?.type ?? "float32" })],
  ["MaxPool", (node) => [{ shape: pooled(node) }, { shape: pooled(node), type: "int64" }]],
  ...rules("AveragePool LpPool com.microsoft::QLinearAveragePool", (node) => one(pooled(node))),
  ...rules("GlobalAveragePool GlobalMaxPool GlobalLpPool", globalPool),
  ["com.microsoft::QLinearGlobalAveragePool", linearGlobalPool],
  ["Reshape", reshape],
  ["Flatten", flatten],
  ["Transpose", transpose],
  ["Squeeze", squeeze],
  ["Unsqueeze", unsqueeze],
  ["Concat", concat(0, 1)],
  ["com.microsoft::QLinearConcat", concat(2, 3)],
  ["Split", split],
  ["Slice", slice],
  ["Gather", gather],
  ["GatherElements", (node) => one(node.shape(1))],
  ["Pad", pad],
  ...rules("Resize Upsample", resize),
  ["Tile", tile],
  ["Expand", expand],
  ["DepthToSpace", depthToSpace(true)],
  ["SpaceToDepth", depthToSpace(false)],
  ...rules(
    "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare",
    reduced(),
  ),
  ...rules("ArgMax ArgMin", argReduced),
  ["TopK", topK],
  ["Shape", shape],
  ["Size", () => one([], "int64")],
  ["ConstantOfShape", constantOfShape],
  ["Range", range],
  ["NonZero", (node) => one([node.shape(0)?.length ?? OPEN, OPEN], "int64")],
  ["NonMaxSuppression", () => one([OPEN, 3], "int64")],
  ...rules("LSTM GRU RNN", recurrent),
]);
