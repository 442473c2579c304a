/**
 * Scales and zero points of the activations, from what a float net does on training digits.
 * @see Jacob et al. 2018, "Quantization and training of neural networks for integer-arithmetic-only inference", section 3
 */
import { MoteError } from "../errors.js";
import { firstNotFinite } from "../finite.js";
import type { ElementBits } from "../model/elements.js";
import { inputsOf, readOutside, resultsOf } from "../model/edges.js";
import type { Graph } from "../model/model.js";
import { isStep } from "../ops/functions.js";
import { floatOp } from "../ops/index.js";

export interface ActivationScale {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** How the range of a hidden tensor is chosen: the least squared error on the calibration digits, or all that was seen. */
export type RangeChoice = "error" | "full";

/** Pixels are u8 0 .. 255 and the net's input is pixel / 255, so q = pixel - 128 exactly. */
export const INPUT_SCALE: ActivationScale = { scale: Math.fround(1 / 255), zeroPoint: -128 };

/** Outputs of a step are 0 and 1, in real numbers and as integers. */
const BINARY_SCALE: ActivationScale = { scale: 1, zeroPoint: 0 };

/** What a net was trained on: see Samples. */
interface Reading {
  readonly images: Uint8Array | Int8Array | Float32Array;
  readonly reading?: { readonly scale: readonly number[]; readonly offset: readonly number[] };
}

/**
 * The input's scale with which the int8 element is the sample's byte, or the byte less 128, exactly; undefined where there is none, as for real
 * numbers, or a mean for each channel.
 */
export function inputScale({ images, reading }: Reading): ActivationScale | undefined {
  if (images instanceof Float32Array) return undefined;
  if (reading === undefined) return images instanceof Uint8Array ? INPUT_SCALE : undefined;
  const [scale, offset] = [reading.scale[0], reading.offset[0]];
  const isOne = reading.scale.every((one) => one === scale) && reading.offset.every((one) => one === offset);
  const zeroPoint = (images instanceof Uint8Array ? -128 : 0) - offset / scale;
  const isWhole = Math.abs(zeroPoint - Math.round(zeroPoint)) < 1e-4;
  if (!isOne || !isWhole || Math.abs(zeroPoint + 0.5) > 128) return undefined;
  return { scale: Math.fround(scale), zeroPoint: Math.round(zeroPoint) + 0 };
}

/** Bins of a histogram over the full range: 16 a step of the widest int8 scale, far below its rounding error. */
const BINS = 4096;

/** A histogram of one tensor's values between the least and greatest seen. Feed it twice: bounds first, then counts. */
export class Histogram {
  low = Infinity;
  high = -Infinity;
  readonly counts = new Float64Array(BINS);

  bound(values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) {
      if (values[i] < this.low) this.low = values[i];
      if (values[i] > this.high) this.high = values[i];
    }
  }

  count(values: ArrayLike<number>): void {
    const perUnit = this.high > this.low ? (BINS - 1) / (this.high - this.low) : 0;
    for (let i = 0; i < values.length; i++) this.counts[Math.round((values[i] - this.low) * perUnit)]++;
  }

  valueOf(bin: number): number {
    return this.low + ((this.high - this.low) * bin) / (BINS - 1);
  }
}

/** The least range that is told from one of nothing but 0. */
const LEAST_RANGE = 1e-6;

/**
 * The scale whose int8 range -128 .. 127 covers low .. high, 0 among them; a zero point that is an integer. Where there is nothing
 * but 0, it covers 0 .. 1: a scale near 0 would leave the next layer no accumulator that holds its biases.
 */
export function scaleForRange(low: number, high: number): ActivationScale {
  const bottom = Math.min(0, low);
  const top = high > 0 || bottom < 0 ? Math.max(0, high, bottom + LEAST_RANGE) : 1;
  const scale = Math.fround((top - bottom) / 255);
  // + 0: no -0 in files.
  return { scale, zeroPoint: Math.max(-128, Math.min(127, Math.round(-128 - bottom / scale))) + 0 };
}

/** The scale of int16 elements, whose zero point is 0: it covers all from -high to high, or from low to -low. */
export function symmetricScale(low: number, high: number): ActivationScale {
  const most = Math.max(-low, high);
  return { scale: Math.fround((most > 0 ? Math.max(most, LEAST_RANGE) : 1) / 32767), zeroPoint: 0 };
}

/** Sum of squared rounding and clipping errors of a histogram under a scale. */
export function squaredError(histogram: Histogram, { scale, zeroPoint }: ActivationScale): number {
  let error = 0;
  for (let bin = 0; bin < BINS; bin++) {
    const count = histogram.counts[bin];
    if (count === 0) continue;
    const value = histogram.valueOf(bin);
    const q = Math.max(-128, Math.min(127, Math.round(value / scale) + zeroPoint));
    error += count * (value - scale * (q - zeroPoint)) ** 2;
  }
  return error;
}

/** Shrinks the range that was seen on either side, in 2 % steps down to half, to the least squared error. */
export function bestScale(histogram: Histogram, nonNegative: boolean): ActivationScale {
  const fractions = Array.from({ length: 26 }, (_, i) => 1 - i * 0.02);
  let best = scaleForRange(nonNegative ? 0 : histogram.low, histogram.high);
  let least = squaredError(histogram, best);
  let highFraction = 1;
  const improve = (lowFraction: number, high: number): boolean => {
    const scale = scaleForRange(nonNegative ? 0 : histogram.low * lowFraction, histogram.high * high);
    const error = squaredError(histogram, scale);
    if (error >= least) return false;
    least = error;
    best = scale;
    return true;
  };
  // One side after the other: the sides hardly interact, and 50 trials do instead of 676.
  for (const fraction of fractions) if (improve(1, fraction)) highFraction = fraction;
  if (!nonNegative) for (const fraction of fractions) improve(fraction, highFraction);
  return best;
}

/**
 * Range of the logits: up to a tenth above the highest seen, so that a winner does not saturate and tie, and down to where 99 of
 * 100 runners-up still lie; what is below cannot win, and cutting it off buys resolution between those who can.
 * @param chunks each [classes, n], sample innermost
 */
export function logitRange(chunks: readonly Float32Array[], classes: number): { low: number; high: number } {
  const seconds: number[] = [];
  let high = 0;
  for (const logits of chunks) {
    const n = logits.length / classes;
    for (let sample = 0; sample < n; sample++) {
      let first = -Infinity;
      let second = -Infinity;
      for (let c = 0; c < classes; c++) {
        const value = logits[c * n + sample];
        if (value > first) {
          second = first;
          first = value;
        } else if (value > second) second = value;
      }
      seconds.push(classes > 1 ? second : first);
      high = Math.max(high, first);
    }
  }
  seconds.sort((a, b) => a - b);
  return { low: Math.min(0, seconds[Math.floor(seconds.length / 100)] ?? 0), high: high * 1.1 };
}

/** Tensors that share one scale. */
export interface ScaleGroup {
  readonly tensors: readonly string[];
  /** Those of them whose values decide it: what is left after cuts and max-pooling is all that the layers behind see. */
  readonly deciders: readonly string[];
  /** Whether no decider is ever below 0. */
  readonly nonNegative: boolean;
  /** binary: steps alone make their values. */
  readonly role: "input" | "hidden" | "result" | "binary";
}

/**
 * The input, with what only picks or cuts its values, or is a window over it: by layers one after the other, or held by states. A window is kept by a state
 * that it is made of, so that all are taken for such until something else is seen in them.
 */
function picksOfInput({ input, layers, states = [] }: Graph): ReadonlySet<string> {
  const found = new Set([input.name, ...states.map(({ tensor }) => tensor), ...layers.map(({ output }) => output)]);
  for (let before = Infinity; found.size < before;) {
    before = found.size;
    for (const layer of layers) {
      const inputs = inputsOf(layer);
      const isPick = !floatOp(layer).hasOwnScale && (inputs.length === 1 || layer.op === "append");
      if (!isPick || !inputs.every((tensor) => found.has(tensor))) found.delete(layer.output);
    }
    for (const { tensor, source } of states) if (!found.has(source)) found.delete(tensor);
  }
  return found;
}

/**
 * Tensors of a graph that share a scale, groups in the order of their first tensors: an op that only picks, cuts or joins values, such as relu,
 * max-pooling or a concatenation, keeps its inputs', and a state has its source's. The net's input, that of steps before too, keeps its own where it is joined
 * with others: then it is copied.
 */
export function scaleGroups(graph: Graph): ScaleGroup[] {
  const { states = [] } = graph;
  const given = [graph.input.name, ...states.map(({ tensor }) => tensor)];
  const groupOf = new Map(given.map((tensor) => [tensor, new Set([tensor])]));
  const join = (into: Set<string>, from: Set<string>): void => {
    if (into !== from) for (const tensor of from) groupOf.set(tensor, into.add(tensor));
  };
  const nonNegative = new Set<string>();
  const binary = new Set<string>();
  const ofInput = picksOfInput(graph);
  for (const layer of graph.layers) {
    const own = new Set([layer.output]);
    groupOf.set(layer.output, own);
    const inputs = inputsOf(layer);
    const isCut = layer.op === "relu" || (layer.op === "clamp" && (layer.low ?? -1) >= 0);
    const { hasOwnScale } = floatOp(layer);
    if (isStep(layer) || (!hasOwnScale && inputs.every((input) => binary.has(input)))) binary.add(layer.output);
    if (isCut || (!hasOwnScale && inputs.every((input) => nonNegative.has(input)))) nonNegative.add(layer.output);
    if (hasOwnScale) continue;
    for (const input of inputs) {
      const group = groupOf.get(input);
      if (group === undefined)
        throw new MoteError("MISMATCH", `${layer.name}: input tensor ${input} is made by no layer before it`);
      if (inputs.length > 1 && ofInput.has(input) && !ofInput.has(layer.output)) continue;
      join(group, groupOf.get(layer.output)!);
    }
  }
  // A state takes over its source's elements as they are.
  for (const { tensor, source } of states) join(groupOf.get(tensor)!, groupOf.get(source)!);

  const leaves = new Set(readOutside(graph));
  for (const layer of graph.layers) {
    const { hasOwnScale } = floatOp(layer);
    for (const input of inputsOf(layer))
      if (hasOwnScale || groupOf.get(input) !== groupOf.get(layer.output)) leaves.add(input);
  }
  const [first] = resultsOf(graph);
  const isReadOn =
    states.some(({ source }) => source === first) ||
    graph.layers.some((layer) => floatOp(layer).hasOwnScale && inputsOf(layer).includes(first));
  return [...new Set(groupOf.values())].map((group): ScaleGroup => {
    const tensors = [...group];
    const deciders = tensors.filter((tensor) => leaves.has(tensor));
    const isResult = !isReadOn && deciders.length === 1 && deciders[0] === first;
    const isBinary = tensors.every((tensor) => binary.has(tensor));
    const role = isBinary ? "binary" : group.has(graph.input.name) ? "input" : isResult ? "result" : "hidden";
    return { tensors, deciders, nonNegative: deciders.every((tensor) => nonNegative.has(tensor)), role };
  });
}

function requireFinite(tensor: string, values: Float32Array): void {
  const wrong = firstNotFinite(values);
  if (wrong < 0) return;
  const cause = "the weights before it are too large for float32; train them again at a lower learning rate";
  throw new MoteError("DIVERGED", `tensor ${tensor}: is ${values[wrong]} on a calibration digit: ${cause}`);
}

/** Calls back with the values of each tensor on the calibration digits, [C × H × W][n] a chunk; called twice. */
export type ActivationSource = (visit: (tensor: string, values: Float32Array, n: number) => void) => Promise<void>;

/**
 * Scale and zero point of every tensor of the graph by name.
 * @param classes of the first result where it is logits, of which only who wins matters; undefined where its values do
 * @param input the scale of the net's input as int8; undefined where it follows from the samples as well
 * @param bits of an element. Of 16 bits ranges are all that was seen, whatever `range` says: there are steps enough, and zero points are 0
 * @throws MoteError DIVERGED naming a tensor with a value that is not finite
 */
export async function calibrate(
  graph: Graph,
  classes: number | undefined,
  activations: ActivationSource,
  range: RangeChoice,
  input: ActivationScale | undefined,
  bits: ElementBits = 8,
): Promise<Record<string, ActivationScale>> {
  const groups = scaleGroups(graph);
  const isLogits = ({ role }: ScaleGroup): boolean => role === "result" && classes !== undefined && bits === 8;
  const histograms = new Map<string, Histogram>();
  for (const group of groups) {
    if (isLogits(group) || (group.role === "input" && input !== undefined)) continue;
    const histogram = new Histogram();
    for (const tensor of group.deciders) histograms.set(tensor, histogram);
  }
  const result = groups.find(isLogits);
  const logits: Float32Array[] = [];
  await activations((tensor, values) => {
    requireFinite(tensor, values);
    histograms.get(tensor)?.bound(values);
    if (tensor === result?.deciders[0]) logits.push(values.slice());
  });
  await activations((tensor, values) => histograms.get(tensor)?.count(values));

  const scaleOf = (group: ScaleGroup): ActivationScale => {
    if (group === result) {
      const { low, high } = logitRange(logits, classes!);
      return scaleForRange(low, high);
    }
    // A step of int8 is 128 of int16, so that bytes stay exact.
    if (group.role === "input" && input !== undefined)
      return bits === 8 ? input : { scale: Math.fround(input.scale / 128), zeroPoint: 0 };
    if (group.role === "binary") return BINARY_SCALE;
    const histogram = histograms.get(group.deciders[0])!;
    if (bits === 16) return symmetricScale(histogram.low, histogram.high);
    return range === "full" || group.role === "input"
      ? scaleForRange(group.nonNegative ? 0 : histogram.low, histogram.high)
      : bestScale(histogram, group.nonNegative);
  };
  return Object.fromEntries(
    groups.flatMap((group) => {
      const scale = scaleOf(group);
      return group.tensors.map((tensor) => [tensor, scale] as const);
    }),
  );
}
