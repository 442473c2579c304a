/** The proof that accumulators stay in int32: what just fits passes, one more is refused by layer, row and the number it reaches. */
import { describe, expect, test } from "vitest";
import { checkAccumulators } from "../../host/quantize/accumulators.js";
import { runModel } from "../../host/engines/ops-i8.js";
import type { QConv2d, QDense, QMaxPool, QModel, QTensor } from "../../host/model/model.js";
import { NO_POOL } from "../../host/ops/op.js";

const TOP = 2 ** 31 - 1;
const BOTTOM = -(2 ** 31);

interface Row {
  readonly weights: readonly number[];
  readonly bias: number;
}

function tensor(shape: QTensor["shape"], zeroPoint = 0, border = 0): QTensor {
  return { shape, nominalChannels: shape[0], border, scale: 1, zeroPoint };
}

function dense(rows: readonly Row[], input = 0, clamp: QDense["clamp"] = [-128, 127]): QDense {
  return {
    op: "dense",
    inputs: [input],
    output: input + 1,
    weights: Int8Array.from(rows.flatMap(({ weights }) => weights)),
    bias: Int32Array.from(rows, ({ bias }) => bias),
    multiplier: Int32Array.of(2 ** 30),
    shift: Uint8Array.of(30),
    clamp,
  };
}

/** Elements as they are, cut to a clamp. */
function cut(clamp: QDense["clamp"]): QMaxPool {
  return { op: "maxpool", inputs: [0], output: 1, kernel: [1, 1], stride: [1, 1], pad: [0, 0], clamp };
}

/** One dense layer on a vector. */
function model(rows: readonly Row[], zeroPoint: number): QModel {
  return {
    tensors: [tensor([rows[0].weights.length, 1, 1], zeroPoint), tensor([rows.length, 1, 1])],
    layers: [dense(rows)],
    outputs: [1],
  };
}

const check = (checked: QModel): void => checkAccumulators(checked, ["first", "second"]);

describe("on the model's input, any int8", () => {
  // Elements less the zero point: -128 - z … 127 - z.
  test.each<[string, number, readonly number[], number, number]>([
    ["positive weights", 0, [3, 4], 7 * 127, -7 * 128],
    ["negative weights", 0, [-3, -4], 7 * 128, -7 * 127],
    ["both signs", 0, [5, -2], 5 * 127 + 2 * 128, -5 * 128 - 2 * 127],
    ["the lowest zero point", -128, [5, -2], 5 * 255, -2 * 255],
    ["the highest zero point", 127, [5, -2], 2 * 255, -5 * 255],
    ["no weights", 9, [0, 0], 0, 0],
  ])("%s", (_name, zeroPoint, weights, up, down) => {
    const other = { weights: weights.map(() => 0), bias: 0 };
    const biased = (bias: number): QModel => model([other, { weights, bias }], zeroPoint);
    check(biased(TOP - up));
    check(biased(BOTTOM - down));
    if (up > 0) {
      const most = `${TOP + 1 - up + down} … ${TOP + 1}`;
      expect(() => check(biased(TOP + 1 - up))).toThrow(
        `first: the accumulator of row 1 may reach ${most}, expected an int32`,
      );
    }
    if (down < 0) {
      const least = `${BOTTOM - 1} … ${BOTTOM - 1 - down + up}`;
      expect(() => check(biased(BOTTOM - 1 - down))).toThrow(`row 1 may reach ${least}, expected`);
    }
  });
});

test.each<[string, QDense["clamp"]]>([
  ["a dense layer", [-100, -72]],
  ["a clamp of one value", [-90, -90]],
])("on what %s wrote, the range of its clamp", (_name, clamp) => {
  const [least, most] = clamp.map((q) => q + 100); // above the zero point
  const second = (bias: number): QModel => ({
    tensors: [tensor([1, 1, 1]), tensor([1, 1, 1], -100), tensor([1, 1, 1])],
    layers: [dense([{ weights: [1], bias: 0 }], 0, clamp), dense([{ weights: [2], bias }], 1)],
    outputs: [2],
  });
  check(second(TOP - 2 * most));
  expect(() => check(second(TOP + 1 - 2 * most))).toThrow(/^second: the accumulator of row 0 /);
  const negative = (bias: number): QModel => {
    const { layers, ...rest } = second(0);
    return { ...rest, layers: [layers[0], dense([{ weights: [-2], bias }], 1)] };
  };
  // Nothing is below the zero point but the border, which is at it.
  check(negative(TOP - 2 * Math.min(0, least)));
  expect(() => check(negative(BOTTOM - 1 + 2 * most))).toThrow(/^second: /);
});

test("on what a pool wrote, the range of its clamp", () => {
  const pooled = (bias: number): QModel => ({
    tensors: [tensor([1, 1, 1]), tensor([1, 1, 1]), tensor([1, 1, 1])],
    layers: [cut([-3, 5]), dense([{ weights: [100], bias }], 1)],
    outputs: [2],
  });
  check(pooled(TOP - 500));
  expect(() => check(pooled(TOP - 499))).toThrow(/second/);
  check(pooled(BOTTOM + 300));
  expect(() => check(pooled(BOTTOM + 299))).toThrow(/second/);
});

describe("at the border, where some elements are the zero point", () => {
  /** A convolution that looks at two neighbours, of which one may lie in the border; all elements are 10 … 20 from the zero point. */
  const padded = (sign: 1 | -1, bias: number): QModel => {
    const conv: QConv2d = {
      ...dense([{ weights: [1, -1], bias }], 1),
      op: "conv2d",
      kernel: [1, 2],
      stride: [1, 1],
      pad: [1, 1],
      groups: 1,
      pool: NO_POOL,
    };
    const clamp = sign > 0 ? ([10, 20] as const) : ([-20, -10] as const);
    return {
      tensors: [tensor([1, 1, 4]), tensor([1, 1, 4], 0, 1), tensor([1, 3, 5])],
      layers: [cut(clamp), conv],
      outputs: [2],
    };
  };

  // 20 − 10 inside, but 20 beside the border.
  test.each([1, -1] as const)("a sum may go as far as without the weights there, elements of sign %i", (sign) => {
    check(padded(sign, TOP - 20));
    expect(() => check(padded(sign, TOP - 19))).toThrow(/second: the accumulator of row 0 may reach/);
    check(padded(sign, BOTTOM + 20));
    expect(() => check(padded(sign, BOTTOM + 19))).toThrow(/second: the accumulator of row 0 may reach/);
  });
});

test.each([
  ["a second input", undefined],
  ["a state", 2],
])("on %s, any int8", (_name, source) => {
  /** Tensor 1 goes into a sum with a weight of 1. */
  const summed = (bias: number): QModel => ({
    tensors: [
      tensor([1, 1, 1]),
      { ...tensor([1, 1, 1], -128), ...(source === undefined ? {} : { source }) },
      tensor([1, 1, 1]),
    ],
    layers: [dense([{ weights: [1], bias }], 1)],
    outputs: [2],
  });
  check(summed(TOP - 255));
  expect(() => check(summed(TOP - 254))).toThrow(/^first: the accumulator of row 0 may reach/);
});

test("of an average over more elements than an int32 holds sums of", () => {
  const averaged = (zeroPoint: number, width: number): QModel => ({
    tensors: [tensor([1, 4096, width], zeroPoint), tensor([1, 1, 1])],
    layers: [
      {
        op: "avgpool",
        inputs: [0],
        output: 1,
        kernel: [4096, width],
        stride: [1, 1],
        pad: [0, 0],
        multiplier: 2 ** 30,
        shift: 62,
        clamp: [-128, 127],
      },
    ],
    outputs: [1],
  });
  check(averaged(-128, 2056)); // 2056 × 4096 × 255 = 2^31 - 32768
  expect(() => check(averaged(-128, 2057))).toThrow(
    "first: the accumulator of a window may reach 0 … 2148495360, expected an int32",
  );
  check(averaged(0, 4096)); // down to -2^31
  expect(() => check(averaged(1, 4096))).toThrow(/first: the accumulator of a window may reach -2164260864 … /);
});

test("beyond an int32 the reference wraps, as engines do", () => {
  const values = new Int8Array(4096 * 2057).fill(127);
  const model: QModel = {
    tensors: [tensor([1, 4096, 2057], -128), tensor([1, 1, 1])],
    layers: [
      {
        op: "avgpool",
        inputs: [0],
        output: 1,
        kernel: [4096, 2057],
        stride: [1, 1],
        pad: [0, 0],
        multiplier: 2 ** 30,
        shift: 55,
        clamp: [-128, 127],
      },
    ],
    outputs: [1],
  };
  // 2148495360 wraps to -2146471936; by 2^25 it is -63.97.
  expect(runModel(model, values)).toEqual([Int8Array.of(-64)]);
});
