/** Windows that move over an image with zeros around it: how many places they have, and which zeros. */
import type { Axes, Shape } from "../model/model.js";
import { CannotLower } from "./cannot-lower.js";
import type { Pads } from "./net.js";

/** Zeros of both. */
export const addPads = (a: Pads, b: Pads): Pads => [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];

/** TensorFlow's SAME: as many outputs as strides begin, the odd zero at the end (tf.nn.convolution). */
export function samePads([height, width]: Axes, kernel: Axes, stride: Axes): Pads {
  const total = (extent: number, axis: 0 | 1): number =>
    Math.max(0, (Math.ceil(extent / stride[axis]) - 1) * stride[axis] + kernel[axis] - extent);
  const [y, x] = [total(height, 0), total(width, 1)];
  return [Math.floor(y / 2), Math.floor(x / 2), Math.ceil(y / 2), Math.ceil(x / 2)];
}

const windows = (extent: number, kernel: number, stride: number): number => Math.floor((extent - kernel) / stride) + 1;

/** Output rows and columns of a window that moves over an image with zeros around it. */
export function windowed([, height, width]: Shape, pads: Pads, kernel: Axes, stride: Axes): Axes {
  const size: Axes = [
    windows(height + pads[0] + pads[2], kernel[0], stride[0]),
    windows(width + pads[1] + pads[3], kernel[1], stride[1]),
  ];
  if (size[0] < 1 || size[1] < 1) throw new CannotLower(`its window of ${kernel.join(" × ")} is larger than its input`);
  return size;
}
