import { MAX_KERNEL, OP_RESIZE } from "../../assembly/format.js";
import { elementsFor } from "../model/elements.js";
import { offsetOf, placeOf, plainLayout, valuesOf } from "../model/geometry.js";
import type { Axes } from "../model/model.js";
import { pair } from "./fields.js";
import { axes } from "./attributes.js";
import { PLAIN_OP, type Edges, type FloatOp, type IntegerOp, type NamedLayer } from "./op.js";

/** Nearest neighbour by whole factors. */
export interface ResizeLayer extends NamedLayer {
  readonly op: "resize";
  readonly factor: Axes;
}

/** Nearest neighbour by whole factors: each element becomes a block of them. */
export interface QResize extends Edges {
  readonly op: "resize";
  readonly factor: Axes;
}

export const resize = {
  ...PLAIN_OP,
  attributes: { factor: axes(1) },
  outputShape: ({ factor }, [[channels, height, width]]) => [channels, height * factor[0], width * factor[1]],
  forward({ factor }, [{ shape, data }], to) {
    const layout = plainLayout(shape);
    return Float64Array.from({ length: valuesOf(to) }, (_, index) => {
      const [channel, y, x] = placeOf(to, index);
      return data[offsetOf(layout, channel, Math.floor(y / factor[0]), Math.floor(x / factor[1]))];
    });
  },
  hasOwnScale: false,
  constants: { through: (_layer, [value]) => value, isShift: () => true },
} as const satisfies FloatOp<ResizeLayer>;

export const qresize = {
  number: OP_RESIZE,
  arity: 1,
  fields: [pair("factor", 1, MAX_KERNEL)],
  values: ({ factor }) => factor,
  layer: (edges, [y, x]) => ({ op: "resize", ...edges, factor: [y, x] }),
  check({ factor }, [{ shape }], output, where, fail) {
    const expected = [shape[0], shape[1] * factor[0], shape[2] * factor[1]];
    if (output.shape.join() !== expected.join()) {
      fail(where, `output shape is [${output.shape.join(", ")}], expected [${expected.join(", ")}]`);
    }
  },
  forward({ factor }, [input], [{ shape }], output) {
    const layout = plainLayout(shape);
    const [channels, height, width] = output.shape;
    const elements = Array.from({ length: channels * height * width }, (_, index) => {
      const [channel, y, x] = placeOf(output.shape, index);
      return input[offsetOf(layout, channel, Math.floor(y / factor[0]), Math.floor(x / factor[1]))];
    });
    return elementsFor(output, elements);
  },
  range: (_layer, [input]) => input,
  weights: null,
  isInPlace: false,
  device: { room: "ops/resize" },
} as const satisfies IntegerOp<QResize>;
