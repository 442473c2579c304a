/** Caffe's layers as ONNX's ops. https://caffe.berkeleyvision.org/tutorial/layers.html */
import type { CaffeGraph, CaffeLayer } from "./caffe-graph.js";
import type { Fields } from "./caffe-message.js";
import { own } from "../own.js";
import { MAX_RANK } from "./node-view.js";

/** Turns a layer into nodes. @throws MoteError FORMAT for what contradicts itself */
type Convert = (layer: CaffeLayer, graph: CaffeGraph) => void;

const only = <T extends string>(fields: Fields, name: T): Fields => fields.message(name);

/** Sizes along the axes of a window: one for all, one for each, or by the names of height and width. */
function spatial(param: Fields, name: string, short: string, axes: number, otherwise: number | undefined): number[] {
  const [height, width] = [`${short}_h`, `${short}_w`].map((side) =>
    side in param.schema.fields ? param.number(side, undefined) : undefined,
  );
  const given = param.numbers(name);
  if (height !== undefined || width !== undefined) {
    if (given.length > 0) param.fail(`has ${name} and ${short}_h or ${short}_w, expected one of both`);
    if (axes !== 2) param.fail(`has ${short}_h or ${short}_w along ${axes} axes, expected 2`);
    return [height, width].map((size) => size ?? otherwise ?? param.fail(`has one of ${short}_h and ${short}_w`));
  }
  const all = given.length === 0 && otherwise !== undefined ? [otherwise] : given;
  if (all.length === axes) return [...all];
  if (all.length !== 1) param.fail(`has ${all.length} values of ${name}, expected 1 or ${axes}`);
  return Array.from({ length: axes }, () => all[0]);
}

function outputsOf(param: Fields): number {
  const count = param.number("num_output", 0);
  return count > 0 ? count : param.fail(`num_output is ${count}`);
}

const convolution: Convert = (layer, graph) => {
  const param = only(layer.fields, "convolution_param");
  if (param.number("axis", 1) !== 1) return graph.refuse(layer, unknown(layer), "its channels are not axis 1");
  const data = graph.bottom(layer);
  const axes = graph.rank(layer) - 2;
  if (axes < 1) param.fail(`works on a blob of ${axes + 2} dimensions`);
  const kernel = spatial(param, "kernel_size", "kernel", axes, undefined);
  const pads = spatial(param, "pad", "pad", axes, 0);
  const rows = outputsOf(param);
  const group = param.number("group", 1);
  const channels = graph.shape(data)?.[1];
  const taps = kernel.reduce((product, size) => product * size, rows);
  const perGroup =
    typeof channels === "number" ? channels / group : (graph.blob(layer, 0, "weights").count ?? NaN) / taps;
  if (!(Number.isInteger(perGroup) && Number.isSafeInteger(perGroup * taps))) {
    param.fail(`${rows} outputs of [${kernel.join(", ")}] over ${channels ?? "unknown"} channels in ${group} groups`);
  }
  const weights = graph.parameter(layer, 0, "weights", [rows, perGroup, ...kernel]);
  const biases = param.flag("bias_term", true) ? [graph.parameter(layer, 1, "biases", [rows])] : [];
  graph.emit("Conv", layer.name, [data, weights, ...biases], graph.top(layer), {
    kernel_shape: kernel,
    strides: spatial(param, "stride", "stride", axes, 1),
    dilations: spatial(param, "dilation", "dilation", axes, 1),
    pads: [...pads, ...pads],
    group,
  });
};

const innerProduct: Convert = (layer, graph) => {
  const param = only(layer.fields, "inner_product_param");
  const rows = outputsOf(param);
  const axis = param.number("axis", 1);
  if (axis !== 1) return graph.refuse(layer, unknown(layer), `works from axis ${axis} on; expected 1`);
  const top = graph.top(layer);
  const data = graph.emit("Flatten", `${layer.name} (flatten)`, [graph.bottom(layer)], top, { axis });
  const known = graph.shape(data)?.[1];
  const columns = typeof known === "number" ? known : (graph.blob(layer, 0, "weights").count ?? NaN) / rows;
  if (!(Number.isInteger(columns) && Number.isSafeInteger(columns * rows))) {
    param.fail(`${rows} outputs of ${known ?? "unknown"} elements`);
  }
  const isTransposed = param.flag("transpose", false);
  const shape = isTransposed ? [columns, rows] : [rows, columns];
  const weights = graph.parameter(layer, 0, "weights", shape);
  const biases = param.flag("bias_term", true) ? [graph.parameter(layer, 1, "biases", [rows])] : [];
  graph.emit("Gemm", layer.name, [data, weights, ...biases], top, { transB: isTransposed ? 0 : 1 });
};

/** The last window may reach beyond the end; an average counts its padding but not what is behind that. */
const pooling: Convert = (layer, graph) => {
  const param = only(layer.fields, "pooling_param");
  const kind = param.text("pool", "MAX");
  if (kind === "STOCHASTIC") return graph.refuse(layer, unknown(layer), "pools at random; expected MAX or AVE");
  const op = kind === "AVE" ? "AveragePool" : "MaxPool";
  const data = graph.bottom(layer);
  if (layer.tops.length > 1) return graph.refuse(layer, unknown(layer), "has a second top, the mask");
  if (param.flag("global_pooling", false)) {
    graph.emit(`Global${op}`, layer.name, [data], graph.top(layer));
    return;
  }
  const axes = graph.rank(layer) - 2;
  const pads = spatial(param, "pad", "pad", axes, 0);
  graph.emit(op, layer.name, [data], graph.top(layer), {
    kernel_shape: spatial(param, "kernel_size", "kernel", axes, undefined),
    strides: spatial(param, "stride", "stride", axes, 1),
    pads: [...pads, ...pads],
    ceil_mode: 1,
    ...(kind === "AVE" ? { count_include_pad: 1 } : {}),
  });
};

/** factor × x + offset by channel, from constants that are read when asked for. */
function affine(
  layer: CaffeLayer,
  graph: CaffeGraph,
  values: { scale?: number; bias?: number; mean?: number; variance?: number; epsilon: number; channels: number },
): void {
  const { scale, bias, mean, variance, epsilon, channels } = values;
  const all = (what: string, value: number): number =>
    graph.values(`${layer.name}.${what}`, [channels], () => new Float32Array(channels).fill(value));
  const inputs = [
    scale ?? all("ones", 1),
    bias ?? all("zeros", 0),
    mean ?? all("zeros", 0),
    variance ?? all("ones", 1),
  ];
  graph.emit("BatchNormalization", layer.name, [graph.bottom(layer), ...inputs], graph.top(layer), { epsilon });
}

/** Channels of a layer whose first parameter has one element for each. */
const channelsOf = (layer: CaffeLayer, graph: CaffeGraph): number => {
  const channels = graph.shape(graph.bottom(layer))?.[1];
  return typeof channels === "number" ? channels : (graph.blob(layer, 0, "weights").count ?? 0);
};

/** Its mean and variance are sums, which the third blob divides. */
const batchNorm: Convert = (layer, graph) => {
  const param = only(layer.fields, "batch_norm_param");
  if (!param.flag("use_global_stats", true)) {
    return graph.refuse(layer, unknown(layer), "use_global_stats is false; expected the statistics of the training");
  }
  const channels = channelsOf(layer, graph);
  const [mean, variance, factor] = (
    [
      ["mean", channels],
      ["variance", channels],
      ["factor", 1],
    ] as const
  ).map(([what, size], i) => graph.parameter(layer, i, what, [size]));
  const divided = (tensor: number, what: string): number =>
    graph.values(`${layer.name}.${what}`, [channels], () => {
      const sum = graph.tensors[factor].constant!.values()[0];
      return Float32Array.from(graph.tensors[tensor].constant!.values(), (x) => (sum === 0 ? 0 : x / sum));
    });
  const epsilon = param.number("eps", 1e-5);
  affine(layer, graph, { mean: divided(mean, "mean"), variance: divided(variance, "variance"), epsilon, channels });
};

/** By a parameter of its own, or of another blob: [N, C] beside [N, C, H, W], or one of the same shape. */
const scale: Convert = (layer, graph) => {
  const param = only(layer.fields, "scale_param");
  if (layer.bottoms.length === 2) {
    if (param.flag("bias_term", false)) return graph.refuse(layer, unknown(layer), "has a bias beside a second bottom");
    return byBottom("Mul", param.number("axis", 1), layer, graph);
  }
  const isByChannel = param.number("axis", 1) === 1 && param.number("num_axes", 1) === 1;
  if (!isByChannel) return graph.refuse(layer, unknown(layer), "its factors are not by channel");
  const channels = channelsOf(layer, graph);
  const bias = param.flag("bias_term", false) ? { bias: graph.parameter(layer, 1, "biases", [channels]) } : {};
  affine(layer, graph, { scale: graph.parameter(layer, 0, "weights", [channels]), ...bias, epsilon: 0, channels });
};

const bias: Convert = (layer, graph) => {
  const param = only(layer.fields, "bias_param");
  if (layer.bottoms.length === 2) return byBottom("Add", param.number("axis", 1), layer, graph);
  const isByChannel = param.number("axis", 1) === 1 && param.number("num_axes", 1) === 1;
  if (!isByChannel) return graph.refuse(layer, unknown(layer), "its offsets are not by channel");
  const channels = channelsOf(layer, graph);
  affine(layer, graph, { bias: graph.parameter(layer, 0, "biases", [channels]), epsilon: 0, channels });
};

/** Axis `axis` of the first bottom is the second's first. */
function byBottom(op: "Mul" | "Add", axis: number, layer: CaffeLayer, graph: CaffeGraph): void {
  const [ranks, second] = [[0, 1].map((i) => graph.rank(layer, i)), graph.bottom(layer, 1)];
  const data = graph.bottom(layer);
  const top = graph.top(layer);
  const behind = ranks[0] - axis - ranks[1];
  if (axis !== 0 || behind < 0) {
    return graph.refuse(layer, unknown(layer), `its second bottom stands from axis ${axis} on; expected 0`);
  }
  const operand =
    behind === 0
      ? second
      : graph.emit("Reshape", `${layer.name} (reshape)`, [second], top, {
          shape: Array.from({ length: ranks[0] }, (_, i) => (i < ranks[1] ? 0 : 1)),
        });
  graph.emit(op, layer.name, [data, operand], top);
}

const relu: Convert = (layer, graph) => {
  const slope = only(layer.fields, "relu_param").number("negative_slope", 0);
  const data = graph.bottom(layer);
  if (slope === 0) graph.emit("Relu", layer.name, [data], graph.top(layer));
  else graph.emit("LeakyRelu", layer.name, [data], graph.top(layer), { alpha: slope });
};

const prelu: Convert = (layer, graph) => {
  const isShared = only(layer.fields, "prelu_param").flag("channel_shared", false);
  const size = isShared ? 1 : channelsOf(layer, graph);
  const behind = Math.max(0, graph.rank(layer) - 2);
  const slopes = graph.parameter(layer, 0, "slopes", [size, ...Array.from({ length: behind }, () => 1)]);
  graph.emit("PRelu", layer.name, [graph.bottom(layer), slopes], graph.top(layer));
};

/** Sums, products or maxima of two blobs or more, each times its coefficient. */
const eltwise: Convert = (layer, graph) => {
  const param = only(layer.fields, "eltwise_param");
  const operation = param.text("operation", "SUM");
  const factors = param.numbers("coeff");
  const count = layer.bottoms.length;
  if (factors.length > 0 && (operation !== "SUM" || factors.length !== count)) {
    param.fail(`has ${factors.length} coefficients of a ${operation} of ${count} bottoms`);
  }
  const top = graph.top(layer);
  const op = { SUM: "Add", PROD: "Mul", MAX: "Max" }[operation]!;
  const parts = layer.bottoms.map((_, i) => graph.bottom(layer, i));
  const scaled = parts.map((part, i) => {
    const factor = factors[i] ?? 1;
    if (factor === 1) return part;
    const constant = graph.values(`${layer.name}.coeff`, [], () => Float32Array.of(factor));
    return graph.emit("Mul", `${layer.name} (coefficient ${i + 1})`, [part, constant], top);
  });
  if (count < 2) param.fail(`has ${count} bottoms, expected 2 or more`);
  scaled.slice(1).reduce((sum, part, i) => {
    const name = i === count - 2 ? layer.name : `${layer.name} (${i + 2} of ${count})`;
    return graph.emit(op, name, [sum, part], top);
  }, scaled[0]);
};

/** (shift + scale × x) ^ power */
const power: Convert = (layer, graph) => {
  const param = only(layer.fields, "power_param");
  if (param.number("power", 1) !== 1) return graph.refuse(layer, "Pow");
  const top = graph.top(layer);
  const [factor, shift] = [param.number("scale", 1), param.number("shift", 0)];
  const constant = (what: string, value: number): number =>
    graph.values(`${layer.name}.${what}`, [], () => Float32Array.of(value));
  const data = graph.bottom(layer);
  const scaled = graph.emit("Mul", `${layer.name} (scale)`, [data, constant("scale", factor)], top);
  graph.emit("Add", layer.name, [scaled, constant("shift", shift)], top);
};

const flatten: Convert = (layer, graph) => {
  const param = only(layer.fields, "flatten_param");
  const rank = graph.rank(layer);
  const whole = (axis: number): number => (axis < 0 ? axis + rank : axis);
  const [axis, last] = [whole(param.number("axis", 1)), whole(param.number("end_axis", -1))];
  if (!(axis >= 0 && axis <= last && last < rank)) param.fail(`from axis ${axis} to ${last} of ${rank}`);
  // Sizes behind take the place of other axes, where ONNX's 0 means another size.
  if (last !== rank - 1) return graph.refuse(layer, unknown(layer), `up to axis ${last}; expected the last`);
  const shape = [...Array.from({ length: axis }, () => 0), -1];
  graph.emit("Reshape", layer.name, [graph.bottom(layer)], graph.top(layer), { shape });
};

const reshape: Convert = (layer, graph) => {
  const param = only(layer.fields, "reshape_param");
  const [axis, count] = [param.number("axis", 0), param.number("num_axes", -1)];
  if (axis < 0 || axis > MAX_RANK || count !== -1) {
    return graph.refuse(layer, unknown(layer), `axis = ${axis}, num_axes = ${count}; expected all axes from one on`);
  }
  const shape = [...Array.from({ length: axis }, () => 0), ...param.message("shape").numbers("dim")];
  graph.emit("Reshape", layer.name, [graph.bottom(layer)], graph.top(layer), { shape });
};

const concat: Convert = (layer, graph) => {
  const param = only(layer.fields, "concat_param");
  const axis = param.number("axis", param.number("concat_dim", 1));
  const parts = layer.bottoms.map((_, i) => graph.bottom(layer, i));
  if (parts.length === 1) return graph.alias(layer);
  graph.emit("Concat", layer.name, parts, graph.top(layer), { axis });
};

const softmax: Convert = (layer, graph) => {
  const axis = only(layer.fields, "softmax_param").number("axis", 1);
  graph.emit("Softmax", layer.name, [graph.bottom(layer)], graph.top(layer), { axis });
};

const permute: Convert = (layer, graph) => {
  const rank = graph.rank(layer);
  const order = only(layer.fields, "permute_param").numbers("order");
  // Axes that are not named follow in their order.
  const rest = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !order.includes(axis));
  graph.emit("Transpose", layer.name, [graph.bottom(layer)], graph.top(layer), { perm: [...order, ...rest] });
};

const elu: Convert = (layer, graph) => {
  const alpha = only(layer.fields, "elu_param").number("alpha", 1);
  graph.emit("Elu", layer.name, [graph.bottom(layer)], graph.top(layer), { alpha });
};

/** By neighbouring channels; the other region is places of the same channel. */
const lrn: Convert = (layer, graph) => {
  const param = only(layer.fields, "lrn_param");
  const size = param.number("local_size", 5);
  if (size < 1 || size % 2 === 0) param.fail(`local_size is ${size}, expected an odd number`);
  const region = param.text("norm_region", "ACROSS_CHANNELS");
  if (region !== "ACROSS_CHANNELS")
    return graph.refuse(layer, unknown(layer), `norm_region is ${region}; expected ACROSS_CHANNELS`);
  graph.emit("LRN", layer.name, [graph.bottom(layer)], graph.top(layer), {
    size,
    alpha: param.number("alpha", 1),
    beta: param.number("beta", 0.75),
    bias: param.number("k", 1),
  });
};

/** One bottom, one top, nothing that could be set. */
const simple =
  (op: string): Convert =>
  (layer, graph) =>
    void graph.emit(op, layer.name, [graph.bottom(layer)], graph.top(layer));

/** Ops that do not run, whose words say what would. */
const reported =
  (op: string): Convert =>
  (layer, graph) =>
    graph.refuse(layer, op);

const CONVERTS: Readonly<Record<string, Convert>> = {
  Convolution: convolution,
  InnerProduct: innerProduct,
  Pooling: pooling,
  BatchNorm: batchNorm,
  Scale: scale,
  Bias: bias,
  ReLU: relu,
  PReLU: prelu,
  ELU: elu,
  LRN: lrn,
  Sigmoid: simple("Sigmoid"),
  TanH: simple("Tanh"),
  Dropout: simple("Dropout"),
  Eltwise: eltwise,
  Power: power,
  Flatten: flatten,
  Reshape: reshape,
  Concat: concat,
  Softmax: softmax,
  Permute: permute,
  Split: (layer, graph) => graph.alias(layer),
  AbsVal: reported("Abs"),
  BNLL: reported("Softplus"),
  Exp: reported("Exp"),
  Log: reported("Log"),
  MVN: reported("MeanVarianceNormalization"),
  Normalize: reported("LpNormalization"),
  Deconvolution: reported("ConvTranspose"),
  Slice: reported("Split"),
  LSTM: reported("LSTM"),
  RNN: reported("RNN"),
};

/** Name of a layer that no op stands for. */
const unknown = ({ type }: CaffeLayer): string => `caffe::${type}`;

/** The layer as nodes of the graph; where it has what is not known here, as a node that is refused. */
export function convertLayer(layer: CaffeLayer, graph: CaffeGraph): void {
  const { fields, type } = layer;
  const names = [
    ...fields.unknown,
    ...Object.keys(fields.schema.fields)
      .filter((name) => name.endsWith("_param") && fields.schema.fields[name] !== "skip" && fields.has(name))
      .flatMap((name) => fields.message(name).unknown.map((field) => `${name}.${field}`)),
  ];
  const convert = own(CONVERTS, type);
  if (convert === undefined) return graph.refuse(layer, unknown(layer));
  if (names.length > 0) return graph.refuse(layer, unknown(layer), `has ${names.join(", ")}, which Mote does not know`);
  convert(layer, graph);
}
