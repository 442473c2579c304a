/** Convolutions by the training kernel against plain loops. Numbers are whole and small, so that sums are exact in any order. */
import { expect, test } from "vitest";
import { kernelConvolve } from "../../host/import/float-conv.js";
import { runFloat } from "../../host/import/float-run.js";
import { NO_CLAMP, type ImportedNet, type NetConv } from "../../host/import/net.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Shape } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Random } from "../../host/rng.js";

const random = new Random(9);
const whole = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.integer(9) - 4);

function netOf(from: Shape, rows: number, to: readonly [number, number], layer: Partial<NetConv>): ImportedNet {
  const { kernel = [3, 3], groups = 1 } = layer;
  const columns = (from[0] / groups) * kernel[0] * kernel[1];
  const conv: NetConv = {
    op: "conv2d",
    name: "conv",
    inputs: [0],
    output: 1,
    kernel,
    groups,
    stride: [1, 1],
    pads: [0, 0, 0, 0],
    clamp: NO_CLAMP,
    weights: { rows, columns, values: whole(rows * columns), bias: whole(rows) },
    ...layer,
  };
  return {
    tensors: [
      { name: "x", shape: from },
      { name: "y", shape: [rows, ...to] },
    ],
    layers: [conv],
    inputs: [{ tensor: 0, name: "x", dims: [1, ...from], order: "chw", bias: 0 }],
    outputs: [{ tensor: 1, name: "y", dims: [1, rows, ...to], order: "chw", bias: 0 }],
    isQuantized: false,
    notes: [],
    states: [],
  };
}

test.each<[string, ImportedNet]>([
  ["a plain one", netOf([3, 7, 9], 4, [5, 7], {})],
  ["with padding", netOf([3, 14, 14], 16, [14, 14], { pads: [1, 1, 1, 1] })],
  ["with padding on some sides", netOf([2, 6, 6], 3, [4, 7], { pads: [0, 2, 0, 1] })],
  ["of one place", netOf([8, 1, 1], 5, [1, 1], { kernel: [1, 1] })],
  ["with steps", netOf([3, 9, 11], 6, [5, 4], { stride: [2, 3], pads: [1, 1, 1, 1] })],
  [
    "with steps larger than the kernel",
    netOf([2, 10, 10], 3, [4, 5], { kernel: [2, 1], stride: [3, 2], pads: [0, 0, 1, 0] }),
  ],
  ["along a line", netOf([4, 1, 50], 3, [1, 22], { kernel: [1, 8], stride: [1, 2] })],
  ["of groups", netOf([6, 5, 5], 9, [3, 3], { groups: 3 })],
  ["depthwise, two of each channel", netOf([5, 8, 8], 10, [8, 8], { groups: 5, pads: [1, 1, 1, 1] })],
  [
    "with a relu and a pool",
    netOf([3, 8, 8], 7, [4, 3], {
      pads: [1, 1, 1, 1],
      clamp: { low: 0, high: 50 },
      pool: { size: [2, 2], stride: [2, 3] },
    }),
  ],
  ["of more rows than are worked out at once", netOf([1, 230, 230], 21, [228, 228], {})],
])("%s", (_, net) => {
  const convolve = kernelConvolve(nodeRuntime.kernels());
  for (let run = 0; run < 2; run++) {
    const input = whole(valuesOf(net.tensors[0].shape));
    const [[found], [expected]] = [runFloat(net, [input], undefined, convolve), runFloat(net, [input])];
    expect(found).toHaveLength(expected.length);
    // Element by element, as toEqual takes seconds of a million.
    expect(found.findIndex((value, i) => value !== expected[i])).toBe(-1);
  }
});
