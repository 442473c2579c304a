/** Which of TFLite's ops run, by their options and inputs. Tensors are [N, H, W, C], filters [C_OUT, KH, KW, C_IN]. */
import { MAX_BORDER } from "../../assembly/format.js";
import { elementsOf } from "./constants.js";
import { widthOf } from "./element-widths.js";
import {
  arithmetic,
  flow,
  isAbsent,
  isConstant,
  judged,
  limit,
  NORM,
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
import { isWhole, shapeText, type Dims, type NodeView } from "./node-view.js";
import { svdf } from "./svdf.js";
import { sequenceLstm } from "./tflite-lstm.js";
import { dissolves, not, RUNS, type Judge, type Verdict } from "./verdict.js";
import { padding, type Windows } from "./windows.js";

/** A function of each element, or what has some within, which runs by a table of 256. */
const byTable =
  (judge: Judge): Judge =>
  (node, around) => {
    const input = node.input(0);
    return input !== undefined && widthOf(input) === 16
      ? not("a function by a table, which there is none of for int16; expected RELU or RELU6, or int8 activations")
      : judge(node, around);
  };

const ACTIVATIONS = ["NONE", "RELU", "RELU_N1_TO_1", "RELU6"];

/** What the verdict is of a node whose fused activation runs. */
const fused =
  (judge: Judge): Judge =>
  (node, around) => {
    const activation = node.text("fused_activation_function", "NONE");
    return ACTIVATIONS.includes(activation)
      ? judge(node, around)
      : not(`${activation} is fused into it; expected RELU or RELU6`);
  };

function windowsOf(node: NodeView, kernel: readonly number[]): Windows {
  return {
    kernel,
    strides: [node.number("stride_h", 1), node.number("stride_w", 1)],
    dilations: [node.number("dilation_h_factor", 1), node.number("dilation_w_factor", 1)],
    before: [0, 0],
    after: [0, 0],
    auto: node.text("padding", "VALID") === "SAME" ? "same upper" : "none",
    ceil: false,
  };
}

const conv: Judge = (node) => {
  const weight = node.required(1);
  if (!isConstant(node, 1)) return not("its weights are made while the net runs; expected constants");
  if (!isAbsent(node, 2) && !isConstant(node, 2)) return not("its bias is made while the net runs");
  if (!isWhole(weight.shape) || weight.shape.length !== 4)
    return not(`weights of ${shapeText(weight.shape)}; expected 4 dimensions`);
  const problem = windowProblem(windowsOf(node, weight.shape.slice(1, 3)), node.shape(0)?.slice(1, 3));
  return problem === undefined ? RUNS : not(problem);
};

const dense: Judge = (node) => {
  if (!isConstant(node, 1)) return not("multiplies two tensors that are both made while the net runs");
  if (!isAbsent(node, 2) && !isConstant(node, 2)) return not("its bias is made while the net runs");
  const layout = node.text("weights_format", "DEFAULT");
  if (layout !== "DEFAULT") return not(`weights_format ${layout}; expected DEFAULT`);
  const [data, weight] = [node.shape(0), node.shape(1)];
  const rows = isWhole(data) && isWhole(weight) ? elementsOf(data) / weight[1] : 1;
  return rows === 1 ? RUNS : not(`multiplies ${rows} rows, expected 1`);
};

const pool =
  (isAverage: boolean): Judge =>
  (node) => {
    const windows = windowsOf(node, [node.number("filter_height", 1), node.number("filter_width", 1)]);
    const sizes = node.shape(0)?.slice(1, 3);
    const problem = windowProblem(windows, sizes);
    if (problem !== undefined) return not(problem);
    const isCut = sizes?.some(
      (size, axis) => typeof size === "number" && Math.max(...padding(windows, axis, size)) > 0,
    );
    return isAverage && isCut === true
      ? not("padding SAME averages fewer elements at the edges; expected VALID")
      : RUNS;
  };

const concat: Judge = (node, around) => {
  const output = node.output(0);
  const { shape } = output ?? {};
  if (!isWhole(shape)) return RUNS;
  if (node.node.inputs.some((_, i) => isConstant(node, i)))
    return not("one of its parts is a constant; expected tensors");
  const given = node.number("axis", 0);
  const axis = given < 0 ? given + shape.length : given;
  if (axis !== shape.length - 1) {
    const end = node.node.outputs[0];
    if (around.isOutput(end) && around.isAtEnd(end) && node.node.inputs.every((part) => around.isMade(part)))
      return dissolves("outputs of the model, one a part");
    if (axis === 0 || shape.length > 4)
      return not(`joins along axis ${axis} of ${shapeText(shape)}; expected channels, rows or columns`);
  }
  const scale = output?.quantization?.scales[0];
  const isSame = node.node.inputs.every((_, i) => node.input(i)?.quantization?.scales[0] === scale);
  return isSame ? RUNS : not("its parts have other scales than the whole; expected the same");
};

const masks = (node: NodeView, names: readonly string[]): string[] =>
  names.filter((name) => node.number(name, 0) !== 0);

/** A part of one sample, element by element. */
const slice: Judge = (node) => {
  const shape = node.output(0)?.shape;
  if (node.numbers(1) === undefined) return not("where it begins is made while the net runs");
  const odd = masks(node, ["ellipsis_mask", "new_axis_mask", "shrink_axis_mask"]);
  if (odd.length > 0) return not(`${odd.join(", ")}; expected begin, end and strides of 1`);
  const strides = node.op === "STRIDED_SLICE" ? node.numbers(3) : [];
  if (!strides?.every((stride) => stride === 1))
    return not("takes every second element or less; expected strides of 1");
  return partOf(node.shape(0), shape);
};

const partOf = (from: Dims | undefined, to: Dims | undefined): Verdict =>
  isWhole(from) && isWhole(to) && (from.length > 4 || from.length !== to.length || (to.length > 1 && to[0] !== 1))
    ? not(`takes ${shapeText(to)} of ${shapeText(from)}; expected one sample of as many dimensions, at most 4`)
    : RUNS;

/** @param data which of its inputs is taken apart @param axis which says along what */
const split =
  (data: number, axis: number): Judge =>
  (node) =>
    node.numbers(axis) === undefined
      ? not("its axis is made while the net runs")
      : partOf(node.shape(data), node.output(0)?.shape);

/** A variable begins with zeros: with its zero point, where it is of integers. */
const readVariable: Judge = (node) => {
  const { variable } = node.required(0);
  if (variable === undefined) return not("reads no variable of a VAR_HANDLE");
  const { initial } = variable;
  if (initial?.constant === undefined)
    return not(`nothing says what ${variable.name} holds at first; expected a CALL_ONCE that assigns a constant`);
  const zero = node.output(0)?.quantization?.zeroPoints[0] ?? 0;
  return initial.constant.values().every((value: number) => value === zero)
    ? dissolves("a state")
    : not(`${variable.name} does not begin with zeros; expected ${zero} everywhere`);
};

const assignVariable: Judge = (node) =>
  node.required(0).variable === undefined ? not("assigns to no variable of a VAR_HANDLE") : dissolves("a state");

/** Over all rows and columns. */
const mean: Judge = (node) => {
  const shape = node.shape(0);
  const axes = node.numbers(1);
  if (shape === undefined) return RUNS;
  const spatial = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis)).toSorted((a, b) => a - b);
  return shape.length === 4 && spatial?.join() === "1,2"
    ? RUNS
    : not(`over axes [${axes?.join(", ") ?? "?"}] of ${shapeText(shape)}; expected all rows and columns`);
};

/** [rank, 2]: before and behind each axis. */
const pad: Judge = (node) => {
  const pads = node.numbers(1);
  if (pads === undefined) return not("its pads are made while the net runs");
  if (!isAbsent(node, 2) && node.numbers(2)?.[0] !== (node.input(2)?.quantization?.zeroPoints[0] ?? 0)) {
    return not("pads with another value than 0");
  }
  const isPadded = (axis: number): boolean => pads[2 * axis] !== 0 || pads[2 * axis + 1] !== 0;
  const last = pads.length / 2 - 1;
  if (isPadded(last) && !pads.some((size, i) => size !== 0 && i < 2 * last)) {
    return node.input(0)?.quantization === undefined
      ? RUNS
      : not("pads channels of integers; expected rows and columns");
  }
  if (isPadded(0) || isPadded(last))
    return not("pads samples, or channels and planes at once; expected rows and columns");
  if (pads.some((size) => size > MAX_BORDER)) return not(`pads of ${Math.max(...pads)}; at most ${MAX_BORDER} run`);
  return dissolves("the padding of the layer behind it");
};

const resize: Judge = (node) => {
  const [from, to] = [node.shape(0), node.output(0)?.shape];
  if (node.flag("align_corners")) return not("align_corners; expected without");
  if (!isWhole(from) || !isWhole(to) || from.length !== 4) return RUNS;
  const isScale = from.every((size, i) => Number.isInteger(to[i] / size));
  return isScale
    ? RUNS
    : not(`from ${shapeText(from)} to ${shapeText(to)}; expected rows and columns by whole factors`);
};

const scales = (): Verdict => dissolves("scales of its neighbours");
const sum = (op: "Add" | "Sub" | "Mul" | "Div"): Judge => fused(arithmetic(op, { isChannelLast: true }));

export const TFLITE_SUPPORT: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ...judged("CONV_2D DEPTHWISE_CONV_2D", fused(conv)),
  ["FULLY_CONNECTED", fused(dense)],
  ["MAX_POOL_2D", fused(pool(false))],
  ["AVERAGE_POOL_2D", fused(pool(true))],
  ...judged("MEAN REDUCE_MAX", mean),
  ["ADD", sum("Add")],
  ["SUB", sum("Sub")],
  ["MUL", sum("Mul")],
  ["DIV", sum("Div")],
  ["CONCATENATION", fused(concat)],
  ...judged("RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1", runs),
  ...judged("LOGISTIC TANH HARD_SWISH LEAKY_RELU ELU GELU", byTable(runs)),
  ["PRELU", byTable(prelu)],
  ...judged("MAXIMUM MINIMUM", limit),
  ["SOFTMAX", softmax],
  ["RESIZE_NEAREST_NEIGHBOR", resize],
  ["RESIZE_BILINEAR", refused("blends neighbours; expected RESIZE_NEAREST_NEIGHBOR")],
  ...judged("PAD PADV2", pad),
  ["MIRROR_PAD", refused("mirrors rows and columns; expected PAD")],
  ["TRANSPOSE", transpose],
  ...judged("RESHAPE SQUEEZE EXPAND_DIMS", reshape),
  ...judged("SHAPE", () => dissolves("the shapes of its neighbours")),
  ...judged("QUANTIZE DEQUANTIZE", scales),
  ["FAKE_QUANT", vanishes],
  ...judged(
    "LSTM RNN UNIDIRECTIONAL_SEQUENCE_RNN BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN",
    keepsState("UNIDIRECTIONAL_SEQUENCE_LSTM"),
  ),
  ["SVDF", fused(svdf)],
  ["UNIDIRECTIONAL_SEQUENCE_LSTM", sequenceLstm],
  ...judged("VAR_HANDLE", () => dissolves("a state")),
  ["READ_VARIABLE", readVariable],
  ["ASSIGN_VARIABLE", assignVariable],
  ...judged("SLICE STRIDED_SLICE", slice),
  ["SPLIT", split(1, 0)],
  ["SPLIT_V", split(0, 2)],
  ...judged("GATHER GATHER_ND UNPACK", refused(PART)),
  ...judged("L2_NORMALIZATION LOCAL_RESPONSE_NORMALIZATION", refused(NORM)),
  ...judged("IF WHILE CALL", flow),
  ["CALL_ONCE", () => dissolves("what states begin with")],
  ["TRANSPOSE_CONV", refused("no transposed convolution; RESIZE_NEAREST_NEIGHBOR before a CONV_2D enlarges too")],
]);
