/** What the elements of a net's tensors are over samples: their range, how often which values, and the mean of each channel. */
import { MoteError } from "../errors.js";
import { beginsStream, type Streams } from "../data/sequences.js";
import { freshFloatStates, runFloat, type Convolve } from "./float-run.js";
import type { ImportedNet } from "./net.js";

/** Bins of a tensor's histogram, at least half of which are within its range. */
const BINS = 4096;
/** The least that a float32 above 0 can be. */
const LEAST_WIDTH = 2 ** -149;
/** Ranges that "least error" tries, from the whole one down to a third of it. */
const TRIED_RANGES = 48;

/** What a tensor's elements were over all samples. */
export class Observation {
  low = Infinity;
  high = -Infinity;
  /** Bin b has the values from b × width, a power of two; the first one that is counted is that of the least value. */
  #width = LEAST_WIDTH;
  #first = 0;
  #counts = new Float64Array(BINS);
  /** Sum of each channel, and elements that it adds up. */
  readonly channelSums: Float64Array;
  count = 0;

  constructor(readonly channels: number) {
    this.channelSums = new Float64Array(channels);
  }

  /** @returns false, and takes nothing, where a value is not finite */
  observe(values: Float32Array): boolean {
    const elementsOfOne = values.length / this.channels;
    let [low, high] = [this.low, this.high];
    const sums = new Float64Array(this.channels);
    for (let channel = 0, i = 0; channel < sums.length; channel++) {
      let sum = 0;
      for (const end = i + elementsOfOne; i < end; i++) {
        const value = values[i];
        if (value < low) low = value;
        if (value > high) high = value;
        sum += value;
      }
      sums[channel] = sum;
    }
    if (!sums.every(Number.isFinite)) return false;
    sums.forEach((sum, channel) => (this.channelSums[channel] += sum));
    this.count += elementsOfOne;
    this.#widen(low, high);
    const [perWidth, first, counts] = [1 / this.#width, this.#first, this.#counts];
    for (let i = 0; i < values.length; i++) counts[Math.floor(values[i] * perWidth) - first]++;
    return true;
  }

  /** Bins grow to twice their width, two becoming one, until the range fits: the order of samples makes no difference. */
  #widen(low: number, high: number): void {
    let width = this.#width;
    while (Math.floor(high / width) - Math.floor(low / width) >= BINS) width *= 2;
    const first = Math.floor(low / width);
    [this.low, this.high] = [low, high];
    if (first === this.#first && width === this.#width) return;
    const counts = new Float64Array(BINS);
    const share = this.#width / width;
    this.#counts.forEach((count, bin) => {
      if (count > 0) counts[Math.floor((this.#first + bin) * share) - first] += count;
    });
    [this.#width, this.#first, this.#counts] = [width, first, counts];
  }

  /** Means of channels. */
  means(): Float64Array {
    return this.channelSums.map((sum) => sum / this.count);
  }

  /** Value at the middle of a bin. */
  #middle(bin: number): number {
    return (this.#first + bin + 0.5) * this.#width;
  }

  /** The range that leaves out the same share at both ends, but never what is beyond the middle. */
  percentile(percent: number): readonly [number, number] {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    const out = (total * (100 - percent)) / 200;
    const edge = (bins: Iterable<number>): number => {
      let seen = 0;
      for (const bin of bins) {
        seen += this.#counts[bin];
        if (seen > out) return bin;
      }
      return 0;
    };
    const bins = Array.from({ length: BINS }, (_, bin) => bin);
    const [first, last] = [edge(bins), edge(bins.toReversed())];
    return [
      Math.max(this.low, (this.#first + first) * this.#width),
      Math.min(this.high, (this.#first + last + 1) * this.#width),
    ];
  }

  /** Of ranges shrunk towards zero, that with the least squared error after rounding and cutting. */
  leastError(): readonly [number, number] {
    let best: readonly [number, number] = [this.low, this.high];
    let least = Infinity;
    for (let tried = 0; tried < TRIED_RANGES; tried++) {
      const share = 1 - (tried / TRIED_RANGES) * (2 / 3);
      const range = [Math.min(0, this.low * share), Math.max(0, this.high * share)] as const;
      const step = (range[1] - range[0]) / 255;
      let error = 0;
      this.#counts.forEach((count, bin) => {
        if (count === 0) return;
        const value = this.#middle(bin);
        const beyond = Math.max(0, range[0] - value, value - range[1]);
        error += count * (beyond > 0 ? beyond ** 2 : step ** 2 / 12);
      });
      if (error < least) [least, best] = [error, range];
    }
    return best;
  }
}

/**
 * @param net of real numbers
 * @param samples of the inputs, an array of elements for each of them, [C, H, W]
 * @param streams that they are of, for a net with states: a sample is a run
 * @param convolve how convolutions are worked out; default: in plain loops
 * @param report called after each sample, with how many there were
 * @returns what was seen of each tensor
 * @throws MoteError MISMATCH for a tensor that is not finite
 */
export function observe(
  net: ImportedNet,
  samples: readonly (readonly Float32Array[])[],
  streams: Pick<Streams, "perStream">,
  convolve: Convolve | undefined,
  report: (done: number) => void,
): Observation[] {
  const seen = net.tensors.map(({ shape }) => new Observation(shape[0]));
  let states = freshFloatStates(net);
  samples.forEach((sample, index) => {
    if (beginsStream(index, streams)) states = freshFloatStates(net);
    const take = (tensor: number, values: Float32Array): void => {
      if (seen[tensor].observe(values)) return;
      throw new MoteError(
        "MISMATCH",
        `tensor ${JSON.stringify(net.tensors[tensor].name)} has elements that are not finite with sample ${index}`,
      );
    };
    for (const [state, held] of states) take(state, held);
    runFloat(net, sample, take, convolve, states);
    report(index + 1);
  });
  return seen;
}
