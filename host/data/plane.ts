/** A picture as one brightness a pixel, and the plain work on it. */

/** Of any size. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** [height, width, 4], 0 .. 255: red, green, blue, alpha. */
  readonly rgba: Uint8Array;
}

export interface Plane {
  readonly width: number;
  readonly height: number;
  /** [height, width] */
  readonly values: Float32Array;
}

/** Brightness 0 .. 255; behind transparent pixels there is paper. */
export function greyOf(picture: Picture): Plane {
  const { width, height, rgba } = picture;
  const paper = paperBehind(picture);
  const values = new Float32Array(width * height);
  for (let i = 0; i < values.length; i++) {
    const alpha = rgba[4 * i + 3] / 255;
    values[i] = luminance(rgba, i) * alpha + paper * (1 - alpha);
  }
  return { width, height, values };
}

/** ITU-R BT.601 luma of pixel `i`, 0 .. 255. */
export function luminance(rgba: Uint8Array, i: number): number {
  return 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2];
}

/** The grey to put behind transparent pixels: what the opaque border shows, or else whatever the drawing stands out against. */
function paperBehind({ width, height, rgba }: Picture): number {
  const border: number[] = [];
  for (let x = 0; x < width; x++) border.push(x, (height - 1) * width + x);
  for (let y = 1; y < height - 1; y++) border.push(y * width, y * width + width - 1);
  const opaque = border.filter((i) => rgba[4 * i + 3] >= 128);
  if (2 * opaque.length > border.length) return median(Float32Array.from(opaque, (i) => luminance(rgba, i)));
  let [sum, weight] = [0, 0];
  for (let i = 0; i < width * height; i++) {
    sum += luminance(rgba, i) * rgba[4 * i + 3];
    weight += rgba[4 * i + 3];
  }
  return sum >= 128 * weight ? 0 : 255;
}

/** Sorts `values`. Of none, 0. */
export function median(values: Float32Array): number {
  return values.length === 0 ? 0 : values.sort()[values.length >> 1];
}

export function maximum(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, value), -Infinity);
}

/** What is left without so many lines at each side. */
export function crop(plane: Plane, [top, bottom, left, right]: readonly number[]): Plane {
  const [width, height] = [plane.width - left - right, plane.height - top - bottom];
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (top + y) * plane.width + left;
    values.set(plane.values.subarray(from, from + width), y * width);
  }
  return { width, height, values };
}

/** Means of square blocks, so that no side is longer than `most`; blocks at the right and the bottom may be smaller. */
export function shrink(plane: Plane, most: number): Plane {
  const factor = Math.ceil(Math.max(plane.width, plane.height) / most);
  if (factor === 1) return plane;
  const [width, height] = [Math.ceil(plane.width / factor), Math.ceil(plane.height / factor)];
  const values = new Float32Array(width * height);
  const counts = new Float32Array(width * height);
  for (let y = 0; y < plane.height; y++) {
    const line = Math.floor(y / factor) * width;
    for (let x = 0; x < plane.width; x++) {
      const i = line + Math.floor(x / factor);
      values[i] += plane.values[y * plane.width + x];
      counts[i]++;
    }
  }
  return { width, height, values: values.map((sum, i) => sum / counts[i]) };
}

/** Binomial filter of 3 × 3; at the edge a pixel stands in for the one outside. */
export function smooth({ width, height, values }: Plane): Plane {
  const across = values.map((value, i) => {
    const x = i % width;
    return (values[x > 0 ? i - 1 : i] + 2 * value + values[x + 1 < width ? i + 1 : i]) / 4;
  });
  const both = across.map((value, i) => {
    const [above, below] = [i - width, i + width];
    return (across[above >= 0 ? above : i] + 2 * value + across[below < across.length ? below : i]) / 4;
  });
  return { width, height, values: both };
}

/** Twice as large, by linear interpolation. */
export function enlarge(plane: Plane): Plane {
  const [width, height] = [2 * plane.width, 2 * plane.height];
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const [above, below, down] = between(y, plane.height);
    for (let x = 0; x < width; x++) {
      const [left, right, across] = between(x, plane.width);
      const at = (row: number): number => {
        const line = row * plane.width;
        return plane.values[line + left] * (1 - across) + plane.values[line + right] * across;
      };
      values[y * width + x] = at(above) * (1 - down) + at(below) * down;
    }
  }
  return { width, height, values };
}

/** The two of `size` points that a point of twice as many lies between, and how far it is from the first. */
function between(i: number, size: number): [first: number, second: number, share: number] {
  const place = Math.min(size - 1, Math.max(0, (i + 0.5) / 2 - 0.5));
  const first = Math.floor(place);
  return [first, Math.min(size - 1, first + 1), place - first];
}
