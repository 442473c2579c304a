/**
 * A picture of one digit as the nets know digits: 28 × 28, light on dark, 20 pixels in its longer direction, its centre of mass in the
 * middle, as MNIST was made (LeCun et al. 1998, section III-A).
 */
import { MoteError } from "../errors.js";
import type { Shape } from "../model/model.js";
import { findInk } from "./ink.js";
import type { Picture, Plane } from "./plane.js";

/** Rows and columns of the result. */
export const DIGIT_SIDE = 28;
const FIT_SIDE = 20;
/** Least difference between ink and paper, of 255. */
const MIN_CONTRAST = 16;
/** Differences from the paper below this part of the strongest one are noise, shadow or the fringe of a scan. */
const NOISE_FLOOR = 0.1;

/** Whether digits are given to a net with an input of this shape: squares of as many pixels as MNIST's, or fewer. */
export const takesDigits = ([channels, height, width]: Shape): boolean =>
  channels === 1 && height === width && height > 1 && height <= DIGIT_SIDE;

export interface Digit {
  /** [28, 28], 0 = paper .. 255 = ink */
  readonly pixels: Uint8Array;
  /** Why what is read from it may be wrong: "it touches the edge". Empty for a clear picture. */
  readonly doubts: readonly string[];
}

/**
 * @param picture light on dark or dark on light; transparent parts count as paper
 * @param name for messages
 * @throws MoteError FORMAT when it is blank
 */
export function digitFromPicture(picture: Picture, name: string): Digit {
  const { plane, contrast, doubts } = findInk(picture);
  if (contrast < MIN_CONTRAST) {
    throw new MoteError(
      "FORMAT",
      `${name}: no digit found: all pixels are within ${Math.ceil(contrast)} of the background, expected at least ${MIN_CONTRAST} of 255`,
    );
  }
  const box = inkBox(plane);
  const centre = centreOfMass(plane, box);
  const pixels = looksLikeMnist(plane, box, centre)
    ? Uint8Array.from(plane.values, (ink) => Math.round(ink * 255))
    : toBytes(resample(plane, box, centre));
  return { pixels, doubts };
}

/** First and last + 1 row and column that hold ink. */
interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

function inkBox({ width, height, values: ink }: Plane): Box {
  let [left, right, top, bottom] = [width, 0, height, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (ink[y * width + x] <= 2 * NOISE_FLOOR) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = y + 1;
    }
  }
  return { left, right, top, bottom };
}

/** In source pixels from the picture's upper left corner; a pixel's middle is at + 0.5. */
function centreOfMass({ width, values: ink }: Plane, box: Box): readonly [x: number, y: number] {
  let [sumX, sumY, sum] = [0, 0, 0];
  for (let y = box.top; y < box.bottom; y++) {
    for (let x = box.left; x < box.right; x++) {
      const value = ink[y * width + x];
      sumX += value * (x + 0.5);
      sumY += value * (y + 0.5);
      sum += value;
    }
  }
  return [sumX / sum, sumY / sum];
}

/** A digit that is in MNIST's form already is taken as it is: resampling would only blur it. */
function looksLikeMnist({ width, height }: Plane, box: Box, [x, y]: readonly [number, number]): boolean {
  const side = Math.max(box.right - box.left, box.bottom - box.top);
  const middle = DIGIT_SIDE / 2;
  return (
    width === DIGIT_SIDE &&
    height === DIGIT_SIDE &&
    Math.abs(side - FIT_SIDE) <= 2 &&
    Math.hypot(x - middle, y - middle) <= 1.5
  );
}

/** Scales the box to fit 20 × 20 and moves its centre of mass to the middle, as far as it then stays inside. [28, 28], ink 0 .. 1. */
function resample(plane: Plane, box: Box, centre: readonly [number, number]): Float32Array {
  const scale = FIT_SIDE / Math.max(box.right - box.left, box.bottom - box.top);
  const place = (from: number, to: number, mass: number): number => {
    const length = (to - from) * scale;
    return Math.min(Math.max(DIGIT_SIDE / 2 - (mass - from) * scale, 0), DIGIT_SIDE - length);
  };
  const columns = filterTaps(box.left, box.right, place(box.left, box.right, centre[0]), scale);
  const rows = filterTaps(box.top, box.bottom, place(box.top, box.bottom, centre[1]), scale);
  const height = box.bottom - box.top;
  const narrow = new Float32Array(height * DIGIT_SIDE);
  for (let y = 0; y < height; y++) {
    const line = (box.top + y) * plane.width;
    for (let x = 0; x < DIGIT_SIDE; x++) {
      const { first, weights } = columns[x];
      for (let k = 0; k < weights.length; k++) {
        const ink = Math.max(0, plane.values[line + first + k] - NOISE_FLOOR) / (1 - NOISE_FLOOR);
        narrow[y * DIGIT_SIDE + x] += weights[k] * ink;
      }
    }
  }
  const digit = new Float32Array(DIGIT_SIDE * DIGIT_SIDE);
  for (let y = 0; y < DIGIT_SIDE; y++) {
    const { first, weights } = rows[y];
    for (let k = 0; k < weights.length; k++) {
      const line = (first - box.top + k) * DIGIT_SIDE;
      for (let x = 0; x < DIGIT_SIDE; x++) digit[y * DIGIT_SIDE + x] += weights[k] * narrow[line + x];
    }
  }
  return digit;
}

/** One output pixel as a weighted mean of source pixels `first`, `first + 1`, … */
interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

/**
 * Triangle filter along one axis, as wide as one output or one source pixel, whichever is larger: antialiased when shrinking, linear
 * interpolation when growing. Outside `from` .. `to` there is paper.
 * @param place where `from` comes to lie among the output pixels
 */
function filterTaps(from: number, to: number, place: number, scale: number): Taps[] {
  const radius = Math.max(1, 1 / scale);
  return Array.from({ length: DIGIT_SIDE }, (_, i) => {
    const middle = from + (i + 0.5 - place) / scale;
    let first = from;
    let total = 0;
    const weights: number[] = [];
    for (let source = Math.ceil(middle - radius - 0.5); source + 0.5 < middle + radius; source++) {
      const weight = Math.max(0, 1 - Math.abs(source + 0.5 - middle) / radius);
      total += weight;
      if (source < from || source >= to) continue;
      if (weights.length === 0) first = source;
      weights.push(weight);
    }
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/** Strokes thinner than a pixel come out faint: the darkest pixel is made full ink, as it is in every MNIST digit. */
function toBytes(digit: Float32Array): Uint8Array {
  const peak = digit.reduce((most, value) => Math.max(most, value), 0);
  return Uint8Array.from(digit, (value) => Math.round((255 * value) / peak));
}
