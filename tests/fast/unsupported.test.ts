/** What a fast module cannot hold is refused when packing, with the layer, the row and the reason; what comes close runs, and is equal. */
import { describe, expect, it } from "vitest";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastProgram } from "../../host/fast/memory.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel, QWeights } from "../../host/model/model.js";
import { NO_POOL } from "../../host/ops/op.js";
import { runModel } from "../../host/engines/ops-i8.js";
import { openEngine } from "../../host/node/engines/open.js";
import { interpret } from "./interpret.js";

const COLUMNS = 8;
const WEIGHT_SUM = 100 * COLUMNS;

/** One dense output, of eight weights of 100 if not told otherwise; the input's zero point is 0. */
function dense(change: Partial<QWeights>, outputZeroPoint = 0): QModel {
  const weights = change.weights ?? new Int8Array(COLUMNS).fill(100);
  const tensor = { nominalChannels: weights.length, border: 0, scale: 1, zeroPoint: 0 };
  return {
    tensors: [
      { ...tensor, shape: [weights.length, 1, 1] },
      { ...tensor, shape: [1, 1, 1], zeroPoint: outputZeroPoint },
    ],
    layers: [
      {
        op: "dense",
        inputs: [0],
        output: 1,
        weights,
        bias: Int32Array.of(0),
        multiplier: Int32Array.of(2 ** 30),
        shift: Uint8Array.of(38),
        clamp: [-128, 127],
        ...change,
      },
    ],
    outputs: [1],
  };
}

function refusal(model: QModel): unknown {
  try {
    fastModule(writeContainer(model));
    return undefined;
  } catch (error) {
    return error;
  }
}

function expectEqual(model: QModel): void {
  const container = writeContainer(model);
  const program = fastProgram(readContainer(container));
  const wasm = fastModule(container);
  const engines = [openEngine("v8", wasm), openEngine("wasm3", wasm)];
  for (const element of [-128, -127, -1, 0, 1, 126, 127]) {
    const input = new Int8Array(COLUMNS).fill(element);
    const expected = runModel(model, input);
    expect(interpret(program, input)).toEqual(expected);
    for (const engine of engines) expect(engine.run(input), engine.name).toEqual(expected[0]);
  }
  for (const engine of engines) engine.close();
}

describe("accumulators", () => {
  // From 255 above the zero point, taken for the whole range of bytes, to 2^31 - 1.
  const most = 2 ** 31 - 1 - 127 * WEIGHT_SUM;
  const least = -(2 ** 31) + 128 * WEIGHT_SUM;

  it.each([most, least])("up to the ends of int32 run, bias %i", (bias) => {
    expectEqual(dense({ bias: Int32Array.of(bias), shift: Uint8Array.of(60) }));
  });

  it.each([most + 1, least - 1])("that may pass int32 are refused, bias %i", (bias) => {
    expect(refusal(dense({ bias: Int32Array.of(bias), shift: Uint8Array.of(60) }))).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(
        /^not for a fast module: layer 0 \(dense\), row 0: the accumulator may reach -?\d+ … -?\d+, expected an int32$/,
      ) as string,
    });
  });
});

describe("scales", () => {
  it.each([31, 38, 47, 54])("whose sums fit 64 bits run, shift %i", (shift) => {
    expectEqual(dense({ shift: Uint8Array.of(shift), multiplier: Int32Array.of(2 ** 31 - 1) }, 7));
    expectEqual(dense({ shift: Uint8Array.of(shift), bias: Int32Array.of(2 ** 30) }, 127));
  });

  it.each([55, 58, 62])("that leave one output whatever the sum run, shift %i", (shift) => {
    for (const zeroPoint of [-128, 0, 127]) expectEqual(dense({ shift: Uint8Array.of(shift) }, zeroPoint));
    expectEqual(dense({ shift: Uint8Array.of(shift), clamp: [5, 5] }, 100));
  });

  it("that may take a sum beyond 64 bits are refused", () => {
    // Accumulators of up to 2^24.1 times 2^31, and the output's zero point, stored as 255, times 2^55: 2^63 and a little.
    const weights = new Int8Array(1100).fill(127);
    const scale = { weights, multiplier: Int32Array.of(2 ** 31 - 1), shift: Uint8Array.of(55) };
    expect(refusal(dense(scale, 126))).toBeUndefined();
    expect(refusal(dense(scale, 127))).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(
        /row 0: multiplier 2147483647 and shift 55 take sums of .* beyond 64 bits/,
      ) as string,
    });
  });

  it.each([1, 10, 16])("that may take an output beyond 32 bits are refused, shift %i", (shift) => {
    const error = refusal(dense({ shift: Uint8Array.of(shift), multiplier: Int32Array.of(2 ** 31 - 1) }));
    expect(error).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(
        /layer 0 \(dense\), row 0: multiplier 2147483647 and shift \d+ take sums of/,
      ) as string,
    });
  });
});

it.each([1, 8, 14])("a product that may take an output beyond 32 bits is refused, shift %i", (shift) => {
  const tensor = { shape: [4, 1, 1] as const, nominalChannels: 4, border: 0, scale: 1, zeroPoint: 0 };
  const product = { op: "mul", inputs: [0, 0], output: 1, multiplier: 2 ** 31 - 1, shift, clamp: [-128, 127] } as const;
  expect(refusal({ tensors: [tensor, tensor], layers: [product], outputs: [1] })).toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringMatching(
      /^not for a fast module: layer 0 \(mul\): multiplier 2147483647 and shift \d+ take sums of/,
    ) as string,
  });
});

it("a filter of 65,536 weights, place by place, is refused, and one of 65,535 runs", () => {
  const filter = (weights: number): QModel => {
    const all = new Int8Array(2 * 255 * 255).fill(1, 0, weights);
    const scale = { multiplier: Int32Array.of(2 ** 30), shift: Uint8Array.of(47) };
    const shape = { kernel: [255, 255], stride: [1, 1], pad: [0, 0], groups: 1, pool: NO_POOL } as const;
    const tensor = { nominalChannels: 2, border: 0, scale: 1, zeroPoint: 0 };
    return {
      tensors: [
        { ...tensor, shape: [2, 255, 255] },
        { ...tensor, shape: [1, 1, 1] },
      ],
      layers: [
        {
          op: "conv2d",
          inputs: [0],
          output: 1,
          ...shape,
          weights: all,
          bias: Int32Array.of(0),
          ...scale,
          clamp: [-128, 127],
        },
      ],
      outputs: [1],
    };
  };
  expect(refusal(filter(65_536))).toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringContaining("layer 0 (conv2d), row 0: 65536 weights, at most 65535 are allowed") as string,
  });
  const model = filter(65_535);
  const input = Int8Array.from({ length: 2 * 255 * 255 }, (_, i) => (i % 251) - 100);
  const engine = openEngine("v8", fastModule(writeContainer(model)));
  expect(engine.run(input)).toEqual(runModel(model, input)[0]);
});
