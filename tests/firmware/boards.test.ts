import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { loadDataSpec } from "../../host/node/data/inputs.js";
import { readBaseline, regressions } from "../../host/node/firmware/baseline.js";
import { BOARDS, ENGINES, toolsOf } from "../../host/node/firmware/boards.js";
import { keptCases } from "../../host/node/firmware/cases.js";
import { firmwareImage, openBytes } from "../../host/node/firmware/image.js";
import { imageInputs, randomInputs } from "../../host/node/firmware/inputs.js";
import {
  caseName,
  measure,
  type FirmwareInputs,
  type FirmwareModel,
  type Measurement,
} from "../../host/node/firmware/measure.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { MoteError } from "../../host/errors.js";
import type { Shape } from "../../host/model/model.js";
import { packageRoot } from "../../host/node/paths.js";
import { buildModel, syntheticModels, type LayerSpec } from "../support/models.js";
import { named } from "./support/native.js";

const DIGITS = 20;
/** Most bytes of native stack, on any board in any slice; of a fast module also while it is opened. */
const STACK_LIMIT = 2048;

const testDigits = (model: FirmwareModel): FirmwareInputs => imageInputs(model, loadDataSpec("mnist:test"), DIGITS);

const container = (model: string): Uint8Array => readFileSync(join(packageRoot, "models", `${model}.mote`));

for (const board of BOARDS) {
  const lacking = missingTools(toolsOf([board], ENGINES));
  describe.skipIf(lacking.length > 0)(named(`${board.name} (${board.cpu})`, lacking), () => {
    const cases = keptCases().filter((one) => one.board === board);

    it.each(cases)(
      "$engine runs $model for $optimize as the host does, no slower and no larger than before",
      async (one) => {
        const model = { name: one.model, container: container(one.model) };
        const got = await measure({ ...one, model }, testDigits(model));
        expect(got.logitsEqual).toBe(true);
        expect(got.right).toBeGreaterThanOrEqual(DIGITS - 1);
        expect(got.survivedDamage).toBe(true);
        expect(got.sramBytes.stack).toBeLessThanOrEqual(STACK_LIMIT);
        if (one.optimize !== "size") expect(got.sramBytes.beginStack).toBeLessThanOrEqual(STACK_LIMIT);
        const image = firmwareImage(model.container, one.optimize);
        expect(got.sramBytes.heap).toBeLessThanOrEqual(openBytes(image, one.engine));
        // The layers are all there, and their slices are all of the run but what hands the input over, up to a quarter for lenet300 ahead of time.
        expect(got.instructionsPerLayer.length).toBe(readContainer(model.container).model.layers.length);
        const inLayers = got.instructionsPerLayer.reduce((sum, count) => sum + count, 0);
        expect(inLayers).toBeLessThan(got.instructions);
        expect(inLayers).toBeGreaterThan(got.instructions * 0.7);
        expect(regressions(got, readBaseline())).toEqual([]);
      },
    );
  });
}

const microbit = BOARDS.find(({ name }) => name === "microbit")!;
const lacking = missingTools(toolsOf([microbit], ["wasm3"]));
describe.skipIf(lacking.length > 0)(named("a model too large for a board", lacking), () => {
  it("is refused when it is opened, with the bytes there were", async () => {
    const model = { name: "lenet5", container: container("lenet5") };
    const run = measure({ board: microbit, engine: "wasm3", optimize: "size", model }, testDigits(model));
    await expect(run).rejects.toThrow(MoteError);
    await expect(run).rejects.toThrow(
      /^microbit-wasm3-size-lenet5: opening failed: MOTE_ERROR_MEMORY, .* \(-101\); \d{5} bytes were free, \d{5} are surely enough$/,
    );
  });
});

const netduino = BOARDS.find(({ name }) => name === "netduinoplus2")!;
const noTools = missingTools(toolsOf([netduino], ["aot"]));
describe.skipIf(noTools.length > 0)(named("a model of any shape", noTools), () => {
  const dense = (out: number): LayerSpec => ({ op: "dense", weights: "grid", density: 0.5, out });
  const run = (name: string, shape: Shape, specs: readonly LayerSpec[]): Promise<Measurement> => {
    const model = { name, container: writeContainer(buildModel(7, shape, specs)) };
    return measure({ board: netduino, engine: "aot", optimize: "speed", model }, randomInputs(model, 3));
  };

  it("runs with more layers and outputs than a LeNet has, and all of them are compared", async () => {
    const got = await run("deep", [3, 4, 5], [...Array.from({ length: 19 }, () => dense(9)), dense(300)]);
    expect(got.logitsEqual).toBe(true);
    expect(got.instructionsPerLayer.length).toBe(20);
    expect(Math.min(...got.instructionsPerLayer)).toBeGreaterThan(0);
    expect(got.right).toBeUndefined();
    expect(got.survivedDamage).toBe(true);
  });

  it("runs with several inputs, outputs and states", async () => {
    const { model } = syntheticModels().find(({ name }) => name === "streaming")!;
    const streaming = { name: "streaming", container: writeContainer(model) };
    for (const optimize of ["speed", "size"] as const) {
      const got = await measure(
        { board: netduino, engine: "aot", optimize, model: streaming },
        randomInputs(streaming, 4),
      );
      expect(got.logitsEqual).toBe(true);
      expect(got.survivedDamage).toBe(true);
    }
    expect(() => imageInputs(streaming, loadDataSpec("mnist:test"), 1)).toThrow(
      "streaming takes inputs of [2, 6, 6] and [1, 5, 7], mnist:test has [1, 28, 28]",
    );
  });

  it("or says that nothing is left for its outputs", async () => {
    const expand: LayerSpec = { op: "conv2d", kernel: [1, 1], weights: "grid", density: 1, out: 8 };
    await expect(run("wide", [1, 100, 100], [expand])).rejects.toThrow(
      /^netduinoplus2-aot-speed-wide: its outputs and layers' ticks take 80008 bytes, \d{5} were left$/,
    );
  });
});

describe("the baseline", () => {
  const was = readBaseline();
  const first = was[0];
  const worse = (change: Partial<Measurement>): string[] => regressions({ ...first, ...change }, was);

  it("lets pass what is as it was, better, or within 2 %", () => {
    expect(worse({})).toEqual([]);
    expect(worse({ instructions: Math.floor(first.instructions * 1.019) })).toEqual([]);
    expect(worse({ instructions: 1, sramBytes: { ...first.sramBytes, total: 1 } })).toEqual([]);
  });

  it("names each figure that rose by more than 2 %", () => {
    expect(worse({ instructions: Math.ceil(first.instructions * 1.021) })[0]).toMatch(
      /: instructions \d+ → \d+ \(\+2\.1 %\)/,
    );
    expect(worse({ sramBytes: { ...first.sramBytes, total: first.sramBytes.total * 2 } })[0]).toContain(
      "sramBytes.total",
    );
  });

  it("asks for a figure it does not have", () => {
    expect(worse({ model: "unheard-of" })[0]).toContain(
      "not in bench/device.json; take it in with: npm run firmware -- --update",
    );
  });

  it("has every case that is kept, and no other", () => {
    const expected = keptCases().map((one) => caseName({ ...one, board: one.board.name }));
    expect(was.map(caseName).sort()).toEqual(expected.sort());
  });
});
