import { MAX_BORDER, MAX_DIMENSION, MAX_KERNEL, OP_CONV2D } from "../../assembly/format.js";
import { MoteError } from "../errors.js";
import { extentOf, offsetOf, plainLayout } from "../model/geometry.js";
import type { QWeights, Shape } from "../model/model.js";
import { CLAMP_FIELDS, range, varint } from "./fields.js";
import type { Edges, FloatOp, IntegerOp, NamedLayer, Window } from "./op.js";
import { checkReach, windowedSize } from "./pool.js";
import { NO_WEIGHTS, requantizeRow } from "./weighted.js";

export interface Conv2dLayer extends NamedLayer {
  readonly op: "conv2d";
  readonly outChannels: number;
  /** [KH, KW] */
  readonly kernel: readonly [number, number];
  readonly stride: number;
  /** Zeros added on each of the four sides. */
  readonly pad: number;
  readonly groups: number;
}

export interface QConv2d extends QWeights, Edges {
  readonly op: "conv2d";
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly pad: number;
  readonly groups: number;
  /** Max-pooling fused behind the convolution; { size: 1, stride: 1 } for none. */
  readonly pool: Window;
}

export const conv2d = {
  attributes: {
    outChannels: { least: 1 },
    kernel: { least: 1, axes: ["height", "width"] },
    stride: { least: 1 },
    pad: { least: 0 },
    groups: { least: 1 },
  },
  outputShape({ outChannels, kernel, stride, pad, groups }, [[channels, height, width]], where) {
    if (channels % groups !== 0 || outChannels % groups !== 0) {
      const got = `${groups} groups, ${channels} input and ${outChannels} output channels`;
      throw new MoteError("UNSUPPORTED", `${where}: groups must divide both channel counts, got ${got}`);
    }
    return [
      outChannels,
      windowedSize(where, height + 2 * pad, kernel[0], stride),
      windowedSize(where, width + 2 * pad, kernel[1], stride),
    ];
  },
  forward(layer, [{ shape, data }], to, parameters) {
    const { weight, bias } = parameters!;
    const [, height, width] = shape;
    const layout = plainLayout(shape);
    const [kernelHeight, kernelWidth] = layer.kernel;
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
                const y = oy * layer.stride + ky - layer.pad;
                const x = ox * layer.stride + kx - layer.pad;
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
    span: ({ kernel }) => kernel[0] * kernel[1],
    groups: ({ groups }) => groups,
    pad: ({ pad }) => pad,
    withRows: (layer, outChannels) => ({ ...layer, outChannels }),
  },
  hasOwnScale: true,
  takesPool: true,
  isRectifier: false,
  constants: null,
  fuse: () => null,
  quantize(layer, { edges, inputs: [from], clamp, pool, weights }) {
    const { outChannels, kernel, stride, pad, groups } = layer;
    const columns = (from.shape[0] / groups) * kernel[0] * kernel[1];
    return { op: "conv2d", ...edges, ...weights(outChannels, columns), clamp, kernel, stride, pad, groups, pool };
  },
} as const satisfies FloatOp<Conv2dLayer>;

export const qconv2d = {
  number: OP_CONV2D,
  fields: [
    varint("kernelHeight", 1, MAX_KERNEL),
    varint("kernelWidth", 1, MAX_KERNEL),
    varint("stride", 1, MAX_KERNEL),
    varint("pad", 0, MAX_BORDER),
    varint("groups", 1, MAX_DIMENSION),
    varint("poolSize", 1, MAX_KERNEL),
    varint("poolStride", 1, MAX_KERNEL),
    ...CLAMP_FIELDS,
  ],
  values: ({ kernel, stride, pad, groups, pool, clamp }) => [
    ...kernel,
    stride,
    pad,
    groups,
    pool.size,
    pool.stride,
    ...clamp,
  ],
  layer: (edges, [kernelHeight, kernelWidth, stride, pad, groups, poolSize, poolStride, clampMin, clampMax]) => ({
    op: "conv2d",
    ...edges,
    kernel: [kernelHeight, kernelWidth],
    stride,
    pad,
    groups,
    pool: { size: poolSize, stride: poolStride },
    ...NO_WEIGHTS,
    clamp: [clampMin, clampMax],
  }),
  check({ kernel, stride, pad, groups, pool }, [input], output, where, fail) {
    range(fail, where, "pad", pad, 0, input.border);
    range(fail, where, "groups", groups, 1, input.shape[0]);
    if (input.shape[0] % groups !== 0 || output.shape[0] % groups !== 0) {
      fail(where, `groups is ${groups}, expected a divisor of ${input.shape[0]} and ${output.shape[0]} channels`);
    }
    for (const axis of [1, 2] as const) {
      const convolved = extentOf(output.shape[axis], pool.size, pool.stride);
      const there = input.shape[axis] + pad + input.border;
      checkReach(extentOf(convolved, kernel[axis - 1], stride), there, axis, where, fail);
    }
  },
  forward(layer, [input], [from], to) {
    const [, height, width] = from.shape;
    const [rows, outHeight, outWidth] = to.shape;
    const [kernelHeight, kernelWidth] = layer.kernel;
    const { stride, pad, pool } = layer;
    const { zeroPoint } = from;
    const layout = plainLayout(from.shape);
    const convHeight = extentOf(outHeight, pool.size, pool.stride);
    const convWidth = extentOf(outWidth, pool.size, pool.stride);
    const output = new Int8Array(rows * outHeight * outWidth);
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
              const y = oy * stride + ky - pad;
              if (y < 0 || y >= height) continue;
              const line = offsetOf(layout, channel, y, 0);
              for (let ox = 0; ox < convWidth; ox++) {
                const x = ox * stride + kx - pad;
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
          for (let y = py * pool.stride; y < py * pool.stride + pool.size; y++) {
            for (let x = px * pool.stride; x < px * pool.stride + pool.size; x++) {
              largest = Math.max(largest, acc[y * convWidth + x]);
            }
          }
          output[out++] = requantizeRow(largest, layer, row, to.zeroPoint);
        }
      }
    }
    return output;
  },
  weights: {
    columns: ({ kernel, groups }, [channels]) => (channels / groups) * kernel[0] * kernel[1],
    // Under a pool, every convolved place that the pool reads.
    places: ({ pool: { size, stride } }, [, height, width]) =>
      extentOf(height, size, stride) * extentOf(width, size, stride),
    needsWholeRow: true,
  },
  device: {
    room: "ops/conv2d",
    settle(layers) {
      const pooled = new Set(layers.map(({ pool }) => pool.size > 1));
      return {
        ...(pooled.size === 1 ? { "ops/conv2d/hasPool": { returns: Number([...pooled][0]) } } : {}),
        ...(layers.some(({ groups }) => groups > 1) ? {} : { "ops/conv2d/groupOffset": { returns: 0 } }),
      };
    },
  },
} as const satisfies IntegerOp<QConv2d>;

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
