/**
 * A picture of one digit as the nets know digits: 28 × 28, light on dark, 20 pixels in its longer direction, its centre of mass in the
 * middle, as MNIST was made (LeCun et al. 1998, section III-A).
 */
import { PNG } from "pngjs";
import { MoteError } from "../errors.js";

/** Rows and columns of the result. */
export const DIGIT_SIDE = 28;
const FIT_SIDE = 20;
/** A file of a few bytes can claim any size; 64 megapixels take 256 MB as RGBA. */
const MAX_PIXELS = 1 << 26;
/** Least difference between ink and paper, of 255. */
const MIN_CONTRAST = 16;
/** Differences from the paper below this part of the strongest one are noise, shadow or the fringe of a scan. */
const NOISE_FLOOR = 0.1;

interface Plane {
  readonly width: number;
  readonly height: number;
  /** [height, width], ink 0 .. 1. */
  readonly ink: Float32Array;
}

/**
 * @param bytes a PNG of any size, colour type and bit depth, light on dark or dark on light; transparent parts count as paper
 * @param name for messages
 * @returns [28, 28] pixels, 0 = paper .. 255 = ink
 * @throws MoteError FORMAT when it is no PNG, is broken, too large or blank
 */
export function digitFromPng(bytes: Uint8Array, name: string): Uint8Array {
  const png = decodePng(bytes, name);
  const plane = separateInk(png, name);
  const box = inkBox(plane);
  const centre = centreOfMass(plane, box);
  if (looksLikeMnist(plane, box, centre)) {
    return Uint8Array.from(plane.ink, (ink) => Math.round(ink * 255));
  }
  return toBytes(resample(plane, box, centre));
}

function decodePng(bytes: Uint8Array, name: string): PNG {
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (bytes.length === 0) throw new MoteError("FORMAT", `${name}: expected a PNG, the file is empty`);
  if (!signature.every((byte, i) => bytes[i] === byte)) {
    throw new MoteError("FORMAT", `${name}: not a PNG (byte 0: expected 89 50 4E 47)`);
  }
  if (bytes.length < 33) throw new MoteError("FORMAT", `${name}: PNG ends within its header (byte ${bytes.length})`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (width * height > MAX_PIXELS) {
    throw new MoteError("FORMAT", `${name}: PNG of ${width} × ${height} pixels, at most ${MAX_PIXELS} are taken`);
  }
  try {
    return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MoteError("FORMAT", `${name}: broken PNG: ${reason}`, { cause: error });
  }
}

function separateInk(png: PNG, name: string): Plane {
  const { width, height, data } = png;
  const paper = paperBehind(png);
  const grey = new Float32Array(width * height);
  for (let i = 0; i < grey.length; i++) {
    const alpha = data[4 * i + 3] / 255;
    grey[i] = luminance(data, i) * alpha + paper * (1 - alpha);
  }
  const ground = median(borderIndices(width, height).map((i) => grey[i]));
  let [lowest, highest] = [ground, ground];
  for (const value of grey) {
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  const contrast = Math.max(highest - ground, ground - lowest);
  if (contrast < MIN_CONTRAST) {
    throw new MoteError(
      "FORMAT",
      `${name}: no digit found: all pixels are within ${Math.ceil(contrast)} of the background, expected at least ${MIN_CONTRAST} of 255`,
    );
  }
  const sign = highest - ground >= ground - lowest ? 1 : -1;
  const ink = grey.map((value) => Math.max(0, (sign * (value - ground)) / contrast));
  return { width, height, ink };
}

/** ITU-R BT.601 luma of pixel `i`, 0 .. 255. */
function luminance(rgba: Uint8Array, i: number): number {
  return 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2];
}

/** The grey to put behind transparent pixels: what the opaque border shows, or else whatever the drawing stands out against. */
function paperBehind(png: PNG): number {
  const { width, height, data } = png;
  const border = borderIndices(width, height);
  const opaque = border.filter((i) => data[4 * i + 3] >= 128);
  if (2 * opaque.length > border.length) return median(opaque.map((i) => luminance(data, i)));
  let [sum, weight] = [0, 0];
  for (let i = 0; i < width * height; i++) {
    sum += luminance(data, i) * data[4 * i + 3];
    weight += data[4 * i + 3];
  }
  return sum >= 128 * weight ? 0 : 255;
}

function borderIndices(width: number, height: number): number[] {
  const indices: number[] = [];
  for (let x = 0; x < width; x++) indices.push(x, (height - 1) * width + x);
  for (let y = 1; y < height - 1; y++) indices.push(y * width, y * width + width - 1);
  return indices;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

/** First and last + 1 row and column that hold ink. */
interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

function inkBox({ width, height, ink }: Plane): Box {
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
function centreOfMass({ width, ink }: Plane, box: Box): readonly [x: number, y: number] {
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
        const ink = Math.max(0, plane.ink[line + first + k] - NOISE_FLOOR) / (1 - NOISE_FLOOR);
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
