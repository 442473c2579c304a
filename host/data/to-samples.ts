/** From a data set to what nets are trained on: planes of the net's input, shared by threads, with a reading by channel. */
import { MoteError } from "../errors.js";
import type { Preprocessing, Shape } from "../model/model.js";
import type { DataSet } from "./data-set.js";
import { planarImages } from "./order.js";
import { channelReading, isSilent } from "./reading.js";
import { sharedFloats, shareSamples, type Samples } from "./samples.js";

/**
 * @param shape of the net's input
 * @param usual what is known of the net's input; the set's reading says otherwise
 * @throws MoteError MISMATCH when the samples have another shape than the input, ARGUMENT for a reading that does not fit them
 */
export function toSamples(set: DataSet, shape: Shape, usual: Partial<Preprocessing> = {}): Samples {
  const { count, images, labels, targets, reading: given = {} } = set;
  if (images instanceof Int8Array && isSilent(given)) {
    const why = "int8 samples are a quantized input's integers, of which nobody knows what they stand for";
    throw new MoteError("ARGUMENT", `${why}: expected bytes, real numbers or a scale`);
  }
  const reading = channelReading(images, given, shape[0], usual);
  return shareSamples({
    count,
    images: planarImages(set, shape, usual),
    ...(reading && { reading }),
    ...(labels && { labels }),
    ...(targets && { targets }),
  });
}

/**
 * What the net sees of all samples, [count, C, H, W]: what an autoencoder is to give back.
 * @param channels of the net's input
 */
export function seenValues({ count, images, reading }: Samples, channels: number): Float32Array {
  const values = sharedFloats(images.length);
  const places = count === 0 ? 0 : images.length / count / channels;
  for (let i = 0; i < images.length; i++) {
    const channel = Math.floor(i / places) % channels;
    values[i] = reading === undefined ? images[i] / 255 : images[i] * reading.scale[channel] + reading.offset[channel];
  }
  return values;
}
