/** What a fast module's sums can hold, at the last value that fits and the first that does not; the first is refused by layer and row. */
import { describe, expect, test } from "vitest";
import { layerStream } from "../../host/container/fast-stream.js";
import { fastProgram } from "../../host/container/fast-memory.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { QDense, QModel } from "../../host/model.js";
import { runModel } from "../../host/reference/ops-i8.js";
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
    input: 0,
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
    expect(() => layerStream(model, model.layers[0], 3)).toThrow(
      `not for a fast module: layer 3 (dense), row 1: the sum over unsigned elements may reach ${range}, expected an int32`,
    );
  });
});
