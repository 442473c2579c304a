/** The proof that accumulators stay in int32: what just fits passes, one more is refused by layer, row and the number it reaches. */
import { describe, expect, test } from "vitest";
import { checkAccumulators } from "../../host/quantize/accumulators.js";
import type { QConv2d, QDense, QLayer, QModel, QTensor } from "../../host/model/model.js";

const TOP = 2 ** 31 - 1;
const BOTTOM = -(2 ** 31);

interface Row {
  readonly weights: readonly number[];
  readonly bias: number;
}

function tensor(shape: QTensor["shape"], zeroPoint = 0, border = 0): QTensor {
  return { shape, nominalChannels: shape[0], border, scale: 1, zeroPoint };
}

function dense(rows: readonly Row[], input = 0, clamp: QLayer["clamp"] = [-128, 127]): QDense {
  return {
    op: "dense",
    input,
    output: input + 1,
    weights: Int8Array.from(rows.flatMap(({ weights }) => weights)),
    bias: Int32Array.from(rows, ({ bias }) => bias),
    multiplier: Int32Array.of(2 ** 30),
    shift: Uint8Array.of(30),
    clamp,
  };
}

/** One dense layer on a vector. */
function model(rows: readonly Row[], zeroPoint: number): QModel {
  return {
    tensors: [tensor([rows[0].weights.length, 1, 1], zeroPoint), tensor([rows.length, 1, 1])],
    layers: [dense(rows)],
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

test.each<[string, QLayer["clamp"]]>([
  ["a dense layer", [-100, -72]],
  ["a clamp of one value", [-90, -90]],
])("on what %s wrote, the range of its clamp", (_name, clamp) => {
  const [least, most] = clamp.map((q) => q + 100); // above the zero point
  const second = (bias: number): QModel => ({
    tensors: [tensor([1, 1, 1]), tensor([1, 1, 1], -100), tensor([1, 1, 1])],
    layers: [dense([{ weights: [1], bias: 0 }], 0, clamp), dense([{ weights: [2], bias }], 1)],
  });
  check(second(TOP - 2 * most));
  expect(() => check(second(TOP + 1 - 2 * most))).toThrow(/^second: the accumulator of row 0 /);
  const negative = (bias: number): QModel => {
    const { tensors, layers } = second(0);
    return { tensors, layers: [layers[0], dense([{ weights: [-2], bias }], 1)] };
  };
  // Nothing is below the zero point but the border, which is at it.
  check(negative(TOP - 2 * Math.min(0, least)));
  expect(() => check(negative(BOTTOM - 1 + 2 * most))).toThrow(/^second: /);
});

test("on what a pool wrote, the range of its clamp", () => {
  const pooled = (bias: number): QModel => ({
    tensors: [tensor([1, 1, 1]), tensor([1, 1, 1]), tensor([1, 1, 1])],
    layers: [
      { op: "maxpool", input: 0, output: 1, kernel: 1, stride: 1, clamp: [-3, 5] },
      dense([{ weights: [100], bias }], 1),
    ],
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
      stride: 1,
      pad: 1,
      groups: 1,
      pool: { size: 1, stride: 1 },
    };
    const clamp = sign > 0 ? ([10, 20] as const) : ([-20, -10] as const);
    return {
      tensors: [tensor([1, 1, 4]), tensor([1, 1, 4], 0, 1), tensor([1, 3, 5])],
      layers: [{ op: "maxpool", input: 0, output: 1, kernel: 1, stride: 1, clamp }, conv],
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
