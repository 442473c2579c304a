/** From the samples of a data set to what a net's input holds: ordered, normalized, quantized. */
import type { DataSet, Reading } from "../data/data-set.js";
import { planarFiller } from "../data/order.js";
import { isSilent, perChannel } from "../data/reading.js";
import { MoteError } from "../errors.js";
import { bitsOf, elementsFor, type Elements } from "../model/elements.js";
import type { Preprocessing, Shape } from "../model/model.js";
import type { TensorInfo } from "./engine.js";
import { quantize } from "./values.js";

/** What is known of a net's first input; a reading says otherwise. Mean and std are for bytes. */
type Usual = Partial<Preprocessing>;

/** The element of each pixel value 0 .. 255; the net sees pixel / 255. */
export function pixelTable(input: TensorInfo): Elements {
  return elementsFor(
    input,
    Array.from({ length: 256 }, (_, pixel) => quantize(pixel / 255 / input.scale, input)),
  );
}

/**
 * @returns what writes sample `index` into `target`, [C, H, W] as the net takes it
 * @throws MoteError MISMATCH when the samples have another shape than the input, ARGUMENT for a reading that does not fit them
 */
export function inputFiller(set: DataSet, input: TensorInfo): (index: number, target: Elements) => void {
  const { images, reading = {} } = set;
  const { scale } = input;
  const [channels] = input.shape;
  const usual = input.preprocessing ?? {};
  if (images instanceof Int8Array) {
    if (bitsOf(input) === 16)
      throw new MoteError("ARGUMENT", "int8 samples for an input of int16, expected bytes or real numbers");
    if (!isSilent(reading)) {
      throw new MoteError("ARGUMENT", "scale, mean and std: int8 samples are the input's own integers, expected none");
    }
    return planarFiller(
      set,
      input.shape,
      Array.from({ length: channels }, () => (value) => value),
      usual,
    );
  }
  const real = normalizers(set, channels, usual);
  const turn = (of: (value: number) => number): ((value: number) => number) => {
    if (images instanceof Float32Array) return (value) => quantize(of(value) / scale, input);
    const table = Array.from({ length: 256 }, (_, pixel) => quantize(of(pixel) / scale, input));
    return (value) => table[value];
  };
  return planarFiller(set, input.shape, real.map(turn), usual);
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
  return planarFiller(set, shape, normalizers(set, shape[0], usual), usual);
}

/** One a channel. */
function normalizers(
  { images, reading: given = {} }: DataSet,
  channels: number,
  usual: Usual,
): ((value: number) => number)[] {
  const isPixels = images instanceof Uint8Array;
  const { mean: usualMean, std: usualStd } = usual;
  const reading: Reading =
    isPixels && isSilent(given) && usualMean !== undefined && usualStd !== undefined
      ? { scale: 1, mean: usualMean, std: usualStd }
      : given;
  const [means, stds] = [
    perChannel(reading.mean ?? [0], channels, "mean"),
    perChannel(reading.std ?? [1], channels, "std"),
  ];
  return means.map((mean, channel) => {
    const std = stds[channel];
    // Divided as pixelTable does, so that both round alike.
    if (reading.scale === undefined) return (value) => ((isPixels ? value / 255 : value) - mean) / std;
    const { scale } = reading;
    return (value) => (value * scale - mean) / std;
  });
}
