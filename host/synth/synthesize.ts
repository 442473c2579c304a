/**
 * Nets of the shapes, densities and bits that papers have, with weights drawn from a seed: what a net of that kind takes in bytes, memory and time,
 * without the data it would be trained on. What comes out of it means nothing.
 */
import { neighbours } from "../import/element-layers.js";
import { importedModel } from "../import/import.js";
import {
  mapOf,
  NO_CLAMP,
  type ImportedNet,
  type NetLayer,
  type NetTensor,
  type NetWeights,
  type Pads,
} from "../import/net.js";
import type { QModel, Shape } from "../model/model.js";
import { mixWords, Random } from "../rng.js";
import { drawWeights, levelsOf, type Distribution } from "./draw.js";
import { mixed, momentsOf, type Moments } from "./moments.js";
import { IMAGE, placeLayers, type PlacedLayer, type SynthConv, type SynthDense, type SynthNet } from "./net.js";
import { synthNet } from "./nets.js";

export interface SynthOptions {
  /** 32 bits of it count; default: 1. */
  readonly seed?: number;
  /** Default: Laplace. */
  readonly weights?: Distribution;
}

/** An element is cut off where it is so many standard deviations from the mean. */
const REACH = 4;
const STEPS = 255;
const RELU = { low: 0, high: Infinity };
/** Neighbours are alike: so many independent elements stand for a window's. */
const independent = (elements: number): number => Math.max(1, elements / 3);

/** What is known of a tensor while the net is made. */
interface Made {
  readonly tensor: number;
  readonly shape: Shape;
  readonly moments: Moments;
}

/**
 * @param named one of `SYNTH_NETS` by its name, or a table
 * @returns the same model for the same net and options
 * @throws MoteError ARGUMENT for a name that none has
 */
export function synthesize(
  named: string | SynthNet,
  { seed = 1, weights: distribution = "laplace" }: SynthOptions = {},
): QModel {
  const net = typeof named === "string" ? synthNet(named) : named;
  const tensors: NetTensor[] = [];
  const made = new Map<string, Made>();
  const add = (name: string, shape: Shape, moments: Moments, quantization: NetTensor["quantization"]): number => {
    const tensor = tensors.push({ name, shape, quantization }) - 1;
    made.set(name, { tensor, shape, moments });
    return tensor;
  };
  const isPhoto = net.pixels === "photo";
  const ends = isPhoto ? PHOTO : DIGIT;
  add(IMAGE, net.input, ends.moments, ends.quantization);
  const layers = placeLayers(net).flatMap((placed, index): NetLayer | NetLayer[] => {
    const inputs = placed.from.map((name) => made.get(name)!);
    const { layer, output: shape } = placed;
    const edges = { name: layer.name, inputs: inputs.map(({ tensor }) => tensor) };
    const [from] = inputs;
    switch (layer.op) {
      case "conv2d":
      case "dense": {
        const { relu = true } = layer;
        const scale = relu ? upTo(REACH) : around(REACH);
        const output = add(layer.name, shape, momentsOf(UNIT, relu, 1), scale);
        const random = new Random(mixWords(seed, index));
        const weights = weightsOf(
          placed as PlacedLayer<SynthConv | SynthDense>,
          from.moments,
          tensors[from.tensor],
          distribution,
          random,
        );
        const common = { ...edges, output, weights, clamp: relu ? RELU : NO_CLAMP };
        if (layer.op === "dense") return { op: "dense", ...common };
        const { kernel, stride = 1, pad = 0, groups = 1 } = layer;
        return {
          op: "conv2d",
          ...common,
          kernel: [kernel, kernel],
          stride: [stride, stride],
          pads: padsOf(pad),
          groups,
        };
      }
      case "maxpool":
      case "avgpool": {
        const { op, kernel, stride, pad = 0 } = layer;
        const moments = op === "maxpool" ? largestOf(from.moments, kernel) : averageOf(from.moments);
        const output = add(layer.name, shape, moments, tensors[from.tensor].quantization);
        return {
          op,
          ...edges,
          output,
          kernel: [kernel, kernel],
          stride: [stride, stride],
          pads: padsOf(pad),
          clamp: NO_CLAMP,
        };
      }
      case "lrn": {
        const { size } = layer;
        const [squares, sums, factors] = [
          ["squares", upTo(REACH ** 2)],
          ["sums", upTo(REACH ** 2)],
          ["factors", upTo(1)],
        ].map(([what, quantization]) =>
          add(`${layer.name} (${what as string})`, shape, from.moments, quantization as NetTensor["quantization"]),
        );
        const { mean, variance } = from.moments;
        const usual = FACTORS.apply(size * (variance + mean ** 2));
        // The largest is not that of the largest input, whose square is in the sum.
        const most = Math.max(
          ...Array.from({ length: 8 * REACH }, (_, i) => ((i + 1) / 8) * FACTORS.apply(((i + 1) / 8) ** 2)),
        );
        const moments = { mean: mean * usual, variance: variance * usual ** 2 };
        const output = add(layer.name, shape, moments, upTo(most));
        return normalization(edges.name, from.tensor, [squares, sums, factors, output], shape[0], size);
      }
      case "add": {
        const sum = {
          mean: inputs.reduce((total, { moments }) => total + moments.mean, 0),
          variance: inputs.reduce((total, { moments }) => total + moments.variance, 0),
        };
        const output = add(
          layer.name,
          shape,
          momentsOf(sum, true, 1),
          upTo(sum.mean + REACH * Math.sqrt(sum.variance)),
        );
        return { op: "add", ...edges, output, sign: 1, clamp: RELU };
      }
      case "concat": {
        const moments = mixed(
          inputs.map((input) => input.moments),
          inputs.map((input) => input.shape[0] / shape[0]),
        );
        return { op: "concat", ...edges, output: add(layer.name, shape, moments, tensors[from.tensor].quantization) };
      }
    }
  });
  const last = made.get(net.layers[net.layers.length - 1].name)!;
  const imported: ImportedNet = {
    tensors,
    layers,
    inputs: [{ tensor: 0, name: IMAGE, dims: [1, ...net.input], order: "chw", bias: 0 }],
    outputs: [{ tensor: last.tensor, name: "logits", dims: [1, ...last.shape], order: "chw", bias: 0 }],
    isQuantized: true,
    notes: [],
    states: [],
  };
  return importedModel(imported, ends.given);
}

/** What the weights of each layer are scaled to give. */
const UNIT: Moments = { mean: 0, variance: 1 };

/** A photo's pixels are spread over half of what a byte holds; a digit's are paper for the most part. */
const PHOTO = {
  moments: UNIT,
  quantization: { scale: 1 / 64, zeroPoint: 0 },
  given: { reading: { layout: "nhwc", scale: 1, mean: [128], std: [64] }, colours: "rgb" },
} as const;
const DIGIT = {
  moments: { mean: 0.13, variance: 0.095 },
  quantization: { scale: Math.fround(1 / 255), zeroPoint: -128 },
  given: {},
} as const;

const upTo = (high: number) => ({ scale: Math.fround(high / STEPS), zeroPoint: -128 });
const around = (reach: number) => ({ scale: Math.fround((2 * reach) / STEPS), zeroPoint: 0 });
/** Of a relu's outputs, which are normal above 0: the largest is that of the normal ones, cut off. */
function largestOf({ mean, variance }: Moments, kernel: number): Moments {
  const [one, largest] = [1, independent(kernel * kernel)].map((count) => momentsOf(UNIT, mean > 0, count));
  const ratio = variance / one.variance;
  return { mean: largest.mean * Math.sqrt(ratio), variance: largest.variance * ratio };
}

/** Channels differ by more than chance, so that averages reach nearly as far as what they are of. */
const averageOf = ({ mean, variance }: Moments): Moments => ({ mean, variance: variance / 4 });

const padsOf = (pad: number): Pads => [pad, pad, pad, pad];

/** Of a sum of squares: its parameters are such that it makes a difference to what is spread by 1. */
const FACTORS = mapOf("normalization", [0.2, 0.75, 1]);

/** As `LRN` of an imported net. @param to tensors that it writes: squares, their sums, factors, products */
function normalization(
  name: string,
  input: number,
  [squares, sums, factors, output]: readonly number[],
  channels: number,
  size: number,
): NetLayer[] {
  const { values, ...rest } = neighbours(channels, size);
  const weights: NetWeights = {
    ...rest,
    values: Int8Array.from(values, (value) => 127 * value),
    scales: Float32Array.of(1 / 127),
    bias: new Int32Array(channels),
  };
  const one = [1, 1] as const;
  const conv = { kernel: one, stride: one, pads: padsOf(0), groups: 1, clamp: NO_CLAMP } as const;
  return [
    { ...mapOf("square"), name, inputs: [input], output: squares },
    { op: "conv2d", name, ...conv, weights, inputs: [squares], output: sums },
    { ...FACTORS, name, inputs: [sums], output: factors },
    { op: "mul", name, inputs: [input, factors], output, clamp: NO_CLAMP },
  ];
}

/** Biases take the inputs' mean off, and a scale for all rows makes the variance 1. */
function weightsOf(
  { layer: { density, bits }, rows, columns }: PlacedLayer<SynthConv | SynthDense>,
  { mean, variance }: Moments,
  { quantization }: NetTensor,
  distribution: Distribution,
  random: Random,
): NetWeights {
  const levels = levelsOf(distribution, rows * columns, density, bits);
  const { weights, sums, squares } = drawWeights(rows, columns, density, levels, random);
  const scale = 1 / Math.sqrt(Math.max(squares, 1) * variance);
  return {
    rows,
    columns,
    values: weights,
    scales: Float32Array.of(scale),
    bias: Int32Array.from(sums, (sum) => Math.round((-mean * sum) / quantization!.scale)),
  };
}
