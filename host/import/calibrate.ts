/**
 * A net of real numbers becomes a quantized one: int8 tensors by what samples reach, int8 weights with a scale for each row (Jacob et al. 2018;
 * Krishnamoorthi 2018, section 3), and biases that make up for what rounding the weights shifts on the average (Nagel et al. 2019, section 4.2).
 */
import { MoteError } from "../errors.js";
import type { ElementBits } from "../model/elements.js";
import { symmetricScale } from "../quantize/calibrate.js";
import { arrange } from "./arrange.js";
import { columnMeans } from "./column-means.js";
import type { Convolve } from "./float-run.js";
import type { ImportedNet, NetLayer, NetTensor, NetWeights, TensorScale } from "./net.js";
import { observe } from "./observation.js";
import { eachBlock, hasCodebook } from "./rows.js";
import { shareWeights } from "./share.js";

export interface CalibrateOptions {
  /**
   * How a tensor's range follows from what its elements were: all of it, all but the rarest, or with the least squared error of int8. All of it is the
   * best to begin with: with 300 training digits for samples it kept 99.64, 97.82 and 94.32 % of 5,000 validation digits right by wonnx's opt-mnist and
   * TinyMaix's mnist_valid and mnist_dw (real numbers: 99.68, 97.82, 94.32), percentiles of 99.99 kept 99.66, 97.78 and 94.08, least errors 99.68, 97.68
   * and 93.86. Of these, ResNet-8, TinyMaix's cifar10 and ad01 the outputs' signal-to-noise ratio was 35.1 dB on the average, against 34.1 and 34.0: the
   * last three gained 1 to 2 dB by least errors, TinyMaix's small nets lost 4 to 5 (measured outside this repository).
   */
  readonly range: "all" | "percentile" | "least error";
  /** Of the elements, in per cent, that "percentile" keeps. */
  readonly percentile?: number;
  /** By default. Without it the outputs of these six nets had 1.1 dB less on the average. */
  readonly correctBias?: boolean;
  /** Each layer's weights have at most 2^bits values, 1 … 7; default: those of int8. */
  readonly bits?: number;
  /** Of an element of a tensor; default 8. Of 16 bits zero points are 0, and weights are such that no sum leaves int32. */
  readonly activationBits?: ElementBits;
  /** Of a net with states: so many samples in a row are a stream, from a reset on; Infinity where all are of one. Default: each is one. */
  readonly perStream?: number;
  /** How convolutions are worked out; default: in plain loops. */
  readonly convolve?: Convolve;
}

const DEFAULT_PERCENTILE = 99.99;

/**
 * @param samples of the inputs, planar: an array of one or more elements for each sample, each [C, H, W] as real numbers
 * @param report called after each sample, with how many there were
 * @throws MoteError MISMATCH for no sample, one of another size, or a tensor that is not finite
 */
export function calibrate(
  imported: ImportedNet,
  samples: readonly (readonly Float32Array[])[],
  {
    range,
    percentile = DEFAULT_PERCENTILE,
    correctBias = true,
    bits,
    activationBits = 8,
    perStream = 1,
    convolve,
  }: CalibrateOptions,
  report: (done: number) => void = () => {},
): ImportedNet {
  if (samples.length === 0) throw new MoteError("MISMATCH", "no samples to calibrate by, expected one at least");
  const net = arrange(imported);
  const seen = observe(net, samples, { perStream }, convolve, report);
  const ranges = seen.map((observed): readonly [number, number] => {
    const { low, high } = observed;
    if (low > high) return [0, 0]; // of no layer left
    if (range === "percentile") return observed.percentile(percentile);
    return range === "least error" ? observed.leastError() : [low, high];
  });
  const scales = tensorScales(net, ranges, activationBits);
  const tensors = net.tensors.map((tensor, index): NetTensor => ({ ...tensor, quantization: scales[index] }));
  const layers = net.layers.map((layer): NetLayer => {
    if (!("weights" in layer)) return layer;
    const means = correctBias ? seen[layer.inputs[0]].means() : undefined;
    const byColumn = means && columnMeans(layer, net.tensors[layer.inputs[0]].shape, means);
    return {
      ...layer,
      weights: quantizeWeights(layer.weights, scales[layer.inputs[0]].scale, byColumn, activationBits),
    };
  });
  const isWide = activationBits === 16;
  const quantized = { ...net, tensors, layers, isQuantized: true, ...(isWide && { activationBits: 16 as const }) };
  if (bits === undefined) return quantized;
  return shareWeights(quantized, bits, (tensor) => (correctBias ? seen[tensor].means() : undefined));
}

/** Ops between whose tensors elements are only moved or picked. */
const MOVES: ReadonlySet<NetLayer["op"]> = new Set<NetLayer["op"]>(["maxpool", "concat", "resize", "crop", "append"]);

/** Zero is within each range. Tensors between which elements are only moved or picked have one scale. */
function tensorScales(
  net: ImportedNet,
  ranges: readonly (readonly [number, number])[],
  bits: ElementBits,
): TensorScale[] {
  const group = net.tensors.map((_, index) => index);
  const find = (index: number): number => (group[index] === index ? index : find(group[index]));
  for (const layer of net.layers) {
    if (!MOVES.has(layer.op)) continue;
    for (const input of layer.inputs) group[find(input)] = find(layer.output);
  }
  for (const { tensor, source } of net.states) group[find(tensor)] = find(source);
  const wide = ranges.map(([low, high]) => [Math.min(0, low), Math.max(0, high)]);
  ranges.forEach((_, index) => {
    const root = wide[find(index)];
    root[0] = Math.min(root[0], wide[index][0]);
    root[1] = Math.max(root[1], wide[index][1]);
  });
  return ranges.map((_, index) => {
    const [low, high] = wide[find(index)];
    if (bits === 16) return symmetricScale(low, high);
    const scale = Math.fround(high > low ? (high - low) / 255 : 1 / 255);
    return { scale, zeroPoint: Math.min(127, Math.max(-128, Math.round(-128 - low / scale))) };
  });
}

/** Values of a codebook of 8 bits. */
const CODEBOOK_VALUES = 256;

/**
 * Symmetric, −127 … 127, a scale for each row; one for all where they share a codebook, which would be another one for each row, and many values in
 * place of few.
 * @param columnMeans of the input elements that weights multiply, by group of rows
 */
export function quantizeWeights(
  weights: NetWeights,
  inputScale: number,
  columnMeans: readonly Float64Array[] | undefined,
  bits: ElementBits = 8,
): NetWeights {
  const { rows, columns } = weights;
  const values = new Int8Array(rows * columns);
  const bias = new Int32Array(rows);
  const scales = new Float32Array(rows);
  const rowsOfGroup = rows / (columnMeans?.length ?? 1);
  const shared = hasCodebook(weights, CODEBOOK_VALUES) ? largestScale(weights, inputScale, bits) : undefined;
  eachBlock(weights, (real, first, count) => {
    for (let row = first, at = 0; row < first + count; row++, at += columns) {
      const scale = shared ?? scaleOfRow(real, at, columns, weights.bias[row] / inputScale, bits);
      const to = values.subarray(row * columns, (row + 1) * columns);
      for (let column = 0; column < columns; column++) {
        // As Math.round of a quotient of float32, and several times as fast.
        const q = Math.floor(real[at + column] / scale + 0.5) | 0;
        to[column] = q > 127 ? 127 : q < -127 ? -127 : q;
      }
      let shift = 0;
      if (columnMeans !== undefined) {
        const means = columnMeans[Math.floor(row / rowsOfGroup)];
        for (let column = 0; column < columns; column++)
          shift += (real[at + column] - to[column] * scale) * means[column];
      }
      scales[row] = scale;
      bias[row] = Math.min(
        2 ** 31 - 1,
        Math.max(-(2 ** 31), Math.round((weights.bias[row] + shift) / (inputScale * scale))),
      );
    }
  });
  return { rows, columns, values, scales, bias };
}

/** Of all rows. */
function largestScale(weights: NetWeights, inputScale: number, bits: ElementBits): number {
  let most = 0;
  eachBlock(weights, (real, first, count) => {
    for (let row = 0; row < count; row++) {
      const bias = weights.bias[first + row] / inputScale;
      most = Math.max(most, scaleOfRow(real, row * weights.columns, weights.columns, bias, bits));
    }
  });
  return most;
}

/**
 * Of the weights from an index on. A bias fits int32 in units of input scale × weight scale, with a bit to spare for the sum; with inputs of 16 bits the
 * sum itself fits whatever they are.
 */
function scaleOfRow(real: Float32Array, at: number, columns: number, biasInSteps: number, bits: ElementBits): number {
  let most = (127 * Math.abs(biasInSteps)) / 2 ** 30;
  let sum = 0;
  for (let end = at + columns; at < end; at++) {
    const magnitude = Math.abs(real[at]);
    most = Math.max(most, magnitude);
    sum += magnitude;
  }
  // Rounding makes each weight larger by a half at most, and what it shifts, which the bias makes up for, is no more.
  const room = 2 ** 16 - columns - 1;
  if (bits === 16 && room > 0) most = Math.max(most, (127 * (sum + Math.abs(biasInSteps) / 2 ** 15)) / room);
  return Math.fround(most > 0 ? most / 127 : 1 / 127);
}
