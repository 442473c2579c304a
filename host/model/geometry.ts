/** Where elements stand and what windows look at: sizes and offsets of planar tensors, [C, H, W], worked out here and nowhere else. */
import { elementBytes } from "./elements.js";
import type { QTensor, Shape } from "./model.js";

/** Values of one sample. */
export const valuesOf = (shape: Shape): number => shape[0] * shape[1] * shape[2];

/** Bytes, or elements, from an element to that below it, and to that of the next channel. */
export interface Layout {
  readonly pitch: number;
  readonly plane: number;
}

/** A tensor with its border around each plane, as the arena has it. @param lines that it keeps at a time, where they are not all */
export function pitchAndPlane({
  shape: [, height, width],
  border,
  lines = height + 2 * border,
}: Pick<QTensor, "shape" | "border"> & { readonly lines?: number }): Layout {
  const pitch = width + 2 * border;
  return { pitch, plane: pitch * lines };
}

/** A tensor without a border. */
export const plainLayout = (shape: Shape): Layout => pitchAndPlane({ shape, border: 0 });

/** From the first element, that of channel 0 inside the border. */
export const offsetOf = ({ pitch, plane }: Layout, channel: number, y: number, x: number): number =>
  channel * plane + y * pitch + x;

/** The element at `index` of [C, H, W] as [channel, y, x]. */
export function placeOf([, height, width]: Shape, index: number): readonly [channel: number, y: number, x: number] {
  const line = Math.floor(index / width);
  return [Math.floor(line / height), line % height, index % width];
}

/** Bytes of a tensor in the arena, border included. */
export const tensorBytes = (tensor: QTensor): number =>
  tensor.shape[0] * pitchAndPlane(tensor).plane * elementBytes(tensor);

/** From a tensor's place in the arena, which is its border's first byte, to its first element. */
export const borderBytes = ({ pitch }: Layout, border: number): number => border * (pitch + 1);

/** Elements along an axis that `count` windows look at, each `size` wide and `stride` behind the one before. */
export const extentOf = (count: number, size: number, stride: number): number => (count - 1) * stride + size;

/** Windows that fit along an axis of `extent` elements. */
export const windowsIn = (extent: number, size: number, stride: number): number =>
  Math.floor((extent - size) / stride) + 1;
