/** What maxpool and avgpool have in common. */
import { MAX_KERNEL } from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import { extentOf, offsetOf, plainLayout, windowsIn } from "../model/geometry.js";
import type { QTensor, Shape } from "../model/model.js";
import { varint, type Fail } from "./fields.js";
import type { Attribute, Constants, FloatValues, NamedLayer } from "./op.js";

export interface Pooling {
  readonly kernel: number;
  readonly stride: number;
}

export type NamedPool = NamedLayer & Pooling;

export const poolAttributes: Readonly<Record<string, Attribute>> = { kernel: { least: 1 }, stride: { least: 1 } };

export const poolFields = [varint("kernel", 1, MAX_KERNEL), varint("stride", 1, MAX_KERNEL)];

export const poolConstants: Constants = { through: (value) => value, isShift: true };

/** @throws MoteError UNSUPPORTED where the window is larger */
export function windowedSize(where: string, size: number, kernel: number, stride: number): number {
  if (kernel > size) throw new MoteError("UNSUPPORTED", `${where}: kernel ${kernel} is larger than its input, ${size}`);
  return windowsIn(size, kernel, stride);
}

export function pooledShape({ kernel, stride }: Pooling, [[channels, height, width]]: readonly Shape[], where: string) {
  return [channels, windowedSize(where, height, kernel, stride), windowedSize(where, width, kernel, stride)] as const;
}

/** @param wanted rows or columns that a layer reads of its input */
export function checkReach(wanted: number, there: number, axis: 1 | 2, where: string, fail: Fail): void {
  if (wanted > there)
    fail(where, `reads ${wanted} ${axis === 1 ? "rows" : "columns"} of its input, which has ${there}`);
}

export function checkPool(
  pool: Pooling,
  [input]: readonly QTensor[],
  output: QTensor,
  where: string,
  fail: Fail,
): void {
  if (input.shape[0] !== output.shape[0]) {
    fail(where, `has ${output.shape[0]} output channels, expected the input's ${input.shape[0]}`);
  }
  for (const axis of [1, 2] as const) {
    checkReach(extentOf(output.shape[axis], pool.kernel, pool.stride), input.shape[axis], axis, where, fail);
  }
}

export function poolFloats(
  pool: Pooling,
  [{ shape, data }]: readonly FloatValues[],
  to: Shape,
  reduce: (window: readonly number[]) => number,
): Float64Array {
  const output = new Float64Array(to[0] * to[1] * to[2]);
  eachWindow(pool, shape, to, (out, elements) => {
    const window: number[] = [];
    elements((at) => window.push(data[at]));
    output[out] = reduce(window);
  });
  return output;
}

/** Visits each element of the output with an iterator over the indices of its window. */
export function eachWindow(
  { kernel, stride }: Pooling,
  from: Shape,
  [channels, height, width]: Shape,
  visit: (out: number, elements: (take: (at: number) => void) => void) => void,
): void {
  const layout = plainLayout(from);
  let out = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let oy = 0; oy < height; oy++) {
      for (let ox = 0; ox < width; ox++) {
        visit(out++, (take) => {
          for (let y = oy * stride; y < oy * stride + kernel; y++) {
            for (let x = ox * stride; x < ox * stride + kernel; x++) take(offsetOf(layout, channel, y, x));
          }
        });
      }
    }
  }
}
