/**
 * Pictures as they may come in fact: moved, turned, noisy, lit otherwise. What each distortion does is fixed, its random numbers included, so that
 * the errors that a model makes on them can be compared.
 */
import { MoteError } from "../errors.js";
import { Random } from "../rng.js";
import type { DataSet } from "./data-set.js";

/** Of one channel, [height, width], 0 .. 255. */
interface Channel {
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** @returns the distorted pixels; `random` is the sample's and the channel's own */
type Distort = (channel: Channel, random: Random) => Uint8Array;

export interface Distortion {
  readonly id: string;
  readonly name: string;
  /** An error is the mean over these. */
  readonly variants: readonly Distort[];
}

/** Other streams have other seeds. */
const NOISE_STREAM = 0x6e6f6973;

/** By whole pixels; 0 comes in. */
const shifted =
  (right: number, down: number): Distort =>
  ({ pixels, height, width }) =>
    pixels.map((_, i) => {
      const [y, x] = [Math.floor(i / width) - down, (i % width) - right];
      return y < 0 || y >= height || x < 0 || x >= width ? 0 : pixels[y * width + x];
    });

/** Counter-clockwise about the middle, bilinear; 0 comes in. */
const rotated =
  (degrees: number): Distort =>
  ({ pixels, height, width }) => {
    const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
    const at = (y: number, x: number): number =>
      y < 0 || y >= height || x < 0 || x >= width ? 0 : pixels[y * width + x];
    return pixels.map((_, i) => {
      const [y, x] = [Math.floor(i / width) - (height - 1) / 2, (i % width) - (width - 1) / 2];
      const [fromX, fromY] = [cos * x - sin * y + (width - 1) / 2, sin * x + cos * y + (height - 1) / 2];
      const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
      const [partX, partY] = [fromX - left, fromY - top];
      const line = (row: number): number => at(row, left) * (1 - partX) + at(row, left + 1) * partX;
      return Math.round(line(top) * (1 - partY) + line(top + 1) * partY);
    });
  };

const clipped = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));

/** Gaussian, rounded and clipped. */
const noisy =
  (deviation: number): Distort =>
  ({ pixels }, random) =>
    pixels.map((pixel) => clipped(pixel + deviation * random.normal()));

const lifted =
  (level: number): Distort =>
  ({ pixels }) =>
    pixels.map((pixel) => clipped(pixel + level));

/** So many of a hundred pixels become black or white. */
const peppered =
  (percent: number): Distort =>
  ({ pixels }, random) =>
    pixels.map((pixel) => (random.uniform() * 100 < percent ? (random.uniform() < 0.5 ? 0 : 255) : pixel));

const directions = (pixels: number): Distort[] => [
  shifted(pixels, 0),
  shifted(-pixels, 0),
  shifted(0, pixels),
  shifted(0, -pixels),
];

export const DISTORTIONS: readonly Distortion[] = [
  { id: "clean", name: "as they are", variants: [({ pixels }) => pixels] },
  { id: "shift2", name: "shifted by 2 pixels, mean of four directions", variants: directions(2) },
  { id: "shift3", name: "shifted by 3 pixels, mean of four directions", variants: directions(3) },
  { id: "rotate10", name: "rotated by 10°, mean of both directions", variants: [rotated(10), rotated(-10)] },
  { id: "noise25", name: "Gaussian noise, σ 25 of 255", variants: [noisy(25)] },
  { id: "noise50", name: "Gaussian noise, σ 50 of 255", variants: [noisy(50)] },
  { id: "background40", name: "background lifted by 40 of 255", variants: [lifted(40)] },
  { id: "pepper5", name: "5 % of the pixels black or white", variants: [peppered(5)] },
];

/**
 * @param set of bytes: pictures of one channel, or channel by channel
 * @param channels of the net's input
 * @returns the set in each of the distortion's variants
 * @throws MoteError ARGUMENT for other samples
 */
export function* distortedSets<T extends DataSet>(set: T, { variants }: Distortion, channels: number): Generator<T> {
  const { images, shape, count, reading } = set;
  const [height, width] = shape.slice(channels === 1 && shape.at(-1) === 1 ? -3 : -2);
  const plane = height * width;
  if (!(images instanceof Uint8Array) || images.length !== count * channels * plane || reading?.layout === "nhwc") {
    throw new MoteError(
      "ARGUMENT",
      `distortions: expected pictures of bytes, one channel after the other, got samples of [${shape}]`,
    );
  }
  for (const distort of variants) {
    const distorted = new Uint8Array(images.length);
    for (let at = 0; at < images.length; at += plane) {
      const channel = { pixels: images.subarray(at, at + plane), height, width };
      distorted.set(distort(channel, new Random(NOISE_STREAM, at / plane)), at);
    }
    yield { ...set, images: distorted };
  }
}
