/** Kernels with windows and steps that differ by axis, which no layer of a graph has, against plain loops. Whole numbers: sums are exact. */
import { describe, expect, test } from "vitest";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Random } from "../../host/rng.js";
import { Arena } from "../../host/train/arena.js";
import { writeDescriptor } from "../../host/train/descriptors.js";
import { instantiateKernels, SharedHeap } from "../../host/train/heap.js";
import { planConvolution, type Convolution } from "../../host/train/plan-convolution.js";
import { planSurvivors } from "../../host/train/survivors.js";

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
  kernels.dropBorder(descriptor, back.at, wide.at, PLANES, false);
  expect([...back.data]).toEqual([...x.data]);
  kernels.dropBorder(descriptor, back.at, wide.at, PLANES, true);
  expect([...back.data]).toEqual(Array.from(x.data, (value) => 2 * value));
});

/** Two groups, and everything else across than down. */
const convolution: Convolution = {
  isDense: false,
  input: [4, 6, 7],
  kernel: [3, 2],
  stride: [1, 2],
  pad: [2, 0, 1, 1],
  groups: 2,
};
const output = [6, 7, 4] as const;
/** More than the four that the sparse kernels take at a time. */
const BLOCKS = 5;

/** Calls back for each product of the convolution: indices of weight, output and input, counted without samples. */
function eachProduct(visit: (weight: number, out: number, x: number) => void): void {
  const [channels, height, width] = convolution.input;
  const [kernelHeight, kernelWidth] = convolution.kernel;
  const [rows, outHeight, outWidth] = output;
  const groupInputs = channels / convolution.groups;
  for (let row = 0; row < rows; row++) {
    const first = Math.floor(row / (rows / convolution.groups)) * groupInputs;
    for (let c = 0; c < groupInputs; c++) {
      for (let ky = 0; ky < kernelHeight; ky++) {
        for (let kx = 0; kx < kernelWidth; kx++) {
          for (let oy = 0; oy < outHeight; oy++) {
            for (let ox = 0; ox < outWidth; ox++) {
              const y = oy * convolution.stride[0] + ky - convolution.pad[0];
              const x = ox * convolution.stride[1] + kx - convolution.pad[1];
              if (y < 0 || y >= height || x < 0 || x >= width) continue;
              const weight = ((row * groupInputs + c) * kernelHeight + ky) * kernelWidth + kx;
              visit(weight, (row * outHeight + oy) * outWidth + ox, ((first + c) * height + y) * width + x);
            }
          }
        }
      }
    }
  }
}

/** Operands of the convolution, and how values of a sample stand in memory. */
function convolve() {
  const bench = workbench();
  const { heap, kernels, random, filled } = bench;
  const arena = new Arena();
  const layer = planConvolution(heap, arena, convolution, output, BLOCKS, true);
  const place = heap.allocate(arena.bytes);
  const valuesIn = output[0] * output[1] * output[2];
  const valuesX = convolution.input[0] * convolution.input[1] * convolution.input[2];
  const w = random(output[0] * layer.columns);
  const bias = random(output[0]);
  const x = random(BLOCKS * valuesX * LANES);
  const dy = random(BLOCKS * valuesIn * LANES);
  const wide = place + layer.border!.activation;
  kernels.addBorder(layer.border!.descriptor, wide, x.at, BLOCKS * convolution.input[0]);
  const at = (values: number, sample: number, i: number): number =>
    (Math.floor(sample / LANES) * values + i) * LANES + (sample % LANES);
  const atX = (sample: number, i: number): number => at(valuesX, sample, i);
  const atOut = (sample: number, i: number): number => at(valuesIn, sample, i);
  return { ...bench, layer, w, bias, x, dy, wide, atX, atOut, y: filled(dy.data.length, NaN) };
}

/** Output and gradients of the weights that `kept` says, the others being 0. */
function expectedOf(
  { layer, w, bias, x, dy, y, atX, atOut }: ReturnType<typeof convolve>,
  kept: (weight: number) => boolean,
) {
  const out = new Float32Array(y.data.length);
  const dx = new Float32Array(x.data.length);
  const dw = new Float32Array(w.data.length);
  const db = new Float32Array(bias.data.length);
  for (let sample = 0; sample < BLOCKS * LANES; sample++) {
    bias.data.forEach((b, row) => {
      for (let p = 0; p < layer.positions; p++) {
        const place = atOut(sample, row * layer.positions + p);
        out[place] = b;
        db[row] += dy.data[place];
      }
    });
    eachProduct((weight, result, input) => {
      if (!kept(weight)) return;
      const [from, to] = [atX(sample, input), atOut(sample, result)];
      out[to] += w.data[weight] * x.data[from];
      dx[from] += w.data[weight] * dy.data[to];
      dw[weight] += dy.data[to] * x.data[from];
    });
  }
  return { y: [...out], dx: [...dx], dw: [...dw], db: [...db] };
}

describe("a convolution with steps and zeros that differ by axis, in groups", () => {
  test("all weights", () => {
    const operands = convolve();
    const { kernels, layer, filled, w, bias, x, y, dy, wide } = operands;
    const expected = expectedOf(operands, () => true);
    kernels.gather(layer.forward, y.at, w.at, wide, bias.at, BLOCKS);
    expect([...y.data]).toEqual(expected.y);
    const dx = filled(x.data.length, 0);
    for (const gather of layer.inputGradient) kernels.gather(gather, dx.at, w.at, dy.at, 0, BLOCKS);
    expect([...dx.data]).toEqual(expected.dx);
    const dw = filled(w.data.length, 0);
    kernels.weightGradient(layer.parameterGradient, dw.at, dy.at, wide, BLOCKS);
    expect([...dw.data]).toEqual(expected.dw);
    const db = filled(bias.data.length, NaN);
    kernels.biasGradient(layer.parameterGradient, db.at, dy.at, BLOCKS, false);
    expect([...db.data]).toEqual(expected.db);
    kernels.biasGradient(layer.parameterGradient, db.at, dy.at, BLOCKS, true);
    expect([...db.data], "added").toEqual(expected.db.map((sum) => 2 * sum));
  });

  test("survivors", () => {
    const operands = convolve();
    const { heap, kernels, layer, filled, w, bias, x, y, dy, wide } = operands;
    const mask = Uint8Array.from(w.data, (_, i) => (i % 3 === 1 ? 1 : 0));
    const { descriptor, count } = planSurvivors(heap, layer, mask, null)!.survivors;
    const expected = expectedOf(operands, (weight) => mask[weight] === 1);
    kernels.sparseForward(descriptor, y.at, w.at, bias.at, wide, BLOCKS);
    expect([...y.data]).toEqual(expected.y);
    const dw = filled(count, NaN);
    const surviving = expected.dw.filter((_, weight) => mask[weight] === 1);
    kernels.sparseWeightGradient(descriptor, dw.at, dy.at, wide, BLOCKS, false);
    expect([...dw.data]).toEqual(surviving);
    kernels.sparseWeightGradient(descriptor, dw.at, dy.at, wide, BLOCKS, true);
    expect([...dw.data], "added").toEqual(surviving.map((sum) => 2 * sum));
    const dWide = filled((BLOCKS * layer.xBlock) / 4, 0);
    kernels.sparseInputGradient(descriptor, dWide.at, dy.at, w.at, BLOCKS);
    const dx = filled(x.data.length, NaN);
    kernels.dropBorder(layer.border!.descriptor, dx.at, dWide.at, BLOCKS * convolution.input[0], false);
    expect([...dx.data]).toEqual(expected.dx);
  });
});
