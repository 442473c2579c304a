/**
 * What SPEC.md promises of work, whatever a file asks for: a slice does at most so much more than its budget, a unit of it is at most so
 * many instructions, and a run takes no more than the control block says.
 */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi.js";
import * as format from "../../assembly/format.js";
import { writeContainer } from "../../host/container/write.js";
import { hostileModels } from "../support/hostile-models.js";
import { MeteredCore, type Slice } from "../support/metered-core.js";
import { buildModel, importedModel, syntheticModels } from "../support/models.js";

/** SPEC.md, "The core's interface". */
const MOST_BEYOND_BUDGET = 600;
const MOST_INSTRUCTIONS = 32;
const MOST_OF_A_CALL = 5000;

const models = [...hostileModels(), { name: "an imported net", model: importedModel() }, ...syntheticModels()];

/** Steps until done. @returns the work of all slices */
function finish(core: MeteredCore, begun: Slice, budget: number): number {
  expect(begun.instructions).toBeLessThanOrEqual(MOST_OF_A_CALL);
  let work = 0;
  let slice = begun;
  while (slice.status === abi.STATUS_BUSY) {
    slice = core.step(budget);
    work += slice.work;
    // One assertion a slice would take longer than the slices.
    if (slice.work > budget + MOST_BEYOND_BUDGET || slice.instructions > slice.work * MOST_INSTRUCTIONS) {
      expect.fail(`a slice of ${slice.work} units and ${slice.instructions} instructions, the budget is ${budget}`);
    }
  }
  expect(slice.status).toBe(abi.STATUS_DONE);
  return work;
}

describe.each(models)("$name", ({ model }) => {
  const container = writeContainer(model, { windowBytes: format.MIN_WINDOW_BYTES });

  test("keeps to the bounds", () => {
    const runs = [0, 3000, 2 ** 32 - 1].map((budget) => {
      const core = new MeteredCore(container);
      finish(core, core.open(), budget);
      return { most: core.word(abi.CONTROL_WORK), work: finish(core, core.start(), budget) };
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

describe("weights that stand close in one part of a layer and far apart in the rest", () => {
  const model = buildModel(7, [400, 1, 1], [{ op: "dense", out: 400, density: 0, weights: "grid" }]);
  const [layer] = model.layers;
  // By their number and the longest distance of a symbol there could be a few thousand records; there are 40,000.
  if ("weights" in layer) layer.weights.fill(1, 0, 40_000).fill(-1, 159_999);

  test("are all in the work that a run is said to take", () => {
    const core = new MeteredCore(writeContainer(model));
    finish(core, core.open(), 3000);
    const work = finish(core, core.start(), 3000);
    expect(work).toBeLessThanOrEqual(core.word(abi.CONTROL_WORK));
  });
});

describe("a run of 2^32 products", () => {
  // 128 × 128 places and a filter of 7 × 219 × 171: with one more for each place the products are 0 in 32 bits.
  const model = buildModel(
    1,
    [7, 219 + 127, 171 + 127],
    [{ op: "conv2d", out: 1, kernel: [219, 171], weights: "single", density: 1, pool: { size: 128, stride: 1 } }],
  );
  const core = new MeteredCore(writeContainer(model));
  finish(core, core.open(), 2 ** 31);

  test("is said to be beyond what a word holds", () => {
    expect(core.word(abi.CONTROL_WORK)).toBe(2 ** 32 - 1);
  });

  test.each([
    [64, 20_000],
    [2 ** 20, 20],
  ])("is not done after slices of %i, %i of them", (budget, slices) => {
    let slice = core.start();
    for (let i = 0; i < slices && slice.status === abi.STATUS_BUSY; i++) slice = core.step(budget);
    expect(slice.status).toBe(abi.STATUS_BUSY);
    expect(slice.instructions).toBeLessThanOrEqual((budget + MOST_BEYOND_BUDGET) * MOST_INSTRUCTIONS);
    expect(core.word(abi.CONTROL_LAYERS_DONE)).toBe(0);
  });
});
