/** From the pixels of a picture to the real numbers that a model takes. */
import { MoteError } from "../host/errors.js";
import type { ModelTensor, Pixels } from "./types.js";

/**
 * @returns values 0 .. 255, not rounded, planar in the input's shape
 * @throws MoteError MISMATCH for data of another length than width and height say, or an input that is no picture
 */
export function planesOf({ width, height, data }: Pixels, { shape, preprocessing }: ModelTensor): Float64Array {
  const [channels, rows, columns] = shape;
  if (channels !== 1 && channels !== 3) {
    throw new MoteError("MISMATCH", `classify: expected a model of 1 or 3 channels, got one of ${channels}`);
  }
  if (!(width > 0 && height > 0 && data.length === 4 * width * height)) {
    throw new MoteError("MISMATCH", `classify: expected 4 × ${width} × ${height} bytes of RGBA, got ${data.length}`);
  }
  const isBgr = preprocessing?.colours === "bgr";
  const planes = new Float64Array(channels * rows * columns);
  // Along an axis a pixel of the picture is `rows` units and one of the input `height`: all whole numbers.
  for (let i = 0; i < planes.length; i++) {
    const plane = Math.floor(i / rows / columns);
    const top = (Math.floor(i / columns) % rows) * height;
    const start = (i % columns) * width;
    for (let y = Math.floor(top / rows); y * rows < top + height; y++) {
      const down = Math.min(top + height, (y + 1) * rows) - Math.max(top, y * rows);
      for (let x = Math.floor(start / columns); x * columns < start + width; x++) {
        const across = Math.min(start + width, (x + 1) * columns) - Math.max(start, x * columns);
        planes[i] += down * across * valueAt(data, 4 * (y * width + x), channels, isBgr ? 2 - plane : plane);
      }
    }
    planes[i] /= width * height;
  }
  return planes;
}

/** Over black; exact for grey and opaque pixels. */
function valueAt(data: Pixels["data"], at: number, channels: number, channel: number): number {
  const value = channels === 1 ? (299 * data[at] + 587 * data[at + 1] + 114 * data[at + 2]) / 1000 : data[at + channel];
  return (value * data[at + 3]) / 255;
}
