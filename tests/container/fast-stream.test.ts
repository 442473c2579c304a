/** Which kernel takes a convolution, and what a fast module's sums can hold: the last value that fits, and the first that is refused. */
import { describe, expect, test } from "vitest";
import { KIND_CONV_BLOCKS, KIND_CONV_PLACES, KIND_CONV_POOLED, TILE_MAGNITUDE } from "../../assembly/fast/layout.js";
import { layerStreams } from "../../host/fast/ops.js";
import { fastProgram } from "../../host/fast/memory.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { QConv2d, QDense, QModel } from "../../host/model/model.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { interpret } from "../fast/interpret.js";

/** Of the weights of one sign, in magnitude: 255 times as much is the last below 2^31. */
const MOST = Math.floor((2 ** 31 - 1) / 255);

/** Two rows of [2, 128, 260] inputs at zero point -128, the second with weights of one sign that add up to `magnitude`. */
function heavy(magnitude: number, sign: 1 | -1): QModel {
  const columns = 2 * 128 * 260;
  const weights = new Int8Array(2 * columns);
  weights.fill(127 * sign, columns, columns + Math.floor(magnitude / 127));
  weights[2 * columns - 1] = (magnitude % 127) * sign;
  const layer: QDense = {
    op: "dense",
    inputs: [0],
    output: 1,
    weights,
    // The accumulator is within int32 either way: its range is 2^31 wide, and begins in the middle.
    bias: Int32Array.of(0, -sign * 2 ** 30),
    multiplier: Int32Array.of(2 ** 30),
    shift: Uint8Array.of(53),
    clamp: [-128, 127],
  };
  const tensor = { nominalChannels: 2, border: 0, scale: 1 };
  return {
    tensors: [
      { ...tensor, shape: [2, 128, 260], zeroPoint: -128 },
      { ...tensor, shape: [2, 1, 1], zeroPoint: 0 },
    ],
    layers: [layer],
    outputs: [1],
  };
}

describe.each([1, -1] as const)("the sum over unsigned elements, weights of sign %i", (sign) => {
  test("may be the last that int32 holds", () => {
    const model = heavy(MOST, sign);
    const program = fastProgram(readContainer(writeContainer(model)));
    for (const element of [127, 0, -128]) {
      const input = new Int8Array(2 * 128 * 260).fill(element);
      expect(interpret(program, input)).toEqual(runModel(model, input));
    }
  });

  test("may not be more, though the accumulator would be within int32", () => {
    const model = heavy(MOST + 1, sign);
    const reach = 255 * (MOST + 1);
    const range = sign > 0 ? `0 … ${reach}` : `-${reach} … 0`;
    expect(() => layerStreams(model, model.layers[0], 3)).toThrow(
      `not for a fast module: layer 3 (dense), row 1: the sum over unsigned elements may reach ${range}, expected an int32`,
    );
  });
});

/** Filters of one row of weights over an input that makes 8 × 8 places under a pool of 2. */
function filters(...rows: readonly (readonly number[])[]): QModel {
  const taps = rows[0].length;
  const layer: QConv2d = {
    op: "conv2d",
    inputs: [0],
    output: 1,
    weights: Int8Array.from(rows.flat()),
    bias: new Int32Array(rows.length),
    multiplier: Int32Array.of(2 ** 30),
    shift: Uint8Array.of(38),
    clamp: [-128, 127],
    kernel: [1, taps],
    stride: [1, 1],
    pad: [0, 0],
    groups: 1,
    pool: { size: [2, 2], stride: [2, 2] },
  };
  const tensor = { border: 0, scale: 1, zeroPoint: 0 };
  return {
    tensors: [
      { ...tensor, shape: [1, 8, 7 + taps], nominalChannels: 1 },
      { ...tensor, shape: [rows.length, 4, 4], nominalChannels: rows.length },
    ],
    layers: [layer],
    outputs: [1],
  };
}

const LIGHT = [TILE_MAGNITUDE / 2, -TILE_MAGNITUDE / 2];
const HEAVY = [TILE_MAGNITUDE / 2, -TILE_MAGNITUDE / 2 - 1];

test.each<[string, QModel, number]>([
  ["each light, heavy together", filters(LIGHT, LIGHT, LIGHT), KIND_CONV_POOLED],
  ["the first heavy", filters(HEAVY, LIGHT, LIGHT), KIND_CONV_BLOCKS],
  ["one between heavy", filters(LIGHT, HEAVY, LIGHT), KIND_CONV_BLOCKS],
  ["the last heavy", filters(LIGHT, LIGHT, HEAVY), KIND_CONV_BLOCKS],
])("filters go by tiles where every one of them is light: %s", (_name, model, kind) => {
  expect(layerStreams(model, model.layers[0], 0)[0].kind).toBe(kind);
  const program = fastProgram(readContainer(writeContainer(model)));
  const input = Int8Array.from({ length: 8 * 9 }, (_, i) => ((i * 97) % 256) - 128);
  expect(interpret(program, input)).toEqual(runModel(model, input));
});

test.each<[string, number, number, number]>([
  ["8 × 8", 8, 8, KIND_CONV_POOLED],
  ["7 rows of 8", 7, 8, KIND_CONV_BLOCKS],
  ["8 rows of 7", 8, 7, KIND_CONV_PLACES],
])("a tile is not for fewer places than it has: %s", (_name, height, width, kind) => {
  const { tensors, ...rest } = filters(LIGHT);
  const model: QModel = {
    tensors: [
      { ...tensors[0], shape: [1, height, width + 1] },
      { ...tensors[1], shape: [1, Math.floor(height / 2), Math.floor(width / 2)] },
    ],
    ...rest,
  };
  expect(layerStreams(model, model.layers[0], 0)[0].kind).toBe(kind);
});
