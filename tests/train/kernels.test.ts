/** Kernels with windows and steps that differ by axis, which no layer of a graph has, against plain loops. Whole numbers: sums are exact. */
import { expect, test } from "vitest";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Random } from "../../host/rng.js";
import { writeDescriptor } from "../../host/train/descriptors.js";
import { instantiateKernels, SharedHeap } from "../../host/train/heap.js";

const LANES = 8;
const module = nodeRuntime.kernels();

/** Memory with views of float planes that start as whole numbers, -4 … 4. */
function workbench() {
  const heap = new SharedHeap();
  const random = new Random(11);
  const place = (values: number, fill: () => number): { at: number; data: Float32Array } => {
    const at = heap.allocate(values * 4);
    const data = heap.f32(at, values);
    data.forEach((_, i) => (data[i] = fill()));
    return { at, data };
  };
  return {
    heap,
    kernels: instantiateKernels(module, heap.memory),
    random: (values: number) => place(values, () => random.integer(9) - 4),
    filled: (values: number, value: number) => place(values, () => value),
  };
}

const PLANES = 2;
const pool = {
  height: 7,
  width: 8,
  outHeight: 2,
  outWidth: 6,
  kernelHeight: 3,
  kernelWidth: 2,
  strideY: 4,
  strideX: 1,
};

/** The places in x that each output of `pool` looks at, row by row. */
const windows = Array.from({ length: PLANES * pool.outHeight * pool.outWidth }, (_, i) => {
  const [plane, oy, ox] = [
    Math.floor(i / (pool.outHeight * pool.outWidth)),
    Math.floor(i / pool.outWidth) % pool.outHeight,
    i % pool.outWidth,
  ];
  return Array.from({ length: pool.kernelHeight * pool.kernelWidth }, (_unused, k) => {
    const y = oy * pool.strideY + Math.floor(k / pool.kernelWidth);
    const x = ox * pool.strideX + (k % pool.kernelWidth);
    return (plane * pool.height + y) * pool.width + x;
  });
});
const inputs = PLANES * pool.height * pool.width;
const lanes = (count: number, value: (i: number, lane: number) => number): number[] =>
  Array.from({ length: count * LANES }, (_, i) => value(Math.floor(i / LANES), i % LANES));

test("pools of a window that is not square", () => {
  const { heap, kernels, random, filled } = workbench();
  const descriptor = writeDescriptor(heap, "Pool", pool);
  const x = random(inputs * LANES);
  const y = filled(windows.length * LANES, NaN);
  const at = (i: number, lane: number): number => x.data[i * LANES + lane];

  kernels.maxPool(descriptor, y.at, x.at, PLANES);
  expect([...y.data]).toEqual(lanes(windows.length, (i, lane) => Math.max(...windows[i].map((v) => at(v, lane)))));

  const dy = random(windows.length * LANES);
  const dx = filled(inputs * LANES, 1);
  kernels.maxPoolGradient(descriptor, dx.at, dy.at, x.at, y.at, PLANES);
  const routed = new Float32Array(inputs * LANES).fill(1);
  windows.forEach((window, i) => {
    for (let lane = 0; lane < LANES; lane++) {
      const first = window.find((v) => at(v, lane) === y.data[i * LANES + lane])!;
      routed[first * LANES + lane] += dy.data[i * LANES + lane];
    }
  });
  expect([...dx.data]).toEqual([...routed]);

  const part = Math.fround(1 / 6);
  kernels.avgPool(descriptor, y.at, x.at, PLANES);
  const mean = (i: number, lane: number): number => windows[i].reduce((sum, v) => sum + at(v, lane), 0) * part;
  expect([...y.data]).toEqual(lanes(windows.length, (i, lane) => Math.fround(mean(i, lane))));

  dx.data.fill(0);
  kernels.avgPoolGradient(descriptor, dx.at, dy.at, PLANES);
  const spread = new Float32Array(inputs * LANES);
  windows.forEach((window, i) => {
    for (let lane = 0; lane < LANES; lane++) {
      for (const v of window) spread[v * LANES + lane] += Math.fround(dy.data[i * LANES + lane] * part);
    }
  });
  expect([...dx.data]).toEqual([...spread]);
});

test("borders that differ by side", () => {
  const { heap, kernels, random, filled } = workbench();
  const border = { height: 2, width: 3, wideHeight: 6, wideWidth: 5, top: 3, left: 2 };
  const descriptor = writeDescriptor(heap, "Border", border);
  const x = random(PLANES * border.height * border.width * LANES);
  const wide = filled(PLANES * border.wideHeight * border.wideWidth * LANES, 9);
  const expected = wide.data.slice();
  for (let plane = 0; plane < PLANES; plane++) {
    for (let y = 0; y < border.height; y++) {
      const from = (plane * border.height + y) * border.width * LANES;
      const to = ((plane * border.wideHeight + y + border.top) * border.wideWidth + border.left) * LANES;
      expected.set(x.data.subarray(from, from + border.width * LANES), to);
    }
  }
  kernels.addBorder(descriptor, wide.at, x.at, PLANES);
  expect([...wide.data]).toEqual([...expected]);
  const back = filled(x.data.length, NaN);
  kernels.dropBorder(descriptor, back.at, wide.at, PLANES);
  expect([...back.data]).toEqual([...x.data]);
});
