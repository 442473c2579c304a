/** From the samples of a data set to what a net's input holds: ordered, normalized, quantized. */
import type { DataSet, Reading } from "../data/data-set.js";
import { MoteError } from "../errors.js";
import type { Preprocessing, Shape } from "../model/model.js";
import type { TensorInfo } from "./engine.js";
import { quantize } from "./values.js";

/** What is known of a net's first input; a reading says otherwise. Mean and std are for bytes. */
type Usual = Partial<Preprocessing>;

/** The int8 value of each pixel value 0 .. 255; the net sees pixel / 255. */
export function pixelTable({ scale, zeroPoint }: TensorInfo): Int8Array {
  return Int8Array.from({ length: 256 }, (_, pixel) => quantize(pixel / 255 / scale, zeroPoint));
}

/**
 * @returns what writes sample `index` into `target`, [C, H, W] as the net takes it
 * @throws MoteError MISMATCH when the samples have another shape than the input, ARGUMENT for a reading that does not fit them
 */
export function inputFiller(set: DataSet, input: TensorInfo): (index: number, target: Int8Array) => void {
  const { images, reading = {} } = set;
  const { scale, zeroPoint } = input;
  const [channels] = input.shape;
  const usual = input.preprocessing ?? {};
  if (images instanceof Int8Array) {
    if (reading.scale !== undefined || reading.mean !== undefined || reading.std !== undefined) {
      throw new MoteError("ARGUMENT", "scale, mean and std: int8 samples are the input's own integers, expected none");
    }
    return filler(
      set,
      input.shape,
      Array.from({ length: channels }, () => (value) => value),
      usual,
    );
  }
  const real = normalizers(set, channels, usual);
  const turn = (of: (value: number) => number): ((value: number) => number) => {
    if (images instanceof Float32Array) return (value) => quantize(of(value) / scale, zeroPoint);
    const table = Int8Array.from({ length: 256 }, (_, pixel) => quantize(of(pixel) / scale, zeroPoint));
    return (value) => table[value];
  };
  return filler(set, input.shape, real.map(turn), usual);
}

/**
 * The same as real numbers, for nets that are not quantized yet.
 * @param usual of the net's file or model
 * @throws MoteError as `inputFiller`, and ARGUMENT for int8 samples, whose real numbers are not known
 */
export function realFiller(
  set: DataSet,
  shape: Shape,
  usual: Usual = {},
): (index: number, target: Float32Array) => void {
  if (set.images instanceof Int8Array) {
    throw new MoteError("ARGUMENT", "int8 samples are a quantized input's integers, expected bytes or real numbers");
  }
  return filler(set, shape, normalizers(set, shape[0], usual), usual);
}

/** @param turn of each channel, what makes of a value the input's */
function filler(
  { images, shape: from, reading = {}, colours }: DataSet,
  shape: Shape,
  turn: readonly ((value: number) => number)[],
  usual: Usual,
): (index: number, target: Int8Array | Float32Array) => void {
  const [channels, height, width] = shape;
  const places = height * width;
  const [step, next] = channelsLast(from, shape, reading.layout, usual.layout) ? [channels, 1] : [1, places];
  const isReversed = colours === "rgb" && usual.colours === "bgr";
  return (index, target) => {
    for (let channel = 0; channel < channels; channel++) {
      const of = turn[channel];
      let at = index * channels * places + (isReversed ? channels - 1 - channel : channel) * next;
      for (let to = channel * places; to < (channel + 1) * places; to++, at += step) target[to] = of(images[at]);
    }
  };
}

/** One a channel. */
function normalizers(
  { images, reading: given = {} }: DataSet,
  channels: number,
  usual: Usual,
): ((value: number) => number)[] {
  const isPixels = images instanceof Uint8Array;
  const isSilent = given.scale === undefined && given.mean === undefined && given.std === undefined;
  const { mean: usualMean, std: usualStd } = usual;
  const reading: Reading =
    isPixels && isSilent && usualMean !== undefined && usualStd !== undefined
      ? { scale: 1, mean: usualMean, std: usualStd }
      : given;
  const each = (name: "mean" | "std", otherwise: number): readonly number[] => {
    const given = reading[name] ?? [otherwise];
    if (given.length !== 1 && given.length !== channels) {
      const expected = channels === 1 ? "one" : `one, or one for each of ${channels} channels`;
      throw new MoteError("ARGUMENT", `${name}: expected ${expected}, got ${given.length}`);
    }
    return Array.from({ length: channels }, (_, channel) => given[given.length === 1 ? 0 : channel]);
  };
  const [means, stds] = [each("mean", 0), each("std", 1)];
  return means.map((mean, channel) => {
    const std = stds[channel];
    // Divided as pixelTable does, so that both round alike.
    if (reading.scale === undefined) return (value) => ((isPixels ? value / 255 : value) - mean) / std;
    const { scale } = reading;
    return (value) => (value * scale - mean) / std;
  });
}

/**
 * How the values of a sample lie: where both orders fit, as is usual for the net, and a sample of one dimension otherwise as planes.
 * Dimensions of 1 do not count.
 * @throws MoteError MISMATCH when neither order fits, ARGUMENT when both do
 */
function channelsLast(
  shape: readonly number[],
  [channels, height, width]: Shape,
  layout: Reading["layout"],
  usual: Preprocessing["layout"] | undefined,
): boolean {
  const bare = (sizes: readonly number[]): string => sizes.filter((size) => size !== 1).join();
  const isFlat = shape.length === 1 && shape[0] === channels * height * width;
  const planes = isFlat || bare(shape) === bare([channels, height, width]);
  const pixels = isFlat || bare(shape) === bare([height, width, channels]);
  const last = layout === undefined ? pixels && (!planes || usual === "interleaved") : layout === "nhwc";
  const isSame = channels === 1 || height * width === 1;
  if (layout === undefined && usual === undefined && !isFlat && planes && pixels && !isSame) {
    const sizes = `[${shape.join(", ")}]`;
    throw new MoteError("ARGUMENT", `samples of ${sizes} may have their channels first or last: expected a layout`);
  }
  if (last ? pixels : planes) return last && !isSame;
  const other = channels === 1 || layout !== undefined ? "" : ` or [${height}, ${width}, ${channels}]`;
  const expected = last ? [height, width, channels] : [channels, height, width];
  throw new MoteError(
    "MISMATCH",
    `the model takes images of [${expected.join(", ")}]${other}, got [${shape.join(", ")}]`,
  );
}
