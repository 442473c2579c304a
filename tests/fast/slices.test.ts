/** What SPEC.md promises of a fast module's work: slices bounded by their budget, and a run that is what the control block says. */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastProgram, type FastLayout } from "../../host/fast/memory.js";
import { fastParts } from "../../host/fast/parts.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { countOps, OPS_EXPORT } from "../../host/engines/count-ops.js";
import type { QModel, Shape } from "../../host/model/model.js";
import { reportFast } from "../../host/report/fast.js";
import { openEngine } from "../../host/node/engines/open.js";
import { hostileModels } from "../support/hostile-models.js";
import { buildModel, importedModel, syntheticModels } from "../support/models.js";

/** SPEC.md, "The fast module". */
const MOST_BEYOND_BUDGET = 5700;
const MOST_INSTRUCTIONS = 3;

/** Little but a state of this shape, which takes over what the input was. */
function stateOf(shape: Shape): QModel {
  const reader = { op: "dense", weights: "single", density: 0.001, out: 1, from: 1 } as const;
  const { tensors, ...rest } = buildModel(9, shape, [reader], { states: [{ shape, source: 0 }], outputs: [0] });
  const [input, state, output] = tensors;
  return { ...rest, tensors: [input, { ...state, source: 0, border: 1 }, output] };
}

/** Long lines and short ones, of what goes line by line. */
const lines = buildModel(
  4,
  [2, 2, 3000],
  [
    { op: "lut" },
    { op: "add", from: [0, 1] },
    { op: "mul", from: [2, 1] },
    { op: "maxpool", kernel: [2, 10], stride: [1, 500] },
    { op: "resize", factor: [255, 1] },
    { op: "lut" },
    { op: "mul", from: [6, 5], relu: true },
    { op: "add", from: [6, 7] },
    { op: "resize", factor: [1, 255] },
  ],
);

/** Kernels for most weights, at the most that they take at once. */
const full = { weights: "any", density: 1 } as const;
const most = buildModel(
  5,
  [2, 5, 505],
  [
    { op: "conv2d", kernel: [8, 8], out: 2, groups: 2, pad: [2, 7], ...full },
    { op: "conv2d", kernel: [1, 255], stride: [1, 1], out: 5, ...full },
    { op: "conv2d", kernel: [1, 250], stride: [1, 9], out: 9, weights: "any", density: 0.2 },
    { op: "dense", out: 30, ...full },
    { op: "dense", out: 21, ...full },
  ],
);

/** Groups as long as they may be, and as short; rows of one. */
const values = buildModel(
  8,
  [4, 8, 110],
  [
    { op: "dense", out: 20, weights: "single", density: 1 },
    { op: "dense", out: 3000, weights: "any", density: 0.1 },
    { op: "dense", out: 50, weights: "grid", density: 0.03 },
    { op: "dense", out: 12, weights: "codebook", density: 1 },
  ],
);

/** Bits, at the most that a place has, in one line and in many; a lot of many outputs, and places of few words under a pool. */
const signs = { weights: "signs", density: 1, step: true } as const;
const bits = buildModel(
  7,
  [2, 16, 128],
  [
    { op: "conv2d", kernel: [1, 1], out: 2, ...signs },
    { op: "dense", out: 90, ...signs },
    { op: "dense", out: 80, ...signs },
    { op: "conv2d", kernel: [1, 4], out: 40, pool: { size: 4, stride: 4 }, from: 1, ...signs },
    { op: "conv2d", kernel: [1, 1], out: 70, from: 4, ...signs },
    { op: "conv2d", kernel: [4, 8], out: 9, from: 5, ...signs },
    // 64 weights, and 128 outputs at once.
    { op: "conv2d", kernel: [4, 8], out: 3, from: 1, ...signs },
  ],
);

/** Lines of blocks far longer than a piece, across and down. */
const depthwise = { op: "conv2d", out: 2, groups: 2, ...full } as const;
const longLines = buildModel(
  6,
  [2, 13, 505],
  [
    { ...depthwise, kernel: [3, 3], pad: 1 },
    { ...depthwise, kernel: [8, 8], pad: [3, 3] },
    { ...depthwise, kernel: [1, 3], pad: [15, 1], stride: [1, 2] },
    { ...depthwise, kernel: [7, 3], pad: [3, 1], stride: [1, 3] },
  ],
);

test("dense layers of shared values are by their kernel", () => {
  const program = fastProgram(readContainer(writeContainer(values)), { bytePrice: 1e6 });
  const kernels = reportFast(fastParts(fastModule(program))).map(({ kernel }) => kernel);
  expect(kernels).toEqual(Array(4).fill("dense by values"));
});

test("layers of two values are by their kernel", () => {
  const kernels = reportFast(fastParts(fastModule(writeContainer(bits)))).map(({ kernel }) => kernel);
  expect(kernels.slice(1)).toEqual(Array(6).fill("by bits"));
});

test("long lines of depthwise convolutions are by their kernel", () => {
  const kernels = reportFast(fastParts(fastModule(writeContainer(longLines)))).map(({ kernel }) => kernel);
  expect(kernels).toEqual(Array(4).fill("conv2d by channels"));
});

/** Of which some layers go by lines, in no more than `turns`. */
const byLines = {
  name: "layers by lines",
  model: buildModel(
    9,
    [3, 64, 200],
    [
      { op: "conv2d", ...full, kernel: [3, 3], pad: 1, out: 8 },
      { op: "conv2d", ...full, kernel: [3, 3], pad: 1, out: 8, groups: 8, stride: 2 },
      { op: "conv2d", ...full, kernel: [1, 1], out: 16 },
      { op: "conv2d", ...full, kernel: [3, 3], pad: 1, out: 4 },
    ],
  ),
  layout: { ram: "least" },
  turns: 80,
} as const;

interface Case {
  readonly name: string;
  readonly model: QModel;
  readonly layout?: FastLayout;
  readonly turns?: number;
}

const models: readonly Case[] = [
  byLines,
  { ...byLines, name: "layers and the input by lines", layout: { inputRows: true } },
  { name: "long lines of depthwise convolutions", model: longLines },
  { name: "most weights", model: most },
  { name: "dense layers by values", model: values, layout: { bytePrice: 1e6 } },
  { name: "layers of two values", model: bits },
  { name: "a state of long lines", model: stateOf([2, 3, 3000]) },
  { name: "a state of many lines", model: stateOf([700, 1, 1]) },
  { name: "lines", model: lines },
  ...hostileModels().filter(({ name }) => name !== "a filter of 260,100 weights"), // more than a fast module takes
  { name: "an imported net", model: importedModel() },
  ...syntheticModels(),
];

interface Run {
  readonly slices: number;
  readonly longest: number;
  readonly instructions: number;
}

/** @returns what a run takes, in instructions of the module */
function measure(wasm: Uint8Array, budget: number): Run {
  const { stream, layers } = fastParts(wasm);
  const read = (offset: number, target: number, length: number): number => {
    new Uint8Array(memory.buffer).set(stream.subarray(offset, offset + length), target);
    return 0;
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(countOps(wasm)), { mote: { read } });
  const { memory, start, step } = exports as unknown as {
    memory: WebAssembly.Memory;
    start(): number;
    step(budget: number): number;
  };
  const count = (): number => Number((exports[OPS_EXPORT] as WebAssembly.Global).value);
  const run = { slices: 0, longest: 0 };
  for (let status = start(); status > abi.STATUS_DONE; run.slices++) {
    const before = count();
    status = step(budget);
    run.longest = Math.max(run.longest, count() - before);
  }
  expect(new DataView(memory.buffer).getUint32(abi.CONTROL_LAYERS_DONE, true)).toBe(layers.length);
  return { ...run, instructions: count() };
}

describe.each(models)("$name", ({ model, layout, turns = 1 }) => {
  const container = readContainer(writeContainer(model, { windowBytes: format.MIN_WINDOW_BYTES }));
  const wasm = fastModule(fastProgram(container, layout));
  const { work } = fastParts(wasm);

  test("keeps to the bounds", () => {
    for (const budget of [0, 2000, 30_000]) {
      const { longest } = measure(wasm, budget);
      expect(longest).toBeLessThanOrEqual((budget + MOST_BEYOND_BUDGET) * MOST_INSTRUCTIONS);
    }
    const { instructions } = measure(wasm, 2 ** 32 - 1);
    expect(instructions).toBeLessThanOrEqual(work * MOST_INSTRUCTIONS);
    expect(instructions).toBeGreaterThanOrEqual(work);
  });

  test("does in slices what the module says", () => {
    // Slices end with their budget, less or more than it by a piece, or with a layer, a border, or one of two copies.
    const budget = 30_000;
    const { slices } = measure(wasm, budget);
    const ends = (4 * model.layers.length + 1) * turns;
    expect((slices - ends) * (budget - MOST_BEYOND_BUDGET)).toBeLessThanOrEqual(work);
    expect(slices * (budget + MOST_BEYOND_BUDGET)).toBeGreaterThanOrEqual(work);
  });

  test("says the same to the host", () => {
    const engine = openEngine("v8", wasm);
    expect(engine.work).toBe(work);
    engine.close();
  });
});
