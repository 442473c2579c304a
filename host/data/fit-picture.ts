/** A picture of any size as a net's input: the largest part in the middle that has the input's proportions, resized. */
import { MoteError } from "../errors.js";
import type { Shape } from "../model/model.js";
import { luminance, type Picture } from "./plane.js";

/** What stands behind transparent pixels. */
const WHITE = 255;

/**
 * Linear interpolation over as much of the picture as a pixel of the result covers, so that a smaller picture has no moiré. A picture
 * of the right size is taken as it is.
 * @param shape of the net's input: one channel is brightness (ITU-R BT.601), three are red, green and blue
 * @param name for messages
 * @returns [C, H, W], 0 .. 255
 * @throws MoteError MISMATCH for another number of channels
 */
export function fitPicture(picture: Picture, [channels, height, width]: Shape, name: string): Uint8Array {
  if (channels !== 1 && channels !== 3) {
    throw new MoteError(
      "MISMATCH",
      `${name}: a picture has 1 or 3 channels, the model takes ${channels}; expected samples of numbers, such as .npy`,
    );
  }
  const fit = resizer(picture, { height, width });
  const result = new Uint8Array(channels * height * width);
  for (let channel = 0; channel < channels; channel++) {
    fit(planeOf(picture, channels === 1 ? undefined : channel), result.subarray(channel * height * width));
  }
  return result;
}

/**
 * Grey squares of one size, resized as `fitPicture` does.
 * @param images [count, from, from], 0 .. 255
 * @returns [count, to, to]
 */
export function fitSquares(images: Uint8Array, from: number, to: number): Uint8Array {
  const [size, fitted] = [from * from, to * to];
  const fit = resizer({ height: from, width: from }, { height: to, width: to });
  const result = new Uint8Array((images.length / size) * fitted);
  for (let i = 0; i * size < images.length; i++) {
    fit(images.subarray(i * size, (i + 1) * size), result.subarray(i * fitted));
  }
  return result;
}

interface Size {
  readonly height: number;
  readonly width: number;
}

/** @returns what cuts and resizes a plane of one size, 0 .. 255, into the beginning of `target` */
function resizer(from: Size, { height, width }: Size): (plane: ArrayLike<number>, target: Uint8Array) => void {
  // In whole numbers, so that what has the right proportions is not cut.
  const cut = {
    width: Math.min(from.width, (from.height * width) / height),
    height: Math.min(from.height, (from.width * height) / width),
  };
  const across = taps(from.width, (from.width - cut.width) / 2, cut.width, width);
  const down = taps(from.height, (from.height - cut.height) / 2, cut.height, height);
  const narrow = new Float32Array(from.height * width);
  return (plane, target) => {
    for (let y = 0; y < from.height; y++) {
      across.forEach((tap, x) => (narrow[y * width + x] = weigh(tap, plane, y * from.width, 1)));
    }
    down.forEach((tap, y) => {
      for (let x = 0; x < width; x++) target[y * width + x] = Math.round(weigh(tap, narrow, x, width));
    });
  };
}

/** 0 .. 255 a pixel: a colour, or brightness. */
function planeOf({ width, height, rgba }: Picture, colour: number | undefined): Float32Array {
  const plane = new Float32Array(width * height);
  for (let i = 0; i < plane.length; i++) {
    const alpha = rgba[4 * i + 3] / 255;
    const value = colour === undefined ? luminance(rgba, i) : rgba[4 * i + colour];
    plane[i] = value * alpha + WHITE * (1 - alpha);
  }
  return plane;
}

/** Pixels from `first` on and their weights, which sum to 1. */
interface Tap {
  readonly first: number;
  readonly weights: readonly number[];
}

/** For each of `to` pixels, the ones of `size` that it is made of: a triangle around its middle, within `length` from `start` on. */
function taps(size: number, start: number, length: number, to: number): Tap[] {
  const step = length / to;
  const reach = Math.max(step, 1);
  return Array.from({ length: to }, (_, i) => {
    const middle = start + (i + 0.5) * step;
    const first = Math.max(0, Math.floor(middle - reach + 0.5));
    const last = Math.min(size, Math.floor(middle + reach + 0.5));
    const weights: number[] = [];
    for (let at = first; at < last; at++) weights.push(Math.max(0, 1 - Math.abs(at + 0.5 - middle) / reach));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

function weigh({ first, weights }: Tap, values: ArrayLike<number>, from: number, step: number): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += weights[i] * values[from + (first + i) * step];
  return sum;
}
