/** How the values of samples lie, and how they come to lie in planes, [C, H, W]. */
import { MoteError } from "../errors.js";
import type { Elements } from "../model/elements.js";
import type { Preprocessing, Shape } from "../model/model.js";
import type { DataSet, Reading, Values } from "./data-set.js";

/** What is known of a net's input; a reading says otherwise. */
export type UsualOrder = Partial<Pick<Preprocessing, "layout" | "colours">>;

/**
 * @param turn of each channel, what makes of a value the one to be written
 * @param usual for the net
 * @returns what writes sample `index` into `target`, [C, H, W] as the net takes it
 * @throws MoteError MISMATCH when the samples have another shape than the input, ARGUMENT when they may be meant either way
 */
export function planarFiller(
  set: DataSet,
  shape: Shape,
  turn: readonly ((value: number) => number)[],
  usual: UsualOrder,
): (index: number, target: Values | Elements) => void {
  const [channels, height, width] = shape;
  const places = height * width;
  const { images } = set;
  const [step, next] = isInterleaved(set, shape, usual) ? [channels, 1] : [1, places];
  const isReversed = isOtherWay(set, usual);
  return (index, target) => {
    for (let channel = 0; channel < channels; channel++) {
      const of = turn[channel];
      let at = index * channels * places + (isReversed ? channels - 1 - channel : channel) * next;
      for (let to = channel * places; to < (channel + 1) * places; to++, at += step) target[to] = of(images[at]);
    }
  };
}

/**
 * @returns [count, C, H, W], the samples' own array where it is that already
 * @throws MoteError as `planarFiller`
 */
export function planarImages(set: DataSet, shape: Shape, usual: UsualOrder): Values {
  const { count, images } = set;
  if (!isInterleaved(set, shape, usual) && !isOtherWay(set, usual)) return images;
  const same = Array.from({ length: shape[0] }, () => (value: number) => value);
  const write = planarFiller(set, shape, same, usual);
  const planes = images.slice();
  const size = images.length / count;
  for (let i = 0; i < count; i++) write(i, planes.subarray(i * size, (i + 1) * size));
  return planes;
}

/** Whether the channels of a place lie together. @throws MoteError as `planarFiller` */
export function isInterleaved({ shape: from, reading }: DataSet, shape: Shape, usual: UsualOrder = {}): boolean {
  return channelsLast(from, shape, reading?.layout, usual.layout);
}

/** Whether the colours stand in the other order. */
const isOtherWay = ({ colours }: DataSet, usual: UsualOrder): boolean => colours === "rgb" && usual.colours === "bgr";

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
  // A vector is made of whatever has as many values, as they lie.
  const isVector = height * width === 1 && shape.reduce((product, size) => product * size, 1) === channels;
  const isFlat = isVector || (shape.length === 1 && shape[0] === channels * height * width);
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
