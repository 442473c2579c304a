/**
 * What SPEC.md promises of work, whatever a file asks for: a slice does at most so much more than its budget, a unit of it is at most so
 * many instructions, and a run takes no more than the control block says.
 */
import { describe, expect, test } from "vitest";
import * as format from "../../assembly/format.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel, Shape } from "../../host/model.js";
import { MeteredCore, type Slice } from "../support/metered-core.js";
import { buildModel, importedModel, syntheticModels, type LayerSpec } from "../support/models.js";

/** SPEC.md, "The core's interface". */
const MOST_BEYOND_BUDGET = 600;
const MOST_INSTRUCTIONS = 32;
const MOST_OF_A_CALL = 5000;

const equal = { weights: "single", density: 1 } as const;
const pixel = { op: "conv2d", kernel: [1, 1], out: 1, ...equal } as const;
const filter = { ...pixel, kernel: [255, 255] } as const;
const dense = { op: "dense", ...equal, out: 3 } as const;

/** Files of a few bytes with an indivisible piece of everything, once. */
const hostile: readonly (readonly [name: string, shape: Shape, ...specs: LayerSpec[]])[] = [
  ["a pool of 255 × 255 behind a convolution", [1, 255, 255], { ...pixel, pool: { size: 255, stride: 1 } }],
  ["a filter of 260,100 weights", [4, 255, 255], filter],
  ["narrow outputs of such filters", [1, 255, 257], { ...filter, out: 2 }],
  ["a max-pool of 255 × 255", [1, 256, 255], { op: "maxpool", kernel: 255, stride: 1 }],
  ["an average of 255 × 255", [2, 255, 255], { op: "avgpool", kernel: 255, stride: 255 }],
  ["rows and borders of 65,535", [1, 1, 65535], { ...pixel, kernel: [1, 31], pad: 15, stride: 255 }],
  ["a dense row of 65,535 weights and room for them", [1, 255, 257], filter, { ...dense, from: 0 }],
  ["rows of their own scales", [1, 1, 1], { ...dense, weights: "any", out: 3000, perChannel: true }],
  [
    "outputs without weights",
    [1, 40, 41],
    { ...pixel, density: 0, out: 9 },
    { ...pixel, density: 0, pool: { size: 3, stride: 1 } },
    { ...dense, density: 0, out: 50 },
  ],
  [
    "rows of one piece",
    [1, 1, 4],
    { ...pixel, density: 0, out: 300, perChannel: true },
    { ...dense, density: 0, out: 500, perChannel: true },
    { ...dense, weights: "any", out: 40, perChannel: true },
  ],
  ["255 tensors", [1, 1, 1], ...Array<LayerSpec>(254).fill({ op: "maxpool", kernel: 1, stride: 1 })],
  ["outputs one wide", [1, 300, 1], { ...pixel, out: 5 }, { op: "maxpool", kernel: 1, stride: 1 }],
];

const models = [
  ...hostile.map(([name, shape, ...specs]) => ({ name, model: buildModel(1, shape, specs) })),
  { name: "an imported net", model: importedModel() },
  ...syntheticModels(),
];

/** Steps until done. @returns the work of all slices */
function finish(core: MeteredCore, begun: Slice, budget: number): number {
  expect(begun.instructions).toBeLessThanOrEqual(MOST_OF_A_CALL);
  let work = 0;
  let slice = begun;
  while (slice.status === format.STATUS_BUSY) {
    slice = core.step(budget);
    work += slice.work;
    // One assertion a slice would take longer than the slices.
    if (slice.work > budget + MOST_BEYOND_BUDGET || slice.instructions > slice.work * MOST_INSTRUCTIONS) {
      expect.fail(`a slice of ${slice.work} units and ${slice.instructions} instructions, the budget is ${budget}`);
    }
  }
  expect(slice.status).toBe(format.STATUS_DONE);
  return work;
}

describe.each(models)("$name", ({ model }) => {
  const container = writeContainer(model, { windowBytes: format.MIN_WINDOW_BYTES });

  test("keeps to the bounds", () => {
    const runs = [0, 3000, 2 ** 32 - 1].map((budget) => {
      const core = new MeteredCore(container);
      finish(core, core.open(), budget);
      return { most: core.word(format.CONTROL_WORK), work: finish(core, core.start(), budget) };
    });
    const [{ most, work }] = runs;
    expect(runs).toEqual([
      { most, work },
      { most, work },
      { most, work },
    ]);
    expect(work).toBeLessThanOrEqual(most);
    expect(most).toBeLessThanOrEqual(6 * work);
  });
});

describe("a run of 2^32 products", () => {
  // 128 × 128 places and a filter of 7 × 219 × 171: with one more for each place the products are 0 in 32 bits.
  const model: QModel = buildModel(
    1,
    [7, 219 + 127, 171 + 127],
    [{ ...filter, kernel: [219, 171], pool: { size: 128, stride: 1 } }],
  );
  const core = new MeteredCore(writeContainer(model));
  finish(core, core.open(), 2 ** 31);

  test("is said to be beyond what a word holds", () => {
    expect(core.word(format.CONTROL_WORK)).toBe(2 ** 32 - 1);
  });

  test.each([
    [64, 20_000],
    [2 ** 20, 20],
  ])("is not done after slices of %i, %i of them", (budget, slices) => {
    let slice = core.start();
    for (let i = 0; i < slices && slice.status === format.STATUS_BUSY; i++) slice = core.step(budget);
    expect(slice.status).toBe(format.STATUS_BUSY);
    expect(slice.instructions).toBeLessThanOrEqual((budget + MOST_BEYOND_BUDGET) * MOST_INSTRUCTIONS);
    expect(core.word(format.CONTROL_LAYERS_DONE)).toBe(0);
  });
});
