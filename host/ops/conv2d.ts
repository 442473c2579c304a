import { MAX_BORDER, MAX_DIMENSION, MAX_KERNEL, OP_CONV2D } from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import { elementsFor } from "../model/elements.js";
import { extentOf, offsetOf, plainLayout } from "../model/geometry.js";
import type { Axes, QWeights, Shape } from "../model/model.js";
import {
  axes,
  axesOf,
  mostPadding,
  padding,
  perAxis,
  sidesOf,
  whole,
  type Padding,
  type PerAxis,
} from "./attributes.js";
import { FORM, pair, range, varint } from "./fields.js";
import type { Edges, FloatOp, IntegerOp, NamedLayer, Window } from "./op.js";
import { checkReach, windowedSize } from "./pool.js";
import { NO_WEIGHTS, requantizeRow } from "./weighted.js";

export interface Conv2dLayer extends NamedLayer {
  readonly op: "conv2d";
  readonly outChannels: number;
  /** [KH, KW] */
  readonly kernel: Axes;
  readonly stride: PerAxis;
  /** Zeros around the input. */
  readonly pad: Padding;
  readonly groups: number;
}

export interface QConv2d extends QWeights, Edges {
  readonly op: "conv2d";
  readonly kernel: Axes;
  readonly stride: Axes;
  /** Of the input's border, what the first places look at, above and on the left. */
  readonly pad: Axes;
  readonly groups: number;
  /** Max-pooling fused behind the convolution; NO_POOL for none. */
  readonly pool: Window;
}

export const conv2d = {
  attributes: {
    outChannels: whole(1),
    kernel: axes(1),
    stride: perAxis,
    pad: padding,
    groups: whole(1),
  },
  outputShape({ outChannels, kernel, stride, pad, groups }, [[channels, height, width]], where) {
    if (channels % groups !== 0 || outChannels % groups !== 0) {
      const got = `${groups} groups, ${channels} input and ${outChannels} output channels`;
      throw new MoteError("UNSUPPORTED", `${where}: groups must divide both channel counts, got ${got}`);
    }
    return [outChannels, ...windowedSize(where, [height, width], kernel, stride, pad)];
  },
  forward(layer, [{ shape, data }], to, parameters) {
    const { weight, bias } = parameters!;
    const [, height, width] = shape;
    const layout = plainLayout(shape);
    const [kernelHeight, kernelWidth] = layer.kernel;
    const [strideY, strideX] = axesOf(layer.stride);
    const [top, left] = sidesOf(layer.pad);
    const output = new Float64Array(to[0] * to[1] * to[2]);
    for (let row = 0, out = 0; row < to[0]; row++) {
      const [first, last] = channelsOf(layer.groups, row, shape, to);
      for (let oy = 0; oy < to[1]; oy++) {
        for (let ox = 0; ox < to[2]; ox++) {
          let acc = bias[row];
          let at = row * (last - first) * kernelHeight * kernelWidth;
          for (let channel = first; channel < last; channel++) {
            for (let ky = 0; ky < kernelHeight; ky++) {
              for (let kx = 0; kx < kernelWidth; kx++, at++) {
                const y = oy * strideY + ky - top;
                const x = ox * strideX + kx - left;
                if (y < 0 || y >= height || x < 0 || x >= width) continue;
                acc += weight[at] * data[offsetOf(layout, channel, y, x)];
              }
            }
          }
          output[out++] = acc;
        }
      }
    }
    return output;
  },
  weights: {
    rows: ({ outChannels }) => outChannels,
    columns: ({ kernel, groups }, [channels]) => [channels / groups, ...kernel],
    kernel: ({ kernel }) => kernel,
    groups: ({ groups }) => groups,
    pad: ({ pad }) => mostPadding(pad),
    withRows: (layer, outChannels) => ({
      ...layer,
      outChannels,
      groups: layer.groups === 1 ? 1 : (layer.groups * outChannels) / layer.outChannels,
    }),
  },
  hasOwnScale: true,
  isRectifier: false,
  constants: null,
} as const satisfies FloatOp<Conv2dLayer>;

export const qconv2d = {
  number: OP_CONV2D,
  arity: 1,
  fields: [
    pair("kernel", 1, MAX_KERNEL),
    pair("stride", 1, MAX_KERNEL),
    pair("pad", 0, MAX_BORDER),
    varint("groups", 1, MAX_DIMENSION),
    pair("pool", 1, MAX_KERNEL),
    pair("poolStride", 1, MAX_KERNEL),
    FORM,
  ],
  values: ({ kernel, stride, pad, groups, pool, clamp }) => [
    ...kernel,
    ...stride,
    ...pad,
    groups,
    ...pool.size,
    ...pool.stride,
    ...clamp,
  ],
  layer: (edges, values) => {
    const [kernelY, kernelX, strideY, strideX, top, left, groups, poolY, poolX, poolStrideY, poolStrideX, ...clamp] =
      values;
    return {
      op: "conv2d",
      ...edges,
      kernel: [kernelY, kernelX],
      stride: [strideY, strideX],
      pad: [top, left],
      groups,
      pool: { size: [poolY, poolX], stride: [poolStrideY, poolStrideX] },
      ...NO_WEIGHTS,
      clamp: [clamp[0], clamp[1]],
    };
  },
  check({ kernel, stride, pad, groups, pool }, [input], output, where, fail) {
    for (const zeros of pad) range(fail, where, "pad", zeros, 0, input.border);
    range(fail, where, "groups", groups, 1, input.shape[0]);
    if (input.shape[0] % groups !== 0 || output.shape[0] % groups !== 0) {
      fail(where, `groups is ${groups}, expected a divisor of ${input.shape[0]} and ${output.shape[0]} channels`);
    }
    for (const axis of [1, 2] as const) {
      const at = axis - 1;
      const convolved = extentOf(output.shape[axis], pool.size[at], pool.stride[at]);
      const there = input.shape[axis] + pad[at] + input.border;
      checkReach(extentOf(convolved, kernel[at], stride[at]), there, axis, where, fail);
    }
  },
  forward(layer, [input], [from], to) {
    const [, height, width] = from.shape;
    const [rows, outHeight, outWidth] = to.shape;
    const [kernelHeight, kernelWidth] = layer.kernel;
    const { stride, pad, pool } = layer;
    const { zeroPoint } = from;
    const layout = plainLayout(from.shape);
    const convHeight = extentOf(outHeight, pool.size[0], pool.stride[0]);
    const convWidth = extentOf(outWidth, pool.size[1], pool.stride[1]);
    const output = elementsFor(to, rows * outHeight * outWidth);
    const acc = new Int32Array(convHeight * convWidth);
    for (let row = 0, at = 0, out = 0; row < rows; row++) {
      acc.fill(layer.bias[row]);
      const [first, last] = channelsOf(layer.groups, row, from.shape, to.shape);
      for (let channel = first; channel < last; channel++) {
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let kx = 0; kx < kernelWidth; kx++) {
            const w = layer.weights[at++];
            if (w === 0) continue;
            for (let oy = 0; oy < convHeight; oy++) {
              const y = oy * stride[0] + ky - pad[0];
              if (y < 0 || y >= height) continue;
              const line = offsetOf(layout, channel, y, 0);
              for (let ox = 0; ox < convWidth; ox++) {
                const x = ox * stride[1] + kx - pad[1];
                if (x < 0 || x >= width) continue;
                acc[oy * convWidth + ox] += w * (input[line + x] - zeroPoint);
              }
            }
          }
        }
      }
      for (let py = 0; py < outHeight; py++) {
        for (let px = 0; px < outWidth; px++) {
          let largest = -(2 ** 31);
          for (let y = py * pool.stride[0]; y < py * pool.stride[0] + pool.size[0]; y++) {
            for (let x = px * pool.stride[1]; x < px * pool.stride[1] + pool.size[1]; x++) {
              largest = Math.max(largest, acc[y * convWidth + x]);
            }
          }
          output[out++] = requantizeRow(largest, layer, row, to.zeroPoint);
        }
      }
    }
    return output;
  },
  range: ({ clamp }) => clamp,
  weights: {
    columns: ({ kernel, groups }, [channels]) => (channels / groups) * kernel[0] * kernel[1],
    kernel: ({ kernel }) => kernel,
    // Under a pool, every convolved place that the pool reads.
    places: ({ pool: { size, stride } }, [, height, width]) =>
      extentOf(height, size[0], stride[0]) * extentOf(width, size[1], stride[1]),
    needsWholeRow: true,
  },
  isInPlace: false,
  device: {
    room: "ops/conv2d",
    settle(layers) {
      const none = { "ops/conv2d/hasPool": { returns: 0 }, "ops/conv2d/mostPool": { returns: 1 } };
      return {
        ...(layers.every(({ pool }) => isPooled(pool)) ? { "ops/conv2d/hasPool": { returns: 1 } } : {}),
        ...(layers.some(({ pool }) => isPooled(pool)) ? {} : none),
        ...(layers.some(({ groups }) => groups > 1) ? {} : { "ops/conv2d/hasGroups": { returns: 0 } }),
      };
    },
  },
} as const satisfies IntegerOp<QConv2d>;

/** Whether there is a pool: a stride alone leaves out places. */
export const isPooled = ({ size }: Window): boolean => size[0] * size[1] > 1;

/** The input channels that an output channel looks at: its group's, from the first to before the last. */
export function channelsOf(
  groups: number,
  row: number,
  from: Shape,
  to: Shape,
): readonly [first: number, last: number] {
  const inputs = from[0] / groups;
  const first = Math.floor(row / (to[0] / groups)) * inputs;
  return [first, first + inputs];
}
