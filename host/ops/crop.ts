import { MAX_DIMENSION, OP_CROP } from "../../assembly/format.js";
import { offsetOf, placeOf, plainLayout, valuesOf } from "../model/geometry.js";
import type { Axes } from "../model/model.js";
import { pair, varint } from "./fields.js";
import type { Edges, IntegerOp } from "./op.js";

/** A part of a tensor: so many channels, rows and columns as the output has, from the first ones on. */
export interface QCrop extends Edges {
  readonly op: "crop";
  readonly channel: number;
  readonly first: Axes;
}

export const qcrop = {
  number: OP_CROP,
  arity: 1,
  fields: [varint("channel", 0, MAX_DIMENSION), pair("first", 0, MAX_DIMENSION)],
  values: ({ channel, first }) => [channel, ...first],
  layer: (edges, [channel, y, x]) => ({ op: "crop", ...edges, channel, first: [y, x] }),
  check({ channel, first }, [{ shape }], output, where, fail) {
    [channel, ...first].forEach((begin, axis) => {
      const end = begin + output.shape[axis];
      if (end > shape[axis]) {
        fail(where, `takes ${AXES[axis]} ${begin} … ${end - 1} of an input of ${shape[axis]}`);
      }
    });
  },
  forward({ channel, first }, [input], [{ shape }], output) {
    const layout = plainLayout(shape);
    return Int8Array.from({ length: valuesOf(output.shape) }, (_, index) => {
      const [c, y, x] = placeOf(output.shape, index);
      return input[offsetOf(layout, channel + c, first[0] + y, first[1] + x)];
    });
  },
  range: (_layer, [input]) => input,
  weights: null,
  isInPlace: false,
  device: { room: "ops/parts" },
} as const satisfies IntegerOp<QCrop>;

const AXES = ["channels", "rows", "columns"] as const;
