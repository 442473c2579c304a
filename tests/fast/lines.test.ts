/** add, mul, lut, resize and concat in a fast module, and what an average makes of halves: all elements that there are, and lines of any length. */
import { describe, expect, it, test } from "vitest";
import { KIND_BORDER, LAYER_KIND, PIECE_LINE } from "../../assembly/fast/layout.js";
import { MAX_SUM_FACTOR } from "../../assembly/format.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { fastProgram } from "../../host/fast/memory.js";
import type { QLayer, QModel, QTensor, Shape } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import { buildModel, randomInputs } from "../support/models.js";
import { expectEqual, expectEqualRuns } from "./expect-equal.js";

function tensor(shape: Shape, zeroPoint: number): QTensor & { readonly scale: number } {
  return { shape, nominalChannels: shape[0], border: 0, scale: 1, zeroPoint };
}

const BYTES = Int8Array.from({ length: 256 }, (_, i) => i - 128);
/** Each pair of elements once. */
const PAIRS = [0, 1].map((which) => Int8Array.from({ length: 65536 }, (_, i) => BYTES[which === 0 ? i >> 8 : i & 255]));

/** @param zeroPoints of two inputs and the output, all of one shape */
function ofTwo(zeroPoints: readonly number[], layer: QLayer): QModel {
  const tensors = zeroPoints.map((zeroPoint) => tensor([1, 256, 256], zeroPoint));
  return { tensors, layers: [layer], outputs: [2] };
}

const edges = { inputs: [0, 1], output: 2 } as const;

describe("all pairs of elements", () => {
  it.each([
    [[-128, 127, -5], [2 ** 20, -(2 ** 19)], 20, [-128, 127]],
    [[3, -7, 127], [MAX_SUM_FACTOR, MAX_SUM_FACTOR], 30, [-128, 127]],
    [[127, 127, -128], [-MAX_SUM_FACTOR, MAX_SUM_FACTOR], 22, [-100, 90]],
    [[0, 1, 0], [1, -1], 1, [-128, 127]],
    [[-128, -128, 0], [MAX_SUM_FACTOR, MAX_SUM_FACTOR], 1, [-128, 127]],
  ] as const)("add, zero points %j, multipliers %j, shift %i", (zeroPoints, multipliers, shift, clamp) => {
    expectEqualRuns(ofTwo(zeroPoints, { op: "add", ...edges, multipliers, shift, clamp }), [PAIRS]);
  });

  it.each([
    [[-128, 127, -5], 2 ** 30, 37, [-128, 127]],
    [[127, 127, 0], 2 ** 31 - 1, 38, [-20, 100]],
    [[0, -3, 127], 1_234_567_890, 36, [-128, 127]],
    [[0, 0, 0], 2 ** 31 - 1, 16, [-128, 127]],
    [[9, 0, 127], 2 ** 31 - 1, 62, [-128, 127]], // one output whatever the product
  ] as const)("mul, zero points %j, multiplier %i, shift %i", (zeroPoints, multiplier, shift, clamp) => {
    expectEqualRuns(ofTwo(zeroPoints, { op: "mul", ...edges, multiplier, shift, clamp }), [PAIRS]);
  });

  it.each([-128, -1, 0, 1, 127])("an average of two, output's zero point %i", (zeroPoint) => {
    const average = { op: "avgpool", inputs: [0], output: 1, kernel: [1, 2], stride: [1, 2], pad: [0, 0] } as const;
    const input = Int8Array.from({ length: 131072 }, (_, i) => PAIRS[i % 2][i >> 1]);
    for (const shift of [30, 31, 33, 62]) {
      const layer = { ...average, multiplier: 2 ** 30, shift, clamp: [-128, 126] } as const;
      const tensors = [tensor([1, 256, 512], 4), tensor([1, 256, 256], zeroPoint)];
      expectEqual({ tensors, layers: [layer], outputs: [1] }, [input]);
    }
  });
});

it("a lut has an entry for each element, whatever the zero points", () => {
  const random = new Random(1);
  const table = Int8Array.from({ length: 256 }, () => random.integer(256) - 128);
  const tensors = [tensor([256, 1, 1], 100), tensor([256, 1, 1], -100)];
  const [report] = expectEqual({ tensors, layers: [{ op: "lut", inputs: [0], output: 1, table }], outputs: [1] }, [
    BYTES,
    BYTES.toReversed(),
  ]);
  expect(report).toMatchObject({ kernel: "lut", records: 0, streamBytes: 256 });
});

describe("lines", () => {
  it.each([1, PIECE_LINE - 1, PIECE_LINE, PIECE_LINE + 1, 2 * PIECE_LINE, 2 * PIECE_LINE + 3])(
    "of %i elements",
    (width) => {
      const model = buildModel(
        width,
        [2, 3, width],
        [
          { op: "lut" },
          { op: "add", from: [0, 2] },
          { op: "mul", from: [3, 2], relu: true },
          { op: "resize", factor: [2, 1] },
          { op: "maxpool", kernel: [2, 1], stride: 1, pad: [2, 0], from: 5 },
          { op: "mul", from: [6, 1] },
        ],
        { inputs: [[2, 1, 1]] },
      );
      expectEqualRuns(
        model,
        [1, 2].map((seed) => randomInputs(model, seed)),
      );
    },
  );

  it.each([1, 2, 3, 85, 255])("made of each element %i times", (factor) => {
    const model = buildModel(1, [2, 3, 5], [{ op: "resize", factor: [3, factor] }]);
    expectEqualRuns(model, [randomInputs(model, 1)]);
  });
});

describe("a concatenation", () => {
  const model = buildModel(
    6,
    [3, 5, 7],
    [
      { op: "lut" },
      { op: "concat", from: [0, 1] },
      { op: "lut", from: 2 },
      { op: "concat", from: [3, 2] },
      { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.6, out: 3, pad: 2 },
    ],
  );

  it("may have an input of the model as a part, and be one", () => {
    const reports = expectEqualRuns(
      model,
      [1, 2].map((seed) => randomInputs(model, seed)),
    );
    expect(reports[1]).toMatchObject({ kernel: "concat", streamBytes: 0 });
  });

  test("leaves its border to its parts", () => {
    const { entries } = fastProgram(readContainer(writeContainer(model)));
    const borders = entries.filter((entry) => entry.get(LAYER_KIND) === KIND_BORDER);
    expect(model.tensors.map(({ border }) => border)).toEqual([2, 2, 2, 2, 2, 0]);
    expect(borders.length).toBe(3);
  });
});
