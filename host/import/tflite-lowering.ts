/** TFLite's ops as layers: a line or two each. Attributes have the schema's names; images are [N, H, W, C]. */
import type { Axes } from "../model/model.js";
import { own } from "../own.js";
import type { FunctionName } from "../ops/functions.js";
import { CannotLower } from "./cannot-lower.js";
import { lowerClamp, lowerElementwise, lowerMap, lowerSoftmax } from "./element-layers.js";
import type { Format, LowerRule } from "./format.js";
import { number, type GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import { samePads } from "./moving-window.js";
import { clampTwice, NO_CLAMP, NO_PADS, type Clamp, type NetWeights, type Pads } from "./net.js";
import { lowerConcat, lowerCrop } from "./part-layers.js";
import { lowerGlobalPool, lowerPool } from "./pool-layers.js";
import { lowerChannelPad, lowerPad, lowerReshape, lowerResize } from "./shape-layers.js";
import { lowerSvdf } from "./svdf.js";
import { lowerSequenceLstm } from "./tflite-lstm.js";
import { lowerAffine, lowerConv, lowerDense } from "./weighted-layers.js";
import { weightsOf } from "./weights.js";

const ACTIVATIONS: Readonly<Record<string, Clamp>> = {
  NONE: NO_CLAMP,
  RELU: { low: 0, high: Infinity },
  RELU6: { low: 0, high: 6 },
  RELU_N1_TO_1: { low: -1, high: 1 },
};

function activation({ attributes }: GraphNode): Clamp {
  const name = attributes.fused_activation_function ?? "NONE";
  const clamp = own(ACTIVATIONS, String(name));
  if (clamp === undefined) throw new CannotLower(`its fused activation ${String(name)} is not supported`);
  return clamp;
}

function padding({ attributes }: GraphNode, stride: Axes): (image: Axes, kernel: Axes) => Pads {
  return attributes.padding === "SAME" ? (image, kernel) => samePads(image, kernel, stride) : () => NO_PADS;
}

const strides = ({ attributes }: GraphNode): Axes => [
  number(attributes, "stride_h", 1),
  number(attributes, "stride_w", 1),
];
const dilations = ({ attributes }: GraphNode): Axes => [
  number(attributes, "dilation_h_factor", 1),
  number(attributes, "dilation_w_factor", 1),
];

/** Weights are [out, kh, kw, in], of a depthwise convolution [1, kh, kw, channels × multiplier]. */
function conv(isDepthwise: boolean): LowerRule {
  return (node, lowering) => {
    const dims = lowering.dimsOf(node.inputs[1]);
    if (dims.length !== 4) throw new CannotLower(`its weights are [${dims.join(", ")}], expected 4 dimensions`);
    const kernel: Axes = [dims[1], dims[2]];
    const { shape } = lowering.image(node);
    const groups = isDepthwise ? shape[0] : shape[0] / dims[3];
    const outChannels = isDepthwise ? dims[3] : dims[0];
    const perRow = isDepthwise ? 1 : dims[3];
    const plane = kernel[0] * kernel[1];
    const order = isDepthwise
      ? (row: number, column: number) => column * outChannels + row
      : (row: number, column: number) => (row * plane + (column % plane)) * perRow + Math.floor(column / plane);
    const weights = weightsOf(node, lowering, {
      rows: outChannels,
      columns: perRow * plane,
      axis: isDepthwise ? 3 : 0,
      order,
    });
    const stride = strides(node);
    const spec = { kernel, stride, dilation: dilations(node), pads: padding(node, stride), groups, outChannels };
    const isShort = lowering.bits === 16 && lowering.tensor(node.inputs[2])?.type === "int64";
    const rounded: NetWeights = isShort ? { ...weights, hasShortMultipliers: true } : weights;
    lowerConv(node, lowering, { ...spec, weights: rounded, clamp: activation(node) });
  };
}

const dense: LowerRule = (node, lowering) => {
  const format = node.attributes.weights_format ?? "DEFAULT";
  if (format !== "DEFAULT") throw new CannotLower(`its weights are in the format ${String(format)}, expected DEFAULT`);
  const [rows, columns] = lowering.dimsOf(node.inputs[1]);
  const weights: NetWeights = weightsOf(node, lowering, {
    rows,
    columns,
    axis: 0,
    order: "rows",
  });
  lowerDense(node, lowering, weights, activation(node));
};

function pool(op: "maxpool" | "avgpool"): LowerRule {
  return (node, lowering) => {
    const kernel: Axes = [number(node.attributes, "filter_height", 1), number(node.attributes, "filter_width", 1)];
    const stride = strides(node);
    lowerPool(node, lowering, {
      op,
      kernel,
      stride,
      pads: padding(node, stride),
      countsPads: false,
      clamp: activation(node),
    });
  };
}

/** Over height and width, all of both. */
function reduce(op: "maxpool" | "avgpool"): LowerRule {
  return (node, lowering) => {
    const { dims } = lowering.view(node);
    const axes = [...lowering.constant(node, 1, "list of axes")]
      .map((axis) => (axis + dims.length) % dims.length)
      .sort();
    const isPlane = dims.length === 4 ? axes.join() === "1,2" : dims.length === 3 && axes.join() === "1";
    if (!isPlane)
      throw new CannotLower(`it reduces axes ${axes.join(", ")} of [${dims.join(", ")}], expected height and width`);
    lowerGlobalPool(node, lowering, op);
  };
}

function elementwise(op: "add" | "sub" | "mul"): LowerRule {
  return (node, lowering) => {
    const constant = [0, 1].find((input) => lowering.isConstant(node, input));
    if (constant === undefined) return lowerElementwise(node, lowering, op, activation(node));
    if (op === "sub" && constant === 0)
      throw new CannotLower("it takes a tensor from a constant; expected the other way round");
    const values = realConstant(node, lowering, constant);
    const one = Float64Array.of(1);
    const zero = Float64Array.of(0);
    if (op === "mul") lowerAffine(node, lowering, values, zero, 1 - constant);
    else lowerAffine(node, lowering, one, op === "sub" ? values.map((value) => -value) : values, 1 - constant);
    cutOutput(node, lowering, activation(node));
  };
}

/** The layer that the node has become cuts what it gives. */
function cutOutput(node: GraphNode, lowering: Lowering, clamp: Clamp): void {
  const producer = lowering.producer(lowering.viewOf(node.outputs[0]).tensor);
  if (producer === undefined || !("clamp" in producer)) throw new CannotLower("its fused activation is not supported");
  lowering.replaceProducer(producer, { ...producer, clamp: clampTwice(producer.clamp, clamp) });
}

/** One number, or one for each of the last axis, as real numbers. */
function realConstant(node: GraphNode, lowering: Lowering, input: number): Float64Array {
  const values = Float64Array.from(lowering.constant(node, input, "constant"));
  const { quantization } = lowering.tensor(node.inputs[input])!;
  if (quantization === undefined) return values;
  const [scale, zeroPoint] = [quantization.scales[0], quantization.zeroPoints[0]];
  return values.map((q) => scale * (q - zeroPoint));
}

const pad: LowerRule = (node, lowering) => {
  const { dims } = lowering.view(node);
  const amounts = [...lowering.constant(node, 1, "padding")];
  const at = (axis: number): readonly [number, number] => [amounts[2 * axis], amounts[2 * axis + 1]];
  const isPadded = [0, 1, 2, 3].map((axis) => dims.length === 4 && at(axis).some((zeros) => zeros !== 0));
  if (dims.length !== 4 || isPadded[0] || (isPadded[3] && (isPadded[1] || isPadded[2]))) {
    throw new CannotLower(
      `it pads [${dims.join(", ")}] by ${amounts.join(", ")}, expected height and width, or channels alone`,
    );
  }
  if (node.op === "PADV2") {
    const [value] = lowering.constant(node, 2, "value");
    const zero = lowering.tensor(node.inputs[2])?.quantization?.zeroPoints[0] ?? 0;
    if (value !== zero) throw new CannotLower(`it pads with ${value}, expected zeros`);
  }
  if (isPadded[3]) return lowerChannelPad(node, lowering, at(3)[0], at(3)[1]);
  lowerPad(node, lowering, [at(1)[0], at(2)[0], at(1)[1], at(2)[1]]);
};

const concat: LowerRule = (node, lowering) => {
  if (activation(node) !== NO_CLAMP) throw new CannotLower("its fused activation is not supported");
  lowerConcat(node, lowering, number(node.attributes, "axis", 0));
};

/** @throws CannotLower where an output has another size than what it is to take */
function takes(count: number, of: number, axis: number, size: number): void {
  if (count === size) return;
  throw new CannotLower(`it takes ${count} of ${of} along axis ${axis}, and its output has ${size}`);
}

/** A STRIDED_SLICE says where it begins and ends along each axis, a SLICE where it begins and how many it takes, −1 being all the rest. */
const slice: LowerRule = (node, lowering) => {
  const isStrided = node.op === "STRIDED_SLICE";
  const { dims } = lowering.view(node);
  const to = lowering.dims(node);
  const begins = [...lowering.constant(node, 1, "begin")];
  const ends = [...lowering.constant(node, 2, isStrided ? "end" : "size")];
  if (node.attributes.offset === true) throw new CannotLower("its end is counted from its begin; expected a place");
  const isOpen = (mask: string, axis: number): boolean =>
    Math.floor(number(node.attributes, mask, 0) / 2 ** axis) % 2 === 1;
  const place = (at: number, size: number): number => (at < 0 ? Math.max(0, at + size) : at);
  const first = dims.map((size, axis) => (isOpen("begin_mask", axis) ? 0 : place(begins[axis] ?? 0, size)));
  dims.forEach((size, axis) => {
    const rest = size - first[axis];
    const end = isOpen("end_mask", axis) ? size : Math.min(size, place(ends[axis] ?? size, size));
    const given = ends[axis] ?? -1;
    const count = isStrided ? end - first[axis] : given === -1 ? rest : given;
    takes(count, size, axis, to[axis]);
  });
  lowerCrop(node, lowering, first);
};

/** @param data which of the inputs is taken apart @param axis which says along what @param sizes which lists the parts' sizes; else they are alike */
const split =
  (data: number, axis: number, sizes?: number): LowerRule =>
  (node, lowering) => {
    const { dims } = lowering.view(node, data);
    const [given] = lowering.constant(node, axis, "axis");
    if (!(Number.isInteger(given) && given >= -dims.length && given < dims.length))
      throw new CannotLower(`its axis is ${given}, expected -${dims.length} .. ${dims.length - 1}`);
    const along = given < 0 ? given + dims.length : given;
    const size = dims[along];
    const alike = node.outputs.map(() => size / node.outputs.length);
    const parts = sizes === undefined ? alike : withRest(lowering.constant(node, sizes, "list of sizes"), size);
    if (parts.length !== node.outputs.length || sum(parts) !== size) {
      const expected = `expected all of it, in ${node.outputs.length} parts`;
      throw new CannotLower(`its ${parts.length} parts are ${sum(parts)} of ${size} along axis ${along}; ${expected}`);
    }
    let at = 0;
    parts.forEach((part, output) => {
      takes(part, size, along, lowering.dims(node, output)[along]);
      lowerCrop(
        node,
        lowering,
        dims.map((_size, each) => (each === along ? at : 0)),
        data,
        output,
      );
      at += part;
    });
  };

const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0);

/** One size of −1 is what the others leave. */
function withRest(sizes: Iterable<number>, of: number): number[] {
  const all = [...sizes];
  const rest = all.indexOf(-1);
  return rest === all.lastIndexOf(-1) ? all.map((size, i) => (i === rest ? of - sum(all) - 1 : size)) : all;
}

const variableOf = (node: GraphNode, lowering: Lowering): string => lowering.tensor(node.inputs[0])!.variable!.name;

const resize: LowerRule = (node, lowering) => {
  const { shape } = lowering.image(node);
  const [height, width] = lowering.constant(node, 1, "size");
  if (node.attributes.align_corners === true && height * width > 1)
    throw new CannotLower("it aligns corners, which is not supported");
  lowerResize(node, lowering, [height / shape[1], width / shape[2]]);
};

/** Between integers and real numbers at the ends of a net, or from one scale to another within. */
const convert: LowerRule = (node, lowering) => {
  lowering.view(node); // or refused
  const from = lowering.tensor(node.inputs[0])!;
  const to = lowering.tensor(node.outputs[0])!;
  const isEnd = lowering.graph.outputs.includes(node.outputs[0]) || lowering.graph.inputs.includes(node.inputs[0]);
  const isReal = (type: string): boolean => type === "float32" || type === "float16";
  if (isReal(from.type) !== isReal(to.type) && !isEnd) {
    throw new CannotLower(`it goes from ${from.type} to ${to.type} within the net; expected that at its ends`);
  }
  // Samples of another width are real numbers to whoever feeds the net.
  const others = lowering.bits === 8 ? ["int16"] : ["int8", "uint8"];
  const isFed = others.includes(from.type) && lowering.graph.inputs.includes(node.inputs[0]);
  if (isReal(to.type) || !(isReal(from.type) || isFed)) return lowerReshape(node, lowering);
  if (lowering.isReadAlike(node)) lowering.adopt(node);
  else lowerMap(node, lowering, "identity");
};

const map =
  (called: FunctionName): LowerRule =>
  (node, lowering) =>
    lowerMap(node, lowering, called);

const clamp =
  (name: keyof typeof ACTIVATIONS): LowerRule =>
  (node, lowering) =>
    lowerClamp(node, lowering, ACTIVATIONS[name]);

const RULES: Readonly<Record<string, LowerRule>> = {
  CONV_2D: conv(false),
  DEPTHWISE_CONV_2D: conv(true),
  FULLY_CONNECTED: dense,
  MAX_POOL_2D: pool("maxpool"),
  AVERAGE_POOL_2D: pool("avgpool"),
  MEAN: reduce("avgpool"),
  REDUCE_MAX: reduce("maxpool"),
  ADD: elementwise("add"),
  SUB: elementwise("sub"),
  MUL: elementwise("mul"),
  CONCATENATION: concat,
  PAD: pad,
  PADV2: pad,
  RESIZE_NEAREST_NEIGHBOR: resize,
  STRIDED_SLICE: slice,
  SLICE: slice,
  SPLIT: split(1, 0),
  SPLIT_V: split(0, 2, 1),
  UNIDIRECTIONAL_SEQUENCE_LSTM: lowerSequenceLstm,
  READ_VARIABLE: (node, lowering) => lowering.readState(node, variableOf(node, lowering)),
  ASSIGN_VARIABLE: (node, lowering) => lowering.keepState(variableOf(node, lowering), lowering.view(node, 1)),
  SVDF: (node, lowering) => lowerSvdf(node, lowering, activation(node)),
  RESHAPE: lowerReshape,
  SQUEEZE: lowerReshape,
  EXPAND_DIMS: lowerReshape,
  QUANTIZE: convert,
  DEQUANTIZE: convert,
  SOFTMAX: (node, lowering) => lowerSoftmax(node, lowering, -1),
  RELU: clamp("RELU"),
  RELU6: clamp("RELU6"),
  RELU_N1_TO_1: clamp("RELU_N1_TO_1"),
  LOGISTIC: map("sigmoid"),
  TANH: map("tanh"),
  HARD_SWISH: map("hard-swish"),
  LEAKY_RELU: (node, lowering) => lowerMap(node, lowering, "leaky-relu", [number(node.attributes, "alpha", 0)]),
  ELU: (node, lowering) => lowerMap(node, lowering, "elu", [1]),
  GELU: (node, lowering) => map(node.attributes.approximate === true ? "gelu-tanh" : "gelu")(node, lowering),
};

/** Of ops whose data is not their first input. */
const DATA_INPUTS: ReadonlyMap<string, readonly number[]> = new Map([
  ["READ_VARIABLE", []],
  ["ASSIGN_VARIABLE", [1]],
  ["SPLIT", [1]],
]);

const VARIABLE_USES = { READ_VARIABLE: "read", ASSIGN_VARIABLE: "assign" } as const;

/** Ops whose further inputs are shapes, axes or weights. */
const JOINS = new Set(["ADD", "SUB", "MUL", "CONCATENATION"]);

export const TFLITE: Format = {
  layout: "hwc",
  ops: Object.keys(RULES),
  rule: (op) => own(RULES, op),
  dataInputs: ({ op, inputs }) => {
    const places = DATA_INPUTS.get(op);
    if (places !== undefined) return places.flatMap((place) => inputs[place] ?? []);
    return JOINS.has(op) || own(RULES, op) === undefined ? inputs : inputs.slice(0, 1);
  },
  variableUse: ({ op }) => own(VARIABLE_USES, op),
};
