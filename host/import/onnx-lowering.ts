/** ONNX's ops as layers; images are [N, C, H, W]. What onnx-support.ts lets through is lowered here. */
import type { Axes } from "../model/model.js";
import { own } from "../own.js";
import type { FunctionName } from "../ops/functions.js";
import { CannotLower } from "./cannot-lower.js";
import { elementsOf } from "./constants.js";
import { lowerClamp, lowerElementwise, lowerMap, lowerNormalization, lowerSoftmax } from "./element-layers.js";
import type { Format, LowerRule } from "./format.js";
import type { GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import { NO_CLAMP, type Pads } from "./net.js";
import { NodeView } from "./node-view.js";
import { lowerOnnxGru, lowerOnnxLstm } from "./onnx-recurrent.js";
import { lowerConcat } from "./part-layers.js";
import { lowerGlobalPool, lowerPool } from "./pool-layers.js";
import { mapRows } from "./rows.js";
import { lowerPad, lowerReshape, lowerResize } from "./shape-layers.js";
import { transposed } from "./view.js";
import { lowerAffine, lowerConv, lowerDense } from "./weighted-layers.js";
import { weightsOf } from "./weights.js";
import { padding, windowsOf, type Windows } from "./windows.js";

const viewOf = (node: GraphNode, lowering: Lowering): NodeView => new NodeView(node, lowering.graph.tensors);

/** Along one axis a window is as high as the image, one row. */
const axesOf = (numbers: readonly number[], one: number): Axes =>
  numbers.length === 1 ? [one, numbers[0]] : [numbers[0], numbers[1]];

/** Zeros around an image; where the last window may reach beyond the end, as many more as it needs. */
function padsOf(node: GraphNode, lowering: Lowering, windows: Windows): (image: Axes, kernel: Axes) => Pads {
  const output = lowering.dims(node).slice(2);
  return (image, kernel) => {
    const stride = axesOf(windows.strides, 1);
    const sizes = windows.kernel.length === 1 ? [image[1]] : image;
    const pairs = sizes.map((size, axis) => padding(windows, axis, size));
    const [y, x] = pairs.length === 1 ? [[0, 0] as const, pairs[0]] : [pairs[0], pairs[1]];
    const counts = axesOf(output, 1);
    const after = (axis: 0 | 1, [before, behind]: readonly [number, number]): number =>
      windows.ceil ? Math.max(behind, (counts[axis] - 1) * stride[axis] + kernel[axis] - image[axis] - before) : behind;
    return [y[0], x[0], after(0, y), after(1, x)];
  };
}

const conv: LowerRule = (node, lowering) => {
  const [outChannels, perGroup, ...sizes] = lowering.dimsOf(node.inputs[1]);
  const view = viewOf(node, lowering);
  const windows = windowsOf(view, sizes.length, sizes);
  const columns = perGroup * elementsOf(sizes);
  const weights = weightsOf(node, lowering, {
    rows: outChannels,
    columns,
    axis: 0,
    order: "rows",
  });
  lowerConv(node, lowering, {
    kernel: axesOf(windows.kernel, 1),
    stride: axesOf(windows.strides, 1),
    dilation: axesOf(windows.dilations, 1),
    pads: padsOf(node, lowering, windows),
    groups: view.number("group", 1),
    outChannels,
    weights,
    clamp: NO_CLAMP,
  });
};

/** alpha × A × B + beta × C, B being [K, N] or with transB [N, K]. */
const gemm: LowerRule = (node, lowering) => {
  const view = viewOf(node, lowering);
  const isTransposed = view.number("transB", 0) !== 0;
  const dims = lowering.dimsOf(node.inputs[1]);
  const [columns, rows] = isTransposed ? [dims[1], dims[0]] : dims;
  const given = weightsOf(node, lowering, {
    rows,
    columns,
    ...(isTransposed ? { axis: 0, order: "rows" } : { axis: 1, order: "columns" }),
  });
  const [alpha, beta] = [view.number("alpha", 1), view.number("beta", 1)];
  if (alpha !== 1 && given.values instanceof Int8Array)
    throw new CannotLower(`its alpha is ${alpha}, expected 1 with int8 weights`);
  const weights =
    alpha === 1
      ? given
      : mapRows(given, columns, (from, to) => {
          for (let column = 0; column < columns; column++) to[column] = from[column] * alpha;
        });
  if (beta !== 1) weights.bias.forEach((value, i) => (weights.bias[i] = value * beta));
  lowerDense(node, lowering, weights, NO_CLAMP);
};

function pool(op: "maxpool" | "avgpool"): LowerRule {
  return (node, lowering) => {
    const view = viewOf(node, lowering);
    const windows = windowsOf(view, lowering.view(node).dims.length - 2);
    const countsPads = view.number("count_include_pad", 0) !== 0;
    const [kernel, stride] = [axesOf(windows.kernel, 1), axesOf(windows.strides, 1)];
    lowerPool(node, lowering, {
      op,
      kernel,
      stride,
      pads: padsOf(node, lowering, windows),
      countsPads,
      clamp: NO_CLAMP,
    });
  };
}

/** With a constant for the tensor or for each channel: part of the layer before, or a layer of its own. */
function arithmetic(op: "add" | "sub" | "mul" | "div"): LowerRule {
  return (node, lowering) => {
    const at = node.inputs.findIndex((_, i) => lowering.isConstant(node, i));
    if (at < 0) {
      if (op === "div") throw new CannotLower("it divides two tensors");
      return lowerElementwise(node, lowering, op, NO_CLAMP);
    }
    if (op === "div" && at === 0) throw new CannotLower("it divides a constant");
    const values = Float64Array.from(lowering.constant(node, at, "operand"));
    const data = 1 - at;
    if (op === "mul") return lowerAffine(node, lowering, values, Float64Array.of(0), data);
    if (op === "div")
      return lowerAffine(
        node,
        lowering,
        values.map((value) => 1 / value),
        Float64Array.of(0),
        data,
      );
    if (op === "add") return lowerAffine(node, lowering, Float64Array.of(1), values, data);
    const isNegated = at === 0;
    lowerAffine(
      node,
      lowering,
      Float64Array.of(isNegated ? -1 : 1),
      isNegated ? values : values.map((value) => -value),
      data,
    );
  };
}

const isReal = (lowering: Lowering, node: GraphNode): boolean =>
  lowering.tensors[lowering.view(node).tensor].quantization === undefined;

/** (x - mean) / sqrt(var + epsilon) × scale + bias, by channel. */
const batchNorm: LowerRule = (node, lowering) => {
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => lowering.constant(node, i, "statistics"));
  const epsilon = viewOf(node, lowering).number("epsilon", 1e-5);
  const factors = Float64Array.from(scale, (value, c) => value / Math.sqrt(variance[c] + epsilon));
  const offsets = factors.map((factor, c) => bias[c] - mean[c] * factor);
  // Without an epsilon it is no more than a scale, as Caffe's layer of that name.
  if (lowering.options.keepsBatchNorm !== true || epsilon === 0 || !isReal(lowering, node))
    return lowerAffine(node, lowering, factors, offsets);
  const [weight, beta, average, spread] = [scale, bias, mean, variance].map((of) => Float32Array.from(of));
  lowerAffine(node, lowering, factors, offsets, 0, { weight, bias: beta, mean: average, variance: spread, epsilon });
};

/** x / (bias + alpha / size × sum of squares of `size` neighbouring channels) ^ beta */
const lrn: LowerRule = (node, lowering) => {
  const view = viewOf(node, lowering);
  const size = view.number("size", 1);
  const [alpha, beta, bias] = [view.number("alpha", 1e-4), view.number("beta", 0.75), view.number("bias", 1)];
  lowerNormalization(node, lowering, size, [alpha / size, beta, bias]);
};

const limit =
  (side: "low" | "high"): LowerRule =>
  (node, lowering) => {
    const data = node.inputs.findIndex((_, i) => !lowering.isConstant(node, i));
    const limits = node.inputs.flatMap((_, i) => (i === data ? [] : [...lowering.constant(node, i, "limit")]));
    lowerClamp(
      node,
      lowering,
      { ...NO_CLAMP, [side]: side === "low" ? Math.max(...limits) : Math.min(...limits) },
      data,
    );
  };

const clip: LowerRule = (node, lowering) => {
  const view = viewOf(node, lowering);
  const bound = (input: number, name: string, otherwise: number): number =>
    lowering.tensor(node.inputs[input] ?? -1) === undefined
      ? view.number(name, otherwise)
      : lowering.constant(node, input, "limit")[0];
  lowerClamp(node, lowering, { low: bound(1, "min", -Infinity), high: bound(2, "max", Infinity) });
};

const pad: LowerRule = (node, lowering) => {
  const view = viewOf(node, lowering);
  const pads = view.listAt(1, "pads", undefined);
  if (pads === undefined) throw new CannotLower("its padding is not constant");
  const rank = pads.length / 2;
  const given = view.numbers(3) ?? Array.from({ length: rank }, (_, i) => i);
  const all = lowering.view(node).dims.length;
  const at = (axis: number, end: 0 | 1): number => {
    const place = given.findIndex((other) => (other + all) % all === axis);
    return place < 0 ? 0 : pads[place + end * rank];
  };
  const [y, x] = all === 3 ? [-1, 2] : [2, 3];
  lowerPad(node, lowering, [y < 0 ? 0 : at(y, 0), at(x, 0), y < 0 ? 0 : at(y, 1), at(x, 1)]);
};

const transpose: LowerRule = (node, lowering) => {
  const seen = lowering.view(node);
  const axes = viewOf(node, lowering).list("perm", undefined) ?? seen.dims.map((_, i) => seen.dims.length - 1 - i);
  lowering.alias(node, transposed(seen, lowering.shapeOf(seen.tensor), axes));
};

const reduce =
  (op: "maxpool" | "avgpool"): LowerRule =>
  (node, lowering) =>
    lowerGlobalPool(node, lowering, op);

const resize: LowerRule = (node, lowering) => {
  const [from, to] = [lowering.view(node).dims, lowering.dims(node)];
  lowerResize(node, lowering, [to[2] / from[2], to[3] / from[3]]);
};

/** Int8 or uint8 from here on: the tensor's scale. */
const quantizeLinear: LowerRule = (node, lowering) => {
  const seen = lowering.view(node);
  if (seen.softmax === undefined) lowering.setScale(seen.tensor, scaleOf(node, lowering));
  lowering.alias(node, { ...seen, dims: lowering.dims(node) });
};

function scaleOf(node: GraphNode, lowering: Lowering): { scale: number; zeroPoint: number } {
  const scales = lowering.constant(node, 1, "scale");
  const zero = lowering.tensor(node.inputs[2] ?? -1);
  const zeros = zero === undefined ? [0] : lowering.constant(node, 2, "zero point");
  if (scales.length !== 1 || zeros.length !== 1) throw new CannotLower("it has a scale for each channel, expected one");
  const type = zero?.type ?? "uint8";
  if (type !== "int8" && type !== "uint8") throw new CannotLower(`it makes ${type}, expected int8 or uint8`);
  return { scale: scales[0], zeroPoint: zeros[0] - (type === "uint8" ? 128 : 0) };
}

/** Real numbers again, of which the scale is known. A net that begins with int8 gets its scale here. */
const dequantizeLinear: LowerRule = (node, lowering) => {
  const seen = lowering.view(node);
  if (seen.softmax === undefined) lowering.setScale(seen.tensor, scaleOf(node, lowering));
  lowering.alias(node, { ...seen, dims: lowering.dims(node) });
};

/** Until opset 13 the axes behind the one that is named are one with it. */
const softmax: LowerRule = (node, lowering) => {
  const isFlat = lowering.graph.opset < 13;
  lowerSoftmax(node, lowering, viewOf(node, lowering).number("axis", isFlat ? 1 : -1), isFlat);
};

const map =
  (called: FunctionName): LowerRule =>
  (node, lowering) =>
    lowerMap(node, lowering, called);

const SHORT = ["float16", "bfloat16"];

/** The net goes on as if there was no rounding to a shorter float, and says so once. */
const cast: LowerRule = (node, lowering) => {
  lowerReshape(node, lowering);
  const type = viewOf(node, lowering).output(0)?.type;
  const note = `numbers are not rounded to ${type}, as the net's Cast has it`;
  if (SHORT.includes(type ?? "") && !lowering.notes.includes(note)) lowering.notes.push(note);
};

const RULES: Readonly<Record<string, LowerRule>> = {
  Conv: conv,
  Gemm: gemm,
  MatMul: gemm,
  MaxPool: pool("maxpool"),
  AveragePool: pool("avgpool"),
  GlobalAveragePool: reduce("avgpool"),
  GlobalMaxPool: reduce("maxpool"),
  ReduceMean: reduce("avgpool"),
  ReduceMax: reduce("maxpool"),
  Add: arithmetic("add"),
  Sum: arithmetic("add"),
  Sub: arithmetic("sub"),
  Mul: arithmetic("mul"),
  Div: arithmetic("div"),
  BatchNormalization: batchNorm,
  Relu: (node, lowering) => lowerClamp(node, lowering, { ...NO_CLAMP, low: 0 }),
  Clip: clip,
  LRN: lrn,
  Max: limit("low"),
  Min: limit("high"),
  LeakyRelu: (node, lowering) => lowerMap(node, lowering, "leaky-relu", [viewOf(node, lowering).number("alpha", 0.01)]),
  PRelu: (node, lowering) => lowerMap(node, lowering, "leaky-relu", [lowering.constant(node, 1, "slope")[0]]),
  Elu: (node, lowering) => lowerMap(node, lowering, "elu", [viewOf(node, lowering).number("alpha", 1)]),
  Sigmoid: map("sigmoid"),
  Tanh: map("tanh"),
  HardSwish: map("hard-swish"),
  Swish: (node, lowering) => lowerMap(node, lowering, "silu", [viewOf(node, lowering).number("alpha", 1)]),
  HardSigmoid: (node, lowering) => {
    const view = viewOf(node, lowering);
    lowerMap(node, lowering, "hard-sigmoid", [view.number("alpha", 0.2), view.number("beta", 0.5)]);
  },
  Gelu: (node, lowering) =>
    map(viewOf(node, lowering).text("approximate", "none") === "tanh" ? "gelu-tanh" : "gelu")(node, lowering),
  "com.microsoft::Gelu": map("gelu"),
  LSTM: lowerOnnxLstm,
  GRU: lowerOnnxGru,
  Concat: (node, lowering) => lowerConcat(node, lowering, viewOf(node, lowering).number("axis", 1)),
  Resize: resize,
  Upsample: resize,
  Pad: pad,
  Transpose: transpose,
  Reshape: lowerReshape,
  Flatten: lowerReshape,
  Squeeze: lowerReshape,
  Unsqueeze: lowerReshape,
  Identity: lowerReshape,
  Dropout: lowerReshape,
  Cast: cast,
  Softmax: softmax,
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
};

/** Ops all of whose inputs may be data. */
const JOINS = new Set(["Add", "Sum", "Sub", "Mul", "Div", "Max", "Min", "Concat"]);

export const ONNX: Format = {
  layout: "chw",
  ops: Object.keys(RULES),
  rule: (op) => own(RULES, op),
  dataInputs: ({ op, inputs }) => (JOINS.has(op) || own(RULES, op) === undefined ? inputs : inputs.slice(0, 1)),
  variableUse: () => undefined,
};
