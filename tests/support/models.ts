/** Integer models made from a seed, one for each corner of the format. They recognise nothing; their outputs are spread over int8. */
import { modelInputs } from "../../host/model/edges.js";
import type { Axes, QLayer, QModel, QTensor, Shape } from "../../host/model/model.js";
import type { Window } from "../../host/ops/op.js";
import { requantizeFactor } from "../../host/quantize/requantize.js";
import { Random } from "../../host/rng.js";

export type WeightKind =
  /** Small integers around 0, the small ones frequent: a grid alphabet. */
  | "grid"
  /** At most 30 scattered values: a codebook. */
  | "codebook"
  /** Any int8: too many symbols for codes to pay where the layer is full. */
  | "any"
  /** One value. */
  | "single"
  /** 1 and -1. */
  | "signs";

interface WeightSpec {
  readonly density: number;
  readonly weights: WeightKind;
  readonly perChannel?: boolean;
  readonly relu?: boolean;
  /** Whether its outputs are 0 and 1: 1 where the sum is above 0. */
  readonly step?: boolean;
  /** Share of columns with no weight at all. */
  readonly deadColumns?: number;
}

/** One number for both axes, or one for each. */
type Size = number | Axes;

interface PoolSpec {
  readonly kernel: Size;
  readonly stride: Size;
  readonly pad?: Size;
  readonly padEnd?: Size;
  readonly relu?: boolean;
}

export type LayerSpec = { readonly from?: number | readonly number[] } & (
  | (WeightSpec & {
      readonly op: "conv2d";
      readonly out: number;
      readonly kernel: readonly [number, number];
      readonly stride?: Size;
      readonly pad?: Size;
      /** Zeros below and to the right; absent: as many as above and to the left. */
      readonly padEnd?: Size;
      readonly groups?: number;
      readonly pool?: { readonly size: Size; readonly stride: Size };
    })
  | (WeightSpec & { readonly op: "dense"; readonly out: number })
  | ({ readonly op: "maxpool" } & PoolSpec)
  | ({ readonly op: "avgpool" } & PoolSpec)
  | { readonly op: "add"; readonly relu?: boolean }
  | { readonly op: "mul"; readonly relu?: boolean }
  | { readonly op: "concat" }
  | { readonly op: "lut" }
  | { readonly op: "resize"; readonly factor: Size }
  /** From channel, row and column on. */
  | { readonly op: "crop"; readonly first: Shape; readonly size: Shape }
  /** Rows, unless `width` says how many columns the output has. */
  | { readonly op: "append"; readonly height?: number; readonly width?: number }
);

const axes = (size: Size): Axes => (typeof size === "number" ? [size, size] : size);

/** What a model has beside a chain's layers. */
export interface Extras {
  /** Shapes of inputs after the first. */
  readonly inputs?: readonly Shape[];
  /** States, behind the inputs: a shape, and the layer whose output it takes over. */
  readonly states?: readonly { readonly shape: Shape; readonly source: number }[];
  /** Outputs that layers read as well: indices of layers. */
  readonly outputs?: readonly number[];
}

/**
 * @param specs one a layer; a layer reads the output of the layer before it, the first one tensor 0, or the tensor `from`. Layer i writes tensor
 *   1 + i, behind the inputs and states. What no layer reads and no state takes over is an output of the model
 */
export function buildModel(seed: number, inputShape: Shape, specs: readonly LayerSpec[], extras: Extras = {}): QModel {
  const random = new Random(seed);
  const { states = [] } = extras;
  const inputs = [inputShape, ...(extras.inputs ?? [])];
  const given = inputs.length + states.length;
  const inputsOf = ({ from = [] }: LayerSpec, index: number): readonly number[] => {
    const tensors = typeof from === "number" ? [from] : from;
    return tensors.length > 0 ? tensors : [index === 0 ? 0 : given + index - 1];
  };
  const shapes: Shape[] = [...inputs, ...states.map(({ shape }) => shape)];
  const borders = shapes.map(() => 0);
  const read = new Set(states.map(({ source }) => given + source));
  specs.forEach((spec, index) => {
    const from = inputsOf(spec, index);
    for (const input of from) read.add(input);
    shapes.push(
      outputShape(
        from.map((input) => shapes[input]),
        spec,
      ),
    );
    borders.push(0);
    if ("pad" in spec) {
      const { pad = 0, padEnd = pad } = spec;
      borders[from[0]] = Math.max(borders[from[0]], ...axes(pad), ...axes(padEnd));
    }
  });
  // Parts of a concatenation have its border and zero point; outer ones come last.
  const joined = specs.flatMap((spec, index) =>
    spec.op === "concat" ? [[given + index, inputsOf(spec, index)] as const] : [],
  );
  for (const [whole, parts] of joined) borders[whole] = Math.max(borders[whole], ...parts.map((part) => borders[part]));
  for (const [whole, parts] of joined.toReversed()) for (const part of parts) borders[part] = borders[whole];
  const outputs = specs.flatMap((_, index) =>
    !read.has(given + index) || extras.outputs?.includes(index) ? [given + index] : [],
  );
  const tensors: (QTensor & { readonly scale: number })[] = shapes.map((shape, index) => ({
    shape,
    nominalChannels: shape[0] + (index > 0 && random.integer(2) === 0 ? random.integer(40) : 0),
    border: borders[index],
    scale: index === 0 ? Math.fround(1 / 255) : Math.fround(0.01 + random.uniform()),
    zeroPoint: index === 0 ? -128 : random.integer(64) - 32,
  }));
  // So that 0 and 1 are what they stand for.
  const steps = new Set(specs.flatMap((spec, index) => ("step" in spec && spec.step ? [given + index] : [])));
  for (const [whole, parts] of joined) if (parts.some((part) => steps.has(part))) steps.add(whole);
  for (const step of steps) tensors[step] = { ...tensors[step], zeroPoint: 0 };
  const keepScale = (tensor: number, like: number): void => {
    const { scale, zeroPoint } = tensors[like];
    tensors[tensor] = { ...tensors[tensor], scale, zeroPoint };
  };
  for (const [whole, parts] of joined.toReversed()) for (const part of parts) keepScale(part, whole);
  const layers = specs.map((spec, index) => {
    const from = inputsOf(spec, index);
    const output = given + index;
    // These do not requantize, so the output has its input's scale.
    if (["maxpool", "resize", "crop", "append"].includes(spec.op)) keepScale(output, from[0]);
    return buildLayer(random, tensors, from, output, spec);
  });
  return {
    tensors: tensors.map(({ scale, ...tensor }, index) => ({
      ...tensor,
      ...(index < inputs.length || outputs.includes(index) ? { scale } : {}),
      ...(index >= inputs.length && index < given ? { source: given + states[index - inputs.length].source } : {}),
    })),
    layers,
    outputs,
  };
}

/** Of a layer's output, by the shapes of its inputs. */
export function outputShape(inputs: readonly Shape[], spec: LayerSpec): Shape {
  const [[channels, height, width]] = inputs;
  if (spec.op === "dense") return [spec.out, 1, 1];
  if (spec.op === "concat") return [inputs.reduce((sum, [part]) => sum + part, 0), height, width];
  if (spec.op === "resize") return [channels, height * axes(spec.factor)[0], width * axes(spec.factor)[1]];
  if (spec.op === "crop") return spec.size;
  if (spec.op === "append") {
    return spec.width === undefined ? [channels, spec.height ?? height, width] : [channels, height, spec.width];
  }
  if (spec.op === "add" || spec.op === "mul" || spec.op === "lut") return inputs[0];
  const steps = (size: number, kernel: number, stride: number): number => Math.floor((size - kernel) / stride) + 1;
  const { pad = 0, padEnd = pad } = spec;
  const [padY, padX] = axes(pad).map((zeros, axis) => zeros + axes(padEnd)[axis]);
  const [kernelY, kernelX] = axes(spec.kernel);
  const [strideY, strideX] = axes(spec.stride ?? 1);
  const convHeight = steps(height + padY, kernelY, strideY);
  const convWidth = steps(width + padX, kernelX, strideX);
  if (spec.op !== "conv2d") return [channels, convHeight, convWidth];
  const { size, stride } = window(spec.pool);
  return [spec.out, steps(convHeight, size[0], stride[0]), steps(convWidth, size[1], stride[1])];
}

const window = (pool: { readonly size: Size; readonly stride: Size } = { size: 1, stride: 1 }): Window => ({
  size: axes(pool.size),
  stride: axes(pool.stride),
});

function buildLayer(
  random: Random,
  tensors: readonly QTensor[],
  inputs: readonly number[],
  output: number,
  spec: LayerSpec,
): QLayer {
  const [channels, height, width] = tensors[inputs[0]].shape;
  if (spec.op === "concat") return { op: "concat", inputs, output };
  if (spec.op === "resize") return { op: "resize", inputs, output, factor: axes(spec.factor) };
  if (spec.op === "append") return { op: "append", inputs, output };
  if (spec.op === "crop") {
    const [channel, y, x] = spec.first;
    return { op: "crop", inputs, output, channel, first: [y, x] };
  }
  if (spec.op === "lut") {
    return { op: "lut", inputs, output, table: Int8Array.from({ length: 256 }, () => random.integer(256) - 128) };
  }
  const isStep = "step" in spec && spec.step === true;
  const clamp = isStep ? ([0, 1] as const) : ([spec.relu ? tensors[output].zeroPoint : -128, 127] as const);
  if (spec.op === "add") {
    const multipliers = [random.integer(2 ** 20) + 2 ** 20, random.integer(2 ** 21) - 2 ** 20] as const;
    return { op: "add", inputs, output, multipliers, shift: 20, clamp };
  }
  if (spec.op === "mul") return { op: "mul", inputs, output, ...requantizeFactor(1 / 90), clamp };
  if (spec.op === "maxpool" || spec.op === "avgpool") {
    const kernel = axes(spec.kernel);
    const pool = { inputs, output, kernel, stride: axes(spec.stride), pad: axes(spec.pad ?? 0), clamp };
    if (spec.op === "maxpool") return { op: "maxpool", ...pool };
    return { op: "avgpool", ...pool, ...requantizeFactor(1 / (kernel[0] * kernel[1])) };
  }
  const groups = spec.op === "conv2d" ? (spec.groups ?? 1) : 1;
  const columns =
    spec.op === "conv2d" ? (channels / groups) * spec.kernel[0] * spec.kernel[1] : channels * height * width;
  const weights = randomWeights(random, spec.out, columns, spec);
  const squares = weights.reduce((sum, w) => sum + w * w, 0) / spec.out;
  const spread = Math.max(1, Math.sqrt(squares) * 74);
  const bias = Int32Array.from({ length: spec.out }, () => Math.round(random.normal() * spread * 0.3));
  const one = spec.step ? requantizeFactor(1) : undefined;
  const scales = Array.from(
    { length: spec.perChannel ? spec.out : 1 },
    () => one ?? requantizeFactor(((0.7 + random.uniform()) * 45) / spread),
  );
  const quantized = {
    inputs,
    output,
    weights,
    bias,
    multiplier: Int32Array.from(scales, ({ multiplier }) => multiplier),
    shift: Uint8Array.from(scales, ({ shift }) => shift),
    clamp,
  };
  if (spec.op === "dense") return { op: "dense", ...quantized };
  const { kernel, stride = 1, pad = 0, pool } = spec;
  return {
    op: "conv2d",
    ...quantized,
    kernel,
    stride: axes(stride),
    pad: axes(pad),
    groups,
    pool: window(pool),
  };
}

/** @returns row-major [rows, columns] */
export function randomWeights(random: Random, rows: number, columns: number, spec: WeightSpec): Int8Array {
  const values: Record<WeightKind, () => number> = {
    grid: () => (random.integer(2) * 2 - 1) * Math.min(8, 1 + Math.floor(Math.abs(random.normal()) * 2)),
    codebook: () => codebook[Math.min(codebook.length - 1, Math.floor(Math.abs(random.normal()) * 10))],
    any: () => random.integer(127) * (random.integer(2) * 2 - 1) || 127,
    single: () => -3,
    signs: () => random.integer(2) * 2 - 1,
  };
  const codebook = Int8Array.from({ length: 30 }, () => (1 + random.integer(127)) * (random.integer(2) * 2 - 1));
  const live = Uint8Array.from({ length: columns }, () => (random.uniform() < (spec.deadColumns ?? 0) ? 0 : 1));
  const weights = new Int8Array(rows * columns);
  for (let at = 0; at < weights.length; at++) {
    if (random.uniform() < spec.density && live[at % columns] === 1) weights[at] = values[spec.weights]();
  }
  return weights;
}

/** Elements of an input tensor of the model. About half are the least value, as a digit's background is. */
export function randomInput(model: QModel, seed: number, tensor = 0): Int8Array {
  const random = new Random(seed, 7 + tensor);
  const [channels, height, width] = model.tensors[tensor].shape;
  return Int8Array.from({ length: channels * height * width }, () =>
    random.integer(2) === 0 ? -128 : random.integer(256) - 128,
  );
}

/** Of all inputs of the model, in order. */
export const randomInputs = (model: QModel, seed: number): Int8Array[] =>
  modelInputs(model).map((tensor) => randomInput(model, seed, tensor));

export interface NamedModel {
  readonly name: string;
  readonly model: QModel;
}

const conv = { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.4 } as const;
const full = { op: "dense", weights: "grid", density: 0.3, out: 2 } as const;
const signs = { op: "conv2d", kernel: [3, 3], weights: "signs", density: 1 } as const;
const half = { size: 2, stride: 2 } as const;

/** Small models, each named for the corner it stands in. All together run in well under a second on the reference. */
export function syntheticModels(): NamedModel[] {
  const named = (name: string, shape: Shape, ...specs: LayerSpec[]): NamedModel => ({
    name,
    model: buildModel(
      [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 0),
      shape,
      specs,
    ),
  });
  return [
    named("one dense output", [3, 1, 1], { ...full, out: 1, density: 1 }),
    named("tiny", [1, 6, 6], { ...conv, out: 3, pool: half, relu: true }, { ...full, out: 4 }),
    named(
      "padded",
      [2, 7, 5],
      { ...conv, out: 4, pad: 1, relu: true },
      { ...conv, out: 3, pad: 2 },
      { ...full, out: 5 },
    ),
    named(
      "strided",
      [1, 17, 13],
      { ...conv, out: 4, stride: 2, pad: 1 },
      { ...conv, out: 5, stride: 3, kernel: [2, 3] },
    ),
    named(
      "rectangular kernel",
      [2, 9, 11],
      { ...conv, out: 3, kernel: [1, 5], pad: 2 },
      { ...conv, out: 2, kernel: [4, 1] },
    ),
    named(
      "kernel 1 × 1",
      [5, 4, 4],
      { ...conv, out: 7, kernel: [1, 1] },
      { ...conv, out: 3, kernel: [1, 1], relu: true },
    ),
    named(
      "groups",
      [6, 8, 8],
      { ...conv, out: 9, groups: 3, pad: 1 },
      { ...conv, out: 9, groups: 9, density: 0.8, relu: true },
    ),
    named("overlapping pool", [1, 12, 12], { ...conv, out: 3, pool: { size: 3, stride: 2 } }, { ...full, out: 3 }),
    named("pool with gaps", [1, 14, 14], { ...conv, out: 2, pool: { size: 2, stride: 3 } }, { ...full, out: 3 }),
    named("odd pool", [1, 13, 13], { ...conv, out: 3, pool: half, pad: 1 }, { ...full, out: 3 }),
    named("max-pool alone", [3, 7, 9], { op: "maxpool", kernel: 3, stride: 2, relu: true }, { ...full, out: 4 }),
    named(
      "average pool",
      [2, 8, 8],
      { ...conv, out: 4 },
      { op: "avgpool", kernel: 2, stride: 2, relu: true },
      { ...full, out: 4 },
    ),
    named(
      "global average pool",
      [2, 8, 8],
      { ...conv, out: 6, pad: 1 },
      { op: "avgpool", kernel: 8, stride: 8 },
      { ...full, out: 3 },
    ),
    named(
      "per channel",
      [1, 9, 9],
      { ...conv, out: 6, perChannel: true, pool: half },
      { ...full, out: 5, perChannel: true },
    ),
    named(
      "dense codec",
      [2, 6, 6],
      { ...conv, out: 5, weights: "any", density: 1 },
      { ...full, out: 9, weights: "any", density: 1 },
    ),
    named(
      "dense codec, zeros",
      [1, 5, 5],
      { ...full, out: 3, weights: "any", density: 0.9 },
      { ...full, out: 2, weights: "any", density: 0.9 },
    ),
    named(
      "codebook",
      [2, 10, 10],
      { ...conv, out: 20, weights: "codebook" },
      { ...full, out: 20, weights: "codebook" },
    ),
    named(
      "one weight value",
      [1, 8, 8],
      { ...conv, out: 4, weights: "single" },
      { ...full, out: 10, weights: "single", density: 0.05 },
    ),
    named("no zeros", [1, 6, 6], { ...conv, out: 12, density: 1 }, { ...full, out: 30, density: 1 }),
    named(
      "no weights",
      [1, 6, 6],
      { ...conv, out: 3, density: 0 },
      { ...full, out: 4 },
      { ...full, out: 3, density: 0 },
    ),
    named(
      "dead columns",
      [8, 5, 5],
      { ...conv, out: 30, density: 0.1, deadColumns: 0.7 },
      { ...full, out: 40, density: 0.1, deadColumns: 0.7 },
    ),
    named("long gaps", [1, 28, 28], { ...full, out: 60, density: 0.001 }, { ...full, out: 10, density: 0.1 }),
    named(
      "branches",
      [2, 8, 8],
      { ...conv, out: 3, pad: 1 },
      { ...full, out: 4 },
      { ...conv, out: 5, from: 1, pool: half, pad: 1 },
      { ...full, out: 6 },
    ),
    named(
      "wide tensor",
      [1, 300, 300],
      { ...conv, out: 2, stride: 4, density: 0.6 },
      { op: "maxpool", kernel: 9, stride: 8 },
      { ...full, out: 3 },
    ),
    named("wide dense", [3, 160, 160], { ...full, out: 2, density: 0.001 }),
    named(
      "strides and pads of their own",
      [2, 13, 18],
      { ...conv, out: 4, stride: [2, 1], pad: [2, 0], kernel: [3, 4], relu: true },
      { ...conv, out: 3, stride: [1, 2], pad: [0, 1], pool: { size: [2, 1], stride: [1, 2] } },
      { ...full, out: 4 },
    ),
    named(
      "rectangular pools that pad",
      [3, 9, 14],
      { op: "maxpool", kernel: [3, 2], stride: [2, 1], pad: [1, 0] },
      { op: "avgpool", kernel: [1, 4], stride: [1, 3], pad: [0, 2] },
      { ...full, out: 4 },
    ),
    named("global pool of a rectangle", [4, 25, 5], { op: "avgpool", kernel: [25, 5], stride: 1, relu: true }, full),
    streaming(),
    named(
      "residual",
      [3, 7, 9],
      { ...conv, out: 4, pad: 1, relu: true },
      { ...conv, out: 4, pad: 1 },
      { op: "add", from: [1, 2], relu: true },
      { ...conv, out: 4, kernel: [1, 1] },
      { op: "add", from: [3, 4] },
      { ...full, out: 3 },
    ),
    named(
      "gates",
      [2, 6, 5],
      { ...conv, out: 6, pad: 1 },
      { op: "avgpool", kernel: [6, 5], stride: 1 },
      { ...full, out: 6, density: 0.8 },
      { op: "lut" },
      { op: "mul", from: [1, 4] },
      { op: "lut" },
      { op: "mul", from: [5, 6], relu: true },
      { ...full, out: 4 },
    ),
    named(
      "concatenations",
      [2, 5, 7],
      { ...conv, out: 3, pad: 1 },
      { ...conv, out: 5, kernel: [1, 1], from: 1 },
      { op: "avgpool", kernel: 1, stride: 1, from: 0 },
      { op: "concat", from: [2, 3] },
      { op: "concat", from: [4, 1] },
      { ...conv, out: 4, pad: 1 },
      { ...full, out: 3 },
    ),
    named(
      "resized",
      [2, 3, 4],
      { op: "resize", factor: 2 },
      { ...conv, out: 3, pad: 1, stride: 2 },
      { op: "resize", factor: [3, 1] },
      { ...full, out: 3 },
    ),
    named(
      "two values",
      [2, 11, 13],
      { ...signs, out: 5, pad: 1, step: true },
      { ...signs, out: 6, pad: 1, pool: half, step: true },
      { ...signs, out: 9, kernel: [2, 3], step: true },
      { ...signs, op: "dense", out: 70, step: true },
      { ...signs, op: "dense", out: 3, perChannel: true },
    ),
    named(
      "two values, strides and pools of their own",
      [1, 14, 9],
      { ...signs, out: 67, step: true, kernel: [1, 1] },
      { ...signs, out: 20, step: true, kernel: [1, 1] },
      { op: "maxpool", kernel: [2, 3], stride: 1 },
      { ...signs, out: 21, stride: [2, 1], pad: [0, 2], step: true },
      { ...signs, out: 4, pool: { size: 2, stride: 1 }, pad: 1 },
    ),
    named(
      "crops",
      [5, 6, 7],
      { ...conv, out: 4, pad: 1 },
      { op: "crop", first: [1, 2, 3], size: [3, 4, 4] },
      { ...conv, out: 3, pad: 2 },
      { op: "crop", first: [0, 0, 0], size: [5, 6, 1], from: 0 },
      { op: "crop", first: [4, 5, 6], size: [1, 1, 1], from: 0 },
      { op: "crop", first: [3, 0, 0], size: [1, 6, 7], from: 1 },
      { op: "crop", first: [1, 0, 0], size: [2, 6, 7], from: 0 },
      { ...conv, out: 30, pad: 1 },
    ),
    windows(),
    labelled(named("labels", [1, 5, 5], { ...full, out: 3 }), ["one", "zwei ½", "三"]),
    ...leNets(),
  ];
}

/** Two inputs, two states, and outputs that later layers read. */
const streaming = (): NamedModel => ({
  name: "streaming",
  model: buildModel(
    77,
    [2, 6, 6],
    [
      { ...conv, out: 3, pad: 1, relu: true },
      { ...conv, out: 4, from: 1 },
      { ...conv, out: 3, from: 2, pad: 1 },
      { ...full, out: 5, from: 4 },
      { ...full, out: 5, from: 3 },
      { ...full, out: 4, from: 6 },
    ],
    {
      inputs: [[1, 5, 7]],
      states: [
        { shape: [3, 6, 6], source: 0 },
        { shape: [5, 1, 1], source: 4 },
      ],
      outputs: [2],
    },
  ),
});

/** The last steps of a stream, of rows and of columns: all of them, fewer, one, and fewer than are new. */
const windows = (): NamedModel => ({
  name: "windows",
  model: buildModel(
    78,
    [3, 4, 5],
    [
      { op: "append", from: [1, 0], height: 6 },
      { ...conv, out: 3, kernel: [6, 1] },
      { op: "append", from: [2, 4], width: 9 },
      { ...conv, out: 3, kernel: [1, 3], pad: 1 },
      { op: "append", from: [3, 0], height: 7 },
      { op: "append", from: [7, 3], height: 4 },
      { op: "append", from: [4, 4], width: 2 },
      { ...full, out: 30, from: 8 },
    ],
    {
      states: [
        { shape: [3, 6, 5], source: 0 },
        { shape: [3, 1, 9], source: 2 },
      ],
    },
  ),
});

const labelled = ({ name, model }: NamedModel, labels: readonly string[]): NamedModel => ({
  name,
  model: { ...model, labels },
});

/** As imported nets are: depthwise and pointwise convolutions over images of 96 × 96. */
export function importedModel(): QModel {
  const conv = { op: "conv2d", weights: "any", perChannel: true, relu: true } as const;
  const pair = (channels: number, out: number, stride: number): LayerSpec[] => [
    { ...conv, kernel: [3, 3], density: 0.8, pad: 1, stride, groups: channels, out: channels },
    { ...conv, kernel: [1, 1], density: 0.6, out },
  ];
  return buildModel(
    96,
    [3, 96, 96],
    [
      { ...conv, kernel: [3, 3], density: 0.9, pad: 1, stride: 2, out: 8 },
      ...pair(8, 16, 1),
      ...pair(16, 32, 2),
      ...pair(32, 64, 2),
      ...pair(64, 128, 2),
      ...pair(128, 256, 2),
      { op: "avgpool", kernel: 3, stride: 3 },
      { op: "dense", weights: "grid", density: 0.8, out: 20 },
    ],
  );
}

/** The shapes of LeNet-5 and LeNet-300-100 at the paper's densities, and narrow as the shipped ones are. */
export function leNets(): NamedModel[] {
  const conv5 = { op: "conv2d", kernel: [5, 5], pool: half, weights: "codebook" } as const;
  const lenet5 = buildModel(
    5,
    [1, 28, 28],
    [
      { ...conv5, out: 20, density: 0.66 },
      { ...conv5, out: 50, density: 0.12 },
      { op: "dense", out: 500, density: 0.08, weights: "codebook", relu: true },
      { op: "dense", out: 10, density: 0.19, weights: "codebook" },
    ],
  );
  const narrow = buildModel(
    6,
    [1, 28, 28],
    [
      { ...conv5, out: 10, density: 0.5, weights: "grid" },
      { ...conv5, out: 18, density: 0.2, weights: "grid" },
      { op: "dense", out: 44, density: 0.1, weights: "grid", relu: true },
      { op: "dense", out: 10, density: 0.4, weights: "grid" },
    ],
  );
  const lenet300 = buildModel(
    300,
    [1, 28, 28],
    [
      { op: "dense", out: 300, density: 0.08, weights: "codebook", relu: true, deadColumns: 0.2 },
      { op: "dense", out: 100, density: 0.09, weights: "codebook", relu: true },
      { op: "dense", out: 10, density: 0.26, weights: "codebook" },
    ],
  );
  return [
    { name: "lenet5-like", model: lenet5 },
    { name: "narrow lenet5-like", model: narrow },
    { name: "lenet300-like", model: lenet300 },
  ];
}
