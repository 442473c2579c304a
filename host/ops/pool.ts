/** What maxpool and avgpool have in common. */
import { MAX_BORDER, MAX_DIMENSION } from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import { extentOf, offsetOf, plainLayout, windowsIn } from "../model/geometry.js";
import type { Axes, QTensor, Shape } from "../model/model.js";
import {
  axesOf,
  mostPadding,
  optional,
  padding,
  perAxis,
  sidesOf,
  type Attribute,
  type Padding,
  type PerAxis,
} from "./attributes.js";
import { FORM, pair, range, type Fail } from "./fields.js";
import type { FloatValues, NamedLayer } from "./op.js";

export interface Pooling {
  readonly kernel: PerAxis;
  readonly stride: PerAxis;
  /** Zeros around the input, which are elements like others. Absent: none. */
  readonly pad?: Padding;
}

export type NamedPool = NamedLayer & Pooling;

/** Of an integer layer. Windows reach into the input's border, which holds the zero point. */
export interface QPooling {
  readonly kernel: Axes;
  readonly stride: Axes;
  /** Of the border, what the first windows look at, above and on the left. */
  readonly pad: Axes;
}

/** The windows of a pool of the float graph. */
export const windowsOf = ({ kernel, stride, pad = 0 }: Pooling): QPooling => ({
  kernel: axesOf(kernel),
  stride: axesOf(stride),
  pad: [sidesOf(pad)[0], sidesOf(pad)[1]],
});

export const poolAttributes: Readonly<Record<string, Attribute>> = {
  kernel: perAxis,
  stride: perAxis,
  pad: optional(padding),
};

export const poolFields = [
  pair("kernel", 1, MAX_DIMENSION),
  pair("stride", 1, MAX_DIMENSION),
  pair("pad", 0, MAX_BORDER),
  FORM,
];

export const poolValues = ({ kernel, stride, pad, clamp }: QPooling & { readonly clamp: Axes }): number[] => [
  ...kernel,
  ...stride,
  ...pad,
  ...clamp,
];

/** @returns what the values of the fields are of a layer */
export const pooling = ([kernelY, kernelX, strideY, strideX, top, left, clampMin, clampMax]: readonly number[]) =>
  ({
    kernel: [kernelY, kernelX],
    stride: [strideY, strideX],
    pad: [top, left],
    clamp: [clampMin, clampMax],
  }) as const;

const hasBorder = ({ pad = 0 }: Pooling): boolean => mostPadding(pad) > 0;

/** Zeros around are elements of windows: no other constant stays one. */
export const poolConstants = {
  through: (layer: Pooling, [value]: readonly number[]) => (hasBorder(layer) && value !== 0 ? NaN : value),
  isShift: (layer: Pooling) => !hasBorder(layer),
};

/** Rows and columns of windows in a plane of `size`. @throws MoteError UNSUPPORTED where a window is larger */
export function windowedSize(where: string, size: Axes, kernel: PerAxis, stride: PerAxis, pad: Padding): Axes {
  const [top, left, bottom, right] = sidesOf(pad);
  const count = (extent: number, axis: 0 | 1): number => {
    const window = axesOf(kernel)[axis];
    if (window > extent)
      throw new MoteError("UNSUPPORTED", `${where}: kernel ${window} is larger than its input, ${extent}`);
    return windowsIn(extent, window, axesOf(stride)[axis]);
  };
  return [count(size[0] + top + bottom, 0), count(size[1] + left + right, 1)];
}

export function pooledShape(
  { kernel, stride, pad = 0 }: Pooling,
  [[channels, height, width]]: readonly Shape[],
  where: string,
): Shape {
  return [channels, ...windowedSize(where, [height, width], kernel, stride, pad)];
}

/** @param wanted rows or columns that a layer reads of its input */
export function checkReach(wanted: number, there: number, axis: 1 | 2, where: string, fail: Fail): void {
  if (wanted > there)
    fail(where, `reads ${wanted} ${axis === 1 ? "rows" : "columns"} of its input, which has ${there}`);
}

export function checkPool(
  { kernel, stride, pad }: QPooling,
  [input]: readonly QTensor[],
  output: QTensor,
  where: string,
  fail: Fail,
): void {
  if (input.shape[0] !== output.shape[0]) {
    fail(where, `has ${output.shape[0]} output channels, expected the input's ${input.shape[0]}`);
  }
  for (const axis of [1, 2] as const) {
    const at = axis - 1;
    range(fail, where, "pad", pad[at], 0, input.border);
    const there = input.shape[axis] + pad[at] + input.border;
    checkReach(extentOf(output.shape[axis], kernel[at], stride[at]), there, axis, where, fail);
  }
}

export function poolFloats(
  pool: Pooling,
  [{ shape, data }]: readonly FloatValues[],
  to: Shape,
  reduce: (window: readonly number[]) => number,
): Float64Array {
  const output = new Float64Array(to[0] * to[1] * to[2]);
  eachWindow(windowsOf(pool), shape, to, (out, elements) => {
    const window: number[] = [];
    elements((at) => window.push(at < 0 ? 0 : data[at]));
    output[out] = reduce(window);
  });
  return output;
}

/** Visits each element of the output with an iterator over the indices of its window's elements; one of the border has the index -1. */
export function eachWindow(
  { kernel, stride, pad }: QPooling,
  from: Shape,
  [channels, height, width]: Shape,
  visit: (out: number, elements: (take: (at: number) => void) => void) => void,
): void {
  const layout = plainLayout(from);
  let out = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let oy = 0; oy < height; oy++) {
      for (let ox = 0; ox < width; ox++) {
        const top = oy * stride[0] - pad[0];
        const left = ox * stride[1] - pad[1];
        visit(out++, (take) => {
          for (let y = top; y < top + kernel[0]; y++) {
            for (let x = left; x < left + kernel[1]; x++) {
              const isInside = y >= 0 && y < from[1] && x >= 0 && x < from[2];
              take(isInside ? offsetOf(layout, channel, y, x) : -1);
            }
          }
        });
      }
    }
  }
}
