/** Convolutions by lots of places, and layers by bits, on each kind of board: native kernels, by lanes, words or an element at a time, give the host's outputs. */
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
import { buildModel, type LayerSpec } from "../support/models.js";
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
const signs = { weights: "signs", density: 1, step: true } as const;
/** Lines of any length, a pool, several words, several outputs a lot; the last gives any byte. */
const ofTwoValues = writeContainer(
  buildModel(4, [2, 12, 11], [
    { ...conv, ...signs, kernel: [3, 3], out: 6, pad: [1, 1] },
    { ...conv, ...signs, kernel: [5, 5], out: 21, pad: [2, 2], pool: { size: 2, stride: 2 } },
    { ...conv, ...signs, kernel: [2, 3], out: 90, stride: 2 },
    { ...conv, ...signs, op: "dense", out: 70 },
    { ...conv, ...signs, op: "dense", out: 10, step: false },
  ] as LayerSpec[]),
);
const [quads, gaps, bits] = ["conv2d by two filters", "conv2d by gaps", "by bits"];

const engines: readonly FirmwareEngine[] = ["native", "aot"];
/** wasm3 does not fit the smallest one. */
const cases = BOARDS.flatMap((board) =>
  engines.filter((engine) => engine === "aot" || board.ramBytes > 16 << 10).map((engine) => ({ board, engine })),
);
const lacking = missingTools(toolsOf(BOARDS, engines));

describe.skipIf(lacking.length > 0)(named("convolutions by lots", lacking), () => {
  it("are what the models are made of", () => {
    const kernels = [container, ofTwoValues].map((one) =>
      reportFast(fastParts(fastModule(one))).map(({ kernel }) => kernel),
    );
    expect(kernels[0]).toEqual([quads, gaps, quads, quads, gaps]);
    expect(kernels[1].slice(1)).toEqual(Array(4).fill(bits));
  });

  it.each(cases)(
    "run on $board.name by $engine as on the host",
    async ({ board, engine }) => {
      for (const [name, one] of Object.entries({ lots: container, bits: ofTwoValues })) {
        const inputs = firmwareInputs(inputSizes(one), randomRuns(3, 1), 3);
        const got = await measure({ board, engine, optimize: "speed", model: { name, container: one } }, inputs);
        expect(got.logitsEqual).toBe(true);
        expect(got.survivedDamage).toBe(true);
      }
    },
    240_000,
  );
});
