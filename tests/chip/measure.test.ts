import { describe, expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { valuesOf } from "../../host/model/geometry.js";
import { CHIP_BOARDS } from "../../host/node/firmware/chip-boards.js";
import { measureChip } from "../../host/node/firmware/chip-measure.js";
import { toolsOf } from "../../host/node/firmware/boards.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { Random } from "../../host/rng.js";
import { CHIP_GOALS } from "../../host/chip/goal.js";
import { buildModel } from "../support/models.js";

/** A border around the input, several channels in and out, and an output of rows. */
const MODEL = buildModel(
  5,
  [2, 7, 5],
  [
    { op: "conv2d", out: 4, kernel: [3, 3], pad: 1, groups: 2, weights: "grid", density: 0.6, relu: true },
    { op: "conv2d", out: 3, kernel: [1, 1], weights: "grid", density: 0.9 },
    { op: "maxpool", kernel: 3, stride: 2, pad: 1 },
  ],
);
const SAMPLES = 3;

const boards = CHIP_BOARDS.filter(({ name }) => ["ch32v203", "ch32v003", "netduinoplus2"].includes(name));
const missing = missingTools(toolsOf(boards, []));
const skipped = missing.length > 0 ? ` (skipped: no ${missing.join(", ")})` : "";

describe.skipIf(missing.length > 0)(`what a net as C is measured by${skipped}`, () => {
  const random = new Random(3);
  const pixels = Uint8Array.from({ length: SAMPLES * valuesOf(MODEL.tensors[0].shape) }, () => random.integer(256));
  for (const board of boards) {
    it.each(CHIP_GOALS)(`${board.name} is given rows that stand apart, for %s`, async (goal) => {
      const container = writeContainer(MODEL);
      const { isEqual, selfTest } = await measureChip({ board, goal, name: "apart", container, pixels });
      expect({ isEqual, selfTest }).toEqual({ isEqual: true, selfTest: "net: self-test passed" });
    });
  }
});
