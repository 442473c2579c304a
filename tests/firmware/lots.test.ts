/** Convolutions by lots of places on each kind of board: native kernels, by lanes or an element at a time, give the host's outputs. */
import { describe, expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { fastParts } from "../../host/fast/parts.js";
import { randomRuns } from "../../host/node/data/runs.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import type { FirmwareEngine } from "../../host/firmware/engines.js";
import { BOARDS, toolsOf } from "../../host/node/firmware/boards.js";
import { firmwareInputs, inputSizes } from "../../host/node/firmware/inputs.js";
import { measure } from "../../host/node/firmware/measure.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { reportFast } from "../../host/report/fast.js";
import { buildModel } from "../support/models.js";
import { named } from "./support/native.js";

const conv = { op: "conv2d", kernel: [1, 1], weights: "any", density: 1 } as const;

/** Odd numbers of filters and places, borders, strides, more inputs than a piece of lanes has, outputs of a part of the bytes. */
const container = writeContainer(
  buildModel(
    3,
    [2, 9, 9],
    [
      { ...conv, kernel: [3, 3], out: 17, pad: [1, 1] },
      { ...conv, kernel: [3, 3], out: 9, stride: 2, density: 0.3 },
      { ...conv, out: 16, relu: true },
      { ...conv, kernel: [3, 3], out: 7, pad: [1, 1] },
      { ...conv, kernel: [3, 3], out: 33, density: 0.2 },
    ],
  ),
);
const [quads, gaps] = ["conv2d by two filters", "conv2d by gaps"];

const engines: readonly FirmwareEngine[] = ["native", "aot"];
/** wasm3 does not fit the smallest one. */
const cases = BOARDS.flatMap((board) =>
  engines.filter((engine) => engine === "aot" || board.ramBytes > 16 << 10).map((engine) => ({ board, engine })),
);
const lacking = missingTools(toolsOf(BOARDS, engines));

describe.skipIf(lacking.length > 0)(named("convolutions by lots", lacking), () => {
  it("are what the model is made of", () => {
    const kernels = reportFast(fastParts(fastModule(container))).map(({ kernel }) => kernel);
    expect(kernels).toEqual([quads, gaps, quads, quads, gaps]);
  });

  it.each(cases)(
    "run on $board.name by $engine as on the host",
    async ({ board, engine }) => {
      const inputs = firmwareInputs(inputSizes(container), randomRuns(3, 1), 3);
      const got = await measure({ board, engine, optimize: "speed", model: { name: "lots", container } }, inputs);
      expect(got.logitsEqual).toBe(true);
      expect(got.survivedDamage).toBe(true);
    },
    120_000,
  );
});
