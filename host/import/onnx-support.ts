/** Which of ONNX's ops run, by their attributes and inputs, and what to do about the others. */
import { MAX_BORDER } from "../../assembly/format.js";
import {
  arithmetic,
  DYNAMIC,
  flow,
  isAbsent,
  isConstant,
  judged,
  limit,
  NORM,
  oneRow,
  PART,
  prelu,
  refused,
  reshape,
  runs,
  softmax,
  keepsState,
  transpose,
  vanishes,
  windowProblem,
} from "./judges.js";
import { isWhole, shapeText, type NodeView } from "./node-view.js";
import { gru, lstm } from "./onnx-recurrent.js";
import { resizeScales } from "./onnx-shapes.js";
import { dissolves, not, RUNS, type Judge } from "./verdict.js";
import { padding, windowCounts, windowsOf } from "./windows.js";

const conv =
  (weightAt: number, biasAt: number): Judge =>
  (node) => {
    const weight = node.required(weightAt);
    if (!isConstant(node, weightAt)) return not("its weights are made while the net runs; expected constants");
    if (!isAbsent(node, biasAt) && !isConstant(node, biasAt)) return not("its bias is made while the net runs");
    if (!isWhole(weight.shape)) return not("the shape of its weights is not known");
    const kernel = weight.shape.slice(2);
    if (kernel.length === 1)
      return not("works along 1 axis, expected 2; between two Reshapes, to [1, C, 1, W] and back, it does");
    if (kernel.length !== 2) return not(`works along ${kernel.length} axes, expected 2`);
    const problem = windowProblem(windowsOf(node, 2, kernel), node.shape(0)?.slice(2));
    return problem === undefined ? RUNS : not(problem);
  };

const gemm =
  (weightAt: number, biasAt: number): Judge =>
  (node) => {
    if (node.number("transA", 0) !== 0) return not("transA = 1 turns its input; expected 0");
    if (!isConstant(node, weightAt)) return not("multiplies two tensors that are both made while the net runs");
    if (!isAbsent(node, biasAt) && !isConstant(node, biasAt))
      return not("its bias is made while the net runs; expected an Add");
    return oneRow(node, 0);
  };

const matMul =
  (left: number, right: number): Judge =>
  (node) => {
    if (!isConstant(node, right)) {
      return not(
        isConstant(node, left)
          ? "its weights are on the left; expected on the right"
          : "multiplies two tensors that are both made while the net runs, as attention does",
      );
    }
    const { shape } = node.required(right);
    if (isWhole(shape) && shape.length !== 2) return not(`weights of ${shape.length} dimensions, expected 2`);
    return oneRow(node, left);
  };

const pool =
  (isAverage: boolean): Judge =>
  (node, around) => {
    const data = node.shape(0);
    const axes = (data?.length ?? 4) - 2;
    if (axes !== 2) return not(`pools along ${axes} axes, expected 2`);
    const windows = windowsOf(node, axes);
    if (windows.dilations.some((dilation) => dilation !== 1)) {
      return not(`dilations [${windows.dilations.join(", ")}]; expected 1`);
    }
    if (around.isRead(node.node.outputs[1])) return not("its second output, the indices, is read");
    const problem = windowProblem(windows, data?.slice(2));
    if (problem !== undefined) return not(problem);
    const sizes = data?.slice(2);
    if (!isAverage || !isWhole(sizes)) return RUNS;
    const counts = windowCounts(node, windows, sizes);
    const pads = sizes.map((size: number, axis) => padding(windows, axis, size));
    const isCut = sizes.some((size: number, axis) => {
      const end = (Number(counts[axis]) - 1) * windows.strides[axis] + windows.kernel[axis];
      return end > size + pads[axis][0] + pads[axis][1];
    });
    if (isCut)
      return not("its last window reaches beyond the end, where fewer elements count; expected windows that fit");
    return node.number("count_include_pad", 0) === 0 && pads.some(([before, after]) => before + after > 0)
      ? not("averages fewer elements at the edges; expected count_include_pad = 1 or no pads")
      : RUNS;
  };

const clip: Judge = (node) =>
  [1, 2].every((i) => isAbsent(node, i) || isConstant(node, i)) ? RUNS : not("its limits are made while the net runs");

const batchNorm: Judge = (node) => {
  if (node.number("training_mode", 0) !== 0) return not("training_mode = 1; expected a net exported for inference");
  return [1, 2, 3, 4].every((i) => isConstant(node, i))
    ? dissolves("factors of the layer before it")
    : not("its statistics are made while the net runs");
};

const lrn: Judge = (node) => {
  const size = node.number("size", 0);
  if (size < 1) return not(`its size is ${size}; expected 1 or more`);
  const shape = node.shape(0);
  return shape === undefined || shape.length === 4 ? RUNS : not(`of ${shapeText(shape)}; expected an image`);
};

const dropout: Judge = (node) =>
  (node.numbers(2)?.[0] ?? 0) === 0
    ? dissolves("nothing")
    : not("training_mode is set; expected a net exported for inference");

const FLOATS = ["float16", "bfloat16", "float32", "float64"];
const cast: Judge = (node) =>
  [node.required(0), node.output(0)].every((tensor) => FLOATS.includes(tensor?.type ?? ""))
    ? dissolves("nothing")
    : not(`from ${node.required(0).type} to ${node.output(0)?.type}; expected floats`);

const pad: Judge = (node) => {
  const mode = node.text("mode", "constant");
  if (mode !== "constant") return not(`mode = ${mode}; expected constant`);
  const pads = node.listAt(1, "pads", undefined);
  if (pads === undefined) return not("its pads are made while the net runs");
  const value = isAbsent(node, 2) ? node.number("value", 0) : node.numbers(2)?.[0];
  if (value !== 0) return not(`pads with ${value ?? "a value made while the net runs"}; expected 0`);
  const { type } = node.required(0);
  if (!FLOATS.includes(type)) return not(`pads ${type}; expected it between DequantizeLinear and QuantizeLinear`);
  const rank = pads.length / 2;
  const axes = node.numbers(3) ?? Array.from({ length: rank }, (_, i) => i);
  const all = node.shape(0)?.length ?? rank;
  const inner = axes.map((axis) => (axis < 0 ? axis + all : axis) >= 2);
  if (pads.some((size, i) => size !== 0 && !inner[i % rank]))
    return not("pads samples or channels; expected rows and columns");
  if (pads.some((size) => size < 0)) return not("cuts rows or columns off; expected pads of at least 0");
  if (pads.some((size) => size > MAX_BORDER)) return not(`pads of ${Math.max(...pads)}; at most ${MAX_BORDER} run`);
  return dissolves("the padding of the layer behind it");
};

const concat =
  (first: number, step: number): Judge =>
  (node) => {
    const shape = node.output(0)?.shape;
    if (!isWhole(shape)) return RUNS;
    if (node.node.inputs.some((_, i) => i >= first && (i - first) % step === 0 && isConstant(node, i))) {
      return not("one of its parts is a constant; expected tensors");
    }
    const given = node.number("axis", 1);
    const axis = given < 0 ? given + shape.length : given;
    return shape.slice(0, axis).every((size) => size === 1)
      ? RUNS
      : not(`joins along axis ${axis} of ${shapeText(shape)}; expected channels`);
  };

const resize: Judge = (node) => {
  const mode = node.text("mode", "nearest");
  if (mode !== "nearest") return not(`mode = ${mode}; expected nearest`);
  const [from, to] = [node.shape(0), node.output(0)?.shape];
  if (!isWhole(from) || !isWhole(to)) return RUNS;
  const factors = from.map((size, i) => to[i] / size);
  const isScale = resizeScales(node)?.every((scale, i) => scale === factors[i]) ?? true;
  if (from.length !== 4 || factors[0] !== 1 || factors[1] !== 1 || !isScale || !factors.every(Number.isInteger)) {
    return not(`from ${shapeText(from)} to ${shapeText(to)}; expected rows and columns by whole factors`);
  }
  const where = node.text(
    "coordinate_transformation_mode",
    node.op === "Upsample" || resizesSimply(node) ? "asymmetric" : "half_pixel",
  );
  const how = node.text("nearest_mode", node.op === "Upsample" || resizesSimply(node) ? "floor" : "round_prefer_floor");
  const isDoubled = factors.every((factor) => factor <= 2);
  const repeats =
    where === "asymmetric"
      ? how === "floor" || (how === "round_prefer_floor" && isDoubled)
      : ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"].includes(where) && how.startsWith("round");
  return repeats
    ? RUNS
    : not(`coordinate_transformation_mode = ${where}, nearest_mode = ${how}; expected asymmetric, floor`);
};

/** Of opset 10, which has but two inputs and one way to place elements. */
function resizesSimply(node: NodeView): boolean {
  return node.op === "Resize" && node.node.inputs.length === 2;
}

/** Over all rows and columns. */
const reduceAll: Judge = (node) => {
  const shape = node.shape(0);
  const axes = node.listAt(1, "axes", []);
  if (shape === undefined) return RUNS;
  const spatial = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis)).toSorted((a, b) => a - b);
  const isGlobal =
    shape.length > 2 && spatial?.length === shape.length - 2 && spatial.every((axis, i) => axis === i + 2);
  const text = axes === undefined || axes.length === 0 ? "all axes" : `axes [${axes.join(", ")}]`;
  return isGlobal ? RUNS : not(`over ${text} of ${shapeText(shape)}; expected all rows and columns`);
};

const globalPool: Judge = (node) => {
  const axes = (node.shape(0)?.length ?? 4) - 2;
  return axes === 2 ? RUNS : not(`pools along ${axes} axes, expected 2`);
};

const quantize: Judge = (node) =>
  isConstant(node, 1) && (isAbsent(node, 2) || isConstant(node, 2))
    ? dissolves("scales of its neighbours")
    : not("its scale is made while the net runs; expected a net that is quantized statically");

export const ONNX_SUPPORT: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ["Conv", conv(1, 2)],
  ["QLinearConv", conv(3, 8)],
  ["Gemm", gemm(1, 2)],
  ["com.microsoft::QGemm", gemm(3, 6)],
  ["MatMul", matMul(0, 1)],
  ["QLinearMatMul", matMul(0, 3)],
  ["MaxPool", pool(false)],
  ...judged("AveragePool com.microsoft::QLinearAveragePool", pool(true)),
  ...judged("GlobalAveragePool GlobalMaxPool com.microsoft::QLinearGlobalAveragePool", globalPool),
  ...judged("ReduceMean ReduceMax", reduceAll),
  ["Add", arithmetic("Add")],
  ["Sub", arithmetic("Sub")],
  ["Mul", arithmetic("Mul")],
  ["Div", arithmetic("Div")],
  ["Sum", arithmetic("Add", { isAny: true })],
  ["com.microsoft::QLinearAdd", arithmetic("Add", { step: 3 })],
  ["com.microsoft::QLinearMul", arithmetic("Mul", { step: 3 })],
  ...judged("Max Min", limit),
  ["Concat", concat(0, 1)],
  ["com.microsoft::QLinearConcat", concat(2, 3)],
  ...judged("Relu LeakyRelu Sigmoid Tanh HardSigmoid HardSwish Elu Swish Gelu", runs),
  ...judged("com.microsoft::Gelu com.microsoft::QLinearSigmoid com.microsoft::QLinearLeakyRelu", runs),
  ["Clip", clip],
  ["PRelu", prelu],
  ["LRN", lrn],
  ...judged("Softmax com.microsoft::QLinearSoftmax", softmax),
  ...judged("Resize Upsample", resize),
  ["BatchNormalization", batchNorm],
  ["Pad", pad],
  ["Transpose", transpose],
  ...judged("Reshape Flatten Squeeze Unsqueeze", reshape),
  ["Identity", vanishes],
  ["Dropout", dropout],
  ["Cast", cast],
  ...judged("QuantizeLinear DequantizeLinear com.microsoft::QuantizeLinear com.microsoft::DequantizeLinear", quantize),
  ...judged("DynamicQuantizeLinear ConvInteger MatMulInteger", refused(DYNAMIC)),
  ["LSTM", lstm],
  ["GRU", gru],
  ["RNN", keepsState("an LSTM that runs forward, or a GRU")],
  ...judged(
    "InstanceNormalization LayerNormalization GroupNormalization RMSNormalization LpNormalization MeanVarianceNormalization",
    refused(NORM),
  ),
  ...judged("Slice Split Gather GatherElements GatherND", refused(PART)),
  ...judged("Shape Size", refused("asks for a shape that is open; --shape fixes the input's")),
  ...judged("If Loop Scan", flow),
  ["ConvTranspose", refused("no transposed convolution; a nearest Resize before a Conv enlarges too")],
  ...judged(
    "Celu Selu Softplus Softsign Mish ThresholdedRelu Exp Erf Log Sqrt Pow Abs Neg Reciprocal Sin Cos",
    refused(
      "no table is made for it; expected Relu, Clip, LeakyRelu, Sigmoid, Tanh, HardSigmoid, HardSwish, Elu, Swish or Gelu",
    ),
  ),
]);
