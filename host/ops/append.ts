import { OP_APPEND } from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import { elementsFor } from "../model/elements.js";
import { offsetOf, placeOf, plainLayout, valuesOf } from "../model/geometry.js";
import type { Axes, Shape } from "../model/model.js";
import { optional, whole } from "./attributes.js";
import { PLAIN_OP, type Edges, type FloatOp, type IntegerOp, type JoiningLayer } from "./op.js";

/** The second input behind the first, along rows or columns, and of both together the last: a window over the latest steps, where the first is a state. */
export interface AppendLayer extends JoiningLayer {
  readonly op: "append";
  /** How many of them the output has: one of both. */
  readonly rows?: number;
  readonly columns?: number;
}

/**
 * What is new behind what was there: the rows of the second input below those of the first, or where their widths are not the output's the columns on
 * the right. Of all of them the output has the last.
 */
export interface QAppend extends Edges {
  readonly op: "append";
}

/** Rows and columns of all inputs together that are not in the output, in front of it. */
export function passedOver(inputs: readonly Shape[], output: Shape): Axes {
  const [height, width] = [1, 2].map((axis) => inputs.reduce((sum, shape) => sum + shape[axis], 0) - output[axis]);
  return isBelow(inputs, output) ? [height, 0] : [0, width];
}

/** Whether an input lies below the one before it, not beside it. */
export const isBelow = (inputs: readonly Shape[], [, , width]: Shape): boolean =>
  inputs.every((shape) => shape[2] === width);

/** @returns of an element of the output which input has it, and its index there */
function elementIn(inputs: readonly Shape[], output: Shape): (index: number) => readonly [input: number, at: number] {
  const [top, left] = passedOver(inputs, output);
  const axis = isBelow(inputs, output) ? 1 : 2;
  return (index) => {
    const [channel, y, x] = placeOf(output, index);
    const place: [number, number, number] = [channel, y + top, x + left];
    let input = 0;
    while (place[axis] >= inputs[input][axis]) place[axis] -= inputs[input++][axis];
    return [input, offsetOf(plainLayout(inputs[input]), ...place)];
  };
}

const shapesText = (shapes: readonly Shape[]): string => shapes.map((shape) => `[${shape.join(", ")}]`).join(" and ");

export const append = {
  ...PLAIN_OP,
  joins: { least: 2, most: 2 },
  attributes: { rows: optional(whole(1)), columns: optional(whole(1)) },
  outputShape({ rows, columns }, inputs, where) {
    if ((rows === undefined) === (columns === undefined)) {
      const found = rows === undefined ? "neither rows nor columns" : "rows and columns";
      throw new MoteError("UNSUPPORTED", `${where}: has ${found}, expected one of both`);
    }
    const axis = rows === undefined ? 2 : 1;
    const [first, second] = inputs;
    if (first[0] !== second[0] || first[3 - axis] !== second[3 - axis]) {
      const others = `channels and ${axis === 1 ? "columns" : "rows"}`;
      throw new MoteError("UNSUPPORTED", `${where}: its inputs are ${shapesText(inputs)}, expected as many ${others}`);
    }
    const count = rows ?? columns!;
    const all = first[axis] + second[axis];
    if (count <= all) return axis === 1 ? [first[0], count, first[2]] : [first[0], first[1], count];
    const axisName = axis === 1 ? "rows" : "columns";
    throw new MoteError("UNSUPPORTED", `${where}: takes ${count} ${axisName} of inputs of ${all}`);
  },
  forward(_layer, inputs, to) {
    const elementAt = elementIn(
      inputs.map(({ shape }) => shape),
      to,
    );
    return Float64Array.from({ length: valuesOf(to) }, (_, index) => {
      const [input, at] = elementAt(index);
      return inputs[input].data[at];
    });
  },
  hasOwnScale: false,
} as const satisfies FloatOp<AppendLayer>;

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
    const expected = `expected to lie one behind the other in an output of ${shapesText([shape])}`;
    fail(where, `inputs are ${shapesText(shapes)}, ${expected}`);
  },
  forward(_layer, elements, inputs, output) {
    const elementAt = elementIn(
      inputs.map((input) => input.shape),
      output.shape,
    );
    const moved = Array.from({ length: valuesOf(output.shape) }, (_, index) => {
      const [input, at] = elementAt(index);
      return elements[input][at];
    });
    return elementsFor(output, moved);
  },
  range: (_layer, [a, b]) => [Math.min(a[0], b[0]), Math.max(a[1], b[1])],
  weights: null,
  isInPlace: false,
  device: { room: "ops/parts" },
} as const satisfies IntegerOp<QAppend>;
