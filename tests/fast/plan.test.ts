/** Which tensors of a fast module have borders, and which stand over others. What kernels make of it is compared in the tests of kernels. */
import { describe, expect, it } from "vitest";
import { plansFast, type FastPlan } from "../../host/fast/plan.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import type { Shape } from "../../host/model/model.js";
import { buildModel, randomInput, type LayerSpec } from "../support/models.js";
import { expectEqual } from "./expect-equal.js";

const full = { op: "conv2d", weights: "any", density: 1 } as const;
const pointwise = (out: number): LayerSpec => ({ ...full, kernel: [1, 1], out });
const depthwise = (out: number, stride = 1): LayerSpec => ({
  ...full,
  kernel: [3, 3],
  pad: 1,
  out,
  groups: out,
  stride,
});
const padded = { ...full, kernel: [3, 3], pad: 1, out: 8 } as const;

function planOf(shape: Shape, layers: readonly LayerSpec[]): FastPlan {
  const model = buildModel(3, shape, layers);
  expectEqual(model, [randomInput(model, 1), randomInput(model, 2)]);
  return plansFast(readContainer(writeContainer(model)).model).next().value!;
}

/** The arena and where tensors stand, from behind what kernels lay out. */
function behindScratch({ arena, offsets, streams }: FastPlan): [bytes: number, offsets: number[]] {
  const first = Math.min(...offsets);
  expect(first).toBe(Math.ceil(Math.max(...streams.map(({ scratchBytes }) => scratchBytes)) / 8) * 8);
  return [arena - first, offsets.map((offset) => offset - first)];
}

const bordersOf = ({ model }: FastPlan): number[] => model.tensors.map(({ border }) => border);

describe("borders", () => {
  it("are none where depthwise and 1 × 1 convolutions read alone", () => {
    expect(bordersOf(planOf([8, 20, 20], [depthwise(8), pointwise(8), depthwise(8), pointwise(8)]))).toEqual([
      0, 0, 0, 0, 0,
    ]);
  });

  it("are as wide as any other reader pads", () => {
    expect(bordersOf(planOf([8, 20, 20], [depthwise(8), depthwise(8), padded, pointwise(8)]))).toEqual([0, 0, 1, 0, 0]);
  });
});

describe("outputs over inputs", () => {
  it("are those of depthwise and 1 × 1 convolutions", () => {
    const plan = planOf([8, 20, 20], [depthwise(8), pointwise(8), depthwise(8), pointwise(8)]);
    expect(behindScratch(plan)).toEqual([3200, [0, 0, 0, 0, 0]]);
  });

  it("may have more channels, or fewer, or be smaller", () => {
    const plan = planOf([8, 20, 20], [pointwise(16), depthwise(16, 2), pointwise(32), depthwise(32)]);
    expect(behindScratch(plan)).toEqual([6400, [0, 0, 0, 0, 0]]);
    expect(behindScratch(planOf([16, 20, 20], [pointwise(8), pointwise(8)]))[0]).toBe(6400);
  });

  it("have the border of what else they share a place with", () => {
    const plan = planOf([16, 20, 20], [pointwise(8), padded]);
    expect(plan.model.tensors.map(({ border, isBorderRead }) => [border, isBorderRead])).toEqual([
      [1, false],
      [1, true],
      [0, false],
    ]);
    expect(behindScratch(plan)).toEqual([16 * 22 * 22, [0, 0, 3872]]);
  });

  it("fill a border that they read though what they share a place with needs a wider one", () => {
    // Tensor 3 stands over tensor 1; a 3 × 3 window looks at one, a 5 × 5 window at the other.
    const sparse = { op: "conv2d", weights: "any", density: 0.5, out: 3 } as const;
    for (const [first, second] of [
      [1, 2],
      [2, 1],
    ]) {
      const window = (pad: number) => ({ ...sparse, kernel: [2 * pad + 1, 2 * pad + 1], pad }) as const;
      const plan = planOf(
        [3, 12, 12],
        [
          { ...sparse, out: 4, kernel: [1, 1] },
          { ...window(first), from: 1 },
          { op: "lut", from: 1 },
          { ...window(second), from: 3 },
          { op: "add", from: [2, 4] },
        ],
      );
      const { tensors } = plan.model;
      expect(plan.offsets[3]).toBe(plan.offsets[1]);
      expect([1, 3].map((index) => [tensors[index].border, tensors[index].isBorderRead])).toEqual([
        [2, true],
        [2, true],
      ]);
    }
  });

  it("are none of windows that look at neighbours in all channels", () => {
    const { offsets } = planOf([8, 20, 20], [{ ...padded, pad: 0 }, padded]);
    expect(new Set(offsets).size).toBe(2);
    expect(offsets[0]).not.toBe(offsets[1]);
  });

  it("are none where an input is read once more", () => {
    const { offsets } = planOf([8, 20, 20], [pointwise(8), { op: "add", from: [0, 1] }]);
    expect(offsets[1]).not.toBe(offsets[0]);
    expect(offsets.slice(0, 2)).toContain(offsets[2]);
  });
});
