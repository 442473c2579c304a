import { MAX_DIMENSION, OP_CROP } from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import { elementsFor } from "../model/elements.js";
import { offsetOf, placeOf, plainLayout, valuesOf } from "../model/geometry.js";
import type { Axes } from "../model/model.js";
import { whole } from "./attributes.js";
import { pair, varint } from "./fields.js";
import { PLAIN_OP, type Edges, type FloatOp, type IntegerOp, type NamedLayer } from "./op.js";

/** So many channels of a tensor, from one on. */
export interface CropLayer extends NamedLayer {
  readonly op: "crop";
  /** The first. */
  readonly channel: number;
  readonly channels: number;
}

/** A part of a tensor: so many channels, rows and columns as the output has, from the first ones on. */
export interface QCrop extends Edges {
  readonly op: "crop";
  readonly channel: number;
  readonly first: Axes;
}

export const crop = {
  ...PLAIN_OP,
  attributes: { channel: whole(0), channels: whole(1) },
  outputShape({ channel, channels }, [[all, height, width]], where) {
    if (channel + channels <= all) return [channels, height, width];
    const taken = `channels ${channel} … ${channel + channels - 1}`;
    throw new MoteError("UNSUPPORTED", `${where}: takes ${taken} of an input of ${all}`);
  },
  forward({ channel }, [{ shape, data }], to) {
    const first = channel * shape[1] * shape[2];
    return data.slice(first, first + valuesOf(to));
  },
  hasOwnScale: false,
} as const satisfies FloatOp<CropLayer>;

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
    const elements = Array.from({ length: valuesOf(output.shape) }, (_, index) => {
      const [c, y, x] = placeOf(output.shape, index);
      return input[offsetOf(layout, channel + c, first[0] + y, first[1] + x)];
    });
    return elementsFor(output, elements);
  },
  range: (_layer, [input]) => input,
  weights: null,
  isInPlace: false,
  device: { room: "ops/parts" },
} as const satisfies IntegerOp<QCrop>;

const AXES = ["channels", "rows", "columns"] as const;
