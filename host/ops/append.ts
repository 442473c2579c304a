import { OP_APPEND } from "../../assembly/format.js";
import { offsetOf, placeOf, plainLayout, valuesOf } from "../model/geometry.js";
import type { Axes, Shape } from "../model/model.js";
import type { Edges, IntegerOp } from "./op.js";

/**
 * What is new behind what was there: the rows of the second input below those of the first, or where their widths are not the output's the columns on
 * the right. Of all of them the output has the last.
 */
export interface QAppend extends Edges {
  readonly op: "append";
}

/** Rows and columns of both inputs together that are not in the output, in front of it. */
export function passedOver(inputs: readonly Shape[], output: Shape): Axes {
  const [height, width] = [1, 2].map((axis) => inputs[0][axis] + inputs[1][axis] - output[axis]);
  return isBelow(inputs, output) ? [height, 0] : [0, width];
}

/** Whether the second input lies below the first, not beside it. */
export const isBelow = (inputs: readonly Shape[], [, , width]: Shape): boolean =>
  inputs.every((shape) => shape[2] === width);

export const qappend = {
  number: OP_APPEND,
  arity: 2,
  fields: [],
  values: () => [],
  layer: (edges) => ({ op: "append", ...edges }),
  check(_layer, inputs, { shape }, where, fail) {
    const shapes = inputs.map((input) => input.shape);
    const axis = isBelow(shapes, shape) ? 1 : 2;
    const isFitting = shapes.every((one) => one[0] === shape[0] && one[3 - axis] === shape[3 - axis]);
    const all = shapes.reduce((sum, one) => sum + one[axis], 0);
    if (isFitting && all >= shape[axis]) return;
    const text = [...shapes, shape].map((one) => `[${one.join(", ")}]`);
    fail(
      where,
      `inputs are ${text[0]} and ${text[1]}, expected to lie one behind the other in an output of ${text[2]}`,
    );
  },
  forward(_layer, elements, inputs, { shape }) {
    const shapes = inputs.map((input) => input.shape);
    const [top, left] = passedOver(shapes, shape);
    const [, height, width] = shapes[0];
    return Int8Array.from({ length: valuesOf(shape) }, (_, index) => {
      const [c, y, x] = placeOf(shape, index);
      const [row, column] = [y + top, x + left];
      if (row >= height) return elements[1][offsetOf(plainLayout(shapes[1]), c, row - height, column)];
      if (column >= width) return elements[1][offsetOf(plainLayout(shapes[1]), c, row, column - width)];
      return elements[0][offsetOf(plainLayout(shapes[0]), c, row, column)];
    });
  },
  range: (_layer, [a, b]) => [Math.min(a[0], b[0]), Math.max(a[1], b[1])],
  weights: null,
  isInPlace: false,
  device: { room: "ops/parts" },
} as const satisfies IntegerOp<QAppend>;
